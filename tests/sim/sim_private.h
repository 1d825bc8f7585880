/* What sim.c, fibers.c, process.c and world.c share, and nobody else. */
#ifndef TESTS_SIM_SIM_PRIVATE_H
#define TESTS_SIM_SIM_PRIVATE_H

#include "tests/sim/fibers.h"
#include "tests/sim/world.h"

extern struct sim_node *sim_current_node; /* sim_current(), without a call */

/* From 1; 0 for nobody. */
static inline uint64_t sim_node_number(const struct sim_node *node)
{
    return node ? node->index + 1 : 0;
}

/* A new run: time, events, trace. */
void sim_begin(void);

/* fibers.c: all fibers are gone and the schedule is at its beginning. */
void fibers_begin(void);

/* process.c: what a killed process leaves. */
struct node_process *process_new(struct sim_node *node);
/* Closes its descriptors on its disk, unmaps its maps, frees its memory. */
void process_release(struct sim_node *node);
uint64_t process_memory(const struct sim_node *node); /* bytes held */

/* world.c: from the driver, after a fiber of `node` has called sim_exit(). */
void world_on_exit(struct sim_node *node, int code);

/* uv.c: forgets the loop of a killed node. */
void uv_killed(struct sim_node *node);

#endif
