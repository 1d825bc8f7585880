/* A log of a province that a hub has cosigned, in a folder of its own. */
#ifndef TESTS_UNIT_NODE_RECEIPT_FIXTURE_H
#define TESTS_UNIT_NODE_RECEIPT_FIXTURE_H

#include "node/api/receipt_file.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

struct receipt_fixture {
    char folder[FOLDER_PATH_SIZE];
    struct log_store *logs;
    struct log_id log;
    uint32_t number;
    struct sign_key log_key, hub_key;
    struct config_hub hub;
};

/* `count` records, the first `receipted` of them under a receipt of hub "centre". */
void receipt_fixture_open(struct receipt_fixture *fixture, uint32_t count, uint32_t receipted);
void receipt_fixture_close(struct receipt_fixture *fixture);
enum err receipt_fixture_build(struct receipt_fixture *fixture, uint64_t position,
                               struct buffer *json);

#endif
