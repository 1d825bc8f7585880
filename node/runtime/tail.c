/* What is verified before anything is written: cheap enough for every start, and enough to notice a
 * store that lost its end, was swapped for another, or was damaged where it was written last. The
 * whole is verified in the background, elsewhere. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "storage/verify.h"

#include <string.h>

#define TAIL_RECORDS 512

/* The newest log of this node: numbers are given in order of first sight. ERR_NOT_FOUND. */
static enum err tail_find(struct log_store *logs, struct store_txn *txn, const char *node,
                          struct log_state *state)
{
    for (uint32_t number = log_count(logs, txn); number > 0; number--) {
        enum err err = log_state_get(logs, txn, number - 1, state);
        if (err != OK)
            return err;
        if (state->size > 0 && strcmp(state->id.node, node) == 0)
            return OK;
    }
    return txn->err != OK ? txn->err : ERR_NOT_FOUND;
}

/* The newest signed checkpoint says what the tree says. */
static enum err tail_verify_checkpoint(struct log_store *logs, struct store_txn *txn,
                                       const struct log_state *state,
                                       const struct sign_public *key)
{
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    struct log_source source = { .logs = logs, .txn = txn, .number = state->number };
    struct merkle_source merkle = log_merkle_source(&source);
    struct hash root;
    uint64_t size;

    enum err err = log_note(logs, txn, state->number, 1, state->size, &note, &size);
    if (err == ERR_NOT_FOUND) { /* the beginning of a log handed back, not yet under a checkpoint */
        buffer_close(&note);
        return OK;
    }
    if (err == OK)
        err = checkpoint_open(&checkpoint, buffer_bytes(&note), key);
    buffer_close(&note);
    if (err == OK && (!log_id_equal(&checkpoint.log, &state->id) || checkpoint.size != size))
        err = ERR_CORRUPT;
    if (err == OK)
        err = merkle_root(&merkle, size, &root);
    if (err == OK && !hash_equal(&root, &checkpoint.root))
        err = ERR_CORRUPT;
    return err;
}

/* log_scan itself verifies each record against its leaf hash and commitments. */
static enum err tail_on_record(void *context, uint64_t position, const struct record *record,
                               const struct record_header *header, const struct hash *leaf)
{
    (void)context, (void)position, (void)record, (void)header, (void)leaf;
    return OK;
}

enum err tail_verify(struct log_store *logs, const char *node, const struct sign_public *key)
{
    struct log_state state;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = txn.err != OK ? txn.err : verify_ends(logs, &txn);
    if (err == OK)
        err = tail_find(logs, &txn, node, &state);
    bool found = err == OK || err == ERR_CORRUPT;
    if (err == OK)
        err = tail_verify_checkpoint(logs, &txn, &state, key);
    if (found && err == OK) {
        uint64_t count = state.size < TAIL_RECORDS ? state.size : TAIL_RECORDS;
        err = log_scan(logs, &txn, state.number, state.size - count, count, true, tail_on_record,
                       NULL);
    }
    store_abort(&txn);
    if (found && err != OK)
        log_event(LOG_EVENT_ERROR, "log.tail_damaged", "error", err_name(err), NULL);
    return err == ERR_NOT_FOUND && !found ? OK : err;
}
