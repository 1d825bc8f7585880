/* The middle of the simulator: virtual time, the heap of events, whose code is running, the trace.
 *
 * Everything runs in one OS thread. The driver pops the earliest event, runs it, then lets runnable
 * fibers (fibers.h) run until all of them sleep; only then does time move on. Nothing in here or
 * above may depend on an address, on hash order, on the wall clock or on the process id: the same
 * seed must give the same trace hash.
 *
 * A node is killed as kill -9 would: at a point where one of its fibers waits (or asks for it with
 * sim_exit()), its fibers are never scheduled again, its memory, maps and file descriptors are taken
 * back (process.c), and disk.c decides what survived. No destructor of the product runs. Therefore:
 *
 *   what is allocated while a node's code runs belongs to that node and goes with it.
 *
 * Code of the simulator that is called from a node's fiber (disk, net, http, history) and allocates
 * what must outlive the node does so between sim_outside() and sim_inside(). */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "proto/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_US INT64_C(1000)
#define SIM_MS INT64_C(1000000)
#define SIM_S  INT64_C(1000000000)
#define SIM_DAY (86400 * SIM_S)

struct sim_node; /* world.h */

/* ---- time ---- */
/* The true time, in ns since the run began; no node can see it (clock.h). */
int64_t sim_now_ns(void);

/* ---- events ---- */
/* Embedded in whatever waits. Zeroed memory is an event that is not scheduled. */
struct sim_event {
    void (*run)(struct sim_event *event); /* on the driver, no node being current */
    int64_t at_ns;
    uint64_t order;   /* events of one instant run in the order in which they were scheduled */
    uint32_t place;   /* in the heap, from 1; 0: not scheduled */
};

/* Schedules; an event that is scheduled already is moved. A time in the past is now. */
void sim_at(struct sim_event *event, int64_t at_ns);
void sim_after(struct sim_event *event, int64_t delay_ns);
void sim_cancel(struct sim_event *event);
static inline bool sim_is_scheduled(const struct sim_event *event)
{
    return event->place != 0;
}

/* Runs until `until_ns` (time is then exactly that), or until sim_stop(). */
void sim_run(int64_t until_ns);
void sim_stop(void);

/* ---- whose code runs ---- */
/* The node of the running fiber; NULL on the driver and between sim_outside() and sim_inside(). */
struct sim_node *sim_current(void);
/* Makes `node` current (NULL: nobody) and returns who was; pairs like a lock. */
struct sim_node *sim_enter(struct sim_node *node);
static inline struct sim_node *sim_outside(void)
{
    return sim_enter((struct sim_node *)0);
}
static inline void sim_inside(struct sim_node *previous)
{
    sim_enter(previous);
}
/* From a node's own fiber: its process ends here and now, with exit code `code` (137: killed). Never
 * returns. The product's _exit() comes here; disk.c uses it to crash inside an operation. */
_Noreturn void sim_exit(int code);

/* ---- trace ---- */
/* Adds (time, node, kind, numbers) to the trace hash. `kind` is a constant; the numbers say what is
 * essential: sizes, positions, checksums; never an address or a descriptor. */
void sim_trace(const struct sim_node *node, const char *kind, uint64_t a, uint64_t b);
/* The same for bytes. */
void sim_trace_bytes(const struct sim_node *node, const char *kind, struct bytes content);
uint64_t sim_trace_hash(void);

/* One line of the story (--trace), in a printf form; nothing is formatted without --trace. */
void sim_tell(const struct sim_node *node, const char *form, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- sometimes ---- */
/* Counts that something rare was reached: a run over many seeds must have each of these counters
 * above zero. `what` is a constant such as "fork proven"; the same text is the same counter. */
void sim_sometimes(const char *what);
/* A fault was injected; `what` as above. */
void sim_fault(const struct sim_node *node, const char *what);

#endif
