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
    enum err err = replica_log(replica, &txn, &effect->log, false, false, &source.number);
    if (err == OK)
        err = choose_note(replica, &txn, source.number, effect, &note, size);
    if (err == OK) {
        struct merkle_source tree = log_merkle_source(&source);
        out->type = MESSAGE_CHECKPOINT;
        out->checkpoint.from = effect->from;
        err = merkle_prove_continuation(&tree, effect->from, *size, &out->checkpoint.proof);
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

/* ---- packages ------------------------------------------------------------------------------ */

struct packing {
    struct buffer body;
    uint64_t count;
    size_t room; /* bytes that the body may have */
};

static enum err pack_record(void *context, uint64_t position, const struct record *record,
                            const struct record_header *header, const struct hash *leaf)
{
    struct packing *packing = context;
    size_t before = packing->body.size;
    (void)position;
    (void)header;
    (void)leaf;
    record_encode(&packing->body, record);
    if (packing->body.err != OK)
        return packing->body.err;
    if (packing->body.size > packing->room && packing->count > 0) {
        packing->body.size = before; /* it goes into the next one */
        return ERR_END;
    }
    packing->count++;
    return OK;
}

/* A proof, the log id and the framing around the body take less than this. */
enum { PACKAGE_OVERHEAD = 8 * 1024 };

static enum err build_package(struct replica *replica, struct store_txn *txn, uint32_t number,
                              const struct effect_send_records *effect, uint64_t first,
                              uint64_t room, struct packing *packing, struct message *out,
                              struct buffer *encoded)
{
    struct log_source source = { .logs = replica->options.logs, .txn = txn, .number = number };
    struct merkle_source tree = log_merkle_source(&source);
    uint64_t most = package_count_max(first, effect->against);
    if (most > effect->end - first)
        most = effect->end - first;
    buffer_clear(&packing->body);
    buffer_clear(encoded);
    packing->count = 0;
    packing->room = (size_t)(room < PACKAGE_ROOM ? room : PACKAGE_ROOM) - PACKAGE_OVERHEAD;
    enum err err = log_scan(replica->options.logs, txn, number, first, most, true, pack_record,
                            packing);
    if (err == OK && packing->count == 0)
        err = ERR_NOT_FOUND;
    out->type = MESSAGE_PACKAGE;
    if (err == OK)
        err = package_prove(&tree, first, packing->count, effect->against, &out->package.proof);
    if (err != OK)
        return err;
    out->package.log = effect->log;
    out->package.first = first;
    out->package.count = packing->count;
    out->package.against = effect->against;
    out->package.encoding = PACKAGE_PLAIN;
    out->package.body = buffer_bytes(&packing->body);
    return message_encode(encoded, out);
}

enum err replica_send_records(struct replica *replica, const struct effect_send_records *effect,
                              replica_on_message *on_message, void *context, uint64_t *next,
                              uint64_t *size)
{
    struct packing packing = { .body = { 0 } };
    struct buffer encoded = { 0 };
    uint32_t number;
    struct message *out = calloc(1, sizeof *out);
    *next = effect->first;
    *size = 0;
    if (!out)
        return ERR_NOMEM;
    struct store_txn txn = begin(replica);
    enum err err = replica_log(replica, &txn, &effect->log, false, false, &number);
    while (err == OK && *next < effect->end) {
        uint64_t left = effect->budget - *size;
        if (*size > 0 && left < PACKAGE_ROOM_MIN)
            break;
        err = build_package(replica, &txn, number, effect, *next, left, &packing, out, &encoded);
        if (err == OK && *size > 0 && encoded.size > left)
            break; /* one large record: it goes first in the next batch */
        if (err == OK)
            err = on_message(context, buffer_bytes(&encoded));
        if (err == OK) {
            *size += encoded.size;
            *next += packing.count;
        }
    }
    store_abort(&txn);
    if (packing.body.data) /* person parts in the clear */
        sodium_memzero(packing.body.data, packing.body.capacity);
    buffer_close(&packing.body);
    buffer_close(&encoded);
    free(out);
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
