/* sabotage altered|missing|doubled HUB.conf PROVINCE: a test tool that tampers with the stopped
 * hub's store, so that anyone can see that `samadctl audit` is real.
 *
 *   altered   flips a bit in the stored facts of one request
 *   missing   removes the last batch of a log
 *   doubled   appends a request's facts and person once more, as a further record
 *
 * It writes below all checks, through the store's seam. Prints what it did. */
#include "node/config.h"
#include "node/keyring.h"
#include "storage/log_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, enum err err)
{
    fprintf(stderr, "sabotage: %s: %s\n", what, err_text(err));
    exit(2);
}

static struct log_store *open_store(const char *config_path)
{
    struct config *config;
    struct keyring keyring;
    struct log_store *logs;
    struct buffer problem = { 0 };
    char path[4096];
    enum err err = config_load(&config, config_path, &problem);
    if (err == OK)
        err = keyring_load(&keyring, config->keys, &problem);
    if (err != OK)
        fail(config_path, err);
    snprintf(path, sizeof path, "%s/log", config->data);
    struct log_store_options options = {
        .path = path, .node = config->node, .data_key = keyring.data, .map_size = config->map_size
    };
    err = log_store_open(&logs, &options);
    if (err != OK)
        fail(path, err);
    keyring_close(&keyring);
    config_free(config);
    buffer_close(&problem);
    return logs;
}

/* A request of a province's logs: where it is, and the batch that holds it. */
struct target {
    struct log_state log;
    uint64_t position;
    struct log_batch batch;
    struct record sealed;
    struct record_header header;
};

static bool find_in_batch(struct target *target)
{
    struct hash leaf;
    for (uint32_t i = 0; i < target->batch.view.count; i++) {
        if (batch_record(&target->batch.view, i, &target->sealed, &leaf) != OK ||
            record_header_decode(&target->header, target->sealed.header) != OK)
            return false;
        target->position = target->batch.first + i;
        if (target->header.kind == RECORD_REQUEST)
            return true;
    }
    return false;
}

/* The first request of the largest log. */
static void find_target(struct log_store *logs, struct store_txn *txn, const char *province,
                        struct target *target)
{
    bool found = false;
    uint32_t count = log_count(logs, txn);
    memset(target, 0, sizeof *target);
    for (uint32_t i = 0; i < count; i++) {
        struct log_state state;
        if (log_state_get(logs, txn, i, &state) == OK && strcmp(state.id.node, province) == 0 &&
            state.size > target->log.size)
            target->log = state;
    }
    if (target->log.size == 0)
        fail(province, ERR_NOT_FOUND);
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_seek(&cursor, target->log.number, 0, &target->batch);
    while (err == OK && !(found = find_in_batch(target)))
        err = log_batch_next(&cursor, target->log.number, &target->batch);
    store_cursor_close(&cursor);
    if (!found)
        fail("a request to tamper with", ERR_NOT_FOUND);
}

static void alter(struct store_txn *txn, const struct target *target)
{
    struct buffer value = { 0 };
    struct log_key key = log_key_position(target->log.number, target->batch.first);
    buffer_append_bytes(&value, target->batch.value);
    size_t at = (size_t)(target->sealed.facts.data - target->batch.value.data) +
                target->sealed.facts.size - 1;
    value.data[at] ^= 1;
    store_put(txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(&value));
    buffer_close(&value);
}

static void remove_last(struct store_txn *txn, const struct target *target)
{
    struct log_batch batch;
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_before(&cursor, target->log.number, UINT64_MAX, &batch);
    store_cursor_close(&cursor);
    if (err != OK)
        fail("the last batch", err);
    struct log_key key = log_key_position(target->log.number, batch.first);
    store_delete(txn, LOG_BATCHES, log_key_bytes(&key));
}

static void repeat(struct log_store *logs, struct store_txn *txn, const struct target *target)
{
    struct buffer scratch = { 0 }, encoded = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    struct merkle_frontier frontier;
    struct batch_builder batch;
    enum err err = log_read(logs, txn, target->log.number, target->position, &scratch, &record,
                            &header, &leaf);
    header.position = target->log.size;
    if (err == OK)
        err = record_header_encode(&encoded, &header);
    if (err == OK)
        err = log_frontier(logs, txn, target->log.number, &frontier);
    if (err != OK)
        fail("the record", err);
    record.header = buffer_bytes(&encoded);
    merkle_leaf_hash(&leaf, record.header);
    batch_begin(&batch, &frontier);
    batch_add(&batch, &record, &leaf, log_store_data_key(logs));
    err = log_append(logs, txn, target->log.number, &batch, BYTES_NONE);
    if (err != OK)
        fail("the copy", err);
    batch_close(&batch);
    buffer_close(&encoded);
    buffer_close(&scratch);
}

int main(int count, char **arguments)
{
    struct target target;
    if (count != 4) {
        fprintf(stderr, "usage: sabotage altered|missing|doubled HUB.conf PROVINCE\n");
        return 2;
    }
    struct log_store *logs = open_store(arguments[2]);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    find_target(logs, &txn, arguments[3], &target);
    if (strcmp(arguments[1], "altered") == 0)
        alter(&txn, &target);
    else if (strcmp(arguments[1], "missing") == 0)
        remove_last(&txn, &target);
    else if (strcmp(arguments[1], "doubled") == 0)
        repeat(logs, &txn, &target);
    else
        fail(arguments[1], ERR_INVALID);
    enum err err = store_commit(&txn);
    if (err != OK)
        fail("the store", err);
    printf("sabotage: %s in log %" PRIu32 " of %s\n", arguments[1], target.log.number,
           arguments[3]);
    log_store_close(logs);
    return 0;
}
