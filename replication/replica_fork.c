/* Freezing a log of which two histories were signed, and what is kept of it.
 *
 *   evidence = size(1) name of the peer that showed the other branch || transferable proof
 *              (core/fork.h) or nothing where there is none yet
 *
 * The first evidence of a log freezes it; a later one may add the proof. */
#include "replication/replica_private.h"

#include "proto/base/bug.h"

#include <stdlib.h>
#include <string.h>

static enum err keep_evidence(struct replica *replica, struct store_txn *txn, uint32_t number,
                              const char *peer, struct bytes proof)
{
    struct buffer evidence = { 0 };
    buffer_append_u8(&evidence, (uint8_t)strlen(peer));
    buffer_append_string(&evidence, peer);
    buffer_append_bytes(&evidence, proof);
    enum err err = evidence.err;
    if (err == OK)
        err = log_freeze(replica->options.logs, txn, number, buffer_bytes(&evidence));
    buffer_close(&evidence);
    return err;
}

enum err replica_fork_load(struct replica *replica, struct store_txn *txn, uint32_t number,
                           char peer[NODE_NAME_SIZE_MAX + 1], struct buffer *proof)
{
    struct buffer evidence = { 0 };
    enum err err = OK;
    peer[0] = '\0';
    for (uint32_t i = 0; err == OK && proof->size == 0; i++) {
        buffer_clear(&evidence);
        err = log_fork_get(replica->options.logs, txn, number, i, &evidence);
        if (err == ERR_NOT_FOUND && i > 0) {
            err = OK;
            break;
        }
        struct reader reader = reader_of(buffer_bytes(&evidence));
        struct bytes name = read_bytes(&reader, read_u8(&reader));
        if (err == OK && (reader.err != OK || name.size > NODE_NAME_SIZE_MAX))
            err = ERR_CORRUPT;
        if (err != OK)
            break;
        if (i == 0) {
            memcpy(peer, name.data, name.size);
            peer[name.size] = '\0';
        }
        buffer_append_bytes(proof, reader.rest);
    }
    buffer_close(&evidence);
    return err == OK ? proof->err : err;
}

static enum err keep_proof(struct replica *replica, struct store_txn *txn, uint32_t number,
                           const char *peer, const struct fork_proof *fork,
                           struct replica_result *result)
{
    struct buffer proof = { 0 };
    fork_proof_encode(&proof, fork);
    enum err err = proof.err;
    if (err == OK)
        err = keep_evidence(replica, txn, number, peer, buffer_bytes(&proof));
    result->proven = err == OK;
    buffer_close(&proof);
    return err;
}

enum err replica_freeze(struct replica *replica, struct store_txn *txn, uint32_t number,
                        const char *peer, struct bytes a, struct bytes b,
                        struct replica_result *result)
{
    if (SAMAD_BUG(FORK_FORGOTTEN))
        return ERR_STALE;
    if (a.size == 0)
        return keep_evidence(replica, txn, number, peer, BYTES_NONE);
    struct fork_proof *fork = calloc(1, sizeof *fork);
    if (!fork)
        return ERR_NOMEM;
    fork->a.note = a;
    fork->b.note = b;
    enum err err = keep_proof(replica, txn, number, peer, fork, result);
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
        err = keep_evidence(replica, txn, number, intake->peer, intake->note);
    result->proven = err == OK;
    return err;
}

/* ---- proof by position ----------------------------------------------------------------------- */

struct side {
    struct log_source source;
    struct merkle_source tree;
    struct cursor cursor;
    struct buffer note;
};

static enum err side_open(struct replica *replica, struct store_txn *txn, uint32_t number,
                          struct side *side)
{
    uint64_t size;
    side->source =
        (struct log_source){ .logs = replica->options.logs, .txn = txn, .number = number };
    side->tree = log_merkle_source(&side->source);
    enum err err = replica_cursor(replica, txn, number, &side->cursor);
    if (err == OK && side->cursor.covered == 0)
        err = ERR_NOT_FOUND;
    if (err == OK)
        err = log_note(replica->options.logs, txn, number, side->cursor.covered,
                       side->cursor.covered, &side->note, &size);
    return err;
}

/* The first position at which the branches differ, by halving: the prefix roots are equal before it
 * and different from it on. */
static enum err first_difference(struct side *a, struct side *b, uint64_t *position)
{
    uint64_t low = 0; /* prefixes of this size are equal */
    uint64_t high = a->cursor.covered < b->cursor.covered ? a->cursor.covered : b->cursor.covered;
    struct hash root_a, root_b;
    enum err err = merkle_root(&a->tree, high, &root_a);
    if (err == OK)
        err = merkle_root(&b->tree, high, &root_b);
    if (err == OK && hash_equal(&root_a, &root_b))
        return ERR_NOT_FOUND; /* they part later than both are covered */
    while (err == OK && high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        err = merkle_root(&a->tree, middle, &root_a);
        if (err == OK)
            err = merkle_root(&b->tree, middle, &root_b);
        if (hash_equal(&root_a, &root_b))
            low = middle;
        else
            high = middle;
    }
    *position = low;
    return err;
}

static enum err branch_at(struct side *side, uint64_t position, struct fork_branch *branch)
{
    branch->note = buffer_bytes(&side->note);
    enum err err = side->tree.node(side->tree.context, 0, position, &branch->leaf);
    if (err == OK)
        err = merkle_prove_inclusion(&side->tree, position, side->cursor.covered, &branch->path);
    return err;
}

enum err replica_prove_by_position(struct replica *replica, struct store_txn *txn,
                                   const struct log_id *log, const char *peer,
                                   struct replica_result *result)
{
    char first_peer[NODE_NAME_SIZE_MAX + 1];
    struct buffer known = { 0 };
    uint32_t main_number, branch_number;
    struct side *sides = calloc(2, sizeof *sides);
    struct fork_proof *fork = calloc(1, sizeof *fork);
    enum err err = sides && fork ? OK : ERR_NOMEM;
    if (err == OK)
        err = replica_log(replica, txn, log, false, false, &main_number);
    if (err == OK)
        err = replica_log(replica, txn, log, true, false, &branch_number);
    if (err == OK)
        err = replica_fork_load(replica, txn, main_number, first_peer, &known);
    if (err == OK && known.size > 0)
        goto out; /* proven before */
    if (err == OK)
        err = side_open(replica, txn, main_number, &sides[0]);
    if (err == OK)
        err = side_open(replica, txn, branch_number, &sides[1]);
    if (err == OK)
        err = first_difference(&sides[0], &sides[1], &fork->position);
    if (err == OK)
        err = branch_at(&sides[0], fork->position, &fork->a);
    if (err == OK)
        err = branch_at(&sides[1], fork->position, &fork->b);
    if (err == OK) {
        fork->has_position = true;
        err = keep_proof(replica, txn, main_number, peer, fork, result);
    } else if (err == ERR_NOT_FOUND) {
        err = OK; /* not enough is held yet */
    }
out:
    buffer_close(&known);
    if (sides) {
        buffer_close(&sides[0].note);
        buffer_close(&sides[1].note);
    }
    free(sides);
    free(fork);
    return err;
}
