/* The views thread: the only writer of views/. Flushes the memory table when what it holds is
 * durable, folds the logs of followed nodes, and the own node's while no writer is open. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "node/runtime/priority.h"
#include "proto/base/bug.h"

#include <string.h>

#define VIEWS_FOLD_BUDGET 4096 /* records in one transaction */
/* When somebody waits for the end of it: random keys are cheaper the more are written at once. The
 * scratch table ends a step before this in long records. */
#define VIEWS_FOLD_WHOLE_BUDGET 32768
#define VIEWS_GROWTH_TRIES 8
#define VIEWS_SCRUB_BUDGET 8192 /* entries in one tick: some milliseconds */
/* Between two rounds. A value is checked whenever it is served, and the first round, right after the
 * start, lets misses be believed. What later rounds add: a page that goes bad after it was looked at
 * hides its entries a day at most. More often would read all of views/, which log/ can make again at
 * any time, more often than such a thing happens, and push out of memory what people ask for. */
#define VIEWS_SCRUB_REST_MS (24 * 3600 * INT64_C(1000))

/* ---- the nodes to fold, a ring of names ---- */

static bool fold_is_queued(const struct engine *engine, const char *node)
{
    for (size_t i = 0; i < engine->fold_count; i++)
        if (strcmp(engine->fold_nodes[(engine->fold_first + i) % ENGINE_NODE_MAX], node) == 0)
            return true;
    return false;
}

static void fold_push(struct engine *engine, const char *node)
{
    if (fold_is_queued(engine, node) || engine->fold_count == ENGINE_NODE_MAX)
        return;
    char *name = engine->fold_nodes[(engine->fold_first + engine->fold_count) % ENGINE_NODE_MAX];
    memset(name, 0, NODE_NAME_SIZE_MAX + 1);
    strncpy(name, node, NODE_NAME_SIZE_MAX);
    engine->fold_count++;
}

static void fold_pop(struct engine *engine, char node[NODE_NAME_SIZE_MAX + 1])
{
    memcpy(node, engine->fold_nodes[engine->fold_first], NODE_NAME_SIZE_MAX + 1);
    engine->fold_first = (engine->fold_first + 1) % ENGINE_NODE_MAX;
    engine->fold_count--;
}

void engine_fold(struct engine *engine, const char *node)
{
    if (strcmp(node, engine->node) == 0)
        return; /* the own node folds through the decider, or by engine_reopen */
    engine_lock(engine);
    fold_push(engine, node);
    pthread_cond_signal(&engine->views_wake);
    engine_unlock(engine);
}

/* ---- one step of each sort; what is written grows the map and is tried again ---- */

static bool views_grow_after(struct engine *engine, enum err err, unsigned *tries)
{
    if (err != ERR_MAP_FULL || (*tries)++ >= VIEWS_GROWTH_TRIES)
        return false;
    enum err grown = store_grow(views_environment(engine->views));
    log_event(LOG_EVENT_INFO, "views.map_grown", "result", err_name(grown), NULL);
    return grown == OK;
}

static enum err views_step_fold(struct engine *engine, const char *node, uint64_t budget)
{
    unsigned tries = 0;
    enum err err;
    do
        err = views_fold(engine->views, engine->logs, node, budget);
    while (views_grow_after(engine, err, &tries));
    return err;
}

static enum err views_step_flush(struct engine *engine, const struct log_head *head)
{
    unsigned tries = 0;
    enum err err;
    do
        err = views_flush(engine->views, head);
    while (views_grow_after(engine, err, &tries));
    return err;
}

/* Views can always be thrown away, so damage in them costs a rebuild and no more; damage that a
 * rebuild meets again is in the log. */
static enum err views_fold_to_end(struct engine *engine, const char *node, bool forget)
{
    if (forget && strcmp(node, engine->node) == 0)
        views_withhold(engine->views, true);
    enum err err = forget ? views_forget(engine->views, node) : OK;
    if (err == OK)
        while ((err = views_step_fold(engine, node, VIEWS_FOLD_WHOLE_BUDGET)) == OK)
            continue;
    if (err == ERR_CORRUPT && !forget) {
        log_event(LOG_EVENT_ERROR, "views.damaged", "node", node, NULL);
        return views_fold_to_end(engine, node, true);
    }
    return err == ERR_END ? OK : err;
}

static enum err views_do_own(struct engine *engine, enum own_task task, bool forget)
{
    /* What was never durable must not stay in sight. */
    if (task == OWN_REFOLD)
        views_withhold(engine->views, true);
    bool clear = task == OWN_REFOLD && !SAMAD_BUG(KEEPS_FAILED_VIEWS);
    enum err err = clear ? memory_clear(views_memory(engine->views)) : OK;
    uint64_t journalled = missing_begin(engine);
    if (err == OK && !SAMAD_BUG(NO_REPLAY))
        err = views_fold_to_end(engine, engine->node, forget);
    if (err == OK)
        err = missing_end(engine, journalled);
    if (err == OK)
        views_withhold(engine->views, false);
    return err;
}

/* One bounded step of a followed node: OK when more is left, ERR_END when nothing is. */
static enum err views_do_followed(struct engine *engine, const char *node)
{
    enum err err = views_step_fold(engine, node, VIEWS_FOLD_BUDGET);
    if (err == ERR_CORRUPT)
        err = views_fold_to_end(engine, node, true);
    if (err == ERR_IO || err == ERR_CORRUPT)
        engine_fail(engine, err, store_failure(views_environment(engine->views)));
    else if (err != OK && err != ERR_END)
        log_event(LOG_EVENT_WARNING, "views.fold_delayed", "node", node, "error", err_name(err),
                  NULL);
    return err;
}

/* What a reader found damaged is made anew: the own node's by a reopening, which folds it aside. */
static void views_mend(struct engine *engine)
{
    char node[NODE_NAME_SIZE_MAX + 1];
    for (size_t index = 0; views_next_damaged(engine->views, &index, node);) {
        engine_lock(engine);
        bool own = strcmp(node, engine->node) == 0;
        bool begins = own ? engine->ready && !engine->aside_wanted && !engine->reopen_wanted
                          : !fold_is_queued(engine, node);
        engine_unlock(engine);
        if (!begins)
            continue;
        log_event(LOG_EVENT_ERROR, "views.damaged", "node", node, NULL);
        if (own)
            engine_reopen(engine, 0);
        else
            engine_fold(engine, node);
    }
}

/* Keeps the file extended ahead of use and judges the reserve. */
static void views_keep_reserve(struct engine *engine)
{
    struct store *store = views_environment(engine->views);
    struct store_space space;
    enum err extended = store_extend(store);
    enum err err = store_space_update(store, &space);
    if (extended == ERR_IO || err == ERR_IO) {
        engine_fail(engine, ERR_IO, store_failure(store));
        return;
    }
    engine_lock(engine);
    if (err == OK)
        engine->views_space = space;
    engine_unlock(engine);
}

/* What is damaged in the views is found before somebody misses it. */
static void views_look_around(struct engine *engine, int64_t *scrub_at)
{
    if (engine_monotonic_ms() < *scrub_at)
        return;
    enum err err = views_scrub(engine->views, VIEWS_SCRUB_BUDGET);
    if (err == ERR_END)
        *scrub_at = engine_monotonic_ms() + VIEWS_SCRUB_REST_MS;
    else if (err == ERR_IO || err == ERR_CORRUPT)
        engine_fail(engine, err, store_failure(views_environment(engine->views)));
}

static void views_tick(struct engine *engine, int64_t *scrub_at)
{
    views_keep_reserve(engine);
    views_look_around(engine, scrub_at);
    store_trim(views_environment(engine->views));
    views_mend(engine);
}

/* ---- the thread ---- */

static bool views_can_flush(const struct engine *engine)
{
    return engine->flush_wanted && engine->durable_group >= engine->flush_group;
}

/* True when it succeeded; a disk without room is tried again at the next tick. (L) in and out. */
static bool views_flush_one(struct engine *engine)
{
    struct log_head head = engine->flush_head;
    uint64_t group = engine->flush_group;
    engine_unlock(engine);
    enum err err = views_step_flush(engine, &head);
    if (store_touches_reserve(views_environment(engine->views)))
        views_keep_reserve(engine);
    if (err == ERR_IO || err == ERR_CORRUPT)
        engine_fail(engine, err, store_failure(views_environment(engine->views)));
    else if (err != OK)
        log_event(LOG_EVENT_WARNING, "views.flush_delayed", "error", err_name(err), NULL);
    engine_lock(engine);
    engine->flush_err = err;
    /* The flush let the decider freeze again, which may already wait to be flushed. */
    if (err == OK && engine->flush_group == group)
        engine->flush_wanted = false;
    pthread_cond_signal(&engine->decider_wake);
    pthread_cond_broadcast(&engine->changed);
    return err == OK;
}

static void views_own_one(struct engine *engine)
{
    enum own_task task = engine->own_task;
    bool forget = engine->own_forget;
    engine->own_task = OWN_NOTHING;
    engine->own_busy = true;
    if (task == OWN_REFOLD)
        engine->flush_wanted = false; /* the frozen table goes too */
    engine_unlock(engine);
    enum err err = views_do_own(engine, task, forget);
    engine_lock(engine);
    engine->own_busy = false;
    engine->own_err = err;
    pthread_cond_broadcast(&engine->changed);
}

/* The part of a reopening that can be done while the decider goes on. When it is done, or cannot be
 * done, the decider takes over. (L) in and out. */
static void views_aside_one(struct engine *engine)
{
    engine_unlock(engine);
    enum err err = views_fold_aside(engine->views, engine->logs, engine->node, VIEWS_FOLD_BUDGET);
    engine_lock(engine);
    if (err == OK || !engine->aside_wanted) /* not wanted any more: another reopening did it */
        return;
    engine->aside_wanted = false;
    engine->reopen_wanted = true;
    pthread_cond_signal(&engine->decider_wake);
}

/* False when it must wait for the next tick. (L) in and out. */
static bool views_fold_one(struct engine *engine)
{
    char node[NODE_NAME_SIZE_MAX + 1];
    fold_pop(engine, node);
    engine_unlock(engine);
    enum err err = views_do_followed(engine, node);
    engine_lock(engine);
    if (err != ERR_END)
        fold_push(engine, node); /* at the end: every node gets its turn */
    return err == OK || err == ERR_END;
}

void *views_thread_main(void *argument)
{
    struct engine *engine = argument;
    int64_t tick_at = engine_monotonic_ms(), scrub_at = tick_at + ENGINE_TICK_MS;
    priority_background();
    bool delayed = false; /* no room on the disk: nothing is tried before the next tick */

    engine_lock(engine);
    while (engine->failed == OK) {
        if (engine_monotonic_ms() >= tick_at) {
            engine_unlock(engine);
            views_tick(engine, &scrub_at);
            tick_at = engine_monotonic_ms() + ENGINE_TICK_MS;
            delayed = false;
            engine_lock(engine);
        } else if (engine->own_task != OWN_NOTHING) {
            views_own_one(engine);
        } else if (views_can_flush(engine) && !delayed) {
            delayed = !views_flush_one(engine);
        } else if (engine->stopping && engine->decider_ended) {
            break;
        } else if (engine->aside_wanted) {
            views_aside_one(engine);
        } else if (engine->fold_count > 0 && !delayed) {
            delayed = !views_fold_one(engine);
        } else {
            engine_wait_until(engine, &engine->views_wake, tick_at);
        }
    }
    engine->views_ended = true;
    pthread_cond_signal(&engine->log_wake);
    pthread_cond_broadcast(&engine->changed);
    engine_unlock(engine);
    return NULL;
}

enum err engine_fold_own(struct engine *engine, enum own_task task, bool forget)
{
    engine_lock(engine);
    engine->own_task = task;
    engine->own_forget = forget;
    pthread_cond_signal(&engine->views_wake);
    while ((engine->own_task != OWN_NOTHING || engine->own_busy) && engine->failed == OK)
        pthread_cond_wait(&engine->changed, &engine->lock);
    enum err err = engine->failed != OK ? ERR_CLOSED : engine->own_err;
    engine_unlock(engine);
    return err;
}
