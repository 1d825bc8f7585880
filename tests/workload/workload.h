/* A centre's registered requests, as its call-takers type them: endless, realistic, and the same
 * for the same seed. The shares and their sources are in README.md. */
#ifndef TESTS_WORKLOAD_WORKLOAD_H
#define TESTS_WORKLOAD_WORKLOAD_H

#include "node/casework/province.h"
#include "proto/base/bytes.h"

struct workload;

struct workload_options {
    uint64_t seed;
    const struct province *province;
    int32_t first_day; /* in Iran, see jalali.h */
    int64_t days;      /* 0: no end */
    uint64_t count;    /* 0: no end; with days, the scale is set so that both come out; without, it
                          is raised when the count would take more than two years */
    double scale;      /* of the province's real volume; > 0 */
    bool bursts;
};

#define WORKLOAD_KIND_COUNT 10

struct workload_stats {
    uint64_t calls; /* of which 39 % are registered */
    uint64_t registered;
    uint64_t households; /* the same matter by another member of a household */
    uint64_t repeats;    /* the same citizen with the same matter */
    uint64_t bursts;
    uint64_t burst_requests;
    uint64_t working_days;
    uint64_t kinds[WORKLOAD_KIND_COUNT]; /* by enum request_kind */
};

/* NULL when there is no memory. */
struct workload *workload_new(const struct workload_options *options);
void workload_free(struct workload *workload);

/* Appends the next request as one line of JSON, with its "\n". False at the end. */
bool workload_next(struct workload *workload, struct buffer *out);

/* Of what was written so far. */
const struct workload_stats *workload_stats(const struct workload *workload);

#endif
