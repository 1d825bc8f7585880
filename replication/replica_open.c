/* What came from a peer, copied out of its message and checked as far as that needs no store. */
#include "replication/replica_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static struct replica_intake *intake_new(struct replica *replica, enum intake_kind kind,
                                         const struct log_id *log, struct bytes bytes)
{
    struct replica_intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return NULL;
    intake->replica = replica;
    intake->kind = kind;
    intake->log = *log;
    buffer_expect(&intake->bytes, bytes.size); /* many wait at once: none is larger than it must be */
    buffer_append_bytes(&intake->bytes, bytes);
    if (intake->bytes.err != OK) {
        replica_intake_free(intake);
        return NULL;
    }
    intake->note = buffer_bytes(&intake->bytes);
    return intake;
}

static void keep_peer(struct replica_intake *intake, const char *peer)
{
    memcpy(intake->peer, peer, strnlen(peer, NODE_NAME_SIZE_MAX));
}

void replica_intake_free(struct replica_intake *intake)
{
    if (!intake)
        return;
    if (intake->kind == INTAKE_PACKAGE && intake->bytes.data)
        sodium_memzero(intake->bytes.data, intake->bytes.size);
    if (intake->plain.data)
        sodium_memzero(intake->plain.data, intake->plain.size);
    buffer_close(&intake->bytes);
    buffer_close(&intake->plain);
    if (intake->batch_begun)
        batch_close(&intake->batch);
    free(intake);
}

enum err replica_open_checkpoint(struct replica *replica,
                                 const struct effect_store_checkpoint *effect,
                                 struct replica_intake **out)
{
    *out = intake_new(replica, INTAKE_CHECKPOINT, &effect->log, effect->message->note);
    if (!*out)
        return ERR_NOMEM;
    (*out)->branch = effect->branch;
    keep_peer(*out, effect->node);
    (*out)->from = effect->message->from;
    (*out)->proof = effect->message->proof;
    return OK;
}

enum err replica_open_package(struct replica *replica, const struct effect_store_package *effect,
                              struct replica_intake **out)
{
    const struct message_package *package = effect->message;
    *out = intake_new(replica, INTAKE_PACKAGE, &effect->log, package->body);
    if (!*out)
        return ERR_NOMEM;
    (*out)->branch = effect->branch;
    (*out)->mends = effect->mends;
    keep_peer(*out, effect->node);
    (*out)->first = package->first;
    (*out)->count = package->count;
    (*out)->against = package->against;
    (*out)->encoding = package->encoding;
    (*out)->proof = package->proof;
    return OK;
}

enum err replica_open_receipt(struct replica *replica, const struct effect_store_receipt *effect,
                              struct replica_intake **out)
{
    *out = intake_new(replica, INTAKE_RECEIPT, &effect->log, effect->note);
    if (!*out)
        return ERR_NOMEM;
    (*out)->size = effect->size;
    keep_peer(*out, effect->hub);
    memcpy((*out)->hub, effect->hub, strnlen(effect->hub, NODE_NAME_SIZE_MAX));
    return OK;
}

enum err replica_open_fork(struct replica *replica, const struct effect_store_fork *effect,
                           struct replica_intake **out)
{
    *out = intake_new(replica, INTAKE_FORK, &effect->log, effect->proof);
    if (!*out)
        return ERR_NOMEM;
    keep_peer(*out, effect->fork_node);
    return OK;
}

/* ---- verification, without the store --------------------------------------------------------- */

static enum err log_key_of(const struct replica_intake *intake, struct sign_public *key)
{
    const struct replica_options *options = &intake->replica->options;
    enum err err = options->log_key(options->context, intake->log.node, key);
    return err == ERR_NOT_FOUND ? ERR_SIGNATURE : err;
}

static enum err verify_checkpoint(struct replica_intake *intake)
{
    struct sign_public key;
    enum err err = log_key_of(intake, &key);
    if (err == OK)
        err = checkpoint_open(&intake->checkpoint, intake->note, &key);
    if (err == OK && !log_id_equal(&intake->checkpoint.log, &intake->log))
        err = ERR_MALFORMED;
    return err;
}

/* A body announces its size in the zstd frame; more than a block of the largest records can have
 * in a message of this protocol is refused before memory is taken. */
static enum err decompress(struct replica_intake *intake, struct bytes *body)
{
    struct bytes sealed = buffer_bytes(&intake->bytes);
    *body = sealed;
    if (intake->encoding == PACKAGE_PLAIN)
        return OK;
    if (intake->encoding != PACKAGE_ZSTD)
        return ERR_VERSION;
    unsigned long long size = ZSTD_getFrameContentSize(sealed.data, sealed.size);
    if (size > MESSAGE_SIZE_MAX)
        return ERR_MALFORMED;
    uint8_t *room = buffer_reserve(&intake->plain, (size_t)size);
    if (!room)
        return ERR_NOMEM;
    size_t done = ZSTD_decompress(room, (size_t)size, sealed.data, sealed.size);
    if (ZSTD_isError(done) || done != size)
        return ERR_MALFORMED;
    intake->plain.size = done;
    *body = buffer_bytes(&intake->plain);
    return OK;
}

static bool is_special(const struct record_header *header, const struct record *record)
{
    return header->position == 0 || header->kind == RECORD_ERASE || record->person_absent;
}

static enum err verify_package(struct replica_intake *intake)
{
    struct bytes body;
    const struct seal_key *data_key = log_store_data_key(intake->replica->options.logs);
    if (intake->count == 0 || intake->count > package_count_max(intake->first, intake->against))
        return ERR_MALFORMED;
    enum err err = decompress(intake, &body);
    batch_begin_detached(&intake->batch, intake->first);
    intake->batch_begun = true;
    buffer_expect(&intake->batch.records, body.size + intake->count * SEAL_OVERHEAD);
    buffer_expect(&intake->batch.leaves, intake->count * HASH_SIZE);
    intake->first_special = UINT64_MAX;
    for (uint64_t i = 0; i < intake->count && err == OK; i++) {
        struct record record;
        struct record_header header;
        struct hash leaf;
        err = record_decode(&record, &body);
        if (err == OK)
            err = record_verify(&record, &intake->log, intake->first + i, &header, &leaf);
        if (err != OK)
            break;
        if (intake->first_special == UINT64_MAX && is_special(&header, &record))
            intake->first_special = intake->first + i;
        intake->absent += record.person_absent;
        batch_add(&intake->batch, &record, &leaf, data_key);
        err = intake->batch.err;
    }
    return err == OK && body.size > 0 ? ERR_MALFORMED : err;
}

static enum err verify_receipt(struct replica_intake *intake)
{
    struct sign_public log_key, hub_key;
    char name[NOTE_NAME_SIZE_MAX + 1];
    int64_t time_s;
    const struct replica_options *options = &intake->replica->options;
    enum err err = log_key_of(intake, &log_key);
    if (err == OK)
        err = checkpoint_open(&intake->checkpoint, intake->note, &log_key);
    if (err == OK)
        err = options->receipt_key_of(options->context, intake->hub, &hub_key);
    if (err == OK) {
        receipt_key_name(name, intake->hub);
        err = receipt_open(intake->note, bytes_of_string(name), &hub_key, &time_s);
    }
    if (err == ERR_NOT_FOUND)
        err = ERR_SIGNATURE;
    if (err == OK && (!log_id_equal(&intake->checkpoint.log, &intake->log) ||
                      intake->checkpoint.size != intake->size))
        err = ERR_MALFORMED;
    return err;
}

static enum err verify_fork(struct replica_intake *intake)
{
    struct sign_public key;
    struct log_id log;
    enum err err = log_key_of(intake, &key);
    if (err == OK)
        err = fork_proof_verify(intake->note, &key, &log);
    if (err == OK && !log_id_equal(&log, &intake->log))
        err = ERR_PROOF;
    return err;
}

enum err replica_verify(struct replica_intake *intake)
{
    switch (intake->kind) {
    case INTAKE_CHECKPOINT:
        intake->err = verify_checkpoint(intake);
        break;
    case INTAKE_PACKAGE:
        intake->err = verify_package(intake);
        break;
    case INTAKE_RECEIPT:
        intake->err = verify_receipt(intake);
        break;
    case INTAKE_FORK:
        intake->err = verify_fork(intake);
        break;
    }
    return intake->err;
}
