/* What a seed draws before anything runs: how large the world is, what may go wrong in it and how
 * often. A profile fixes some of it. */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include "tests/sim/sim.h"

/* Kinds of faults; a seed takes each with a chance of its own. */
#define FAULT_LIST(X)                                                                              \
    X(CUT, "cut")                   /* two nodes, both ways */                                     \
    X(CUT_ONE_WAY, "one-way cut")                                                                  \
    X(FLAP, "flapping")             /* cut and whole every few seconds */                          \
    X(ISLAND, "island")             /* one node cut off from all, for long */                      \
    X(CLOG, "clog")                                                                                \
    X(RESET, "reset")               /* all connections of two nodes */                             \
    X(BREAK_SILENT, "silent break") /* they hang: nobody is told */                                \
    X(SLOW, "slow link")            /* 1 to 8 kB/s, seconds of delay */                            \
    X(LOSS, "loss")                                                                                \
    X(CORRUPT, "stream damage")     /* bytes flipped, doubled, swapped, left out */                \
    X(STRANGER, "stranger")         /* random bytes, recorded streams again */                     \
    X(KILL, "kill")                 /* the process: the page cache stays */                        \
    X(POWER, "power cut")           /* un-synced writes are lost, torn */                          \
    X(KILL_AT_IO, "kill at an I/O call")                                                           \
    X(STOP, "stop in order")                                                                       \
    X(PAUSE, "pause")                                                                              \
    X(RESTORE, "restore")           /* a node from an old snapshot */                              \
    X(CLONE, "clone")               /* two live nodes with one identity */                         \
    X(DISK_LOST, "disk lost")       /* an empty disk under the same name and keys */               \
    X(HUB_LOST, "hub lost")                                                                        \
    X(HUB_RESTORE, "hub restore")                                                                  \
    X(WRITE_ERROR, "write error")   /* EIO of a write or a sync */                                 \
    X(READ_ERROR, "read error")                                                                    \
    X(SHORT_WRITE, "short write")                                                                  \
    X(DISK_FULL, "disk full")                                                                      \
    X(SLOW_DISK, "slow disk")       /* 1 to 30 s for a sync */                                     \
    X(BIT_FLIP, "bit flip")                                                                        \
    X(CLOCK_JUMP, "clock jump")                                                                    \
    X(CLOCK_STUCK, "clock stuck")                                                                  \
    /* from here on only what a profile asks for: FAULT_MIXED_COUNT */                             \
    X(POWER_AT_WORD, "power cut after a word") /* an answer, a receipt or a checkpoint left */     \
    X(KILL_AT_DEVICE, "kill at an I/O call of one store") /* log or views, whichever: those that a \
                                        node seldom does are met as often as the others */         \
    X(NO_ROOM, "no room now and then") /* for single writes */                                     \
    X(TWINS, "two machines from one image") /* with one random state, both started from it */      \
    X(MEMORY, "bit flip in memory") /* of a sender: in packages, before they are sealed */      \
    /* Of nodes with a second device, in a schedule of their own (second.h). */                    \
    X(DEVICE, "harm to one of two devices")                                                        \
    X(SPLIT_SYNCS, "death between the two syncs")                                                  \
    /* In a schedule of its own, of profiles that ask for it. */                                   \
    X(MISDIRECTED, "misdirected write") /* what belongs to one place stands at another, too */

enum fault_kind {
#define FAULT_ENUM(NAME, text) FAULT_##NAME,
    FAULT_LIST(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};
/* Kinds that every seed draws. A later one, drawn as well, would make another world of every seed
 * that is known by its number. */
#define FAULT_MIXED_COUNT FAULT_POWER_AT_WORD
#define FAULT_SWARM_COUNT FAULT_DEVICE /* those before are of the schedule for all nodes */
const char *fault_name(enum fault_kind kind);

/* What a second device brings with it (second.h). */
enum second_kind { SECOND_HARM, SECOND_SPLIT, SECOND_KIND_COUNT };

struct swarm_second {
    unsigned percent; /* of the nodes have one */
    uint64_t segment_size, keep_size;
    unsigned weight[SECOND_KIND_COUNT];
    int64_t every_ns; /* mean time between two */
};

struct swarm {
    const char *profile;
    unsigned hub_count, province_count;
    double requests_a_day;   /* a province; with bursts: so often do they come */
    int64_t follow_after_ns; /* mean time after which people come back to a request */
    double bother;           /* how much more often than usual they do */
    unsigned burst;          /* so many requests may come at once */
    size_t text_size;        /* bytes that a request's text has at least */
    int64_t storm_ns;
    int64_t fault_every_ns;  /* mean time between two faults, all kinds together */
    int64_t fault_lasts_ns;  /* mean */
    unsigned weight[FAULT_COUNT]; /* 0: not in this seed */
    unsigned yield_percent;
    int64_t delay_ns, jitter_ns;    /* of every path */
    int64_t sync_ns;                /* mean time of a sync */
    int64_t drift_ppm;              /* at most, either way */
    int64_t clock_off_ns;           /* of the wall clocks at first, at most */
    int64_t idle_ns;                /* how late an idle thread's time-out may be */
    int64_t ping_after_ns;          /* of a quiet link; three times that, and it is given up */
    size_t map_size, reserve_size, memory_size, queue_max, group_max;
    unsigned national_receipts;
    /* Options of the core; 0: its own. */
    uint64_t credit_window, checkpoint_step, batch_size, catchup_threshold, catchup_quantum;
    size_t catchup_links;
    uint64_t verify_rate;
    bool real_crypto;
    struct swarm_second second;
    int64_t misdirected_every_ns; /* mean time between two misdirected writes; 0: there are none */
    unsigned liar_one_in; /* one node lies in so many messages (liar.h); 0: nobody does */
};

/* From STREAM_SWARM. `profile` NULL or "": drawn as well. False: there is no such profile. */
bool swarm_draw(struct swarm *swarm, const char *profile);
/* For --help: name and one line, NULL at the end. */
const char *const *swarm_profiles(void);

#endif
