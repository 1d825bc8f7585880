/* A log store in a folder of its own, and shorthands to fill it. */
#ifndef TESTS_UNIT_STORAGE_LOG_FIXTURE_H
#define TESTS_UNIT_STORAGE_LOG_FIXTURE_H

#include "storage/log.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

struct log_fixture {
    char folder[FOLDER_PATH_SIZE];
    struct log_store_options options;
    struct log_store *logs;
    struct sign_key key;
};

void log_fixture_open(struct log_fixture *fixture);
/* Closes and opens again, with whatever options say now. */
enum err log_fixture_reopen(struct log_fixture *fixture);
void log_fixture_close(struct log_fixture *fixture);

/* Each in a transaction of its own; they end the test on any error. */
uint32_t fixture_create(struct log_fixture *fixture, const struct log_id *id);
/* Appends `count` records in one batch under a signed note (`note` false: without). */
void fixture_append(struct log_fixture *fixture, uint32_t number, const struct log_id *id,
                    uint32_t count, bool note);
/* `count` records in batches of 1, 2, 3, … up to `largest`, then again. */
void fixture_fill(struct log_fixture *fixture, uint32_t number, const struct log_id *id,
                  uint32_t count, uint32_t largest);
uint64_t fixture_size(struct log_fixture *fixture, uint32_t number);

#define FIXTURE_SEED      7
#define FIXTURE_TEXT_SIZE 100

#endif
