/* The nodes and their lives.
 *
 *            start                kill, sim_exit
 *   DOWN ──────────────> UP ─────────────────────> DOWN
 *                        │ ^                        │ what survived: disk_plug()
 *                  pause v │ resume                 │ or: restored, wiped, cloned
 *                      PAUSED ──────────────────────┘
 *
 * At a start the product's site_open runs on the node's main fiber. At an end, in this order: its
 * API, its sockets, its loop, its fibers are gone, then its maps, memory and descriptors, then the
 * disk decides. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/clock.h"
#include "tests/sim/random.h"
#include "tests/sim/sim.h"

#include "node/config.h"
#include "node/keyring.h"
#include "node/tokens.h"

#define SIM_NODE_MAX 48
#define SIM_PATH_SIZE 160
#define WORLD_REPLICATION_PORT 7111
#define DISK_SIZE ((uint64_t)1 << 30) /* the real one below does not count */

enum node_life { NODE_DOWN, NODE_UP, NODE_PAUSED };

struct node_process; /* process.c: memory, maps */
struct fiber;
struct site;

/* Of second.c: the device of the journal. */
struct second {
    struct disk *disk; /* NULL: there is none */
    char folder[SIM_PATH_SIZE];
    int64_t sync_extra_ns; /* it has become slow */
    bool log_out, journal_out; /* harmed, and not made good yet */
    bool lacks;                /* it says that records of its own are missing */
    bool failed, proven;       /* since the start: a call failed; it answered */
    enum { SPLIT_NOT, SPLIT_JOURNAL_FIRST, SPLIT_LOG_FIRST } split;
    unsigned entry_syncs, root_syncs; /* under way */
};

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
    char api[32];                  /* where its API listens */
    char token[TOKEN_SIZE_MAX + 1]; /* with all scopes */
    struct sim_event restart;
    struct sim_event crash;        /* a power cut that a word brought about */
    unsigned flip_packages;        /* one bit in each of so many packages that it sends */
    uint64_t flip_draw;            /* which bit */
    unsigned crash_at_word;        /* the how-manieth word to others from now; 0: none */
    int64_t crash_after_ns;        /* so long after that word */
    uint64_t crash_at_call;        /* the how-manieth call of its disk from its start; 0: none */
    const char *crash_device;      /* or of files whose name begins so, from now */
    unsigned crash_at_device_call; /* 0: none */
    uint64_t disk_calls;
    int64_t sync_extra_ns;         /* a disk that has become slow */
    unsigned failed_starts;        /* one after the other */
    unsigned short_lives;          /* one after the other: it failed soon after its start */
    bool hopeless;                 /* that they fail was told as a violation */
    bool damaged;                  /* bytes at rest were changed: its disk is not to be trusted */
    /* of the parts, each of which owns its own */
    struct node_process *process;
    struct uv_loop_s *loop;
    struct site *site;
    struct uv_async_s *signal;     /* where SIGTERM arrives; NULL before it is awaited */
    struct disk *disk;             /* disk.c */
    struct second second;
};

struct world {
    struct sim_node nodes[SIM_NODE_MAX];
    unsigned node_count, hub_count;
    const struct swarm *swarm;
    bool healing; /* the storm is over: nothing injects faults any more */
};
extern struct world world;

struct swarm;

/* Makes folders, keys, configurations and disks of all nodes below `folder`, which exists and is
 * empty; starts none. */
void world_build(const struct swarm *swarm, const char *folder);
/* Every node gone, all memory back. */
void world_end(void);

struct sim_node *world_find(const char *name); /* the first of that name, NULL */
/* One more node, down, with the name, keys and configuration of `twin` and an empty disk. NULL: the
 * world is full. */
struct sim_node *world_add_twin(struct sim_node *twin);

/* How a process ends against its will. */
enum node_end {
    END_PROCESS, /* kill -9: what was written is in the page cache */
    END_POWER,   /* the machine: un-synced writes are lost in part */
    END_STOPPED, /* it stopped as asked */
    END_FAILED   /* it ended itself: could not start, or its storage failed */
};

/* How much later than asked for a thread's time-out comes: no system promises to be punctual, and
 * idle threads that look around once a second are most of what a quiet day costs. */
int64_t world_lateness(void);

void node_start(struct sim_node *node);
/* Kills it and lets the disk decide; on the driver. Nothing if it is down. */
void node_kill(struct sim_node *node, enum node_end how);
/* SIGTERM; the end follows. */
void node_stop(struct sim_node *node);
void node_pause(struct sim_node *node, bool paused);
/* Starts it again after this time (it has to be down then, and not retired). */
void node_restart_after(struct sim_node *node, int64_t delay_ns);

/* The node has said something to somebody who may rely on it: an answer, a receipt, a checkpoint. */
void world_on_word(struct sim_node *node);

/* Called on the driver at every start and end. */
extern void (*world_on_life)(struct sim_node *node, enum node_end how, bool begins);

#endif
