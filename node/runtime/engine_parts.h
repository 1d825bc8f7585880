/* The inside of the engine, shared by its files and nobody else:
 *
 *   engine.c         opening, the queue of commands, status, stopping
 *   decider.c        the decider thread: commands into groups; opening and reopening incarnations
 *   log_thread.c     the log thread: one transaction for a group and the jobs that wait
 *   views_thread.c   the views thread: flushes, folds
 *   durable.c        who waits for which group
 *   tail.c           what is verified before anything is written
 *   journal.c        the second copy: made equal at start, written while LMDB commits
 *   missing.c        what the node knows to be missing of its own records
 *
 * How a command travels (L = under engine->lock):
 *
 *   engine_submit --L--> queue --L--> decider --L--> flying --> log thread: commit --> done()
 *
 * One lock guards everything marked (L); it is never held while a store is touched or a callback
 * runs. What is marked (D), (G), (V) belongs to the decider, log or views thread alone. */
#ifndef NODE_RUNTIME_ENGINE_PARTS_H
#define NODE_RUNTIME_ENGINE_PARTS_H

#include "node/runtime/engine.h"
#include "storage/journal.h"

#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_TICK_MS 1000
#define ENGINE_NODE_MAX 256 /* followed nodes */

/* Commands in order of arrival. */
struct command_list {
    struct command *first, **last; /* last: where the next is linked */
    size_t count;
};

void command_list_init(struct command_list *list);
void command_list_push(struct command_list *list, struct command *command);
struct command *command_list_pop(struct command_list *list);
/* Moves everything to the end of `to`. */
void command_list_move(struct command_list *list, struct command_list *to);
/* Calls done for each: `err` when it is an error, else the command's own. Empties the list. */
void command_list_done(struct command_list *list, enum err err);

/* A group on its way to the disk, and the commands answered by it. */
struct flight {
    struct group *group;
    struct command_list commands;
};

/* Groups that will never be durable although later ones are: [first, last]. */
struct failed_range {
    uint64_t first, last;
    enum err err;
};

/* What the views thread does for the decider while no writer is open. */
enum own_task {
    OWN_NOTHING,
    OWN_FOLD,  /* fold the own node's logs to their end */
    OWN_REFOLD /* forget the memory table first: it holds records that never became durable */
};

struct engine {
    struct engine_options options;
    char node[NODE_NAME_SIZE_MAX + 1], audience[NODE_NAME_SIZE_MAX + 1];
    struct log_store *logs;
    struct views *views;
    pthread_mutex_t lock;
    pthread_cond_t decider_wake, log_wake, views_wake;
    pthread_cond_t changed; /* for those who wait for a state: opened, folded, stopped */
    pthread_t decider_thread, log_thread, views_thread;
    bool decider_runs, log_runs, views_runs; /* threads to be joined */

    /* (L) the whole */
    enum err failed; /* the process must stop: nothing is answered any more */
    bool stopping, decider_ended, views_ended;
    bool ready; /* an incarnation is open and the views are whole */

    /* (L) commands */
    struct command_list queue;
    bool decider_sleeps;
    bool reopen_wanted;
    bool aside_wanted; /* a reopening that first folds aside what it can */
    uint32_t reopen_flags;
    enum err open_err; /* of the first incarnation */
    bool receipt_new, receipt_held;
    struct record_receipt receipt;

    /* (L) the log thread's work */
    struct flight flights[2]; /* one gathers (D) while the other flies (G) */
    struct flight *flying;    /* NULL when the log thread is free */
    atomic_bool log_free;  /* the same, to be looked at without the lock */
    enum err group_err;    /* the flight failed: the decider opens a new incarnation */
    struct log_job *jobs, **jobs_last;
    bool jobs_held, jobs_running;
    bool log_sleeps;

    /* (L) what is durable */
    uint64_t durable_group;
    struct log_head live;
    uint64_t group_count, record_count;
    struct durable_wait *waits;
    struct command_list late; /* commands that looked at a group in flight and wrote nothing */
    struct failed_range *failed_ranges;
    size_t failed_range_count;

    /* (L) the views thread's work */
    bool flush_wanted;
    uint64_t flush_group;
    struct log_head flush_head;
    enum err flush_err; /* of the last try */
    enum own_task own_task;
    bool own_busy, own_forget;
    enum err own_err;
    char fold_nodes[ENGINE_NODE_MAX][NODE_NAME_SIZE_MAX + 1];
    size_t fold_first, fold_count; /* a ring */

    /* (L) what is missing of the own logs */
    uint64_t missing; /* when they were last folded */
    bool handed_back; /* some of it came since */
    int64_t missing_since_ms;
    struct waiting *waiting; /* or NULL; made before any thread runs */

    /* (L) space */
    struct store_space log_space, views_space;

    /* The journal. Its thread touches it between `journal_asked` and the answer, else (G). */
    struct journal *journal; /* NULL: none, or lost */
    struct journal_entry journal_entry;
    pthread_t journal_thread;
    bool journal_runs; /* to be joined */
    pthread_cond_t journal_wake, journal_answered;
    bool journal_asked, journal_ends; /* (L) */
    enum err journal_err;             /* (L) the answer */
    struct journal_status journal_status; /* (L) */
};

static inline void engine_lock(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
}

static inline void engine_unlock(struct engine *engine)
{
    pthread_mutex_unlock(&engine->lock);
}

/* The process must stop: wakes everybody and calls on_failed once. Not under the lock. */
void engine_fail(struct engine *engine, enum err err, const char *what);
/* Waits at most ENGINE_TICK_MS, or until `deadline_ms` of the monotonic clock. (L) */
int64_t engine_monotonic_ms(void);
int64_t engine_wall_ms(void);
void engine_wait_until(struct engine *engine, pthread_cond_t *wake, int64_t deadline_ms);

/* Only the reserve is left on one of the disks (design D10). (L) */
bool engine_intake_is_refused(const struct engine *engine);

void *decider_main(void *engine);
void *log_thread_main(void *engine);
void *views_thread_main(void *engine);

/* Asks the views thread to fold the own node, and waits for it. Not under the lock. */
enum err engine_fold_own(struct engine *engine, enum own_task task, bool forget);

/* ---- durable.c ---- */
/* Who hears of a group that has landed: its own commands, then whoever waited for it. */
struct durable_landed {
    struct command_list commands, late;
    struct durable_wait *waits;
};
/* A group is durable: takes off the lists who waited for it. (L) */
void durable_advance(struct engine *engine, const struct group *group, struct durable_landed *landed);
/* Answers them; `err` goes to the group's own commands. Not under the lock. */
void durable_answer_landed(struct durable_landed *landed, enum err err);
/* Groups first..last will never be durable: fails whoever waits for them. Not under the lock. */
void durable_fail(struct engine *engine, uint64_t first, uint64_t last, enum err err);
/* Fails everybody who waits, when the engine has stopped. */
void durable_close(struct engine *engine);
/* Whether `group` is durable (OK), failed (why) or still to come (ERR_BUSY). (L) */
enum err durable_state(const struct engine *engine, uint64_t group);

/* ---- journal.c ---- */
/* Opens log/ and the journal, and makes each whole from the other. A log/ that cannot be used is set
 * aside, when the journal can make another one. Neither thread runs yet. */
enum err engine_open_log(struct engine *engine);
/* The node's own records in log/ cannot be folded, though the journal found nothing to mend: the damage
 * is in what it no longer has (removed segments, so the hubs hold it), and hubs are asked by a node that
 * runs. The next start makes log/ again and leaves this one aside. Not at a hub, which would lose the
 * copies that its receipts promise; nothing without a journal. */
void engine_distrust_log(struct engine *engine);
enum err journal_start_thread(struct engine *engine);
void journal_stop_thread(struct engine *engine);
/* (G) Commits, with the journal's entry written and synced meanwhile; durable in both when OK. An
 * error is one of the group, but ERR_IO: nothing may be answered any more. */
enum err journal_commit(struct engine *engine, struct store_txn *txn);
/* (G) After a transaction, and once a second. */
void journal_keep_up(struct engine *engine, size_t written);
void journal_tick(struct engine *engine);

/* ---- missing.c ---- */
/* Makes engine_waiting(). No thread runs yet. */
enum err missing_open(struct engine *engine);
/* Around a fold of the own node to its end, while no writer is open: what is still missing after it
 * is missing until the next one. The views thread. */
uint64_t missing_begin(struct engine *engine);
enum err missing_end(struct engine *engine, uint64_t journalled);

/* ---- tail.c ---- */
/* The newest own logs end in a checkpoint that this node signed, and their last records match it. */
enum err tail_verify(struct log_store *logs, const char *node, const struct sign_public *key);

#endif
