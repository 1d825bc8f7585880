/* Logs with parents, held to any length: what the tests of order and views fold. */
#ifndef TESTS_UNIT_STORAGE_HISTORY_H
#define TESTS_UNIT_STORAGE_HISTORY_H

#include "tests/unit/storage/log_fixture.h"

struct named_parent {
    uint8_t incarnation;
    uint64_t size;
    struct hash root; /* zero where it does not matter */
};

/* A log of "ardabil" for "hub"; parents as its first record names them, ended by incarnation 0. */
struct history_log {
    uint8_t incarnation;
    uint64_t size; /* it will have at most */
    struct named_parent parents[4];
};

struct log_id history_id(uint8_t incarnation);
/* Makes the log when it is not there, and appends records until `size` are held, in batches of at
 * most `batch` records. The same record at the same position, whatever the batches. */
void history_hold(struct log_fixture *fixture, const struct history_log *log, uint64_t size,
                  uint32_t batch);
/* Log number; ends the test when it is unknown. */
uint32_t history_number(struct log_fixture *fixture, uint8_t incarnation);
struct log_head history_head(struct log_fixture *fixture, uint8_t incarnation);

/* The next number of a fixed sequence. */
uint32_t history_random(uint64_t *state);

#endif
