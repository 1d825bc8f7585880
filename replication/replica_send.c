/* What this node sends: checkpoints, packages, receipts, fork proofs, read from its own store. */
#include "replication/replica_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct store_txn begin(struct replica *replica)
{
    return store_begin_read(replica->environment);
}

/* ---- checkpoints --------------------------------------------------------------------------- */

/* The largest stored note in [at_least, limit]; when there is none the smallest above. */
static enum err choose_note(struct replica *replica, struct store_txn *txn, uint32_t number,
                            const struct effect_send_checkpoint *effect, struct buffer *note,
                            uint64_t *size)
{
    struct cursor held;
    uint64_t least = effect->at_least;
    enum err err = replica_cursor(replica, txn, number, &held);
    if (err != OK)
        return err;
    uint64_t limit = effect->limit < held.covered ? effect->limit : held.covered;
    err = log_note(replica->options.logs, txn, number, least, limit, note, size);
    if (err != ERR_NOT_FOUND)
        return err;
    if (limit + 1 > least)
        least = limit + 1;
    return log_note_after(replica->options.logs, txn, number, least > 0 ? least - 1 : 0,
                          held.covered, note, size);
}

/* The last look before it leaves (I11): the note says of the log what is held of it. */
static enum err check_note(const struct log_id *log, const struct merkle_source *tree,
                           uint64_t size, struct bytes note)
{
    struct checkpoint checkpoint;
    struct hash root;
    if (checkpoint_parse(&checkpoint, note) != OK || !log_id_equal(&checkpoint.log, log) ||
        checkpoint.size != size)
        return ERR_CORRUPT;
    enum err err = merkle_root(tree, size, &root);
    return err == OK && !hash_equal(&root, &checkpoint.root) ? ERR_CORRUPT : err;
}

enum err replica_send_checkpoint(struct replica *replica,
                                 const struct effect_send_checkpoint *effect,
                                 struct buffer *message, uint64_t *size)
{
    struct buffer note = { 0 };
    struct log_source source = { .logs = replica->options.logs };
    struct message *out = calloc(1, sizeof *out);
    if (!out)
        return ERR_NOMEM;
    struct store_txn txn = begin(replica);
    source.txn = &txn;
    enum err err = replica_log(replica, &txn, &effect->log, effect->branch, false, &source.number);
    if (err == OK)
        err = choose_note(replica, &txn, source.number, effect, &note, size);
    if (err == OK) {
        struct merkle_source tree = log_merkle_source(&source);
        out->type = MESSAGE_CHECKPOINT;
        out->checkpoint.from = effect->from;
        err = merkle_prove_continuation(&tree, effect->from, *size, &out->checkpoint.proof);
        if (err == OK)
            err = check_note(&effect->log, &tree, *size, buffer_bytes(&note));
    }
    store_abort(&txn);
    if (err == OK) {
        out->checkpoint.note = buffer_bytes(&note);
        err = message_encode(message, out);
    }
    buffer_close(&note);
    free(out);
    return err;
}

/* ---- branches of a forked log --------------------------------------------------------------- */

static enum err fill_want(struct replica *replica, struct store_txn *txn,
                          const struct effect_send_want *effect, struct message_want *want)
{
    struct log_state state;
    struct cursor cursor;
    uint32_t number;
    enum err err = replica_log(replica, txn, &effect->log, effect->branch, false, &number);
    if (err == OK)
        err = log_state_get(replica->options.logs, txn, number, &state);
    if (err == OK)
        err = replica_cursor(replica, txn, number, &cursor);
    if (err != OK)
        return err;
    *want = (struct message_want){
        .log = effect->log, .next = effect->next, .pending = cursor.pending, .names_branch = true
    };
    if (state.pending_size != cursor.pending)
        return replica_root_at(replica, txn, number, cursor.pending, &want->root);
    want->root = state.pending_root;
    return OK;
}

enum err replica_send_want(struct replica *replica, const struct effect_send_want *effect,
                           struct buffer *message)
{
    struct message *out = calloc(1, sizeof *out);
    if (!out)
        return ERR_NOMEM;
    out->type = MESSAGE_WANT;
    struct store_txn txn = begin(replica);
    enum err err = fill_want(replica, &txn, effect, &out->want);
    store_abort(&txn);
    if (err == OK)
        err = message_encode(message, out);
    free(out);
    return err;
}

static enum err has_root(struct replica *replica, struct store_txn *txn,
                         const struct effect_find_branch *effect, bool branch)
{
    struct log_state state;
    struct hash root;
    uint32_t number;
    enum err err = replica_log(replica, txn, &effect->log, branch, false, &number);
    if (err == OK)
        err = log_state_get(replica->options.logs, txn, number, &state);
    if (err == OK && state.size < effect->size)
        err = ERR_NOT_FOUND;
    if (err == OK)
        err = replica_root_at(replica, txn, number, effect->size, &root);
    return err == OK && !hash_equal(&root, &effect->root) ? ERR_NOT_FOUND : err;
}

enum err replica_find_branch(struct replica *replica, const struct effect_find_branch *effect,
                             bool *branch)
{
    struct store_txn txn = begin(replica);
    *branch = false;
    enum err err = has_root(replica, &txn, effect, false);
    if (err == ERR_NOT_FOUND) {
        *branch = true;
        err = has_root(replica, &txn, effect, true);
    }
    store_abort(&txn);
    return err;
}

/* ---- packages ------------------------------------------------------------------------------ */

/* One walk over the records; a package is closed when its block, the order or the room ends. */
struct packing {
    const struct effect_send_records *effect;
    struct log_source source; /* of all proofs: the tail of the tree is hashed once, not for each */
    struct message *message;
    struct buffer body;
    struct buffer *out;
    uint64_t first, count, most; /* of the package being filled; most 0: none is */
    size_t room;                 /* bytes that the body may have */
    size_t written;              /* so far into the body's memory something was written */
    size_t last_size;            /* of the package before */
    uint64_t next, size;         /* what was appended to `out` */
    bool full;                   /* no further one is to follow */
};

/* A proof, the log id and the framing around the body take less than this. */
enum { PACKAGE_OVERHEAD = 8 * 1024 };

static uint64_t packing_left(const struct packing *packing)
{
    return packing->effect->budget - packing->size;
}

/* What is left of the budget does not cut a package in two: a part costs as much to prove, to check
 * and to store as a whole one. Only the first takes what there is. */
static bool packing_is_full(const struct packing *packing)
{
    uint64_t left = packing_left(packing);
    return packing->size > 0 && (left < PACKAGE_ROOM_MIN || left < packing->last_size);
}

static void package_begin(struct packing *packing, uint64_t first)
{
    const struct effect_send_records *effect = packing->effect;
    uint64_t left = packing_left(packing);
    packing->first = first;
    packing->count = 0;
    packing->most = package_count_max(first, effect->against);
    if (packing->most > effect->end - first)
        packing->most = effect->end - first;
    packing->room = (size_t)(left < PACKAGE_ROOM ? left : PACKAGE_ROOM) - PACKAGE_OVERHEAD;
    buffer_clear(&packing->body);
}

static enum err package_append(struct packing *packing)
{
    struct buffer *out = packing->out;
    size_t start = out->size;
    buffer_append_u32(out, 0);
    enum err err = out->err != OK ? out->err : message_encode(out, packing->message);
    size_t size = out->size - start - 4;
    if (err == OK && packing->size > 0 && size > packing_left(packing))
        err = ERR_END; /* one large record: it goes first in the next batch */
    if (err != OK) {
        out->size = start;
        return err;
    }
    put_u32(out->data + start, (uint32_t)size);
    packing->size += size;
    packing->next += packing->count;
    packing->last_size = size;
    return OK;
}

/* ERR_END when it was the last. */
static enum err package_end(struct packing *packing)
{
    const struct effect_send_records *effect = packing->effect;
    struct merkle_source tree = log_merkle_source(&packing->source);
    struct message_package *package = &packing->message->package;
    packing->message->type = MESSAGE_PACKAGE;
    package->log = effect->log;
    package->first = packing->first;
    package->count = packing->count;
    package->against = effect->against;
    package->encoding = PACKAGE_PLAIN;
    package->body = buffer_bytes(&packing->body);
    packing->most = 0;
    enum err err = package_prove(&tree, packing->first, packing->count, effect->against,
                                 &package->proof);
    if (err == OK)
        err = package_append(packing);
    packing->full = err == ERR_END || (err == OK && packing_is_full(packing));
    return packing->full ? ERR_END : err;
}

static void body_append(struct packing *packing, const struct record *record)
{
    record_encode(&packing->body, record);
    if (packing->body.size > packing->written)
        packing->written = packing->body.size;
}

static enum err pack_record(void *context, uint64_t position, const struct record *record,
                            const struct record_header *header, const struct hash *leaf)
{
    struct packing *packing = context;
    (void)header;
    (void)leaf;
    if (packing->most == 0)
        package_begin(packing, position);
    size_t before = packing->body.size;
    body_append(packing, record);
    if (packing->body.size > packing->room && packing->count > 0) {
        packing->body.size = before; /* it goes into the next one */
        enum err err = package_end(packing);
        if (err != OK)
            return err;
        package_begin(packing, position);
        body_append(packing, record);
    }
    if (packing->body.err != OK)
        return packing->body.err;
    packing->count++;
    return packing->count == packing->most ? package_end(packing) : OK;
}

/* Packages from the records in the order, until the budget is used. */
static enum err pack_records(struct packing *packing, struct replica *replica,
                             struct store_txn *txn)
{
    const struct effect_send_records *effect = packing->effect;
    struct log_source *source = &packing->source;
    source->logs = replica->options.logs;
    source->txn = txn;
    enum err err = replica_log(replica, txn, &effect->log, effect->branch, false, &source->number);
    if (err == OK)
        err = log_scan(source->logs, txn, source->number, effect->first,
                       effect->end - effect->first, true, pack_record, packing);
    if (err == OK && packing->most > 0) /* the records have ended before the package */
        err = package_end(packing);
    if (err == ERR_END)
        err = OK;
    bool lacking = !packing->full && packing->next < effect->end;
    return err == OK && lacking ? ERR_NOT_FOUND : err;
}

enum err replica_send_records(struct replica *replica, const struct effect_send_records *effect,
                              struct buffer *messages, uint64_t *next, uint64_t *size)
{
    struct packing packing = { .effect = effect, .out = messages, .next = effect->first };
    *next = effect->first;
    *size = 0;
    packing.message = calloc(1, sizeof *packing.message);
    if (!packing.message)
        return ERR_NOMEM;
    buffer_expect(&packing.body, 2 * PACKAGE_ROOM); /* it never grows, which would leave copies */
    struct store_txn txn = begin(replica);
    enum err err = pack_records(&packing, replica, &txn);
    store_abort(&txn);
    *next = packing.next;
    *size = packing.size;
    if (packing.body.data) /* person parts in the clear */
        sodium_memzero(packing.body.data, packing.written);
    buffer_close(&packing.body);
    free(packing.message);
    return err;
}

/* ---- receipts and fork proofs -------------------------------------------------------------- */

/* What is stored beside a log for the peers: this node's receipt, or the proof of a fork. */
static enum err load_stored(struct replica *replica, struct store_txn *txn, uint32_t number,
                            enum message_type type, struct buffer *stored)
{
    char peer[NODE_NAME_SIZE_MAX + 1];
    uint64_t size;
    if (type == MESSAGE_RECEIPT)
        return log_receipt_get(replica->options.logs, txn, number, replica->node, stored, &size);
    enum err err = replica_fork_load(replica, txn, number, peer, stored);
    return err == OK && stored->size == 0 ? ERR_NOT_FOUND : err;
}

static enum err send_stored(struct replica *replica, const struct log_id *log,
                            enum message_type type, struct buffer *message)
{
    struct buffer stored = { 0 };
    uint32_t number;
    struct message *out = calloc(1, sizeof *out);
    if (!out)
        return ERR_NOMEM;
    struct store_txn txn = begin(replica);
    enum err err = replica_log(replica, &txn, log, false, false, &number);
    if (err == OK)
        err = load_stored(replica, &txn, number, type, &stored);
    store_abort(&txn);
    if (err == OK) {
        out->type = type;
        if (type == MESSAGE_RECEIPT)
            out->receipt.note = buffer_bytes(&stored);
        else
            out->fork.proof = buffer_bytes(&stored);
        err = message_encode(message, out);
    }
    buffer_close(&stored);
    free(out);
    return err;
}

enum err replica_send_receipt(struct replica *replica, const struct log_id *log,
                              struct buffer *message)
{
    return send_stored(replica, log, MESSAGE_RECEIPT, message);
}

enum err replica_send_fork(struct replica *replica, const struct log_id *log,
                           struct buffer *message)
{
    return send_stored(replica, log, MESSAGE_FORK, message);
}
