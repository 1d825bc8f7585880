/* The nodes and what happens to them.
 *
 * A node's life:
 *
 *            start                kill, sim_exit
 *   DOWN ──────────────> UP ─────────────────────> DOWN
 *                        │ ^                        │ what survived: disk_crash()
 *                  pause v │ resume                 │ or: restored, wiped, cloned
 *                      PAUSED ──────────────────────┘
 *
 * What world.c asks of the others, in this order, at a start:  disk_attach(node)  then the product's
 * site_open on the node's main fiber;  at a kill:  http_killed(node), net_killed(node), fibers_kill,
 * process_release (memory, maps, descriptors: close() and munmap() are called for each), then
 * disk_crash(node). */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/clock.h"
#include "tests/sim/random.h"
#include "tests/sim/sim.h"

#include "node/config.h"
#include "node/keyring.h"

#define SIM_NODE_MAX 48
#define SIM_PATH_SIZE 160

enum node_life { NODE_DOWN, NODE_UP, NODE_PAUSED };

struct node_process; /* process.c: memory, maps */
struct fiber;
struct site;

struct sim_node {
    unsigned index;                /* in the world, from 0: hubs first */
    char name[NODE_NAME_SIZE_MAX + 1]; /* of the configuration; a clone has its twin's */
    enum node_role role;
    enum node_life life;
    bool retired;                  /* lost for good: never started again */
    unsigned starts;               /* how often its process began */
    char folder[SIM_PATH_SIZE];    /* .../3: everything of the node; on a memory file system */
    char data[SIM_PATH_SIZE];      /* .../3/data: what the disk model guards, config.data */
    char keys[SIM_PATH_SIZE];      /* .../3/keys: outside the disk model */
    struct config *config;         /* lives as long as the world */
    struct keyring keyring;        /* what is in keys */
    struct node_clock clock;
    struct dice ids;               /* what its randombytes draws from */
    int exit_code;                 /* of the last end */
    /* of the parts, each of which owns its own */
    struct node_process *process;
    struct uv_loop_s *loop;
    struct site *site;
    struct disk *disk;             /* disk.c */
    struct http_server *http;      /* http.c: the running server, NULL when none */
};

struct world {
    struct sim_node nodes[SIM_NODE_MAX];
    unsigned node_count, hub_count;
    bool healing; /* the storm is over: nothing injects faults any more */
};
extern struct world world;

struct sim_node *world_find(const char *name); /* the first of that name, NULL */

void node_start(struct sim_node *node);
/* Kills it and lets disk.c decide; not from its own fiber. */
void node_kill(struct sim_node *node);
void node_pause(struct sim_node *node, bool paused);

/* ---- what CORE expects of disk.h (DISK writes it) -------------------------------------------------
 *
 *   void disk_attach(struct sim_node *node);    before each start: the model takes node->data over
 *   void disk_crash(struct sim_node *node);     after the kill, all descriptors closed: un-synced
 *                                               writes are partly put back; node->data then is what
 *                                               the next start finds
 *   void disk_wipe(struct sim_node *node);      the device is lost: node->data is empty
 *   void disk_snapshot(struct sim_node *node, const char *folder);      a VM snapshot as of a crash
 *                                               now (of a running node) into `folder`
 *   void disk_restore(struct sim_node *node, const char *folder);       node is down
 *   void disk_set_faults(struct sim_node *node, const struct disk_faults *faults);   rates, sync time,
 *                                               quota; all zero: a disk without faults
 *   int64_t time of a sync etc. by fiber_sleep(); crashes inside an operation by sim_exit(137)
 *
 * and of http.h / clients.h:
 *
 *   http_killed(node): forget the server of a killed node; calls under way end «unknown»
 *   a call: (node, method, path, token, idempotency key, body, callback, context) -> the handler runs
 *   on a fiber of the node (fiber_spawn(node, "http", ...)), the answer reaches the callback on the
 *   driver, as an event, after a delay;  NULL server or a node that is paused: no answer until a
 *   limit of the client's
 *   clients_begin(), clients_stop(): the workload of all nodes, from STREAM_WORKLOAD */

#endif
