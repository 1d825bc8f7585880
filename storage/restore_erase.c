/* The table of erasures, made right before anything is done by it.
 *
 * An entry is a key and nothing else. One flipped bit in its position names another record, and whoever
 * obeyed it would destroy that one's person part, in log/ and in the journal. So an entry of the node's
 * own logs counts only when an erase record names it that is as it was signed. One whose record lies
 * damaged or is missing is dropped too: it comes back with its record, out of the journal or from a hub,
 * and neither of them has the person part any more. */
#include "storage/restore_private.h"

#include "storage/erase.h"

#include <stdlib.h>
#include <string.h>

struct erasure {
    struct log_id log;
    uint64_t position;
};

/* What the erase records name, sorted. */
struct erasures {
    struct erasure *list;
    size_t count, capacity;
};

static int erasure_compare(const void *a, const void *b)
{
    const struct erasure *x = a, *y = b;
    int order = log_id_compare(&x->log, &y->log);
    return order != 0 ? order : (x->position > y->position) - (x->position < y->position);
}

static enum err erasures_add(struct erasures *named, const struct erase_facts *erase)
{
    if (named->count == named->capacity) {
        size_t capacity = named->capacity > 0 ? 2 * named->capacity : 64;
        struct erasure *grown = realloc(named->list, capacity * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        named->list = grown;
        named->capacity = capacity;
    }
    named->list[named->count++] =
        (struct erasure){ .log = erase->log, .position = erase->position };
    return OK;
}

static bool erasures_have(const struct erasures *named, const struct log_id *log, uint64_t position)
{
    struct erasure key = { .log = *log, .position = position };
    return named->count > 0 && bsearch(&key, named->list, named->count, sizeof key, erasure_compare);
}

/* ---- the records ------------------------------------------------------------------------------ */

static enum err read_record(struct restore *restore, const struct log_id *id, uint64_t position,
                            const struct record *sealed, const struct hash *leaf,
                            struct erasures *named)
{
    struct record open;
    struct record_header header;
    struct erase_facts erase;
    if (record_header_decode(&header, sealed->header) != OK || header.kind != RECORD_ERASE ||
        log_record_check(restore->logs, id, position, sealed, leaf, NULL, &open, &header) != OK)
        return OK;
    struct bytes facts = record_unsalted(open.facts);
    enum err err = erase_named(&header, facts, &erase);
    return err == OK ? erasures_add(named, &erase) : err == ERR_NOT_FOUND ? OK : err;
}

static enum err read_batch(struct restore *restore, const struct log_id *id,
                           const struct log_batch *batch, struct erasures *named)
{
    struct batch_walk walk = batch_walk(&batch->view);
    struct record sealed;
    struct hash leaf;
    enum err err = OK;
    while (err == OK && batch_next(&walk, &sealed, &leaf) == OK)
        err = read_record(restore, id, batch->first + walk.index - 1, &sealed, &leaf, named);
    return err;
}

/* What cannot be read is passed over. */
static enum err read_log(struct restore *restore, uint32_t number, const struct log_id *id,
                         struct erasures *named)
{
    uint64_t position = 0;
    for (;;) {
        struct log_batch batch = { .first = position };
        enum err err = restore_batch_from(restore, number, position, &batch);
        if (restore->txn.err != OK || (err != OK && err != ERR_CORRUPT) || batch.first < position)
            return restore->txn.err;
        position = batch.first + 1;
        if (err == ERR_CORRUPT)
            continue;
        position = log_batch_end(&batch);
        err = read_batch(restore, id, &batch, named);
        if (err != OK)
            return err;
    }
}

static enum err read_logs(struct restore *restore, struct erasures *named)
{
    uint32_t count = log_count(restore->logs, &restore->txn);
    enum err err = restore->txn.err;
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_row row;
        err = log_row_get(&restore->txn, number, &row);
        if (err == OK && strcmp(row.id.node, restore->logs->node) == 0)
            err = read_log(restore, number, &row.id, named);
    }
    if (named->count > 0)
        qsort(named->list, named->count, sizeof *named->list, erasure_compare);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* ---- the table -------------------------------------------------------------------------------- */

/* Of another node's logs the form is all that is looked at. */
static bool counts(const struct restore *restore, const struct erasures *named, struct bytes key,
                   struct bytes value)
{
    struct log_id id;
    if (!log_erasure_is_formed(key, value) ||
        log_id_from_origin(&id, bytes_of(key.data, key.size - 9)) != OK)
        return false;
    return strcmp(id.node, restore->logs->node) != 0 ||
           erasures_have(named, &id, get_u64(key.data + key.size - 8));
}

/* The keys that count, each with its size before it; `*bad`: entries that do not, or that stand where a
 * search does not find them. */
static enum err table_read(struct restore *restore, const struct erasures *named,
                           struct buffer *keys, uint64_t *bad)
{
    struct store_cursor cursor = store_cursor_open(&restore->txn, LOG_ERASURES);
    struct bytes key, value, last = BYTES_NONE;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    for (; err == OK; err = store_cursor_next(&cursor, &key, &value)) {
        bool good = counts(restore, named, key, value);
        if (good) {
            buffer_append_u16(keys, (uint16_t)key.size);
            buffer_append_bytes(keys, key);
        }
        if (!good || (last.data && bytes_compare(last, key) >= 0) ||
            !store_leads_to(&restore->txn, LOG_ERASURES, key, value))
            ++*bad;
        last = key;
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? keys->err : err;
}

/* It is written anew when something in it is not as it should be; a deletion might not find it. */
static enum err drop_bad(struct restore *restore, const struct erasures *named)
{
    struct buffer keys = { 0 };
    uint64_t bad = 0;
    enum err err = table_read(restore, named, &keys, &bad);
    if (err == OK && bad > 0) {
        store_drop(&restore->txn, LOG_ERASURES);
        struct reader reader = reader_of(buffer_bytes(&keys));
        while (!reader_at_end(&reader)) {
            struct bytes key = read_bytes(&reader, read_u16(&reader));
            store_put(&restore->txn, LOG_ERASURES, key, BYTES_NONE);
        }
        restore->report->rows += bad;
        err = restore->txn.err;
    }
    buffer_close(&keys);
    return err;
}

/* What is missing is remembered again, and applied. */
static enum err put_missing(struct restore *restore, const struct erasures *named)
{
    enum err err = OK;
    for (size_t i = 0; i < named->count && err == OK; i++) {
        const struct erasure *one = &named->list[i];
        struct log_key key = log_key_erasure(&one->log, one->position);
        struct bytes value;
        err = store_get(&restore->txn, LOG_ERASURES, log_key_bytes(&key), &value);
        if (err != ERR_NOT_FOUND)
            continue;
        restore->report->rows++;
        err = erase_put(restore->logs, &restore->txn, &one->log, one->position);
        err = err == ERR_CORRUPT && restore->txn.err == OK ? OK : err; /* that batch is judged next */
    }
    return err;
}

enum err restore_erasure_table(struct restore *restore)
{
    struct erasures named = { 0 };
    enum err err = read_logs(restore, &named);
    if (err == OK)
        err = drop_bad(restore, &named);
    if (err == OK)
        err = put_missing(restore, &named);
    free(named.list);
    return err;
}
