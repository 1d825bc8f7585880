#include "tests/unit/storage/history.h"

#include "proto/base/require.h"

#include <string.h>

struct log_id history_id(uint8_t incarnation)
{
    return sample_log("ardabil", "hub", incarnation);
}

uint32_t history_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static void first_record(struct batch_builder *batch, const struct log_id *id,
                         const struct history_log *log, const struct seal_key *key)
{
    struct log_head heads[4];
    struct sample sample;
    size_t count = 0;
    memset(heads, 0, sizeof heads);
    for (; count < 4 && log->parents[count].incarnation != 0; count++) {
        heads[count].log = history_id(log->parents[count].incarnation);
        heads[count].size = log->parents[count].size;
        heads[count].root = log->parents[count].root;
    }
    sample_incarnation(&sample, id, log->incarnation, heads, count);
    batch_add(batch, &sample.record, &sample.leaf, key);
    sample_close(&sample);
}

static void hold_batch(struct log_fixture *fixture, const struct history_log *log,
                       const struct log_id *id, uint32_t number, uint32_t count)
{
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct store_txn txn = store_begin_write(log_store_environment(fixture->logs));
    const struct seal_key *key = log_store_data_key(fixture->logs);
    require(log_frontier(fixture->logs, &txn, number, &frontier) == OK);
    batch_begin(&batch, &frontier);
    if (frontier.size == 0) {
        first_record(&batch, id, log, key);
        count--;
    }
    sample_batch(&batch, id, log->incarnation, count, 50, key);
    require(log_append(fixture->logs, &txn, number, &batch, BYTES_NONE) == OK);
    require(store_commit(&txn) == OK);
    batch_close(&batch);
}

void history_hold(struct log_fixture *fixture, const struct history_log *log, uint64_t size,
                  uint32_t batch)
{
    struct log_id id = history_id(log->incarnation);
    uint32_t number;
    struct store_txn txn = store_begin_write(log_store_environment(fixture->logs));
    enum err err = log_find(fixture->logs, &txn, &id, &number);
    if (err == ERR_NOT_FOUND)
        err = log_create(fixture->logs, &txn, &id, &number);
    require(err == OK && store_commit(&txn) == OK);
    for (uint64_t held = fixture_size(fixture, number); held < size;
         held = fixture_size(fixture, number)) {
        uint64_t left = size - held;
        hold_batch(fixture, log, &id, number, left < batch ? (uint32_t)left : batch);
    }
}

uint32_t history_number(struct log_fixture *fixture, uint8_t incarnation)
{
    struct log_id id = history_id(incarnation);
    uint32_t number;
    struct store_txn txn = store_begin_read(log_store_environment(fixture->logs));
    require(log_find(fixture->logs, &txn, &id, &number) == OK);
    store_abort(&txn);
    return number;
}

struct log_head history_head(struct log_fixture *fixture, uint8_t incarnation)
{
    struct log_head head = { .log = history_id(incarnation) };
    struct merkle_frontier frontier;
    uint32_t number = history_number(fixture, incarnation);
    struct store_txn txn = store_begin_read(log_store_environment(fixture->logs));
    require(log_frontier(fixture->logs, &txn, number, &frontier) == OK);
    store_abort(&txn);
    head.size = frontier.size;
    merkle_frontier_root(&frontier, &head.root);
    return head;
}
