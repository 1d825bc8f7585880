/* The threads of all nodes as fibers of one OS thread.
 *
 * pthread_create and its kin are defined here for the product and for LMDB; a mutex or condition
 * variable keeps its state in its own memory. Which runnable fiber goes next is drawn from the
 * schedule stream, and a fiber may be made to yield at any lock, unlock or signal: interleavings
 * are part of the seed.
 *
 * A fiber of a paused node is not scheduled; one of a killed node never again. */
#ifndef TESTS_SIM_FIBERS_H
#define TESTS_SIM_FIBERS_H

#include "tests/sim/sim.h"

struct fiber;

/* Begins `run(argument)` on a new fiber of `node`, runnable at once. It ends when run returns. */
struct fiber *fiber_spawn(struct sim_node *node, const char *name, void (*run)(void *),
                          void *argument);
/* NULL on the driver. */
struct fiber *fiber_current(void);
struct sim_node *fiber_node(const struct fiber *fiber);

/* The rest is for the running fiber, never for the driver; on the driver they do nothing, so that
 * code that opens a store there works too. */
/* Lets others run first, at the same instant. */
void fiber_yield(void);
/* Sleeps for `ns` of true time: an operation that takes time, such as a sync. */
void fiber_sleep(int64_t ns);
/* Sleeps until fiber_wake(). A wake-up that comes first is remembered once. */
void fiber_park(void);
void fiber_wake(struct fiber *fiber);
/* Ends another fiber that waits; what it holds is lost. */
void fiber_cancel(struct fiber *fiber);

/* Runs runnable fibers until all sleep. (sim.c) */
void fibers_run(void);
/* Ends all fibers of a node without letting them run. Not from one of them: sim_exit(). */
void fibers_kill(struct sim_node *node);
void fibers_pause(struct sim_node *node, bool paused);

/* In percent: how often a lock, unlock or signal lets others run first. */
void fibers_set_yield_rate(unsigned percent);

#endif
