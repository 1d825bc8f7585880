/* Records for tests, the same for the same seed. */
#ifndef TESTS_SUPPORT_RECORDS_H
#define TESTS_SUPPORT_RECORDS_H

#include "proto/record/facts.h"
#include "storage/batch.h"

/* A log id whose incarnation is sixteen times `incarnation`. */
struct log_id sample_log(const char *node, const char *audience, uint8_t incarnation);

/* One record and the memory it lives in. */
struct sample {
    struct record_header header;
    struct record record;
    struct hash leaf;
    struct buffer bytes, facts, person;
};

void sample_close(struct sample *sample);
/* A request whose text has about `text_size` bytes; at position 0 an incarnation without parents.
 * `sample` may be uninitialised. */
void sample_request(struct sample *sample, const struct log_id *log, uint64_t position,
                    uint64_t seed, size_t text_size);
/* The first record of a log. */
void sample_incarnation(struct sample *sample, const struct log_id *log, uint64_t seed,
                        const struct log_head *parents, size_t parent_count);
/* Any record, of the parts given without salts; person may be empty. */
void sample_record(struct sample *sample, const struct log_id *log, uint64_t position,
                   uint64_t seed, uint32_t kind, struct bytes facts, struct bytes person);

/* Adds sample records [batch's end, + count) to a batch that was begun. */
void sample_batch(struct batch_builder *batch, const struct log_id *log, uint64_t seed,
                  uint32_t count, size_t text_size, const struct seal_key *key);
/* The signed checkpoint after a batch. */
void sample_note(struct buffer *note, const struct log_id *log,
                 const struct merkle_frontier *frontier, const struct sign_key *key);
struct sign_key sample_key(uint8_t seed);

#endif
