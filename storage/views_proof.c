/* That what is not found is not there (V5).
 *
 * LMDB has no checksums. A flipped bit in a key, in a page above it or in a page number hides entries
 * from searches, and no check of a value sees what is not met. So a range is looked at once before
 * an absence in it is believed:
 *
 *   1. from its first key to the next range's, the keys ascend
 *   2. each entry's check is that of its key and value
 *   3. there are as many as the range says, and their checks add up to its sum
 *   4. a search from the root comes to the first and the last entry of each page. Between two keys that
 *      the same comparisons lead to the same page every other one is led there too, so all are found
 *
 * What was looked at is remembered until the store is closed, whatever this process writes there. The
 * scrub looks at everything in the background; when it has been through a node's view, or when this
 * process made it from nothing, its readers need not ask any more. */
#include "storage/views_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE_MIN 4096 /* of LMDB: larger ones are multiples of it */

enum err views_condemn(struct views *views)
{
    return store_condemn(views->store, "entries are missing in");
}

/* ---- what was looked at ----------------------------------------------------------------------- */

static uint64_t fingerprint(const struct views_range *range)
{
    static const uint8_t key[crypto_shorthash_KEYBYTES] = "samad proof v1\0";
    uint8_t content[2 * sizeof range->lower], hash[crypto_shorthash_BYTES];
    memcpy(content, range->lower, range->lower_size);
    memcpy(content + range->lower_size, range->upper, range->upper_size);
    crypto_shorthash(hash, content, range->lower_size + range->upper_size, key);
    uint64_t number = get_u64(hash);
    return number != 0 ? number : 1;
}

static uint64_t *proof_place(const struct views_proof *proof, uint64_t print)
{
    size_t at = (size_t)print & (proof->room - 1);
    while (proof->ranges[at] != 0 && proof->ranges[at] != print)
        at = (at + 1) & (proof->room - 1);
    return &proof->ranges[at];
}

static bool proof_has(struct views_proof *proof, uint64_t print)
{
    pthread_mutex_lock(&proof->mutex);
    bool has = proof->room > 0 && *proof_place(proof, print) == print;
    pthread_mutex_unlock(&proof->mutex);
    return has;
}

/* Without memory nothing is remembered, and looked at again. */
static void proof_grow(struct views_proof *proof)
{
    struct views_proof grown = { .room = proof->room ? 2 * proof->room : 1024 };
    grown.ranges = calloc(grown.room, sizeof *grown.ranges);
    if (!grown.ranges)
        return;
    for (size_t i = 0; i < proof->room; i++)
        if (proof->ranges[i] != 0)
            *proof_place(&grown, proof->ranges[i]) = proof->ranges[i];
    free(proof->ranges);
    proof->ranges = grown.ranges;
    proof->room = grown.room;
}

static void proof_add(struct views_proof *proof, uint64_t print)
{
    pthread_mutex_lock(&proof->mutex);
    if (2 * proof->count >= proof->room)
        proof_grow(proof);
    if (2 * proof->count < proof->room) {
        uint64_t *place = proof_place(proof, print);
        proof->count += *place == 0;
        *place = print;
    }
    pthread_mutex_unlock(&proof->mutex);
}

/* ---- looking at one range --------------------------------------------------------------------- */

struct look {
    struct store_txn *txn;
    struct buffer *scratch;
    struct bytes key, value; /* the last one met */
    uint32_t count;
    uint64_t sum;
    bool spoiled; /* an entry fails its check, and all is in its place */
};

static bool is_led_to(struct look *look)
{
    return store_leads_to(look->txn, VIEWS_ENTRIES, look->key, look->value);
}

static bool look_at(struct look *look, struct bytes key, struct bytes value, enum err *err)
{
    struct bytes content = value;
    bool first = look->count == 0;
    bool turned = !first && ((uintptr_t)key.data / PAGE_SIZE_MIN !=
                             (uintptr_t)look->key.data / PAGE_SIZE_MIN);
    if (!first && bytes_compare(look->key, key) >= 0)
        return false;
    if (turned && !is_led_to(look))
        return false;
    *err = views_take_checked(look->scratch, key, &content);
    look->spoiled |= *err == ERR_CORRUPT;
    if (*err == ERR_NOMEM)
        return false;
    look->key = key;
    look->value = value;
    look->count++;
    look->sum += value.size < VIEWS_CHECK_SIZE
                     ? 0
                     : get_u64(value.data + value.size - VIEWS_CHECK_SIZE);
    return !(first || turned) || is_led_to(look);
}

/* ERR_CORRUPT when it is not as it says; then `*spoiled` tells that the tree is sound and a new
 * generation can grow in it. */
static enum err range_look(struct store_txn *txn, struct buffer *scratch,
                           const struct views_range *range, bool *spoiled)
{
    struct look look = { .txn = txn, .scratch = scratch };
    struct bytes key, value, lower = views_range_lower(range), upper = views_range_upper(range);
    struct store_cursor cursor = store_cursor_open(txn, VIEWS_ENTRIES);
    enum err err = store_cursor_seek(&cursor, lower, &key, &value), failed = OK;
    bool good = err != OK || bytes_compare(key, lower) >= 0;
    while (good && err == OK && bytes_compare(key, upper) < 0) {
        good = look.count < range->count && look_at(&look, key, value, &failed);
        if (good)
            err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    if (txn->err != OK || failed == ERR_NOMEM)
        return txn->err != OK ? txn->err : failed;
    good = good && look.count == range->count && (look.count == 0 || is_led_to(&look)) &&
           (look.spoiled || look.sum == range->sum);
    *spoiled = good && look.spoiled;
    return good && !look.spoiled ? OK : ERR_CORRUPT;
}

/* Damage in one entry makes the next fold begin a new generation (V4), damage in the tree a new file. */
static enum err range_on_damage(struct views *views, struct bytes key, size_t prefix_size,
                                bool spoiled)
{
    if (!spoiled)
        return views_condemn(views);
    views_note_damage(views, (const char *)key.data, get_u32(key.data + prefix_size - 4));
    return ERR_CORRUPT;
}

/* The range of a key, looked at unless it was before. */
static enum err range_prove(struct views *views, struct store_txn *txn, struct buffer *scratch,
                            size_t prefix_size, struct bytes key, struct views_range *range)
{
    struct store_cursor ranges = store_cursor_open(txn, VIEWS_RANGES);
    enum err err = views_range_at(&ranges, scratch, prefix_size, key, range);
    store_cursor_close(&ranges);
    if (txn->err != OK)
        return txn->err;
    uint64_t print = err == OK ? fingerprint(range) : 0;
    bool spoiled = false;
    if (err == OK && !proof_has(&views->proof, print)) {
        err = range_look(txn, scratch, range, &spoiled);
        if (err == OK)
            proof_add(&views->proof, print);
    }
    return err == ERR_CORRUPT && txn->err == OK
               ? range_on_damage(views, key, prefix_size, spoiled)
               : err;
}

/* ---- for readers ------------------------------------------------------------------------------ */

/* Readers come and go, so they ask once. */
static bool reader_is_proven(struct views_reader *reader)
{
    char node[NODE_NAME_SIZE_MAX + 1];
    memcpy(node, reader->prefix, reader->prefix_size - 4);
    uint32_t generation = get_u32((const uint8_t *)reader->prefix + reader->prefix_size - 4);
    struct views_memo memo = views_memo_get(reader->views, node);
    return memo.proven[0] == generation || memo.proven[1] == generation;
}

static bool reader_knows(const struct views_reader *reader, struct bytes from)
{
    return reader->proven_to.size > 0 &&
           bytes_compare(buffer_bytes(&reader->proven_from), from) <= 0 &&
           bytes_compare(from, buffer_bytes(&reader->proven_to)) < 0;
}

static bool range_is_last(struct bytes upper, const char *prefix, size_t prefix_size)
{
    return upper.size < prefix_size || memcmp(upper.data, prefix, prefix_size) != 0;
}

/* Proves the range of a key and keeps it: a scan asks for the same again and again. */
static enum err reader_learn(struct views_reader *reader, struct bytes key)
{
    struct views_range range;
    enum err err = range_prove(reader->views, &reader->txn, &reader->value, reader->prefix_size,
                               key, &range);
    if (err != OK)
        return err;
    buffer_clear(&reader->proven_from);
    buffer_clear(&reader->proven_to);
    buffer_append_bytes(&reader->proven_from, views_range_lower(&range));
    buffer_append_bytes(&reader->proven_to, views_range_upper(&range));
    return reader->proven_from.err != OK ? reader->proven_from.err : reader->proven_to.err;
}

enum err views_prove(struct views_reader *reader, struct bytes from, const struct bytes *to)
{
    char begin[64 + VIEW_KEY_SIZE_MAX + 1];
    struct bytes at = from, upper;
    while (!reader->proven) {
        if (!reader_knows(reader, at)) {
            enum err err = OK;
            reader->proven = reader_is_proven(reader);
            if (!reader->proven && (err = reader_learn(reader, at)) != OK)
                return err;
            if (reader->proven)
                break;
        }
        upper = buffer_bytes(&reader->proven_to);
        if ((to && bytes_compare(*to, upper) < 0) ||
            range_is_last(upper, reader->prefix, reader->prefix_size))
            break;
        memcpy(begin, upper.data, upper.size);
        at = bytes_of(begin, upper.size);
    }
    return OK;
}

/* ---- the scrub -------------------------------------------------------------------------------- */

/* The next node that has entries. ERR_END. */
static enum err scrub_next_node(struct views *views, struct store_txn *txn)
{
    struct views_scrub *scrub = &views->scrub;
    char above[NODE_NAME_SIZE_MAX + 2];
    struct bytes key, value;
    size_t size = strlen(scrub->node);
    memcpy(above, scrub->node, size);
    above[size] = 1; /* keys go on with zero */
    struct store_cursor cursor = store_cursor_open(txn, VIEWS_ENTRIES);
    enum err err = store_cursor_seek(&cursor, size > 0 ? bytes_of(above, size + 1) : BYTES_NONE, &key,
                                     &value);
    store_cursor_close(&cursor);
    if (err != OK)
        return err;
    const uint8_t *end = memchr(key.data, 0, key.size);
    struct bytes node = bytes_of(key.data, end ? (size_t)(end - key.data) : key.size);
    if (!end || !node_name_is_valid(node) ||
        (size > 0 && bytes_compare(node, bytes_of_string(scrub->node)) <= 0))
        return views_condemn(views);
    memset(scrub->node, 0, sizeof scrub->node);
    memcpy(scrub->node, node.data, node.size);
    return OK;
}

/* From the beginning of what is read of the node, when that is not what is being looked at. What is
 * wrong with its row or its heads the next fold makes good. */
static enum err scrub_begin_generation(struct views *views, struct store_txn *txn)
{
    struct views_scrub *scrub = &views->scrub;
    struct views_row row;
    struct log_head *heads;
    size_t count;
    char prefix[64];
    enum err err = views_row_read(txn, scrub->node, &row);
    if (err != OK || (scrub->from.size > 0 && row.generation == scrub->generation))
        return err;
    err = views_heads_read(txn, scrub->node, row.generation, row.head_count, &heads, &count);
    free(heads);
    if (row.damaged || (err == ERR_CORRUPT && txn->err == OK)) {
        views_note_damage(views, scrub->node, row.generation);
        err = txn->err;
    }
    scrub->generation = row.generation;
    scrub->spoiled = row.damaged;
    buffer_clear(&scrub->from);
    buffer_append(&scrub->from, prefix, views_prefix(prefix, scrub->node, row.generation));
    return err != OK ? err : scrub->from.err;
}

static enum err scrub_range(struct views *views, struct store_txn *txn, struct buffer *scratch,
                            uint64_t *count)
{
    struct views_scrub *scrub = &views->scrub;
    struct views_range range;
    char prefix[64];
    size_t size = views_prefix(prefix, scrub->node, scrub->generation);
    struct store_cursor ranges = store_cursor_open(txn, VIEWS_RANGES);
    enum err err = views_range_at(&ranges, scratch, size, buffer_bytes(&scrub->from), &range);
    store_cursor_close(&ranges);
    bool spoiled = false;
    if (err == OK)
        err = range_look(txn, scratch, &range, &spoiled);
    if (err == OK)
        proof_add(&views->proof, fingerprint(&range));
    else if (err == ERR_CORRUPT && txn->err == OK)
        err = range_on_damage(views, bytes_of(prefix, size), size, spoiled);
    if (err != OK && !spoiled)
        return err;
    scrub->spoiled |= spoiled;
    *count = range.count + 1;
    buffer_clear(&scrub->from);
    bool last = range_is_last(views_range_upper(&range), prefix, size);
    if (last && !scrub->spoiled)
        views_note_proven(views, scrub->node, scrub->generation);
    else if (!last)
        buffer_append_bytes(&scrub->from, views_range_upper(&range));
    return scrub->from.err;
}

enum err views_scrub(struct views *views, uint64_t budget)
{
    struct views_scrub *scrub = &views->scrub;
    struct buffer scratch = { 0 };
    struct store_txn txn = store_begin_read(views->store);
    enum err err = txn.err;
    for (uint64_t looked = 0, count = 0; err == OK && looked < budget; looked += count) {
        if (scrub->from.size == 0)
            err = scrub_next_node(views, &txn);
        if (err == OK)
            err = scrub_begin_generation(views, &txn);
        if (err == OK)
            err = scrub_range(views, &txn, &scratch, &count);
    }
    store_abort(&txn);
    buffer_close(&scratch);
    if (err == ERR_END)
        memset(scrub->node, 0, sizeof scrub->node);
    return err;
}
