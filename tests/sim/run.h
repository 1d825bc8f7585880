/* One seed from its beginning to its judgement. */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "proto/base/bytes.h"

#define RUN_FAULT_KEPT_MAX 4096

struct run_options {
    uint64_t seed;
    const char *profile; /* NULL: drawn */
    bool tell;           /* the story, on stdout */
    bool real_crypto;
    double days; /* of the storm; 0: as drawn */
    /* Only these faults of the schedule, by number; NULL: all. Borrowed. */
    const bool *faults_kept;
    bool describe; /* print the faults of the schedule that were kept, a line each */
    const char *history; /* file to save the history in; NULL: none */
};

struct run_result {
    uint64_t trace_hash;
    double node_days, virtual_s;
    uint64_t submissions, faults;
    unsigned schedule_size; /* faults that the seed planned */
    unsigned violations;
    char profile[32];
    char why[512]; /* of the first violation: the guarantee and what is concerned */
};

/* Once in a process. */
void run_seed(const struct run_options *options, struct run_result *result);

#endif
