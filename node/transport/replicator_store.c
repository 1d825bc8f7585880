/* What came in, on its way to the store.
 *
 *   effect -> copied -> verified on the pool, many at once -> in the order of its log to the log
 *   thread, which stores whatever waits under one sync -> the answer to the core
 *
 * The number of things under way is bounded by the credit that the core gives, and for what credit
 * does not count by pausing the link. */
#include "node/transport/replicator_private.h"

#include "node/runtime/log.h"
#include "proto/base/require.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct intake {
    struct log_job job; /* first: a job is its intake */
    uv_work_t work;
    struct replicator *replicator;
    struct lane *lane;
    struct intake *next;      /* in the lane */
    struct intake *done_next; /* on the way back to the loop */
    enum effect_type type;
    uint64_t link;
    const char *node; /* peer, hub or who shows a fork; lives as long as the core */
    bool branch;
    bool mends;
    bool verified;
    bool handed_back; /* a log of this node has grown by it */
    uint64_t size;
    int64_t time_s;     /* of a receipt */
    struct buffer note; /* a receipt's, to learn its time */
    struct replica_intake *content;
    struct replica_result result;
    enum err err; /* of the transaction */
};

/* ---- lanes ---- */

static struct lane *lane_of(struct replicator *replicator, const struct log_id *log)
{
    for (struct lane *lane = replicator->lanes; lane; lane = lane->next)
        if (log_id_equal(&lane->log, log))
            return lane;
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->log = *log;
    lane->last = &lane->first;
    lane->next = replicator->lanes;
    lane->previous = &replicator->lanes;
    if (replicator->lanes)
        replicator->lanes->previous = &lane->next;
    replicator->lanes = lane;
    return lane;
}

static void lane_release(struct lane *lane)
{
    if (lane->first)
        return;
    *lane->previous = lane->next;
    if (lane->next)
        lane->next->previous = lane->previous;
    free(lane);
}

/* ---- back from the log thread ---- */

static void hand_back(struct intake *intake, enum err err)
{
    struct replicator *replicator = intake->replicator;
    intake->err = err;
    intake->done_next = NULL;
    pthread_mutex_lock(&replicator->lock);
    bool first = replicator->done_first == NULL;
    *replicator->done_last = intake;
    replicator->done_last = &intake->done_next;
    if (first) /* under the lock: the handle is closed only when nothing is under way */
        uv_async_send(&replicator->wake);
    pthread_mutex_unlock(&replicator->lock);
}

static void on_job_done(struct log_job *job, enum err err)
{
    struct intake *intake = (struct intake *)job;
    if (err == OK && intake->handed_back)
        engine_handed_back(intake->replicator->options.engine, &intake->lane->log);
    hand_back(intake, err);
}

/* So much is known of a log of this node; 0 of others. The record that opens a log tells of nobody.
 */
static uint64_t own_size(const struct intake *intake, struct log_store *logs, struct store_txn *txn)
{
    const struct log_id *log = &intake->lane->log;
    struct log_state state;
    uint32_t number;
    if (strcmp(log->node, intake->replicator->options.config->node) != 0 ||
        log_find(logs, txn, log, &number) != OK || log_state_get(logs, txn, number, &state) != OK ||
        state.frozen)
        return 0;
    uint64_t size = state.size > state.pending_size ? state.size : state.pending_size;
    return size > 1 ? size : 0;
}

static enum err on_job_run(struct log_job *job, struct log_store *logs, struct store_txn *txn)
{
    struct intake *intake = (struct intake *)job;
    replica_result_close(&intake->result); /* the transaction may be run again */
    if (intake->type == EFFECT_STORE_PACKAGE || intake->type == EFFECT_STORE_CHECKPOINT) {
        uint64_t before = own_size(intake, logs, txn);
        enum err err = replica_store(intake->content, txn, &intake->result);
        intake->handed_back = own_size(intake, logs, txn) > before;
        return err;
    }
    if (intake->type != EFFECT_SIGN_RECEIPT)
        return replica_store(intake->content, txn, &intake->result);
    return replica_sign_receipt(intake->replicator->replica, txn, &intake->lane->log, intake->size,
                                (int64_t)time(NULL), &intake->result);
}

/* ---- to the log thread, in order ---- */

static void lane_pump(struct replicator *replicator, struct lane *lane)
{
    while (lane->waiting && lane->waiting->verified) {
        struct intake *intake = lane->waiting;
        lane->waiting = intake->next;
        intake->job = (struct log_job){ .run = on_job_run, .done = on_job_done };
        enum err err = engine_log_job(replicator->options.engine, &intake->job);
        if (err != OK)
            hand_back(intake, err);
    }
}

/* ---- verifying, on the pool ---- */

/* Records name the last receipt held, with its time. */
static void learn_time(struct intake *intake)
{
    struct sign_public key;
    char name[NOTE_NAME_SIZE_MAX + 1];
    receipt_key_name(name, intake->node);
    if (replicator_receipt_key(intake->replicator, intake->node, &key) != OK ||
        receipt_open(buffer_bytes(&intake->note), bytes_of_string(name), &key,
                     &intake->time_s) != OK)
        intake->time_s = 0;
}

static void on_verify_work(uv_work_t *work)
{
    struct intake *intake = work->data;
    enum err err = replica_verify(intake->content); /* what is wrong comes out of storing */
    if (err == OK && intake->type == EFFECT_STORE_RECEIPT)
        learn_time(intake);
}

static void on_verify_done(uv_work_t *work, int status)
{
    struct intake *intake = work->data;
    require(status == 0); /* nothing is ever cancelled */
    intake->verified = true;
    lane_pump(intake->replicator, intake->lane);
}

/* ---- from an effect ---- */

static enum err intake_open(struct intake *intake, const struct effect *effect,
                            const struct log_id **log)
{
    struct replica *replica = intake->replicator->replica;
    switch (effect->type) {
    case EFFECT_STORE_CHECKPOINT:
        *log = &effect->store_checkpoint.log;
        intake->link = effect->store_checkpoint.link;
        intake->node = effect->store_checkpoint.node;
        intake->branch = effect->store_checkpoint.branch;
        return replica_open_checkpoint(replica, &effect->store_checkpoint, &intake->content);
    case EFFECT_STORE_PACKAGE:
        *log = &effect->store_package.log;
        intake->link = effect->store_package.link;
        intake->node = effect->store_package.node;
        intake->branch = effect->store_package.branch;
        intake->mends = effect->store_package.mends;
        intake->size = effect->store_package.size;
        return replica_open_package(replica, &effect->store_package, &intake->content);
    case EFFECT_STORE_RECEIPT:
        *log = &effect->store_receipt.log;
        intake->link = effect->store_receipt.link;
        intake->node = effect->store_receipt.hub;
        intake->size = effect->store_receipt.size;
        buffer_append_bytes(&intake->note, effect->store_receipt.note);
        return replica_open_receipt(replica, &effect->store_receipt, &intake->content);
    case EFFECT_STORE_FORK:
        *log = &effect->store_fork.log;
        intake->link = effect->store_fork.link;
        intake->node = effect->store_fork.fork_node;
        return replica_open_fork(replica, &effect->store_fork, &intake->content);
    default:
        require(effect->type == EFFECT_SIGN_RECEIPT);
        *log = &effect->sign_receipt.log;
        intake->size = effect->sign_receipt.size;
        intake->verified = true;
        return OK;
    }
}

static void intake_free(struct intake *intake)
{
    replica_intake_free(intake->content);
    replica_result_close(&intake->result);
    buffer_close(&intake->note);
    free(intake);
}

static void session_count(struct replicator *replicator, uint64_t link, int change)
{
    struct session *session = link ? session_find(replicator, link) : NULL;
    if (!session)
        return;
    session->intakes += (unsigned)change;
    session_balance(session);
}

void lane_store(struct replicator *replicator, const struct effect *effect)
{
    const struct log_id *log = NULL;
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake)
        intake->replicator = replicator;
    enum err err = intake ? intake_open(intake, effect, &log) : ERR_NOMEM;
    struct lane *lane = err == OK ? lane_of(replicator, log) : NULL;
    if (!lane) {
        if (intake)
            intake_free(intake);
        replicator->options.failed(replicator->options.context, ERR_NOMEM, "a received package");
        return;
    }
    intake->type = effect->type;
    intake->lane = lane;
    intake->work.data = intake;
    *lane->last = intake;
    lane->last = &intake->next;
    if (!lane->waiting)
        lane->waiting = intake;
    replicator->under_way++;
    session_count(replicator, intake->link, 1);
    if (intake->verified)
        lane_pump(replicator, lane);
    else
        require(uv_queue_work(replicator->options.loop, &intake->work, on_verify_work,
                              on_verify_done) == 0);
}

/* ---- the answer to the core ---- */

/* A transaction that failed has stored nothing, whatever the result says. */
static void forget_result(struct intake *intake)
{
    struct replicator *replicator = intake->replicator;
    struct core_log_status status;
    replica_result_close(&intake->result);
    intake->result.err = intake->err;
    for (size_t i = 0; i < core_log_count(replicator->core); i++) {
        core_log_status(replicator->core, i, &status);
        if (log_id_equal(&status.log, &intake->lane->log))
            intake->result.cursor = intake->branch ? status.branch : status.held;
        if (log_id_equal(&status.log, &intake->lane->log))
            intake->result.other = status.branch;
    }
}

static void answer_stored(struct intake *intake, struct event *event)
{
    const struct replica_result *result = &intake->result;
    event->type = intake->type == EFFECT_STORE_PACKAGE ? EVENT_PACKAGE_STORED
                                                       : EVENT_CHECKPOINT_STORED;
    event->stored = (struct event_stored){ .link = intake->link,
                                           .node = intake->node,
                                           .log = intake->lane->log,
                                           .branch = intake->branch,
                                           .mends = intake->mends,
                                           .err = result->err,
                                           .cursor = result->cursor,
                                           .other = result->other,
                                           .size = intake->size,
                                           .proven = result->proven,
                                           .parents = result->parents,
                                           .parent_count = result->parent_count };
}

static void tell_mended(const struct intake *intake)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    if (intake->result.mended == 0)
        return;
    log_id_origin(&intake->lane->log, origin);
    log_event(LOG_EVENT_WARNING, "log.repaired", "batches",
              log_number((int64_t)intake->result.mended), "from", intake->node, "log", origin, NULL);
}

static void answer_receipt(struct intake *intake, struct event *event)
{
    struct replicator *replicator = intake->replicator;
    const struct replica_result *result = &intake->result;
    struct record_receipt receipt = { .size = result->receipt_size, .time_s = intake->time_s };
    event->type = EVENT_RECEIPT_STORED;
    event->receipt_stored = (struct event_receipt_stored){ .hub = intake->node,
                                                           .log = intake->lane->log,
                                                           .size = result->receipt_size,
                                                           .err = result->err,
                                                           .proven = result->proven,
                                                           .other = result->other };
    if (result->err != OK || result->receipt_size != intake->size)
        return;
    memcpy(receipt.hub, intake->node, strlen(intake->node));
    memcpy(receipt.incarnation, intake->lane->log.incarnation, INCARNATION_SIZE);
    engine_receipt(replicator->options.engine, &receipt);
}

static void answer(struct intake *intake)
{
    struct event event = { .now_ms = 0 };
    const struct replica_result *result = &intake->result;
    if (intake->err != OK)
        forget_result(intake);
    switch (intake->type) {
    case EFFECT_STORE_CHECKPOINT:
    case EFFECT_STORE_PACKAGE:
        tell_mended(intake);
        answer_stored(intake, &event);
        break;
    case EFFECT_STORE_RECEIPT:
        answer_receipt(intake, &event);
        break;
    case EFFECT_STORE_FORK:
        event.type = EVENT_FORK_STORED;
        event.fork_stored = (struct event_fork_stored){ .fork_node = intake->node,
                                                        .log = intake->lane->log,
                                                        .err = result->err,
                                                        .cursor = result->cursor,
                                                        .other = result->other };
        break;
    default:
        event.type = EVENT_RECEIPT_SIGNED;
        event.receipt_signed = (struct event_receipt_signed){ .log = intake->lane->log,
                                                              .size = intake->size,
                                                              .note = buffer_bytes(&result->note),
                                                              .err = result->err };
    }
    replicator_step(intake->replicator, &event);
}

/* ---- folding what was followed ---- */

static uint64_t missing_of(const struct replicator *replicator, const char *node)
{
    struct core_peer_status status;
    for (size_t i = 0; i < replicator->peer_count; i++)
        if (strcmp(replicator->peers[i].node, node) == 0) {
            core_peer_status(replicator->core, i, &status);
            return status.missing;
        }
    return 0;
}

void fold_run(uv_timer_t *timer)
{
    struct replicator *replicator = timer->data;
    uint64_t now_ms = replicator_now_ms();
    size_t kept = 0;
    for (size_t i = 0; i < replicator->fold_count; i++) {
        struct fold_due *due = &replicator->folds[i];
        bool quiet = replicator->under_way < FOLD_BUSY_MIN &&
                     missing_of(replicator, due->node) < FOLD_MISSING_MAX;
        if (quiet || now_ms - due->since_ms >= FOLD_LIMIT_MS)
            engine_fold(replicator->options.engine, due->node);
        else
            replicator->folds[kept++] = *due;
    }
    replicator->fold_count = kept;
    if (kept == 0)
        uv_timer_stop(timer);
}

/* What is forgotten when the process ends is found again at the next start. */
static void fold_later(struct replicator *replicator, const char *node)
{
    size_t i = 0;
    while (i < replicator->fold_count && strcmp(replicator->folds[i].node, node) != 0)
        i++;
    if (i == FOLD_NODE_MAX) {
        engine_fold(replicator->options.engine, node);
        return;
    }
    if (i == replicator->fold_count) {
        struct fold_due *due = &replicator->folds[replicator->fold_count++];
        *due = (struct fold_due){ .since_ms = replicator_now_ms() };
        memcpy(due->node, node, strlen(node) + 1);
    }
    if (!replicator->closing && !uv_is_active((uv_handle_t *)&replicator->fold))
        uv_timer_start(&replicator->fold, fold_run, FOLD_TICK_MS, FOLD_TICK_MS);
}

void lane_answer(struct replicator *replicator)
{
    pthread_mutex_lock(&replicator->lock);
    struct intake *intake = replicator->done_first;
    replicator->done_first = NULL;
    replicator->done_last = &replicator->done_first;
    pthread_mutex_unlock(&replicator->lock);
    while (intake) {
        struct intake *next = intake->done_next;
        struct lane *lane = intake->lane;
        require(lane->first == intake); /* one log's jobs come back in order */
        answer(intake);
        session_count(replicator, intake->link, -1);
        if (intake->type == EFFECT_STORE_PACKAGE && intake->result.err == OK && !intake->branch &&
            strcmp(lane->log.node, replicator->options.config->node) != 0)
            fold_later(replicator, lane->log.node);
        lane->first = intake->next;
        if (!lane->first)
            lane->last = &lane->first;
        intake_free(intake);
        lane_release(lane);
        replicator->under_way--;
        intake = next;
    }
}
