/* The faults of a run: a schedule drawn from the seed before it begins, so that a part of it can be
 * left out without moving the rest (minimise.c). */
#ifndef TESTS_SIM_STORM_H
#define TESTS_SIM_STORM_H

#include "tests/sim/swarm.h"

#define STORM_FAULT_MAX 4096

/* Draws the schedule. `kept`: see struct run_options. */
unsigned storm_plan(const struct swarm *swarm, const bool *kept);
/* Schedules what was planned, from now. */
void storm_begin(void);
/* Ends every fault that still lasts and repairs what can be repaired: all paths open, disks without
 * faults and with room, nobody paused, everybody started again. */
void storm_heal(void);
/* Some fault of its disk lasts, or its store is damaged: that it does not start is no wonder. */
bool storm_harms_disk(const struct sim_node *node);
/* The operator's last means: a node whose store is damaged gets an empty disk. It is down then. */
void storm_replace_disk(struct sim_node *node);
/* One planned fault in words: "fault 17 at 0d 03:12:09: power cut centre". False: there is none. */
bool storm_describe(unsigned number, char out[160]);
void storm_end(void);

#endif
