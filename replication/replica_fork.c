/* Freezing a log of which two histories were signed, and what is kept as evidence: a transferable
 * proof (core/fork.h) where there is one, else the note that contradicts. */
#include "replication/replica_private.h"

#include <stdlib.h>

static enum err freeze(struct replica *replica, struct store_txn *txn, uint32_t number,
                       struct bytes evidence)
{
    return log_freeze(replica->options.logs, txn, number, evidence);
}

enum err replica_freeze_by_notes(struct replica *replica, struct store_txn *txn, uint32_t number,
                                 struct bytes a, struct bytes b, struct replica_result *result)
{
    struct buffer proof = { 0 };
    struct fork_proof *fork = calloc(1, sizeof *fork);
    enum err err = fork ? OK : ERR_NOMEM;
    if (err == OK && a.size > 0) {
        fork->a.note = a;
        fork->b.note = b;
        fork_proof_encode(&proof, fork);
        err = proof.err;
        result->proven = err == OK;
    }
    if (err == OK)
        err = freeze(replica, txn, number, buffer_bytes(&proof));
    buffer_close(&proof);
    free(fork);
    return err;
}

enum err replica_store_fork(struct replica_intake *intake, struct store_txn *txn,
                            struct replica_result *result)
{
    struct replica *replica = intake->replica;
    uint32_t number;
    enum err err = replica_log(replica, txn, &intake->log, false, true, &number);
    if (err == OK)
        err = freeze(replica, txn, number, intake->note);
    result->proven = err == OK;
    return err;
}
