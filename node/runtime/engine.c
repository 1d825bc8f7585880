/* Opening, submitting, status and stopping. The work is in the threads' own files. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "proto/base/bug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ENGINE_PATH_MAX 4096

/* ---- clocks ---- */

static int64_t engine_clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t engine_monotonic_ms(void)
{
    return engine_clock_ms(CLOCK_MONOTONIC);
}

int64_t engine_wall_ms(void)
{
    return engine_clock_ms(CLOCK_REALTIME);
}

void engine_wait_until(struct engine *engine, pthread_cond_t *wake, int64_t deadline_ms)
{
    struct timespec deadline = { .tv_sec = deadline_ms / 1000,
                                 .tv_nsec = deadline_ms % 1000 * 1000000 };
    pthread_cond_timedwait(wake, &engine->lock, &deadline);
}

/* ---- the end of everything ---- */

static void engine_wake_all(struct engine *engine)
{
    pthread_cond_broadcast(&engine->decider_wake);
    pthread_cond_broadcast(&engine->log_wake);
    pthread_cond_broadcast(&engine->views_wake);
    pthread_cond_broadcast(&engine->changed);
}

void engine_fail(struct engine *engine, enum err err, const char *what)
{
    engine_lock(engine);
    bool first = engine->failed == OK;
    if (first)
        engine->failed = err;
    engine->ready = false;
    engine_wake_all(engine);
    engine_unlock(engine);
    if (!first)
        return;
    if (what == NULL || *what == '\0') /* the store did not say it: damage in what it gave */
        what = err_text(err);
    log_event(LOG_EVENT_ERROR, "engine.failed", "error", err_name(err), "what", what, NULL);
    if (engine->options.on_failed != NULL)
        engine->options.on_failed(engine->options.context, err, what);
}

/* ---- opening ---- */

static void engine_init_locks(struct engine *engine)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->decider_wake, &attributes);
    pthread_cond_init(&engine->log_wake, &attributes);
    pthread_cond_init(&engine->views_wake, &attributes);
    pthread_cond_init(&engine->changed, &attributes);
    pthread_cond_init(&engine->journal_wake, &attributes);
    pthread_cond_init(&engine->journal_answered, &attributes);
    pthread_condattr_destroy(&attributes);
}

static enum err engine_open_stores(struct engine *engine)
{
    const struct engine_options *options = &engine->options;
    char path[ENGINE_PATH_MAX];
    if (mkdir(options->path, 0700) != 0 && errno != EEXIST)
        return errno == ENOSPC ? ERR_FULL : ERR_IO;

    enum err err = engine_open_log(engine);
    if (err != OK)
        return err;
    snprintf(path, sizeof(path), "%s/views", options->path);
    struct views_options views_options = {
        .path = path,
        .node = engine->node,
        .audience = engine->audience,
        .rules = options->rules,
        .map_size = options->map_size,
        .reserve_size = options->reserve_size,
        .memory_size_max = options->memory_size_max,
    };
    return views_open(&engine->views, &views_options);
}

static enum err engine_start_thread(pthread_t *thread, void *(*run)(void *), struct engine *engine,
                                    bool *runs, const char *name)
{
    if (pthread_create(thread, NULL, run, engine) != 0)
        return ERR_NOMEM;
    pthread_setname_np(*thread, name);
    *runs = true;
    return OK;
}

static enum err engine_copy_options(struct engine *engine, const struct engine_options *options)
{
    if (!node_name_is_valid(bytes_of_string(options->node)) ||
        !node_name_is_valid(bytes_of_string(options->audience)) || options->queue_max == 0 ||
        options->group_max == 0 || options->group_max > BATCH_RECORD_MAX / 2 ||
        strlen(options->path) > ENGINE_PATH_MAX - 8)
        return ERR_INVALID;
    engine->options = *options;
    snprintf(engine->node, sizeof(engine->node), "%s", options->node);
    snprintf(engine->audience, sizeof(engine->audience), "%s", options->audience);
    return OK;
}

static enum err engine_begin(struct engine *engine, const struct engine_options *options)
{
    enum err err = engine_copy_options(engine, options);
    if (err == OK)
        err = engine_open_stores(engine);
    if (err == OK)
        err = missing_open(engine);
    if (err == OK)
        err = journal_start_thread(engine);
    if (err == OK)
        err = engine_start_thread(&engine->log_thread, log_thread_main, engine, &engine->log_runs,
                                  "samad-log");
    if (err == OK)
        err = engine_start_thread(&engine->views_thread, views_thread_main, engine,
                                  &engine->views_runs, "samad-views");
    if (err != OK)
        return err;
    err = engine_fold_own(engine, OWN_FOLD, false);
    if (err == ERR_CORRUPT)
        engine_distrust_log(engine);
    return err;
}

enum err engine_open(struct engine **out, const struct engine_options *options)
{
    *out = NULL;
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL)
        return ERR_NOMEM;
    engine_init_locks(engine);
    command_list_init(&engine->queue);
    command_list_init(&engine->late);
    command_list_init(&engine->flights[0].commands);
    command_list_init(&engine->flights[1].commands);
    engine->jobs_last = &engine->jobs;
    engine->decider_ended = true;
    atomic_init(&engine->log_free, true);

    enum err err = engine_begin(engine, options);
    if (err != OK) {
        engine_stop(engine);
        return err;
    }
    *out = engine;
    return OK;
}

/* Followed nodes may have records that were stored and not folded before the last stop. */
static enum err engine_fold_followed(struct engine *engine)
{
    struct store_txn txn = store_begin_read(log_store_environment(engine->logs));
    uint32_t count = log_count(engine->logs, &txn);
    enum err err = txn.err;
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_state state;
        err = log_state_get(engine->logs, &txn, number, &state);
        if (err == OK)
            engine_fold(engine, state.id.node);
    }
    store_abort(&txn);
    return err;
}

/* Without a decider nobody tries again, which is what ERR_NOMEM promises: the process must stop. */
static enum err engine_fail_start(struct engine *engine, enum err err)
{
    if (err != OK)
        engine_fail(engine, err, NULL);
    return err == ERR_NOMEM ? ERR_CLOSED : err;
}

enum err engine_start(struct engine *engine, uint32_t flags)
{
    enum err err = engine_fold_followed(engine);
    if (err != OK)
        return engine_fail_start(engine, err);
    engine_lock(engine);
    if (engine->stopping) { /* already: nobody would end a decider that begins now */
        engine_unlock(engine);
        return ERR_CLOSED;
    }
    engine->decider_ended = false;
    engine->reopen_flags |= flags;
    engine->open_err = ERR_BUSY; /* until it is known */
    engine_unlock(engine);
    err = engine_start_thread(&engine->decider_thread, decider_main, engine, &engine->decider_runs,
                              "samad-decider");
    err = engine_fail_start(engine, err);
    engine_lock(engine);
    if (err != OK)
        engine->decider_ended = true;
    while (err == OK && engine->open_err == ERR_BUSY && !engine->decider_ended)
        pthread_cond_wait(&engine->changed, &engine->lock);
    if (err == OK)
        err = engine->open_err;
    engine_unlock(engine);
    return err;
}

/* ---- stopping ---- */

static void engine_close(struct engine *engine)
{
    group_free(engine->flights[0].group);
    group_free(engine->flights[1].group);
    if (engine->views != NULL)
        views_close(engine->views);
    if (engine->logs != NULL)
        log_store_close(engine->logs);
    waiting_free(engine->waiting);
    journal_close(engine->journal);
    journal_entry_close(&engine->journal_entry);
    pthread_cond_destroy(&engine->journal_wake);
    pthread_cond_destroy(&engine->journal_answered);
    pthread_cond_destroy(&engine->decider_wake);
    pthread_cond_destroy(&engine->log_wake);
    pthread_cond_destroy(&engine->views_wake);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    free(engine->failed_ranges);
    free(engine);
}

static void engine_join(pthread_t thread, bool *runs)
{
    if (*runs)
        pthread_join(thread, NULL);
    *runs = false;
}

void engine_finish(struct engine *engine)
{
    engine_lock(engine);
    engine->stopping = true;
    if (!engine->views_runs)
        engine->views_ended = true;
    engine_wake_all(engine);
    engine_unlock(engine);

    engine_join(engine->decider_thread, &engine->decider_runs);
    engine_join(engine->views_thread, &engine->views_runs);
    engine_join(engine->log_thread, &engine->log_runs);
    journal_stop_thread(engine);
    if (engine->failed == OK)
        durable_close(engine);
}

void engine_stop(struct engine *engine)
{
    engine_finish(engine);
    engine_close(engine);
}

/* ---- any thread ---- */

struct log_store *engine_logs(struct engine *engine)
{
    return engine->logs;
}

struct views *engine_views(struct engine *engine)
{
    return engine->views;
}

bool engine_intake_is_refused(const struct engine *engine)
{
    return engine->log_space.reserve_reached || engine->views_space.reserve_reached ||
           engine->journal_status.full;
}

enum err engine_submit(struct engine *engine, struct command *command)
{
    enum err err = OK;
    bool wake = false;
    if (SAMAD_BUG(CANARY)) {
        command->done(command, OK);
        return OK;
    }
    engine_lock(engine);
    if (engine->stopping || engine->failed != OK || engine->decider_ended) {
        err = ERR_CLOSED;
    } else if (command->intake && engine_intake_is_refused(engine)) {
        err = ERR_FULL;
    } else if (engine->queue.count >= engine->options.queue_max) {
        err = ERR_BUSY;
    } else {
        command_list_push(&engine->queue, command);
        wake = engine->decider_sleeps;
    }
    engine_unlock(engine);
    if (wake)
        pthread_cond_signal(&engine->decider_wake);
    return err;
}

void engine_reopen(struct engine *engine, uint32_t flags)
{
    engine_lock(engine);
    engine->aside_wanted = true;
    engine->reopen_flags |= flags;
    pthread_cond_signal(&engine->views_wake);
    engine_unlock(engine);
}

void engine_receipt(struct engine *engine, const struct record_receipt *receipt)
{
    engine_lock(engine);
    engine->receipt = *receipt;
    engine->receipt_new = true;
    engine->receipt_held = true;
    engine_unlock(engine);
}

void engine_status(struct engine *engine, struct engine_status *status)
{
    struct memory *memory = views_memory(engine->views);
    engine_lock(engine);
    *status = (struct engine_status){
        .live = engine->live,
        .queue_length = engine->queue.count,
        .groups = engine->group_count,
        .records = engine->record_count,
        .memory_size = memory_active_size(memory),
        .log_space = engine->log_space,
        .views_space = engine->views_space,
        .intake_refused = engine_intake_is_refused(engine),
        .ready = engine->ready,
        .missing_since_ms = engine->missing_since_ms,
        .journal = engine->journal_status,
    };
    engine_unlock(engine);
    status->missing = engine_missing(engine);
}
