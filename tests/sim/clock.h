/* What a node's clocks show: clock_gettime, time, gettimeofday and libuv's clock are defined here.
 *
 *   monotonic = base + true time since boot * rate      never jumps, starts anew with every start
 *   wall      = epoch + offset + true time * rate       jumps by clock_jump()
 *
 * Outside a node (clients, driver) both show the true time: wall = SIM_EPOCH + sim_now_ns(). */
#ifndef TESTS_SIM_CLOCK_H
#define TESTS_SIM_CLOCK_H

#include "tests/sim/sim.h"

/* When a run begins: 2026-03-21T00:00:00Z, in seconds of the Unix epoch. */
#define SIM_EPOCH_S INT64_C(1774051200)

struct node_clock {
    int64_t boot_ns;      /* true time when the process began */
    int64_t monotonic_ns; /* what the monotonic clock showed then */
    int64_t wall_ns;      /* wall clock minus true time, at rate 1 */
    int64_t rate_ppm;     /* drift: parts per million faster (or, negative, slower) */
    bool stuck;           /* the wall clock stands still */
    int64_t stuck_ns;     /* where */
};

int64_t clock_monotonic_ns(const struct sim_node *node);
int64_t clock_wall_ns(const struct sim_node *node);
/* The true time at which the node's monotonic clock will show `monotonic_ns`. */
int64_t clock_true_of_monotonic(const struct sim_node *node, int64_t monotonic_ns);
void clock_jump(struct sim_node *node, int64_t by_ns);

#endif
