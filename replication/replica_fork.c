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

/* The other branch is to be fetched, at first up to this note. Of several that are known it is the
 * smallest: whoever holds the others holds that, too. Once something is held, that leads the way.
 */
static enum err aim(struct replica *replica, struct store_txn *txn,
                    const struct checkpoint *checkpoint, struct bytes note)
{
    uint32_t number;
    struct log_state state;
    enum err err = replica_log(replica, txn, &checkpoint->log, true, true, &number);
    if (err == OK)
        err = log_state_get(replica->options.logs, txn, number, &state);
    if (err != OK || state.size > 0 ||
        (state.pending_size > 0 && state.pending_size <= checkpoint->size))
        return err;
    return log_pending_advance(replica->options.logs, txn, number, state.pending_size, checkpoint,
                               note);
}

static enum err keep_two_notes(struct replica *replica, struct store_txn *txn, uint32_t number,
                               const char *peer, struct bytes a, struct bytes b,
                               struct replica_result *result)
{
    struct fork_proof *fork = calloc(1, sizeof *fork);
    if (!fork)
        return ERR_NOMEM;
    fork->a.note = a;
    fork->b.note = b;
    enum err err = keep_proof(replica, txn, number, peer, fork, result);
    free(fork);
    return err;
}

enum err replica_freeze(struct replica *replica, struct store_txn *txn, uint32_t number,
                        const char *peer, struct bytes a, struct bytes b,
                        struct replica_result *result)
{
    struct checkpoint shown;
    if (SAMAD_BUG(FORK_FORGOTTEN))
        return ERR_STALE;
    enum err err = checkpoint_parse(&shown, b);
    if (err == OK && a.size == 0)
        err = keep_evidence(replica, txn, number, peer, BYTES_NONE);
    else if (err == OK)
        err = keep_two_notes(replica, txn, number, peer, a, b, result);
    return err == OK ? aim(replica, txn, &shown, b) : err;
}

/* ---- which history is which -------------------------------------------------------------------
 */

enum relation { NOT_KNOWN, THE_SAME, ANOTHER };

static enum relation relation_of(const struct hash *a, const struct hash *b)
{
    return hash_equal(a, b) ? THE_SAME : ANOTHER;
}

/* What is held, or accepted, of a log, beside one side of a proof that it is forked. */
static enum err relate(struct replica *replica, struct store_txn *txn,
                       const struct log_state *state, const struct fork_proof *proof,
                       const struct fork_branch *side, const struct checkpoint *checkpoint,
                       enum relation *relation)
{
    struct hash held;
    enum err err = OK;
    *relation = NOT_KNOWN;
    if (checkpoint->size <= state->size) {
        err = replica_root_at(replica, txn, state->number, checkpoint->size, &held);
        *relation = relation_of(&held, &checkpoint->root);
    } else if (proof->has_position && proof->position < state->size) {
        struct log_source source = { .logs = replica->options.logs,
                                     .txn = txn,
                                     .number = state->number };
        struct merkle_source tree = log_merkle_source(&source);
        err = tree.node(tree.context, 0, proof->position, &held);
        *relation = relation_of(&held, &side->leaf);
    } else if (checkpoint->size == state->pending_size) {
        *relation = relation_of(&state->pending_root, &checkpoint->root);
    }
    return err;
}

/* With nothing held, either history will do as the first: the other one is then the second. */
static enum err begin_with(struct replica *replica, struct store_txn *txn,
                           const struct log_state *state, const struct checkpoint *checkpoint,
                           struct bytes note, enum relation *relation)
{
    *relation = THE_SAME;
    return log_pending_advance(replica->options.logs, txn, state->number, state->pending_size,
                               checkpoint, note);
}

static enum err aim_at_side(struct replica *replica, struct store_txn *txn, uint32_t number,
                            const struct fork_proof *proof)
{
    struct log_state state;
    struct checkpoint a, b;
    enum relation to_a = NOT_KNOWN, to_b = NOT_KNOWN;
    enum err err = checkpoint_parse(&a, proof->a.note);
    if (err == OK)
        err = checkpoint_parse(&b, proof->b.note);
    if (err == OK)
        err = log_state_get(replica->options.logs, txn, number, &state);
    if (err == OK)
        err = relate(replica, txn, &state, proof, &proof->a, &a, &to_a);
    if (err == OK)
        err = relate(replica, txn, &state, proof, &proof->b, &b, &to_b);
    if (err == OK && to_a == NOT_KNOWN && to_b == NOT_KNOWN && state.size == 0)
        err = begin_with(replica, txn, &state, &a, proof->a.note, &to_a);
    if (err != OK || (to_a == NOT_KNOWN && to_b == NOT_KNOWN))
        return err;
    return to_b == ANOTHER || (to_b == NOT_KNOWN && to_a == THE_SAME)
               ? aim(replica, txn, &b, proof->b.note)
               : aim(replica, txn, &a, proof->a.note);
}

enum err replica_aim_by_proof(struct replica *replica, struct store_txn *txn,
                              const struct log_id *log)
{
    char peer[NODE_NAME_SIZE_MAX + 1];
    struct buffer known = { 0 };
    uint32_t number;
    struct fork_proof *proof = calloc(1, sizeof *proof);
    enum err err = proof ? replica_log(replica, txn, log, false, false, &number) : ERR_NOMEM;
    if (err == OK)
        err = replica_fork_load(replica, txn, number, peer, &known);
    if (err == OK && known.size > 0) {
        err = fork_proof_decode(proof, buffer_bytes(&known));
        if (err == OK)
            err = aim_at_side(replica, txn, number, proof);
    }
    buffer_close(&known);
    free(proof);
    return err;
}

enum err replica_store_fork(struct replica_intake *intake, struct store_txn *txn,
                            struct replica_result *result)
{
    struct replica *replica = intake->replica;
    char first_peer[NODE_NAME_SIZE_MAX + 1];
    struct buffer known = { 0 };
    uint32_t number;
    enum err err = replica_log(replica, txn, &intake->log, false, true, &number);
    if (err == OK)
        err = replica_fork_load(replica, txn, number, first_peer, &known);
    if (err == ERR_NOT_FOUND || (err == OK && known.size == 0))
        err = keep_evidence(replica, txn, number, intake->peer, intake->note);
    buffer_close(&known);
    result->proven = err == OK;
    return err == OK ? replica_aim_by_proof(replica, txn, &intake->log) : err;
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
