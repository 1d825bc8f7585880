/* One site's stores and the threads that carry their steps (design section 5):
 *
 *   decider thread   runs commands one at a time; the only writer of the memory table
 *   log thread       the only writer of log/: groups and jobs, one synced transaction for all that
 *                    waits; calls back when it is durable
 *   views thread     flushes the memory table, folds followed logs
 *
 * The engine decides nothing about requests: a command brings its own decide function. */
#ifndef NODE_RUNTIME_ENGINE_H
#define NODE_RUNTIME_ENGINE_H

#include "storage/writer.h"

struct engine;

struct engine_options {
    const char *path; /* the data folder: log/, views/ */
    const char *node;
    const char *audience; /* of the main own log: "hub" for a province, "all" for a hub */
    const struct sign_key *log_key;
    struct seal_key data_key;
    struct rules rules;
    size_t map_size, reserve_size, memory_size_max;
    size_t queue_max; /* commands waiting; beyond it ERR_BUSY */
    size_t group_max; /* records in a group */
    /* Called on the log thread whenever the main log has grown durably. */
    void (*on_advanced)(void *context, const struct checkpoint *checkpoint, struct bytes note);
    /* Called once, on any thread, when the process must stop (design D4). */
    void (*on_failed)(void *context, enum err err, const char *what);
    void *context;
};

/* Opens and verifies the stores, folds the own tail. Then engine_start opens an incarnation (with
 * `flags`, enum incarnation_flag) and the threads; logs may already be followed in between. */
enum err engine_open(struct engine **out, const struct engine_options *options);
enum err engine_start(struct engine *engine, uint32_t flags);
/* Refuses new commands, finishes what waits, flushes, closes. */
void engine_stop(struct engine *engine);
struct log_store *engine_logs(struct engine *engine);
struct views *engine_views(struct engine *engine);

/* A command lives in the caller's memory until `done`. */
struct command {
    /* On the decider thread: validate against writer_view(), propose records. What it returns is
     * given to done() unless the group fails. */
    enum err (*decide)(struct command *command, struct writer *writer, int64_t wall_ms);
    /* On the log thread (or the decider for refusals that looked at nothing uncommitted): everything
     * the decision looked at or wrote is durable, or err says why not: ERR_IO, ERR_FULL,
     * ERR_CLOSED. */
    void (*done)(struct command *command, enum err err);
    bool intake; /* refused with ERR_FULL while the reserve is reached (design D10) */
    /* the engine's */
    struct command *next;
    uint64_t group;
    enum err err;
};
/* Any thread. ERR_BUSY, ERR_FULL, ERR_CLOSED: done is not called. */
enum err engine_submit(struct engine *engine, struct command *command);

/* A job of the log thread: runs inside its next transaction together with whatever else waits. */
struct log_job {
    enum err (*run)(struct log_job *job, struct log_store *logs, struct store_txn *txn);
    /* After the transaction: durable when OK. An error that run() returned is its own; the
     * transaction goes on without it only if run() wrote nothing before failing. */
    void (*done)(struct log_job *job, enum err err);
    struct log_job *next;
    enum err err;
};
enum err engine_log_job(struct engine *engine, struct log_job *job);

/* Calls back when `group` is durable (at once, on this thread, when it is). */
struct durable_wait {
    uint64_t group;
    void (*done)(struct durable_wait *wait, enum err err);
    struct durable_wait *next;
};
void engine_when_durable(struct engine *engine, struct durable_wait *wait);

/* Closes the live log and opens an incarnation that names every tip held (hand-back, fork, clock):
 * commands wait meanwhile. Any thread; done by the engine's own threads. */
void engine_reopen(struct engine *engine, uint32_t flags);
/* A followed node's logs have grown durably: fold them. */
void engine_fold(struct engine *engine, const char *node);
/* A newer receipt is held: following records name it. */
void engine_receipt(struct engine *engine, const struct record_receipt *receipt);

struct engine_status {
    struct log_head live;       /* durable head of the live log */
    uint64_t queue_length;
    uint64_t groups, records;   /* since start */
    uint64_t memory_size;
    struct store_space log_space, views_space;
    bool intake_refused;
};
void engine_status(struct engine *engine, struct engine_status *status);

#endif
