/* The ranges of a generation, and how they are kept while its entries change.
 *
 *   ranges   node 0x00 generation(u32) first key -> u32 count | u64 sum | check
 *
 * The first range of a generation begins at its prefix. A range that has grown is parted with the
 * transaction that made it grow. Costs little: entries come in the order of their keys, and what is
 * added up are the checks that are computed anyway. */
#include "storage/views_private.h"

#include <string.h>

#define RANGE_COUNT_MAX 256
#define RANGE_COUNT_AIM 128

struct bytes views_range_lower(const struct views_range *range)
{
    return bytes_of(range->lower, range->lower_size);
}

struct bytes views_range_upper(const struct views_range *range)
{
    return bytes_of(range->upper, range->upper_size);
}

static bool key_set(char out[64 + VIEW_KEY_SIZE_MAX], size_t *size, struct bytes key)
{
    if (key.size > 64 + VIEW_KEY_SIZE_MAX)
        return false;
    memcpy(out, key.data, key.size);
    *size = key.size;
    return true;
}

static bool key_is_below(struct bytes key, struct bytes prefix)
{
    return key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
}

/* ---- finding one ------------------------------------------------------------------------------ */

static enum err range_decode(struct buffer *scratch, struct bytes key, struct bytes value,
                             struct views_range *range)
{
    enum err err = views_take_checked(scratch, key, &value);
    if (err != OK)
        return err;
    if (value.size != 12 || !key_set(range->lower, &range->lower_size, key))
        return ERR_CORRUPT;
    range->count = get_u32(value.data);
    range->sum = get_u64(value.data + 4);
    return OK;
}

/* Before any range is known, an empty one from one end of the generation to the other. */
static void range_begin(struct views_range *range, struct bytes prefix)
{
    *range = (struct views_range){ .lower_size = prefix.size, .upper_size = prefix.size };
    memcpy(range->lower, prefix.data, prefix.size);
    memcpy(range->upper, prefix.data, prefix.size);
    uint8_t *generation = (uint8_t *)range->upper + prefix.size - 4;
    put_u32(generation, get_u32(generation) + 1);
}

enum err views_range_at(struct store_cursor *ranges, struct buffer *scratch, size_t prefix_size,
                        struct bytes key, struct views_range *range)
{
    struct bytes prefix = bytes_of(key.data, prefix_size), found, value;
    range_begin(range, prefix);
    enum err err = store_cursor_seek(ranges, key, &found, &value);
    if (err == OK && bytes_equal(found, key)) {
        err = range_decode(scratch, found, value, range);
        if (err == OK)
            err = store_cursor_next(ranges, &found, &value);
        if (err == OK && key_is_below(found, prefix) &&
            !key_set(range->upper, &range->upper_size, found))
            err = ERR_CORRUPT;
    } else if (err == OK || err == ERR_END) {
        if (err == OK && key_is_below(found, prefix) &&
            !key_set(range->upper, &range->upper_size, found))
            return ERR_CORRUPT;
        err = store_cursor_seek_before(ranges, key, &found, &value);
        if (err == OK && key_is_below(found, prefix))
            err = range_decode(scratch, found, value, range);
    }
    if (err != OK && err != ERR_END)
        return err;
    return bytes_compare(views_range_lower(range), key) <= 0 &&
                   bytes_compare(key, views_range_upper(range)) < 0
               ? OK
               : ERR_CORRUPT;
}

/* ---- keeping them ----------------------------------------------------------------------------- */

void views_sums_begin(struct views_sums *sums, struct store_txn *txn, size_t prefix_size)
{
    *sums = (struct views_sums){ .txn = txn, .prefix_size = prefix_size };
    sums->entries = store_cursor_open(txn, VIEWS_ENTRIES);
    sums->ranges = store_cursor_open(txn, VIEWS_RANGES);
}

static void sums_fail(struct views_sums *sums, enum err err)
{
    if (sums->txn->err == OK)
        sums->txn->err = err;
    if (err == ERR_CORRUPT)
        store_condemn(sums->txn->store, "ranges of");
}

static void range_write(struct views_sums *sums, struct bytes lower, uint32_t count, uint64_t sum)
{
    uint8_t raw[12];
    put_u32(raw, count);
    put_u64(raw + 4, sum);
    uint8_t *room = store_cursor_reserve(&sums->ranges, lower, sizeof raw + VIEWS_CHECK_SIZE);
    if (room)
        views_write_checked(sums->txn, &sums->scratch, lower, BYTES_OF_ARRAY(raw), room);
}

/* As it is stored: a value that does not fit it is found when it is read. */
static uint64_t check_of(struct bytes value)
{
    return value.size < VIEWS_CHECK_SIZE ? 0 : get_u64(value.data + value.size - VIEWS_CHECK_SIZE);
}

/* Adds up what is there of the current range, and writes ranges of RANGE_COUNT_AIM when `parts`. The
 * last one takes the rest. */
static void range_walk(struct views_sums *sums, bool parts, uint32_t *count, uint64_t *sum)
{
    struct bytes key, value, upper = views_range_upper(&sums->range);
    struct bytes lower = views_range_lower(&sums->range);
    char begin[64 + VIEW_KEY_SIZE_MAX];
    size_t begin_size = 0;
    uint32_t left = sums->range.count;
    *count = 0;
    *sum = 0;
    key_set(begin, &begin_size, lower);
    enum err err = store_cursor_seek(&sums->entries, lower, &key, &value);
    while (err == OK && bytes_compare(key, upper) < 0) {
        if (parts && *count == RANGE_COUNT_AIM && left >= RANGE_COUNT_AIM) {
            range_write(sums, bytes_of(begin, begin_size), *count, *sum);
            *count = 0;
            *sum = 0;
            if (!key_set(begin, &begin_size, key))
                sums_fail(sums, ERR_CORRUPT);
        }
        (*count)++;
        left--;
        *sum += check_of(value);
        err = store_cursor_next(&sums->entries, &key, &value);
    }
    if (parts)
        range_write(sums, bytes_of(begin, begin_size), *count, *sum);
}

/* Only what is all there is parted: the sums of the parts would say that nothing is amiss. */
static void range_part(struct views_sums *sums)
{
    uint32_t count;
    uint64_t sum;
    range_walk(sums, false, &count, &sum);
    if (count != sums->range.count || sum != sums->range.sum)
        sums_fail(sums, ERR_CORRUPT);
    else
        range_walk(sums, true, &count, &sum);
}

static void range_store(struct views_sums *sums)
{
    struct views_range *range = &sums->range;
    if (sums->changed && sums->txn->err == OK) {
        if (range->count > RANGE_COUNT_MAX) {
            range_part(sums);
        } else if (range->count == 0 && range->lower_size > sums->prefix_size) {
            store_cursor_close(&sums->ranges); /* it goes into the one before */
            store_delete(sums->txn, VIEWS_RANGES, views_range_lower(range));
            sums->ranges = store_cursor_open(sums->txn, VIEWS_RANGES);
        } else {
            range_write(sums, views_range_lower(range), range->count, range->sum);
        }
    }
    sums->changed = false;
}

static void range_for(struct views_sums *sums, struct bytes key)
{
    if (!sums->has_range || bytes_compare(key, views_range_upper(&sums->range)) >= 0) {
        range_store(sums);
        enum err err = views_range_at(&sums->ranges, &sums->scratch, sums->prefix_size, key,
                                      &sums->range);
        if (err != OK)
            sums_fail(sums, err);
        sums->has_range = true;
    }
    sums->changed = true;
}

void views_sums_put(struct views_sums *sums, struct bytes key, struct bytes value)
{
    struct bytes held;
    size_t size = value.size + VIEWS_CHECK_SIZE;
    range_for(sums, key);
    uint8_t *room = store_cursor_insert(&sums->entries, key, size, &held);
    if (held.data) {
        sums->range.sum -= check_of(held);
        room = store_cursor_reserve(&sums->entries, key, size);
    } else {
        sums->range.count++;
    }
    if (!room)
        return;
    views_write_checked(sums->txn, &sums->scratch, key, value, room);
    sums->range.sum += check_of(bytes_of(room, size));
}

/* Rare, and not worth trusting a cursor across a page that vanishes. */
void views_sums_delete(struct views_sums *sums, struct bytes key)
{
    struct bytes held;
    range_for(sums, key);
    if (store_get(sums->txn, VIEWS_ENTRIES, key, &held) != OK)
        return;
    sums->range.count--;
    sums->range.sum -= check_of(held);
    store_cursor_close(&sums->entries);
    store_delete(sums->txn, VIEWS_ENTRIES, key);
    sums->entries = store_cursor_open(sums->txn, VIEWS_ENTRIES);
}

enum err views_sums_end(struct views_sums *sums)
{
    if (sums->has_range)
        range_store(sums);
    store_cursor_close(&sums->entries);
    store_cursor_close(&sums->ranges);
    buffer_close(&sums->scratch);
    return sums->txn->err;
}
