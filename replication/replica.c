#include "replication/replica_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum err replica_new(struct replica **out, const struct replica_options *options)
{
    struct replica *replica = calloc(1, sizeof *replica);
    if (!replica)
        return ERR_NOMEM;
    replica->options = *options;
    memcpy(replica->node, options->node, strnlen(options->node, NODE_NAME_SIZE_MAX));
    receipt_key_name(replica->cosigner, replica->node);
    replica->receipt_key = *options->receipt_key;
    replica->environment = log_store_environment(options->logs);
    *out = replica;
    return OK;
}

void replica_free(struct replica *replica)
{
    if (!replica)
        return;
    sodium_memzero(&replica->receipt_key, sizeof replica->receipt_key);
    free(replica);
}

enum err replica_log(struct replica *replica, struct store_txn *txn, const struct log_id *log,
                     bool branch, bool create, uint32_t *number)
{
    struct log_store *logs = replica->options.logs;
    if (branch)
        return log_branch(logs, txn, log, create, number);
    enum err err = log_find(logs, txn, log, number);
    return err == ERR_NOT_FOUND && create ? log_create(logs, txn, log, number) : err;
}

enum err replica_cursor(struct replica *replica, struct store_txn *txn, uint32_t number,
                        struct cursor *cursor)
{
    struct log_state state;
    struct buffer note = { 0 };
    *cursor = (struct cursor){ 0 };
    enum err err = log_state_get(replica->options.logs, txn, number, &state);
    if (err == OK) {
        err = log_note(replica->options.logs, txn, number, 0, state.size, &note, &cursor->covered);
        if (err == ERR_NOT_FOUND) {
            cursor->covered = 0;
            err = OK;
        }
        cursor->size = state.size;
        cursor->pending = state.pending_size > cursor->covered ? state.pending_size
                                                               : cursor->covered;
    }
    buffer_close(&note);
    return err;
}

void replica_result_close(struct replica_result *result)
{
    free(result->parents);
    buffer_close(&result->note);
    *result = (struct replica_result){ 0 };
}

/* ---- at start -------------------------------------------------------------------------------- */

struct loaded {
    struct log_id id;
    uint32_t number;
};

static int loaded_compare(const void *a, const void *b)
{
    return log_id_compare(&((const struct loaded *)a)->id, &((const struct loaded *)b)->id);
}

static enum err load_fork(struct replica *replica, struct store_txn *txn, uint32_t number,
                          struct event_log_loaded *event, char node[NODE_NAME_SIZE_MAX + 1])
{
    uint32_t branch;
    struct buffer proof = { 0 };
    enum err err = replica_fork_load(replica, txn, number, node, &proof);
    event->frozen = true;
    event->fork_node = node;
    event->proven = proof.size > 0;
    buffer_close(&proof);
    if (err == OK)
        err = log_branch(replica->options.logs, txn, &event->log, false, &branch);
    if (err == OK)
        err = replica_cursor(replica, txn, branch, &event->branch);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* One that is damaged is as good as none: the hub repeats it. */
static enum err load_receipts(struct replica *replica, struct store_txn *txn,
                              const struct log_state *state, const char *const *hubs, size_t hub_count,
                              struct event_receipt_held *receipts, size_t *count)
{
    struct buffer note = { 0 };
    enum err err = OK;
    *count = 0;
    for (size_t i = 0; i < hub_count && err == OK; i++) {
        uint64_t size;
        buffer_clear(&note);
        err = log_receipt_get(replica->options.logs, txn, state->number, hubs[i], &note, &size);
        if (err == OK && log_receipt_says(&state->id, size, buffer_bytes(&note)))
            receipts[(*count)++] = (struct event_receipt_held){ .hub = hubs[i], .size = size };
        else if (err == ERR_NOT_FOUND || (err == ERR_CORRUPT && txn->err == OK))
            err = OK;
    }
    buffer_close(&note);
    return err;
}

static enum err load_one(struct replica *replica, struct store_txn *txn, uint32_t number,
                         const char *const *hubs, size_t hub_count, struct log_head *parents,
                         replica_on_loaded *on_loaded, void *context)
{
    struct log_state state;
    struct event_log_loaded event = { 0 };
    struct event_receipt_held receipts[CORE_HUB_MAX];
    char fork_node[NODE_NAME_SIZE_MAX + 1] = "";
    enum err err = log_state_get(replica->options.logs, txn, number, &state);
    if (err == OK)
        err = replica_cursor(replica, txn, number, &event.held);
    if (err == OK)
        err = log_parents(replica->options.logs, txn, number, parents, INCARNATION_PARENT_MAX,
                          &event.parent_count);
    if (err == OK && strcmp(state.id.node, replica->node) == 0)
        err = load_receipts(replica, txn, &state, hubs, hub_count, receipts, &event.receipt_count);
    event.log = state.id;
    event.cosigned = state.cosigned_size;
    event.parents = parents;
    event.receipts = receipts;
    if (err == OK && state.frozen)
        err = load_fork(replica, txn, number, &event, fork_node);
    if (err == OK)
        on_loaded(context, &event);
    return err;
}

enum err replica_load(struct replica *replica, const char *const *hubs, size_t hub_count,
                      replica_on_loaded *on_loaded, void *context)
{
    struct store_txn txn = store_begin_read(replica->environment);
    uint32_t total = log_count(replica->options.logs, &txn), count = 0;
    struct loaded *all = calloc((size_t)total + 1, sizeof *all);
    struct log_head *parents = calloc(INCARNATION_PARENT_MAX, sizeof *parents);
    enum err err = all && parents ? txn.err : ERR_NOMEM;
    for (uint32_t number = 0; number < total && err == OK; number++) {
        struct log_state state;
        err = log_state_get(replica->options.logs, &txn, number, &state);
        if (err == OK && !state.branch)
            all[count++] = (struct loaded){ state.id, number };
    }
    if (err == OK)
        qsort(all, count, sizeof *all, loaded_compare);
    for (uint32_t i = 0; i < count && err == OK; i++)
        err = load_one(replica, &txn, all[i].number, hubs,
                       hub_count < CORE_HUB_MAX ? hub_count : CORE_HUB_MAX, parents, on_loaded,
                       context);
    store_abort(&txn);
    free(parents);
    free(all);
    return err;
}

enum err replica_held(struct replica *replica, const struct log_id *log,
                      struct replica_result *result)
{
    struct store_txn txn = store_begin_read(replica->environment);
    uint32_t number;
    *result = (struct replica_result){ .parents = calloc(INCARNATION_PARENT_MAX,
                                                         sizeof *result->parents) };
    enum err err =
        result->parents ? replica_log(replica, &txn, log, false, false, &number) : ERR_NOMEM;
    if (err == OK)
        err = replica_cursor(replica, &txn, number, &result->cursor);
    if (err == OK)
        err = log_parents(replica->options.logs, &txn, number, result->parents,
                          INCARNATION_PARENT_MAX, &result->parent_count);
    store_abort(&txn);
    return err;
}

/* ---- storing --------------------------------------------------------------------------------- */

enum err replica_store(struct replica_intake *intake, struct store_txn *txn,
                       struct replica_result *result)
{
    uint32_t number;
    uint64_t changes = txn->changes;
    struct replica *replica = intake->replica;
    *result = (struct replica_result){ .err = intake->err };
    if (intake->err == OK) {
        switch (intake->kind) {
        case INTAKE_CHECKPOINT:
            result->err = replica_store_checkpoint(intake, txn, result);
            break;
        case INTAKE_PACKAGE:
            result->err = replica_store_package(intake, txn, result);
            break;
        case INTAKE_RECEIPT:
            result->err = replica_store_receipt(intake, txn, result);
            break;
        case INTAKE_FORK:
            result->err = replica_store_fork(intake, txn, result);
            break;
        }
    }
    /* What was written in part does not stay. A fork is no failure: it was written that it is one. */
    if (result->err != OK && result->err != ERR_FORK && txn->changes != changes)
        return txn->err != OK ? txn->err : result->err;
    if (replica_log(replica, txn, &intake->log, intake->branch, false, &number) == OK)
        (void)replica_cursor(replica, txn, number, &result->cursor);
    if (!intake->branch && replica_log(replica, txn, &intake->log, true, false, &number) == OK)
        (void)replica_cursor(replica, txn, number, &result->other);
    return txn->err;
}
