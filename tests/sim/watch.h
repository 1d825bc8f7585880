/* What the nodes hold, looked at from outside through the storage's own reading: only to know when
 * the world has converged. Judgement is the checkers'. */
#ifndef TESTS_SIM_WATCH_H
#define TESTS_SIM_WATCH_H

#include "tests/sim/world.h"

/* Looks at all nodes that are up; `done` is called on the driver when all have been looked at (at
 * the same instant, unless a store is busy growing). */
void watch_look(void (*done)(void *context), void *context);
/* Of the last look: every node is up, ready, and all logs that replicate are held alike, with the
 * receipts they need. When not, `why` says in one line what is missing. */
bool watch_converged(char why[256]);
/* Records that some node still lacks, as of the last look. */
uint64_t watch_missing(void);
void watch_end(void);

#endif
