/* What the programs of this folder measure with. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Of the monotonic clock. */
int64_t now_ns(void);

/* Latencies in microseconds, in the order in which they came. A latency above 71 minutes is cut. */
struct latencies {
    uint32_t *us;
    size_t count, capacity;
};

/* Exits when there is no memory: a measurement cannot go on without its figures. */
void latencies_add(struct latencies *latencies, int64_t from_ns, int64_t to_ns);
/* Milliseconds of the latency that `share` (0 … 1) of all do not exceed; 0 when there are none.
 * Sorts them. */
double latencies_share_ms(struct latencies *latencies, double share);
void latencies_close(struct latencies *latencies);

#endif
