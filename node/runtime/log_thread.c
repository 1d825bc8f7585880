/* The log thread: the only writer of log/. One synced transaction carries the group in flight and
 * every job that waits. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "proto/base/bug.h"

#define LOG_JOBS_MAX 64             /* in one transaction, so that a group does not wait long */
#define LOG_JOB_SIZE (512 * 1024)   /* what a job may write, for growing the map ahead */
#define LOG_GROWTH_TRIES 8
#define LOG_READER_CHECK_TICKS 60

/* The work of one transaction. */
struct log_work {
    struct flight *flight; /* or NULL */
    struct log_job *jobs[LOG_JOBS_MAX];
    enum err job_errs[LOG_JOBS_MAX];
    bool left_out[LOG_JOBS_MAX]; /* failed after it wrote something: the transaction ran again */
    size_t job_count;
};

static bool log_has_work(const struct engine *engine)
{
    return engine->flying != NULL || (engine->jobs != NULL && !engine->jobs_held);
}

static void log_take_jobs(struct engine *engine, struct log_work *work)
{
    while (!engine->jobs_held && engine->jobs != NULL && work->job_count < LOG_JOBS_MAX) {
        struct log_job *job = engine->jobs;
        engine->jobs = job->next;
        if (engine->jobs == NULL)
            engine->jobs_last = &engine->jobs;
        work->jobs[work->job_count++] = job;
    }
    engine->jobs_running = work->job_count > 0;
}

/* An error of the whole transaction, whoever ran into it. */
static bool log_err_is_of_transaction(enum err err)
{
    return err == ERR_MAP_FULL || err == ERR_FULL || err == ERR_IO || err == ERR_NOMEM;
}

/* Runs the jobs. A job that fails before it wrote anything is simply out; one that had written
 * spoils the transaction, which must run `again` without it. */
static enum err log_run_jobs(struct engine *engine, struct log_work *work, struct store_txn *txn,
                             bool *again)
{
    for (size_t i = 0; i < work->job_count; i++) {
        if (work->left_out[i])
            continue;
        uint64_t changes = txn->changes;
        enum err err = work->jobs[i]->run(work->jobs[i], engine->logs, txn);
        work->job_errs[i] = err;
        if (log_err_is_of_transaction(txn->err))
            return txn->err;
        if (txn->err != OK || (err != OK && txn->changes != changes)) {
            work->job_errs[i] = err != OK ? err : txn->err;
            work->left_out[i] = true;
            *again = true;
            return OK;
        }
    }
    return OK;
}

static enum err log_try(struct engine *engine, struct log_work *work, bool *again)
{
    struct store_txn txn = store_begin_write(log_store_environment(engine->logs));
    enum err err = txn.err;
    *again = false;
    journal_entry_clear(&engine->journal_entry);
    if (err == OK && work->flight != NULL)
        err = group_commit(work->flight->group, &txn);
    if (err == OK && txn.err == OK)
        err = log_run_jobs(engine, work, &txn, again);
    /* Jobs that only looked, or failed at once, leave nothing to sync. */
    bool nothing = work->flight == NULL && txn.changes == 0 && txn.err == OK;
    if (SAMAD_BUG(RECEIPT_BEFORE_SYNC) && err == OK && !*again && !nothing) {
        for (size_t i = 0; i < work->job_count; i++)
            work->jobs[i]->done(work->jobs[i], work->job_errs[i]);
        work->job_count = 0;
    }
    if (err == OK && !*again && !nothing)
        return journal_commit(engine, &txn);
    if (err != OK && txn.err != OK)
        err = txn.err;
    store_abort(&txn);
    return err;
}

static size_t log_work_size(const struct log_work *work)
{
    size_t size = work->job_count * LOG_JOB_SIZE;
    return work->flight != NULL ? size + group_size(work->flight->group) : size;
}

static enum err log_grow(struct engine *engine)
{
    enum err err = store_grow(log_store_environment(engine->logs));
    log_event(err == OK ? LOG_EVENT_INFO : LOG_EVENT_ERROR, "log.map_grown", "result",
              err_name(err), NULL);
    return err;
}

static enum err log_transact(struct engine *engine, struct log_work *work)
{
    enum err err = OK;
    if (store_needs_growth(log_store_environment(engine->logs), log_work_size(work)))
        err = log_grow(engine);
    bool again = true;
    for (unsigned grown = 0; err == OK && again;) { /* at most once for each job and growth */
        err = log_try(engine, work, &again);
        if (err == ERR_MAP_FULL && grown++ < LOG_GROWTH_TRIES) {
            err = log_grow(engine);
            again = true;
        }
    }
    return err;
}

/* The flight has landed or failed. The decider may send the next one before anybody is answered: the
 * answers make work for all who read them, and the disk should not wait for it. */
static void log_release_flight(struct engine *engine, struct flight *flight, enum err err)
{
    struct group *group = flight->group;
    struct durable_landed landed = { .waits = NULL };
    command_list_init(&landed.commands);
    command_list_init(&landed.late);

    engine_lock(engine);
    if (err == OK)
        durable_advance(engine, group, &landed);
    else
        engine->group_err = err;
    command_list_move(&flight->commands, &landed.commands);
    flight->group = NULL;
    engine->flying = NULL;
    atomic_store_explicit(&engine->log_free, true, memory_order_release);
    if (engine->decider_sleeps)
        pthread_cond_signal(&engine->decider_wake);
    engine_unlock(engine);

    if (err == OK && engine->options.on_advanced != NULL)
        engine->options.on_advanced(engine->options.context, group_checkpoint(group),
                                    group_note(group));
    durable_answer_landed(&landed, SAMAD_BUG(ANSWER_FAILED_GROUP) ? OK : err);
    group_free(group);
}

/* Keeps the file extended ahead of use and judges the reserve. */
static void log_keep_reserve(struct engine *engine)
{
    struct store *store = log_store_environment(engine->logs);
    struct store_space space = { 0 };
    enum err extended = store_extend(store);
    enum err err = store_space_update(store, &space);
    if (extended == ERR_IO || err == ERR_IO) {
        engine_fail(engine, ERR_IO, store_failure(store));
        return;
    }
    engine_lock(engine);
    bool was_refused = engine->log_space.reserve_reached;
    if (err == OK)
        engine->log_space = space;
    engine_unlock(engine);
    if (err == OK && was_refused != space.reserve_reached)
        log_event(LOG_EVENT_WARNING, space.reserve_reached ? "disk.reserve_reached" : "disk.healed",
                  "available", log_number((int64_t)space.available_size), NULL);
}

static void log_do(struct engine *engine, struct log_work *work)
{
    struct store *store = log_store_environment(engine->logs);
    enum err err = log_transact(engine, work);
    size_t journalled = engine->journal_entry.bytes.size;
    if (err == ERR_IO) {
        const char *what = store_failure(store);
        engine_fail(engine, err, *what ? what : "log/ and the journal failed together");
        return; /* nobody is answered: what is on the disk is known only after a restart */
    }
    if (work->flight != NULL)
        log_release_flight(engine, work->flight, err);
    for (size_t i = 0; i < work->job_count; i++)
        work->jobs[i]->done(work->jobs[i], err != OK ? err : work->job_errs[i]);
    if (store_zero_ahead(store) != OK)
        engine_fail(engine, ERR_IO, store_failure(store));
    store_trim_growth(store);
    journal_keep_up(engine, journalled);
    /* Not left to the tick: a second of intake could use up a reserve that is not its own. */
    if (store_touches_reserve(store))
        log_keep_reserve(engine);
}

static void log_tick(struct engine *engine, unsigned tick)
{
    struct store *store = log_store_environment(engine->logs);
    log_keep_reserve(engine);
    journal_tick(engine);
    store_trim(store);
    if (tick % LOG_READER_CHECK_TICKS == 0)
        store_check_readers(store);
}

void *log_thread_main(void *argument)
{
    struct engine *engine = argument;
    int64_t tick_at = engine_monotonic_ms();
    unsigned ticks = 0;

    engine_lock(engine);
    while (engine->failed == OK) {
        if (engine_monotonic_ms() >= tick_at) {
            engine_unlock(engine);
            log_tick(engine, ticks++);
            tick_at = engine_monotonic_ms() + ENGINE_TICK_MS;
            engine_lock(engine);
            continue;
        }
        if (!log_has_work(engine)) {
            if (engine->stopping && engine->decider_ended && engine->views_ended)
                break;
            engine->log_sleeps = true;
            engine_wait_until(engine, &engine->log_wake, tick_at);
            engine->log_sleeps = false;
            continue;
        }
        struct log_work work = { .flight = engine->flying };
        log_take_jobs(engine, &work);
        engine_unlock(engine);
        log_do(engine, &work);
        engine_lock(engine);
        if (engine->jobs_running) {
            engine->jobs_running = false;
            pthread_cond_broadcast(&engine->changed);
        }
    }
    engine_unlock(engine);
    return NULL;
}

enum err engine_log_job(struct engine *engine, struct log_job *job)
{
    engine_lock(engine);
    enum err err = engine->stopping || engine->failed != OK ? ERR_CLOSED : OK;
    if (err == OK) {
        job->next = NULL;
        *engine->jobs_last = job;
        engine->jobs_last = &job->next;
        if (engine->log_sleeps)
            pthread_cond_signal(&engine->log_wake);
    }
    engine_unlock(engine);
    return err;
}
