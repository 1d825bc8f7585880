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

#include "storage/waiting.h"
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
    /* A second copy of what this node writes, on another device (storage/journal.h); NULL: none. */
    const char *journal_path;
    uint64_t journal_segment_size, journal_keep_size;
    bool (*other_log_key)(void *context, const struct log_id *log, struct sign_public *key);
    unsigned national_receipts; /* a segment is recycled when so many hubs hold its records */
    bool *journal_refused;      /* may be NULL; set when engine_open's error is the journal's own */
    size_t queue_max; /* commands waiting; beyond it ERR_BUSY */
    size_t group_max; /* records in a group, at most BATCH_RECORD_MAX / 2: the rest is room for
                         the last command's other records */
    /* Called on the log thread whenever the main log has grown durably. */
    void (*on_advanced)(void *context, const struct checkpoint *checkpoint, struct bytes note);
    /* Called on the log thread when a log that is not live has grown by itself: records of it
     * waited in the journal. It is durable, and to be named by a new incarnation. */
    void (*on_put_back)(void *context, const struct log_id *log);
    /* Called once, on any thread, when the process must stop (design D4): nothing is answered any
     * more. `what` is in words and valid during the call. */
    void (*on_failed)(void *context, enum err err, const char *what);
    void *context;
};

/* Opens the stores, verifies their end, folds the own tail; jobs and folds of followed logs run
 * from here on. engine_start then opens an incarnation with `flags` (enum incarnation_flag), after
 * which commands are taken. ERR_CORRUPT and ERR_SIGNATURE: the store is damaged.
 * ERR_FULL and ERR_NOMEM of engine_start: no incarnation yet; the engine serves readers and tries
 * again every second until status says `ready`. */
enum err engine_open(struct engine **out, const struct engine_options *options);
enum err engine_start(struct engine *engine, uint32_t flags);
/* Refuses new commands, finishes what waits, flushes; from then on nothing is written. The stores stay
 * open for who reads them. */
void engine_finish(struct engine *engine);
/* The same if it has not been done, and closes: nobody may read the stores any more. */
void engine_stop(struct engine *engine);
struct log_store *engine_logs(struct engine *engine);
struct views *engine_views(struct engine *engine);

/* A command lives in the caller's memory until `done`. */
struct command {
    /* On the decider thread: validate against writer_view(), propose records. What it returns is
     * given to done() unless the group fails. */
    enum err (*decide)(struct command *command, struct writer *writer, int64_t wall_ms);
    /* On the log thread (or the decider, for refusals that looked at nothing uncommitted): everything
     * the decision looked at or wrote is durable, or err is what the group failed with (ERR_FULL,
     * ERR_NOMEM, ERR_STALE when its log was frozen meanwhile...) or ERR_CLOSED. Must be short.
     * After on_failed only for what log/ was committing while views/ failed, and is durable. */
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
    /* After the transaction: durable when OK. An error that run() returned is its own. A job should
     * validate before it writes: one that fails after a write makes the transaction run again
     * without it, and with all the others, so run() may be called more than once. */
    void (*done)(struct log_job *job, enum err err);
    struct log_job *next;
    enum err err;
};
/* ERR_CLOSED: done is not called. */
enum err engine_log_job(struct engine *engine, struct log_job *job);

/* Calls back when `group` is durable (at once, on this thread, when it is). */
struct durable_wait {
    uint64_t group;
    void (*done)(struct durable_wait *wait, enum err err);
    struct durable_wait *next;
};
void engine_when_durable(struct engine *engine, struct durable_wait *wait);

/* Closes the live log and opens an incarnation that names every tip held (hand-back, fork). What a
 * changed fold order makes necessary is folded aside first, while commands go on; they wait only for
 * the rest. Any thread; done by the engine's own threads. */
void engine_reopen(struct engine *engine, uint32_t flags);
/* A followed node's logs have grown durably: fold them. */
void engine_fold(struct engine *engine, const char *node);
/* Records of this node's own logs that it knows of and cannot answer from yet: hubs have to hand
 * them back, or they wait for such, or have come and are folded by the next incarnation. At least
 * so many; 0: none is known to be missing. To be asked before a view is read: what is not found
 * there may then be among them, and «there is none» would be a lie. Any thread. */
uint64_t engine_missing(struct engine *engine);
/* What of them is here all the same, in log/ or in the journal, as this start found it: to be asked
 * for what the own view does not have, while engine_missing(). Empty otherwise; NULL when there was
 * none. */
struct waiting *engine_waiting(struct engine *engine);
/* A log of the own node, not the live one, grew by what a peer handed back. It is durable, and
 * folded by the next incarnation. The log thread. */
void engine_handed_back(struct engine *engine, const struct log_id *log);
/* A newer receipt is held: following records name it. */
void engine_receipt(struct engine *engine, const struct record_receipt *receipt);

enum journal_state {
    JOURNAL_NONE, /* not configured */
    JOURNAL_GOOD,
    JOURNAL_LOST /* what is acknowledged is on one device only, until a restart finds it usable */
};

struct journal_status {
    enum journal_state state;
    const char *path;
    uint64_t size, segments;
    bool same_device; /* as the data folder: it protects against less */
    bool full;        /* no room on its device: intake is refused */
    uint64_t rebuilt; /* records that this start put back into log/ */
    uint64_t waiting; /* records in it that wait for what is before them */
    uint64_t given_up; /* records that it has no more, because hubs hold them, and log/ lacks */
    uint64_t lost;    /* records that neither log/ nor the journal has */
    char problem[256]; /* why it is lost */
    char aside[64];    /* the folder that a damaged log/ was set aside as by this start; empty: none */
    int64_t since_ms;  /* wall clock of the start, or of the loss */
};

struct engine_status {
    struct log_head live;       /* durable head of the live log */
    uint64_t queue_length;
    uint64_t groups, records;   /* since start */
    uint64_t memory_size;
    struct store_space log_space, views_space;
    bool intake_refused;
    bool ready; /* an incarnation is open and the views are whole; false while a failed group is
                   being recovered from */
    uint64_t missing;         /* as of engine_missing() */
    int64_t missing_since_ms; /* wall clock */
    struct journal_status journal;
};
void engine_status(struct engine *engine, struct engine_status *status);

#endif
