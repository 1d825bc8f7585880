/* Records that are held and damaged, put right by a package that was asked for because of it. */
#include "replication/replica_private.h"

#include "storage/log_mend.h"

#include <string.h>

enum err replica_damage(struct replica *replica, uint32_t number, uint64_t position,
                        struct log_id *log, uint64_t *first, uint64_t *end)
{
    struct log_store *logs = replica->options.logs;
    struct log_state state = { 0 };
    struct store_txn txn = store_begin_read(replica->environment);
    enum err err = log_state_get(logs, &txn, number, &state);
    if (err == OK)
        err = state.branch ? ERR_NOT_FOUND : log_mend_range(logs, &txn, number, position, first, end);
    *log = state.id;
    store_abort(&txn);
    return err;
}

/* The checkpoint may lie in the batch that is damaged; the sender's receipt says the same. */
static enum err receipt_root(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                             struct hash *root)
{
    struct buffer note = { 0 };
    struct checkpoint checkpoint = { 0 };
    uint64_t size;
    enum err err = log_receipt_get(intake->replica->options.logs, txn, number, intake->peer, &note,
                                   &size);
    if (err == OK)
        err = checkpoint_parse(&checkpoint, buffer_bytes(&note));
    if (err == OK && checkpoint.size != intake->against)
        err = ERR_GAP;
    *root = checkpoint.root;
    buffer_close(&note);
    return err;
}

static enum err known_root(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                           const struct log_state *state, struct hash *root)
{
    enum err err = replica_against_root(intake, txn, number, state, root);
    return err == OK || txn->err != OK ? err : receipt_root(intake, txn, number, root);
}

/* The package as it proves itself: from the tree that ends where it begins. What is stored further on
 * may be the damage. */
static enum err check(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                      const struct log_state *state, struct merkle_frontier *before)
{
    struct hash root;
    struct batch_builder batch = intake->batch;
    enum err err = known_root(intake, txn, number, state, &root);
    if (err == OK)
        err = log_frontier_at(intake->replica->options.logs, txn, number, intake->first, before);
    if (err != OK)
        return err;
    batch_attach(&batch, before);
    return batch.err == OK ? replica_check_proof(intake, &batch, &root) : batch.err;
}

static enum err decode(struct replica_intake *intake, struct record *records)
{
    struct bytes body = intake->plain.size ? buffer_bytes(&intake->plain)
                                           : buffer_bytes(&intake->bytes);
    enum err err = OK;
    for (uint64_t i = 0; i < intake->count && err == OK; i++)
        err = record_decode(&records[i], &body);
    return err;
}

enum err replica_mend(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                      const struct log_state *state, struct replica_result *result)
{
    const struct replica_options *options = &intake->replica->options;
    struct record records[MERKLE_BLOCK_SIZE];
    struct sign_public key;
    struct log_good good = { .first = intake->first,
                             .records = records,
                             .leaves = intake->batch.leaves.data };
    uint64_t held = state->size - intake->first;
    good.count = (uint32_t)(intake->count < held ? intake->count : held);
    enum err err = check(intake, txn, number, state, &good.before);
    if (err == OK)
        err = decode(intake, records);
    if (err == OK)
        err = options->log_key(options->context, intake->log.node, &key);
    return err == OK ? log_mend(options->logs, txn, number, &good, &key, &result->mended) : err;
}
