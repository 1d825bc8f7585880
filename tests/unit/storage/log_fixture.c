#include "tests/unit/storage/log_fixture.h"

#include "proto/base/require.h"

#include <string.h>

void log_fixture_open(struct log_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    folder_make(fixture->folder);
    fixture->options = (struct log_store_options){
        .path = fixture->folder,
        .node = "ardabil",
        .map_size = 16 << 20,
        .create = true,
    };
    memset(fixture->options.data_key.bytes, 9, SEAL_KEY_SIZE);
    fixture->key = sample_key(3);
    require(log_store_open(&fixture->logs, &fixture->options) == OK);
}

enum err log_fixture_reopen(struct log_fixture *fixture)
{
    log_store_close(fixture->logs);
    return log_store_open(&fixture->logs, &fixture->options);
}

void log_fixture_close(struct log_fixture *fixture)
{
    log_store_close(fixture->logs);
    folder_remove(fixture->folder);
}

static struct store_txn write_begin(struct log_fixture *fixture)
{
    return store_begin_write(log_store_environment(fixture->logs));
}

uint32_t fixture_create(struct log_fixture *fixture, const struct log_id *id)
{
    uint32_t number;
    struct store_txn txn = write_begin(fixture);
    require(log_create(fixture->logs, &txn, id, &number) == OK);
    require(store_commit(&txn) == OK);
    return number;
}

void fixture_append(struct log_fixture *fixture, uint32_t number, const struct log_id *id,
                    uint32_t count, bool with_note)
{
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer note = { 0 };
    struct store_txn txn = write_begin(fixture);
    require(log_frontier(fixture->logs, &txn, number, &frontier) == OK);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, id, FIXTURE_SEED, count, FIXTURE_TEXT_SIZE,
                 log_store_data_key(fixture->logs));
    if (with_note)
        sample_note(&note, id, &batch.frontier, &fixture->key);
    require(log_append(fixture->logs, &txn, number, &batch, buffer_bytes(&note)) == OK);
    require(store_commit(&txn) == OK);
    buffer_close(&note);
    batch_close(&batch);
}

void fixture_fill(struct log_fixture *fixture, uint32_t number, const struct log_id *id,
                  uint32_t count, uint32_t largest)
{
    uint32_t size = 1;
    while (count > 0) {
        uint32_t now = size < count ? size : count;
        fixture_append(fixture, number, id, now, true);
        count -= now;
        size = size == largest ? 1 : size + 1;
    }
}

uint64_t fixture_size(struct log_fixture *fixture, uint32_t number)
{
    struct log_state state;
    struct store_txn txn = store_begin_read(log_store_environment(fixture->logs));
    require(log_state_get(fixture->logs, &txn, number, &state) == OK);
    store_abort(&txn);
    return state.size;
}
