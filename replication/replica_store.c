/* Storing what was opened: what depends on the store is checked here, inside the transaction that
 * writes it. A function that refuses has written nothing. */
#include "replication/replica_private.h"

#include "proto/base/bug.h"

#include <stdlib.h>
#include <string.h>

/* ---- checkpoints --------------------------------------------------------------------------- */

enum err replica_root_at(struct replica *replica, struct store_txn *txn, uint32_t number,
                         uint64_t size, struct hash *root)
{
    struct log_source source = { .logs = replica->options.logs, .txn = txn, .number = number };
    struct merkle_source tree = log_merkle_source(&source);
    return merkle_root(&tree, size, root);
}

/* The root of the pending checkpoint, or of what is held where no checkpoint is pending. */
static enum err pending_root(struct replica *replica, struct store_txn *txn, uint32_t number,
                             const struct log_state *state, uint64_t size, struct hash *root)
{
    if (state->pending_size == size && size > 0) {
        *root = state->pending_root;
        return OK;
    }
    return size <= state->size ? replica_root_at(replica, txn, number, size, root) : ERR_NOT_FOUND;
}

/* A note that is not larger than what is pending: known, or of another history; or one that covers more
 * of what is held than any accepted so far, because nobody reaches the pending one any more. */
static enum err judge_known(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                            const struct log_state *state, uint64_t covered,
                            struct replica_result *result)
{
    struct replica *replica = intake->replica;
    struct hash root;
    struct buffer note = { 0 };
    uint64_t size;
    enum err err =
        pending_root(replica, txn, number, state, intake->checkpoint.size, &root);
    if (err == ERR_NOT_FOUND)
        return ERR_STALE; /* between what is held and what is pending: ask again */
    if (err != OK)
        return err;
    if (hash_equal(&root, &intake->checkpoint.root))
        return intake->checkpoint.size > covered && intake->checkpoint.size <= state->size
                   ? log_note_accept(replica->options.logs, txn, number, &intake->checkpoint,
                                     intake->note)
                   : OK;
    if (intake->branch)
        return ERR_PROOF; /* a third history: two are enough to freeze */
    if (state->frozen)
        return ERR_STALE; /* that is the other branch, or a third: this one is asked for by its root
                           */
    err = log_note(replica->options.logs, txn, number, intake->checkpoint.size,
                   intake->checkpoint.size, &note, &size);
    err = replica_freeze(replica, txn, number, intake->peer,
                         err == OK ? buffer_bytes(&note) : BYTES_NONE, intake->note, result);
    buffer_close(&note);
    return err == OK ? ERR_FORK : err;
}

enum err replica_store_checkpoint(struct replica_intake *intake, struct store_txn *txn,
                                  struct replica_result *result)
{
    struct replica *replica = intake->replica;
    struct log_store *logs = replica->options.logs;
    struct log_state state = { 0 };
    struct cursor cursor = { 0 };
    struct hash root;
    uint32_t number = 0;
    enum err err = replica_log(replica, txn, &intake->log, intake->branch, false, &number);
    bool known = err == OK;
    if (err == OK)
        err = log_state_get(logs, txn, number, &state);
    if (err == OK)
        err = replica_cursor(replica, txn, number, &cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    /* Nobody reaches the pending checkpoint any more: another one that extends what is held. */
    bool steps_back = known && !state.frozen && !intake->branch && intake->from == state.size &&
                      intake->from < cursor.pending && intake->checkpoint.size < cursor.pending &&
                      intake->checkpoint.size > state.size;
    if (known && !steps_back && intake->checkpoint.size <= cursor.pending)
        return judge_known(intake, txn, number, &state, cursor.covered, result);
    if (!steps_back && intake->from != cursor.pending)
        return ERR_STALE;
    if (intake->from > 0) {
        err = steps_back ? replica_root_at(replica, txn, number, intake->from, &root)
                         : pending_root(replica, txn, number, &state, intake->from, &root);
        if (err == OK)
            err = merkle_judge_consistency(intake->from, &root, intake->checkpoint.size,
                                           &intake->checkpoint.root, &intake->proof);
        if (err == ERR_FORK && intake->branch)
            return ERR_PROOF; /* a third history */
        if (err == ERR_FORK && state.frozen)
            return ERR_STALE; /* as above */
        /* The author signed a history that does not go on from the one held here. A proof that
         * merely fails says nothing of the author: whoever shows it may have made it up (R9). */
        if (err == ERR_FORK) {
            err = replica_freeze(replica, txn, number, intake->peer, BYTES_NONE, intake->note,
                                 result);
            return err == OK ? ERR_FORK : err;
        }
        if (err != OK)
            return err;
    }
    if (!known)
        err = replica_log(replica, txn, &intake->log, intake->branch, true, &number);
    else
        err = OK;
    if (err == OK)
        err = log_pending_advance(logs, txn, number, state.pending_size, &intake->checkpoint,
                                  intake->note);
    return err;
}

/* ---- packages ------------------------------------------------------------------------------ */

/* The root of what a package's block holds now, from the frontier after the package. */
static void block_root(const struct merkle_frontier *frontier, const struct batch_builder *batch,
                       struct hash *root)
{
    unsigned count = merkle_frontier_count(frontier->size);
    uint64_t rest = frontier->size % MERKLE_BLOCK_SIZE;
    if (rest == 0) { /* the block is complete: its node was just made */
        for (size_t i = 0; i < batch->node_count; i++)
            if (batch->nodes[i].level == MERKLE_BLOCK_LEVEL)
                *root = batch->nodes[i].hash;
        return;
    }
    unsigned roots = merkle_frontier_count(rest);
    *root = frontier->roots[count - 1];
    for (unsigned i = 1; i < roots; i++) {
        struct hash right = *root;
        merkle_node_hash(root, &frontier->roots[count - 1 - i], &right);
    }
}

enum err replica_check_proof(const struct replica_intake *intake, const struct batch_builder *batch,
                             const struct hash *root)
{
    struct hash part;
    if (SAMAD_BUG(PROOF_SKIPPED))
        return OK;
    uint64_t start = intake->first / MERKLE_BLOCK_SIZE * MERKLE_BLOCK_SIZE;
    if (intake->count == package_count_max(intake->first, intake->against)) {
        block_root(&batch->frontier, batch, &part);
        return merkle_verify_block(&part, start, intake->against, &intake->proof, root);
    }
    merkle_frontier_root(&batch->frontier, &part);
    return merkle_verify_consistency(intake->first + intake->count, &part, intake->against, root,
                                     &intake->proof);
}

enum err replica_against_root(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                              const struct log_state *state, struct hash *root)
{
    struct replica *replica = intake->replica;
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    uint64_t size;
    if (state->pending_size == intake->against) {
        *root = state->pending_root;
        return OK;
    }
    enum err err = log_note(replica->options.logs, txn, number, intake->against, intake->against,
                            &note, &size);
    if (err == OK)
        err = checkpoint_parse(&checkpoint, buffer_bytes(&note));
    if (err == OK)
        *root = checkpoint.root;
    buffer_close(&note);
    return err == ERR_NOT_FOUND ? ERR_GAP : err;
}

/* Records that are held already must be the same ones: a duplicate is harmless, another record at
 * a held position is a fork. */
static enum err compare_held(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                             uint64_t held)
{
    struct log_source source = { .logs = intake->replica->options.logs, .txn = txn, .number = number };
    struct merkle_source tree = log_merkle_source(&source);
    uint64_t end = intake->first + intake->count;
    for (uint64_t i = intake->first; i < end && i < held; i++) {
        struct hash leaf;
        enum err err = tree.node(tree.context, 0, i, &leaf);
        if (err != OK)
            return err;
        if (memcmp(leaf.bytes, intake->batch.leaves.data + (i - intake->first) * HASH_SIZE,
                   HASH_SIZE) != 0)
            return ERR_PROOF;
    }
    return OK;
}

/* Does again what verification did, from the first record that is lacking. */
static enum err rebuild_tail(struct replica_intake *intake, uint64_t held,
                             struct batch_builder *tail)
{
    struct bytes body = intake->plain.size ? buffer_bytes(&intake->plain)
                                           : buffer_bytes(&intake->bytes);
    const struct seal_key *key = log_store_data_key(intake->replica->options.logs);
    batch_begin_detached(tail, held);
    for (uint64_t i = 0; i < intake->count; i++) {
        struct record record;
        struct hash leaf;
        enum err err = record_decode(&record, &body);
        if (err != OK)
            return err;
        memcpy(leaf.bytes, intake->batch.leaves.data + i * HASH_SIZE, HASH_SIZE);
        if (intake->first + i >= held)
            batch_add(tail, &record, &leaf, key);
    }
    return tail->err;
}

/* Erasures in the package take effect, earlier ones are applied to it, and person parts that did not
 * come are remembered. Most packages have nothing of the kind. */
static enum err apply_special(struct replica_intake *intake, struct store_txn *txn,
                              uint32_t number, uint64_t first)
{
    struct log_store *logs = intake->replica->options.logs;
    struct bytes body = intake->plain.size ? buffer_bytes(&intake->plain)
                                           : buffer_bytes(&intake->bytes);
    enum err err = OK;
    for (uint64_t i = 0; i < intake->count && err == OK; i++) {
        struct record record;
        struct record_header header;
        err = record_decode(&record, &body);
        if (err != OK || intake->first + i < first)
            continue;
        if (record.person_absent)
            err = log_withheld_add(logs, txn, number, intake->first + i);
        if (err == OK)
            err = record_header_decode(&header, record.header);
        if (err == OK && header.kind == RECORD_ERASE)
            err = erase_on_record(logs, txn, &header,
                                  record_unsalted(record.facts));
    }
    return err;
}

static enum err take_parents(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                             struct replica_result *result)
{
    result->parents = calloc(INCARNATION_PARENT_MAX, sizeof *result->parents);
    if (!result->parents)
        return ERR_NOMEM;
    return log_parents(intake->replica->options.logs, txn, number, result->parents,
                       INCARNATION_PARENT_MAX, &result->parent_count);
}

/* The root after the first `size` records, which end inside or with the batch. */
static void root_inside(const struct merkle_frontier *before, const struct batch_builder *batch,
                        uint64_t size, struct hash *root)
{
    struct merkle_frontier frontier = *before;
    for (uint64_t i = batch->first; i < size; i++) {
        struct hash leaf;
        memcpy(leaf.bytes, batch->leaves.data + (i - batch->first) * HASH_SIZE, HASH_SIZE);
        merkle_frontier_append(&frontier, &leaf, NULL, NULL);
    }
    merkle_frontier_root(&frontier, root);
}

/* The note is of another history than this log: that is the fork, if it was not known. */
static enum err disown(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                       bool forked, uint64_t size, struct bytes note, struct replica_result *result)
{
    struct replica *replica = intake->replica;
    enum err err = log_note_forget(replica->options.logs, txn, number, size);
    if (err != OK || forked)
        return err;
    err = replica_freeze(replica, txn, number, intake->peer, BYTES_NONE, note, result);
    return err == OK ? ERR_FORK : err;
}

/* Every checkpoint ever accepted is compared with the tree when the log gets there: after a step
 * back, the abandoned one may turn out to be of another history. */
static enum err check_accepted(struct replica_intake *intake, struct store_txn *txn,
                               uint32_t number, bool forked, const struct merkle_frontier *before,
                               const struct batch_builder *batch, struct replica_result *result)
{
    struct replica *replica = intake->replica;
    struct buffer note = { 0 };
    uint64_t size = batch->first, end = batch->first + batch->count;
    enum err err = OK;
    while (err == OK && size < end) {
        struct checkpoint checkpoint;
        struct hash root;
        buffer_clear(&note);
        err = log_accepted_after(replica->options.logs, txn, number, size, end, &note, &size);
        if (err != OK || size == intake->against)
            continue; /* that one is what the package has just been proven against */
        err = checkpoint_parse(&checkpoint, buffer_bytes(&note));
        if (err != OK)
            break;
        root_inside(before, batch, size, &root);
        if (!hash_equal(&root, &checkpoint.root))
            err = disown(intake, txn, number, forked, size, buffer_bytes(&note), result);
    }
    buffer_close(&note);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err write_package(struct replica_intake *intake, struct store_txn *txn,
                              uint32_t number, const struct batch_builder *batch,
                              struct replica_result *result)
{
    struct log_store *logs = intake->replica->options.logs;
    enum err err = log_append(logs, txn, number, batch, BYTES_NONE);
    if (err == OK && intake->first_special < intake->first + intake->count)
        err = apply_special(intake, txn, number, batch->first);
    if (err == OK)
        err = erase_on_append(logs, txn, number, &intake->log, batch->first, batch->count);
    if (err == OK && batch->first == 0)
        err = take_parents(intake, txn, number, result);
    return err;
}

enum err replica_store_package(struct replica_intake *intake, struct store_txn *txn,
                               struct replica_result *result)
{
    struct replica *replica = intake->replica;
    struct log_state state;
    struct merkle_frontier frontier;
    struct hash root;
    struct batch_builder tail = { 0 };
    struct batch_builder whole = intake->batch; /* attached anew each time: the transaction may be run
                                                   again. Its buffers stay the intake's. */
    struct batch_builder *batch = &whole;
    uint32_t number;
    enum err err = replica_log(replica, txn, &intake->log, intake->branch, false, &number);
    if (err == OK)
        err = log_state_get(replica->options.logs, txn, number, &state);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_GAP : err;
    bool forked = state.frozen || intake->branch;
    if (intake->first > state.size)
        return ERR_GAP;
    if (intake->mends)
        return intake->first < state.size ? replica_mend(intake, txn, number, &state, result)
                                          : ERR_GAP;
    if (intake->first < state.size) {
        err = compare_held(intake, txn, number, state.size);
        if (err != OK || intake->first + intake->count <= state.size)
            return err;
        err = rebuild_tail(intake, state.size, &tail);
        batch = &tail;
    }
    if (err == OK)
        err = replica_against_root(intake, txn, number, &state, &root);
    if (err == OK)
        err = log_frontier(replica->options.logs, txn, number, &frontier);
    if (err == OK) {
        batch_attach(batch, &frontier);
        err = batch->err;
    }
    if (err == OK)
        err = replica_check_proof(intake, batch, &root);
    if (err == OK)
        err = check_accepted(intake, txn, number, forked, &frontier, batch, result);
    if (err == OK)
        err = write_package(intake, txn, number, batch, result);
    if (err == OK && forked && !intake->branch)
        err = replica_aim_by_proof(replica, txn, &intake->log);
    if (err == OK && forked)
        err = replica_prove_by_position(replica, txn, &intake->log, intake->peer, result);
    batch_close(&tail);
    return err;
}

/* ---- receipts ------------------------------------------------------------------------------ */

enum err replica_store_receipt(struct replica_intake *intake, struct store_txn *txn,
                               struct replica_result *result)
{
    struct replica *replica = intake->replica;
    struct log_store *logs = replica->options.logs;
    struct log_state state;
    struct hash root;
    struct buffer note = { 0 };
    uint32_t number;
    uint64_t size;
    enum err err = replica_log(replica, txn, &intake->log, false, false, &number);
    if (err == OK)
        err = log_state_get(logs, txn, number, &state);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_GAP : err;
    result->receipt_size = intake->size;
    /* The hub holds more of our log than we do: we were rolled back. The receipt is genuine and
     * kept; the core learns of the rest by the hub's heads. */
    if (intake->size <= state.size) {
        err = replica_root_at(replica, txn, number, intake->size, &root);
        if (err != OK)
            return err;
        if (!hash_equal(&root, &intake->checkpoint.root)) {
            err = log_note(logs, txn, number, intake->size, intake->size, &note, &size);
            err = replica_freeze(replica, txn, number, intake->peer,
                                 err == OK ? buffer_bytes(&note) : BYTES_NONE, intake->note,
                                 result);
            buffer_close(&note);
            return err == OK ? ERR_FORK : err;
        }
    }
    err = log_receipt_put(logs, txn, number, intake->hub, intake->size, intake->note);
    if (err == OK && log_receipt_get(logs, txn, number, intake->hub, &note, &size) == OK)
        result->receipt_size = size;
    buffer_close(&note);
    return err;
}

enum err replica_sign_receipt(struct replica *replica, struct store_txn *txn,
                              const struct log_id *log, uint64_t size, int64_t time_s,
                              struct replica_result *result)
{
    struct log_store *logs = replica->options.logs;
    struct log_state state;
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    struct hash root;
    uint32_t number;
    uint64_t position, found;
    *result = (struct replica_result){ 0 };
    enum err err = replica_log(replica, txn, log, false, false, &number);
    if (err == OK)
        err = log_state_get(logs, txn, number, &state);
    if (err == OK && (state.frozen || (size > state.size && !SAMAD_BUG(RECEIPT_AHEAD))))
        err = state.frozen ? ERR_STALE : ERR_GAP;
    if (err == OK)
        err = log_note(logs, txn, number, size, size, &note, &found);
    if (err == OK)
        err = checkpoint_parse(&checkpoint, buffer_bytes(&note));
    /* The last look before a signature: what is held is what the checkpoint says. */
    if (err == OK && !SAMAD_BUG(RECEIPT_AHEAD))
        err = replica_root_at(replica, txn, number, size, &root);
    if (err == OK && !SAMAD_BUG(RECEIPT_AHEAD) && !hash_equal(&root, &checkpoint.root))
        err = ERR_CORRUPT;
    if (err == OK && log_withheld_below(logs, txn, number, size, &position) == OK)
        err = ERR_REFUSED;
    if (err == OK)
        err = receipt_sign(&result->note, buffer_bytes(&note),
                           bytes_of_string(replica->cosigner), time_s, &replica->receipt_key);
    if (err == OK)
        err = log_cosign(logs, txn, number, size, buffer_bytes(&result->note));
    buffer_close(&note);
    result->err = err;
    return txn->err;
}
