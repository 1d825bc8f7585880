/* Records for the tests of the fold: a sample request that a test changes as it likes. */
#ifndef TESTS_UNIT_CASEWORK_SAMPLE_RECORDS_H
#define TESTS_UNIT_CASEWORK_SAMPLE_RECORDS_H

#include "node/casework/fold.h"
#include "proto/record/facts.h"

#include "array_view.h"

/* One record as it lies in a log, parts without salt. */
struct sample {
    struct record_header header;
    struct buffer facts;
    struct buffer person;
};

extern const struct fold_context SAMPLE_CONTEXT;

/* A log of ardabil; different bytes are different incarnations. */
struct log_id sample_log(uint8_t incarnation);

struct request_facts sample_facts(const char *code, const char *idempotency_key);
struct request_person sample_person(const char *national_id, const char *phone);

/* The caller closes each with sample_close(). */
struct sample sample_request(uint8_t incarnation, uint64_t position,
                             const struct request_facts *facts,
                             const struct request_person *person);
struct sample sample_erase(uint8_t incarnation, uint64_t position, const struct log_id *log,
                           uint64_t target);
void sample_close(struct sample *sample);

void sample_fold(struct array_view *array, const struct sample *sample, bool person_absent);

#endif
