/* Reads the batches of one log and checks every record by itself. */
#include "node/cli/audit.h"
#include "node/cli/plain_tree.h"
#include "storage/log_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BATCHES_PER_TRANSACTION 64 /* a reading transaction pins pages: never a long one */

static struct hash sha256(struct bytes bytes)
{
    struct hash hash;
    crypto_hash_sha256(hash.bytes, bytes.data, bytes.size);
    return hash;
}

/* Of two texts, so that no two pairs give the same bytes. */
static struct hash sha256_pair(struct bytes a, struct bytes b)
{
    struct hash both[2] = { sha256(a), sha256(b) };
    return sha256(BYTES_OF_ARRAY(both));
}

static void take_facts(struct audit_record *out, const struct record_header *header,
                       struct bytes facts)
{
    struct request_facts request;
    out->request = header->kind == RECORD_REQUEST;
    if (!out->request || request_facts_decode(&request, record_unsalted(facts)) != OK)
        return;
    out->key = sha256_pair(request.client, request.idempotency_key);
    out->code = sha256(request.code);
}

/* The person part opens and matches its commitment, or is absent. */
static bool take_person(struct audit_record *out, const struct local *local,
                        const struct record *sealed, const struct record_header *header)
{
    out->person_state = sealed->person_absent     ? PERSON_ABSENT
                        : sealed->person.size > 0 ? PERSON_PRESENT
                                                  : PERSON_NONE;
    if (out->person_state != PERSON_PRESENT)
        return header->has_person == sealed->person_absent;
    if (!header->has_person || sealed->person.size < SALT_SIZE + SEAL_OVERHEAD)
        return false;
    uint8_t *open = malloc(sealed->person.size);
    bool good = open && seal_open(&local->keyring.data, &out->leaf, sealed->person, open) == OK;
    if (good) {
        out->person = sha256(bytes_of(open, sealed->person.size - SEAL_OVERHEAD));
        good = hash_equal(&out->person, &header->person);
        sodium_memzero(open, sealed->person.size);
    }
    free(open);
    return good;
}

static void take_record(struct audit_record *out, const struct local *local,
                        const struct log_id *id, uint64_t position, const struct record *sealed)
{
    struct record_header header;
    memset(out, 0, sizeof *out);
    plain_leaf(out->leaf.bytes, sealed->header.data, sealed->header.size);
    out->facts = sha256(sealed->facts);
    if (record_header_decode(&header, sealed->header) != OK)
        return;
    bool place = header.position == position && log_id_equal(&header.log, id);
    bool person = take_person(out, local, sealed, &header);
    take_facts(out, &header, sealed->facts);
    out->sound = place && person && hash_equal(&out->facts, &header.facts);
}

static struct audit_record *next_record(struct audit_log *log)
{
    if (log->count == log->room) {
        size_t room = log->room ? 2 * log->room : 1024;
        struct audit_record *records = realloc(log->records, room * sizeof *records);
        if (!records)
            return NULL;
        log->records = records;
        log->room = room;
    }
    return &log->records[log->count++];
}

static enum err read_batch(struct audit_log *log, const struct local *local,
                           const struct log_batch *batch)
{
    struct record sealed;
    struct hash stored_leaf;
    struct batch_walk walk = batch_walk(&batch->view);
    while (batch_next(&walk, &sealed, &stored_leaf) == OK) {
        struct audit_record *record = next_record(log);
        if (!record)
            return ERR_NOMEM;
        take_record(record, local, &log->id, log->count - 1, &sealed);
    }
    return log->count == log_batch_end(batch) ? OK : ERR_CORRUPT;
}

/* ERR_END at the end of the log. */
static enum err read_batches(struct audit_log *log, const struct local *local)
{
    struct log_batch batch;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_BATCHES);
    enum err err = log_batch_seek(&cursor, log->number, log->count, &batch);
    if (err == ERR_NOT_FOUND)
        err = ERR_END;
    for (int i = 0; i < BATCHES_PER_TRANSACTION && err == OK; i++) {
        err = read_batch(log, local, &batch);
        if (err == OK)
            err = log_batch_next(&cursor, log->number, &batch);
    }
    store_cursor_close(&cursor);
    store_abort(&txn);
    return err;
}

enum err audit_log_read(struct audit_log *log, const struct local *local, uint32_t number)
{
    struct log_state state;
    memset(log, 0, sizeof *log);
    log->number = number;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = log_state_get(local->logs, &txn, number, &state);
    store_abort(&txn);
    if (err != OK)
        return err;
    log->id = state.id;
    while (err == OK)
        err = read_batches(log, local);
    return err == ERR_END ? OK : err;
}
