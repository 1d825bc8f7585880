#include "tests/unit/node/receipt_fixture.h"

#include "proto/base/require.h"

#include <string.h>

/* Appends records up to `size`, and cosigns there when it is wanted. */
static void fill(struct receipt_fixture *fixture, uint32_t size, bool cosign)
{
    struct store_txn txn = store_begin_write(log_store_environment(fixture->logs));
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer note = { 0 }, receipt = { 0 };
    char name[NOTE_NAME_SIZE_MAX + 1];
    require(log_frontier(fixture->logs, &txn, fixture->number, &frontier) == OK);
    if (size > frontier.size) {
        batch_begin(&batch, &frontier);
        sample_batch(&batch, &fixture->log, 7, (uint32_t)(size - frontier.size), 100,
                     log_store_data_key(fixture->logs));
        sample_note(&note, &fixture->log, &batch.frontier, &fixture->log_key);
        require(log_append(fixture->logs, &txn, fixture->number, &batch, buffer_bytes(&note)) ==
                OK);
        batch_close(&batch);
    }
    if (cosign) {
        receipt_key_name(name, fixture->hub.name);
        require(receipt_sign(&receipt, buffer_bytes(&note), bytes_of_string(name), 1763700000,
                             &fixture->hub_key) == OK);
        require(log_receipt_put(fixture->logs, &txn, fixture->number, fixture->hub.name, size,
                                buffer_bytes(&receipt)) == OK);
    }
    require(store_commit(&txn) == OK);
    buffer_close(&note);
    buffer_close(&receipt);
}

void receipt_fixture_open(struct receipt_fixture *fixture, uint32_t count, uint32_t receipted)
{
    memset(fixture, 0, sizeof *fixture);
    folder_make(fixture->folder);
    struct log_store_options options = {
        .path = fixture->folder, .node = "ardabil", .map_size = 16 << 20, .create = true
    };
    require(log_store_open(&fixture->logs, &options) == OK);
    fixture->log = sample_log("ardabil", "hub", 5);
    fixture->log_key = sample_key(3);
    fixture->hub_key = sample_key(4);
    memcpy(fixture->hub.name, "centre", 6);
    fixture->hub.receipt_key = fixture->hub_key.public;
    struct store_txn txn = store_begin_write(log_store_environment(fixture->logs));
    require(log_create(fixture->logs, &txn, &fixture->log, &fixture->number) == OK);
    require(store_commit(&txn) == OK);
    if (receipted > 0)
        fill(fixture, receipted, true);
    fill(fixture, count, false);
}

void receipt_fixture_close(struct receipt_fixture *fixture)
{
    log_store_close(fixture->logs);
    folder_remove(fixture->folder);
}

enum err receipt_fixture_build(struct receipt_fixture *fixture, uint64_t position,
                               struct buffer *json)
{
    struct store_txn txn = store_begin_read(log_store_environment(fixture->logs));
    struct receipt_file_source source = { .logs = fixture->logs,
                                          .txn = &txn,
                                          .number = fixture->number,
                                          .position = position,
                                          .log_key = &fixture->log_key.public,
                                          .hubs = &fixture->hub,
                                          .hub_count = 1 };
    enum err err = receipt_file_build(&source, json);
    store_abort(&txn);
    return err;
}
