/* The decider thread: runs commands one at a time, gathers their records into groups, and hands a
 * group to the log thread when that is free. While one group is being committed the next gathers,
 * so groups are as large as the disk is slow and no larger.
 *
 *          open ok                    reopen wanted, clock went back
 *   ┌────────────────> RUNNING ────────────────────────────> SETTLING
 *   │                     │ a group failed                       │ landed, flushed
 *   │                     v                                      v
 *   │                  FAILING ── gathering dropped, refold ──> OPENING ──┐
 *   └───────────────────────────────────────────────────────────┘  ^      │ no room: a tick later
 *                                                                  └──────┘
 * RUNNING is decider_serve; the others are the functions of the same names. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "proto/base/bug.h"

#include <sodium.h>
#include <string.h>

/* A batch is read, rewritten for an erasure and shipped as a whole. */
#define DECIDER_GROUP_SIZE_MAX (1024 * 1024)

struct decider {
    struct engine *engine;
    struct writer *writer;
    struct flight *gathering;  /* one of the engine's two: the other flies */
    struct command_list taken; /* off the queue, not yet decided */
    uint64_t next_group;       /* the first of the next incarnation */
    uint32_t flags;            /* of the next incarnation */
    bool refold;               /* the memory table holds what never became durable */
    bool forget;               /* the views are damaged: fold them from the beginning */
    enum err told;             /* what the log last said of a failure: not once for each try */
};

enum decider_state { DECIDER_OPENING, DECIDER_RUNNING, DECIDER_SETTLING, DECIDER_FAILING,
                     DECIDER_ENDED };

/* ---- handing over ---- */

/* After a freeze the views thread is told what to flush, and when. */
static void decider_announce_flush(struct decider *decider)
{
    struct engine *engine = decider->engine;
    uint64_t group;
    struct log_head head;
    if (!writer_flush_wanted(decider->writer, &group, &head))
        return;
    engine_lock(engine);
    engine->flush_wanted = true;
    engine->flush_group = group;
    engine->flush_head = head;
    pthread_cond_signal(&engine->views_wake);
    engine_unlock(engine);
}

/* Only while the log thread is free. */
static void decider_hand_over(struct decider *decider)
{
    struct engine *engine = decider->engine;
    struct flight *flight = decider->gathering;
    flight->group = writer_take_group(decider->writer);
    writer_pause(decider->writer); /* a new snapshot for each group: old pages are let go */
    decider->gathering =
        flight == &engine->flights[0] ? &engine->flights[1] : &engine->flights[0];
    engine_lock(engine);
    engine->flying = flight;
    atomic_store_explicit(&engine->log_free, false, memory_order_relaxed);
    if (engine->log_sleeps)
        pthread_cond_signal(&engine->log_wake);
    engine_unlock(engine);
    decider_announce_flush(decider);
}

static bool decider_log_is_free(const struct decider *decider)
{
    return atomic_load_explicit(&decider->engine->log_free, memory_order_acquire);
}

/* Until nothing flies. */
static enum err decider_wait_landed(struct decider *decider)
{
    struct engine *engine = decider->engine;
    engine_lock(engine);
    engine->decider_sleeps = true;
    while (engine->flying != NULL && engine->failed == OK)
        pthread_cond_wait(&engine->decider_wake, &engine->lock);
    engine->decider_sleeps = false;
    enum err err = engine->failed != OK ? ERR_CLOSED : engine->group_err;
    engine_unlock(engine);
    return err;
}

/* ---- one command ---- */

/* Answers at once, or puts the command where it will be answered. */
static void decider_place(struct decider *decider, struct command *command)
{
    struct engine *engine = decider->engine;
    command->group = writer_command_group(decider->writer);
    if (SAMAD_BUG(ANSWER_BEFORE_COMMIT)) {
        command->done(command, command->err);
        return;
    }
    if (command->group == writer_group_number(decider->writer)) {
        command_list_push(&decider->gathering->commands, command);
        return;
    }
    bool durable = command->group == 0;
    if (!durable) {
        engine_lock(engine);
        durable = durable_state(engine, command->group) == OK;
        if (!durable)
            command_list_push(&engine->late, command);
        engine_unlock(engine);
    }
    if (durable)
        command->done(command, command->err);
}

/* Not decided: back to the front. */
static void decider_put_back(struct decider *decider, struct command *command)
{
    struct command_list list;
    command_list_init(&list);
    command_list_push(&list, command);
    command_list_move(&decider->taken, &list);
    command_list_move(&list, &decider->taken);
}

/* ERR_BUSY and ERR_CONFLICT: not decided, the command waits. */
static enum err decider_decide(struct decider *decider, struct command *command)
{
    struct writer *writer = decider->writer;
    int64_t wall_ms = engine_wall_ms();
    enum err err = writer_begin_command(writer, wall_ms);
    if (err != OK) {
        decider_put_back(decider, command);
        return err;
    }
    command->err = command->decide(command, writer, wall_ms);
    writer_end_command(writer);
    if (writer_error(writer) == OK)
        decider_place(decider, command);
    else /* its fold is half done: it shares the fate of the group */
        command_list_push(&decider->gathering->commands, command);
    return writer_error(writer);
}

enum decided { DECIDED_ALL, DECIDED_ENOUGH, DECIDED_MEMORY_FULL, DECIDED_CLOCK_BACK,
               DECIDED_BROKEN };

/* Decides what was taken off the queue, as far as the group and the memory table have room. A free log
 * thread gets the group when no more commands wait than are in it: the rest is decided meanwhile. */
static enum decided decider_decide_taken(struct decider *decider, bool intake_refused)
{
    size_t group_max = decider->engine->options.group_max;
    struct command *command;
    while ((command = decider->taken.first) != NULL) {
        size_t pending = writer_pending(decider->writer);
        if (pending >= group_max || writer_pending_size(decider->writer) >= DECIDER_GROUP_SIZE_MAX ||
            (pending > 0 && pending >= decider->taken.count && decider_log_is_free(decider)))
            return DECIDED_ENOUGH;
        command_list_pop(&decider->taken);
        if (command->intake && intake_refused) { /* queued before the reserve was reached */
            command->done(command, ERR_FULL);
            continue;
        }
        enum err err = decider_decide(decider, command);
        if (err == OK)
            continue;
        if (writer_error(decider->writer) != OK)
            return DECIDED_BROKEN;
        return err == ERR_CONFLICT ? DECIDED_CLOCK_BACK : DECIDED_MEMORY_FULL;
    }
    return DECIDED_ALL;
}

/* Nobody waits for a disk to become larger: what is queued is refused honestly. */
static void decider_refuse_queue(struct decider *decider, enum err err)
{
    struct engine *engine = decider->engine;
    engine_lock(engine);
    command_list_move(&engine->queue, &decider->taken);
    engine_unlock(engine);
    command_list_done(&decider->taken, err);
}

/* ---- RUNNING ---- */

/* What the loop has to react to, read under one lock. */
struct decider_news {
    bool failed, group_failed, reopen, stopping, queue_left, receipt_new, flush_waits;
    bool intake_refused;
    enum err flush_err; /* of the flush that waits: it is tried again */
    struct record_receipt receipt;
};

static struct decider_news decider_look(struct decider *decider)
{
    struct engine *engine = decider->engine;
    engine_lock(engine);
    struct decider_news news = {
        .failed = engine->failed != OK,
        .group_failed = engine->group_err != OK,
        .reopen = engine->reopen_wanted,
        .stopping = engine->stopping,
        .receipt_new = engine->receipt_new,
        .flush_waits = engine->flush_wanted,
        .flush_err = engine->flush_wanted ? engine->flush_err : OK,
        .intake_refused = engine_intake_is_refused(engine),
    };
    if (news.receipt_new)
        news.receipt = engine->receipt;
    engine->receipt_new = false;
    if (decider->taken.first == NULL)
        command_list_move(&engine->queue, &decider->taken);
    news.queue_left = engine->queue.first != NULL;
    engine_unlock(engine);
    return news;
}

/* Sleeps until something can have changed, or a tick. What decider_look takes is looked at again
 * under the lock, so that no wake-up is lost. */
static void decider_sleep(struct decider *decider, bool for_log, bool for_flush)
{
    struct engine *engine = decider->engine;
    writer_pause(decider->writer);
    engine_lock(engine);
    bool queued = engine->queue.first != NULL && decider->taken.first == NULL;
    bool landed = for_log && engine->flying == NULL;
    bool flushed = for_flush && !engine->flush_wanted;
    bool stops = engine->stopping && decider->taken.first == NULL;
    if (!queued && !landed && !flushed && engine->failed == OK && engine->group_err == OK &&
        !engine->reopen_wanted && !(stops && engine->flying == NULL)) {
        engine->decider_sleeps = true;
        engine_wait_until(engine, &engine->decider_wake, engine_monotonic_ms() + ENGINE_TICK_MS);
        engine->decider_sleeps = false;
    }
    engine_unlock(engine);
}

static enum decider_state decider_serve(struct decider *decider)
{
    for (;;) {
        struct decider_news news = decider_look(decider);
        if (news.failed)
            return DECIDER_ENDED;
        if (news.group_failed)
            return DECIDER_FAILING;
        if (news.reopen)
            return DECIDER_SETTLING;
        if (news.receipt_new)
            writer_receipt(decider->writer, &news.receipt);

        enum decided decided = decider_decide_taken(decider, news.intake_refused);
        if (decided == DECIDED_BROKEN)
            return DECIDER_FAILING;
        bool gathered = writer_pending(decider->writer) > 0;
        if (gathered && decider_log_is_free(decider)) {
            decider_hand_over(decider);
            continue;
        }
        if (decided == DECIDED_CLOCK_BACK) {
            decider->flags |= INCARNATION_CLOCK_BACK;
            return DECIDER_SETTLING;
        }
        if (news.stopping && !news.queue_left && decided == DECIDED_ALL && !gathered)
            return DECIDER_SETTLING;
        if (decided == DECIDED_MEMORY_FULL && news.flush_err != OK)
            decider_refuse_queue(decider, news.flush_err);
        /* With a group gathered and no flush under way it is the log that is waited for: looking out
         * for the end of a flush would not sleep at all until the sync is over. */
        bool for_flush = decided == DECIDED_MEMORY_FULL && (news.flush_waits || !gathered);
        if (for_flush && !news.flush_waits) {
            /* Full without a flush under way: begin one. */
            enum err frozen = writer_freeze(decider->writer);
            if (frozen == OK)
                decider_announce_flush(decider);
            for_flush = frozen == OK || frozen == ERR_BUSY;
        }
        if (decided == DECIDED_MEMORY_FULL && !for_flush && !gathered)
            decider_refuse_queue(decider, ERR_NOMEM); /* no flush will make room: nobody waits */
        decider_sleep(decider, gathered, for_flush);
    }
}

/* ---- SETTLING: everything decided becomes durable and is flushed ---- */

static enum err decider_wait_flushed(struct decider *decider)
{
    struct engine *engine = decider->engine;
    engine_lock(engine);
    while (engine->flush_wanted && engine->failed == OK &&
           !(engine->stopping && engine->flush_err != OK)) {
        enum err delayed = engine->flush_err;
        if (delayed != OK && (engine->queue.first != NULL || decider->taken.first != NULL)) {
            engine_unlock(engine);
            decider_refuse_queue(decider, delayed);
            engine_lock(engine);
        } else {
            pthread_cond_wait(&engine->changed, &engine->lock);
        }
    }
    enum err err = engine->failed != OK ? ERR_CLOSED : OK;
    if (err == OK && engine->flush_wanted)
        err = engine->flush_err; /* not a loss: the next start folds it again */
    engine_unlock(engine);
    return err;
}

static enum decider_state decider_settle(struct decider *decider)
{
    struct engine *engine = decider->engine;
    writer_pause(decider->writer); /* a flush that grows the map waits until snapshots are let go */
    enum err err = decider_wait_landed(decider);
    if (err == OK && writer_pending(decider->writer) > 0 && !SAMAD_BUG(SETTLE_LOSES_GROUP)) {
        decider_hand_over(decider);
        err = decider_wait_landed(decider);
    }
    if (err == OK)
        err = decider_wait_flushed(decider);
    bool lost = SAMAD_BUG(SETTLE_LOSES_GROUP) && writer_pending(decider->writer) > 0;
    enum err frozen = err == OK && !lost ? writer_freeze(decider->writer) : ERR_END;
    if (frozen == OK) {
        decider_announce_flush(decider);
        err = decider_wait_flushed(decider);
    } else if (frozen != ERR_END) {
        decider->refold = true; /* no memory: what is not flushed is folded from the log */
    }
    engine_lock(engine);
    bool failed = engine->failed != OK, stopping = engine->stopping;
    bool group_failed = engine->group_err != OK;
    /* One opening serves all who asked until now: it names whatever is held. */
    decider->flags |= engine->reopen_flags;
    engine->reopen_flags = 0;
    engine->reopen_wanted = false;
    engine->aside_wanted = false;
    engine_unlock(engine);
    if (failed || (stopping && decider->taken.first == NULL && !group_failed))
        return DECIDER_ENDED;
    if (err != OK)
        return DECIDER_FAILING;
    decider->next_group = writer_group_number(decider->writer);
    writer_close(decider->writer);
    decider->writer = NULL;
    return DECIDER_OPENING;
}

/* ---- FAILING: a group did not become durable, or a fold broke ---- */

static enum decider_state decider_fail_groups(struct decider *decider)
{
    struct engine *engine = decider->engine;
    enum err broken = writer_error(decider->writer);
    enum err err = decider_wait_landed(decider); /* a broken fold: the flight before it may be fine */
    if (err == ERR_CLOSED)
        return DECIDER_ENDED;
    if (err == OK)
        err = broken;
    if (err == ERR_IO) {
        engine_fail(engine, err, store_failure(views_environment(engine->views)));
        return DECIDER_ENDED;
    }
    if (decider->told != err)
        log_event(LOG_EVENT_ERROR, "group.failed", "error", err_name(err), NULL);

    engine_lock(engine);
    uint64_t first = engine->durable_group + 1;
    engine->group_err = OK;
    engine->ready = false;
    engine_unlock(engine);
    uint64_t last = writer_group_number(decider->writer);
    durable_fail(engine, first, last, err);
    command_list_done(&decider->gathering->commands, err);
    writer_close(decider->writer);
    decider->writer = NULL;
    decider->next_group = last + 1;
    decider->flags |= INCARNATION_AFTER_FAILURE;
    decider->refold = true;
    decider->forget = broken == ERR_CORRUPT;
    return DECIDER_OPENING;
}

/* ---- OPENING ---- */

/* While an incarnation opens no job runs: what it names is then what its views are folded from. */
static void decider_hold_jobs(struct engine *engine, bool hold)
{
    engine_lock(engine);
    engine->jobs_held = hold;
    while (hold && engine->jobs_running && engine->failed == OK)
        pthread_cond_wait(&engine->changed, &engine->lock);
    if (!hold)
        pthread_cond_signal(&engine->log_wake);
    engine_unlock(engine);
}

static enum err decider_open_writer(struct decider *decider)
{
    struct engine *engine = decider->engine;
    struct writer_options options = {
        .logs = engine->logs,
        .views = engine->views,
        .rules = engine->options.rules,
        .node = engine->node,
        .audience = engine->audience,
        .log_key = engine->options.log_key,
        .flags = decider->flags,
        .wall_ms = engine_wall_ms(),
        .first_group = decider->next_group,
        /* The larger a flush, the more of its keys meet in one page; what is left has to take what
         * comes while the flush runs. */
        .memory_share = engine->options.memory_size_max / 5 * 2,
    };
    randombytes_buf(options.incarnation, sizeof(options.incarnation));
    randombytes_buf(options.entropy, sizeof(options.entropy));
    if (SAMAD_BUG(INCARNATION_REUSED)) {
        struct store_txn txn = store_begin_read(log_store_environment(engine->logs));
        memset(options.incarnation, 0, sizeof(options.incarnation));
        options.incarnation[0] = (uint8_t)log_count(engine->logs, &txn);
        store_abort(&txn);
    }
    enum err err = writer_open(&decider->writer, &options);
    sodium_memzero(options.entropy, sizeof(options.entropy));
    if (err != OK) { /* its first record may be in the memory table */
        decider->refold = true;
        durable_fail(engine, decider->next_group, decider->next_group, err);
        decider->next_group++;
    }
    return err;
}

/* The long part of a fold goes before the jobs are held. */
static enum err decider_try_open(struct decider *decider)
{
    struct engine *engine = decider->engine;
    enum own_task task = decider->refold ? OWN_REFOLD : OWN_FOLD;
    enum err err = engine_fold_own(engine, task, decider->forget);
    if (err != OK)
        return err;
    decider->refold = false;
    decider->forget = false;
    decider_hold_jobs(engine, true);
    err = engine_fold_own(engine, OWN_FOLD, false);
    if (err == OK)
        err = decider_open_writer(decider);
    if (err == OK) {
        decider_hand_over(decider);
        err = decider_wait_landed(decider);
    }
    decider_hold_jobs(engine, false);
    return err;
}

/* ERR_EXISTS: a log of that number is held already, from a clone that drew the same: drawn anew. */
static bool decider_may_try_again(enum err err)
{
    return err == ERR_FULL || err == ERR_NOMEM || err == ERR_MAP_FULL || err == ERR_BUSY ||
           err == ERR_EXISTS;
}

/* False when there is nothing more to try. */
static bool decider_wait_tick(struct engine *engine)
{
    int64_t deadline_ms = engine_monotonic_ms() + ENGINE_TICK_MS;
    engine_lock(engine);
    while (!engine->stopping && engine->failed == OK && engine_monotonic_ms() < deadline_ms)
        engine_wait_until(engine, &engine->decider_wake, deadline_ms);
    bool go_on = !engine->stopping && engine->failed == OK;
    engine_unlock(engine);
    return go_on;
}

static void decider_opened(struct decider *decider, enum err err)
{
    struct engine *engine = decider->engine;
    engine_lock(engine);
    engine->ready = err == OK;
    engine->open_err = err;
    engine->receipt_new = engine->receipt_held; /* the new writer has not heard of it */
    pthread_cond_broadcast(&engine->changed);
    engine_unlock(engine);
}

static enum decider_state decider_open(struct decider *decider)
{
    struct engine *engine = decider->engine;
    enum err err = decider_try_open(decider);
    if (err == OK) {
        char origin[LOG_ORIGIN_SIZE_MAX + 1];
        log_id_origin(writer_log(decider->writer), origin);
        log_event(LOG_EVENT_INFO, "incarnation.opened", "log", origin, "flags",
                  log_number(decider->flags), NULL);
        decider->flags = 0;
        decider->told = OK;
        decider_opened(decider, OK);
        return DECIDER_RUNNING;
    }
    if (err == ERR_CLOSED)
        return DECIDER_ENDED;
    decider_opened(decider, err);
    if (!decider_may_try_again(err)) {
        engine_fail(engine, err, "opening an incarnation");
        return DECIDER_ENDED;
    }
    if (decider->told != err)
        log_event(LOG_EVENT_ERROR, "incarnation.not_opened", "error", err_name(err), NULL);
    decider->told = err;
    decider_refuse_queue(decider, err);
    if (decider->writer != NULL) /* its first group failed */
        return decider_wait_tick(engine) ? DECIDER_FAILING : DECIDER_ENDED;
    return decider_wait_tick(engine) ? DECIDER_OPENING : DECIDER_ENDED;
}

/* ---- the thread ---- */

static enum decider_state decider_step(struct decider *decider, enum decider_state state)
{
    switch (state) {
    case DECIDER_OPENING:
        return decider_open(decider);
    case DECIDER_RUNNING:
        return decider_serve(decider);
    case DECIDER_SETTLING:
        return decider_settle(decider);
    case DECIDER_FAILING:
        return decider_fail_groups(decider);
    case DECIDER_ENDED:
        break;
    }
    return DECIDER_ENDED;
}

static void decider_end(struct decider *decider)
{
    struct engine *engine = decider->engine;
    engine_lock(engine);
    bool failed = engine->failed != OK;
    command_list_move(&engine->queue, &decider->taken);
    engine->ready = false;
    engine_unlock(engine);
    if (!failed) /* after a failure nobody is answered (design D4) */
        command_list_done(&decider->taken, ERR_CLOSED);
    writer_close(decider->writer);

    engine_lock(engine);
    engine->decider_ended = true;
    pthread_cond_broadcast(&engine->log_wake);
    pthread_cond_broadcast(&engine->views_wake);
    pthread_cond_broadcast(&engine->changed);
    engine_unlock(engine);
}

void *decider_main(void *argument)
{
    struct engine *engine = argument;
    struct decider decider = { .engine = engine, .next_group = 1 };
    command_list_init(&decider.taken);
    decider.gathering = &engine->flights[0];
    engine_lock(engine);
    decider.flags = engine->reopen_flags;
    engine->reopen_flags = 0;
    engine_unlock(engine);

    for (enum decider_state state = DECIDER_OPENING; state != DECIDER_ENDED;)
        state = decider_step(&decider, state);
    decider_end(&decider);
    return NULL;
}
