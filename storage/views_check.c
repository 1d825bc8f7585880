/* That a rebuild gives the same content: digests, and a rebuild beside the views in use. */
#include "storage/views_private.h"

#include <stdlib.h>
#include <string.h>

/* Entries are gathered into runs of at least this size, and each run is chained to the digest so
 * far: digest' = SHA-256(digest | run), from 32 zero bytes on. Where runs end depends on the entries
 * alone. Each entry counts as key size(u32) | key | value size(u32) | value. */
#define DIGEST_RUN_SIZE ((size_t)64 * 1024)
/* Records folded between two calls of on_progress. */
#define CHECK_BUDGET 16384

static void digest_chain(struct hash *digest, struct buffer *run)
{
    const struct bytes parts[2] = { BYTES_OF_ARRAY(digest->bytes), buffer_bytes(run) };
    hash_sha256(digest, parts, 2);
    buffer_clear(run);
}

enum err views_reader_digest(struct views_reader *reader, struct hash *digest, uint64_t *entries)
{
    struct buffer run = { 0 }, from = { 0 };
    struct bytes key, value;
    *digest = (struct hash){ { 0 } };
    *entries = 0;
    enum err err;
    while ((err = view_seek(&reader->view, buffer_bytes(&from), false, &key, &value)) == OK) {
        (*entries)++;
        buffer_append_u32(&run, (uint32_t)key.size);
        buffer_append_bytes(&run, key);
        buffer_append_u32(&run, (uint32_t)value.size);
        buffer_append_bytes(&run, value);
        buffer_clear(&from);
        buffer_append_bytes(&from, key);
        buffer_append_u8(&from, 0);
        if (run.err != OK || from.err != OK) {
            err = ERR_NOMEM;
            break;
        }
        if (run.size >= DIGEST_RUN_SIZE)
            digest_chain(digest, &run);
    }
    if (err == ERR_END)
        err = OK;
    if (err == OK)
        digest_chain(digest, &run);
    buffer_close(&run);
    buffer_close(&from);
    return err;
}

enum err views_digest(struct views *views, const char *node, struct hash *digest,
                      uint64_t *entries)
{
    struct views_reader reader;
    enum err err = views_reader_begin(views, node, &reader);
    if (err != OK)
        return err;
    err = views_reader_digest(&reader, digest, entries);
    views_reader_end(&reader);
    return err;
}

/* ---- rebuild beside --------------------------------------------------------------------------- */

/* Digest and positions of one snapshot. */
static enum err held_state(struct views *views, const char *node, struct log_head **heads,
                           size_t *count, struct views_check *check)
{
    struct views_reader reader;
    enum err err = views_reader_begin_applied(views, node, &reader);
    if (err != OK)
        return err;
    struct views_row row;
    err = views_row_read(&reader.txn, node, &row);
    if (err == OK)
        err = views_heads_read(&reader.txn, node, row.generation, row.head_count, heads, count);
    if (err == OK)
        err = views_reader_digest(&reader, &check->held, &check->held_entries);
    views_reader_end(&reader);
    return err;
}

static enum err heads_to_order(struct log_store *logs, const struct log_head *heads, size_t count,
                               struct order_entry **order)
{
    *order = calloc(count + 1, sizeof **order);
    if (!*order)
        return ERR_NOMEM;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = txn.err;
    for (size_t i = 0; i < count && err == OK; i++) {
        (*order)[i].id = heads[i].log;
        (*order)[i].size = heads[i].size;
        err = log_find(logs, &txn, &heads[i].log, &(*order)[i].number);
    }
    store_abort(&txn);
    return err;
}

static enum err rebuild(struct views *scratch, struct log_store *logs, const char *node,
                        const struct order_entry *order, size_t count,
                        views_on_progress *on_progress, void *context, struct views_check *check)
{
    enum err err = views_forget(scratch, node);
    while (err == OK) {
        uint64_t folded = 0;
        err = views_fold_to(scratch, logs, node, order, count, CHECK_BUDGET, &folded);
        check->records += folded;
        if (on_progress && folded > 0)
            on_progress(context, check->records);
    }
    return err == ERR_END
               ? views_digest(scratch, node, &check->rebuilt, &check->rebuilt_entries)
               : err;
}

enum err views_check(struct views *views, struct log_store *logs, const char *node,
                     const char *scratch_path, views_on_progress *on_progress, void *context,
                     struct views_check *check)
{
    *check = (struct views_check){ 0 };
    struct log_head *heads = NULL;
    struct order_entry *order = NULL;
    size_t count = 0;
    struct views *scratch = NULL;
    const struct views_options options = {
        .path = scratch_path,
        .node = views->node,
        .audience = views->audience,
        .rules = views->rules,
        .map_size = views->map_size,
        .memory_size_max = 1,
    };
    enum err err = held_state(views, node, &heads, &count, check);
    if (err == OK)
        err = heads_to_order(logs, heads, count, &order);
    if (err == OK)
        err = views_open(&scratch, &options);
    if (err == OK)
        err = rebuild(scratch, logs, node, order, count, on_progress, context, check);
    if (err == OK && (check->held_entries != check->rebuilt_entries ||
                      !hash_equal(&check->held, &check->rebuilt)))
        err = ERR_CONFLICT;
    views_close(scratch);
    free(order);
    free(heads);
    return err;
}
