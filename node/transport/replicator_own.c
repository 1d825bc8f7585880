/* What the core is told of this node's own logs: the live one, which grows group by group, and
 * others that the engine put back from its journal; and what verification found of any. */
#include "node/transport/replicator_private.h"

#include "node/runtime/log.h"

#include <stdlib.h>

/* ---- from the log thread ---- */

void replicator_advanced(struct replicator *replicator, const struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&replicator->lock);
    if (replicator->deaf) {
        pthread_mutex_unlock(&replicator->lock);
        return;
    }
    struct own_news *own = &replicator->own;
    struct own_log *last = own->grown_count > 0 ? &own->grown[own->grown_count - 1] : NULL;
    if (last && log_id_equal(&last->log, &checkpoint->log))
        last->size = checkpoint->size;
    else if (own->grown_count < OWN_LOG_MAX)
        own->grown[own->grown_count++] =
            (struct own_log){ .log = checkpoint->log, .size = checkpoint->size };
    else /* the loop sleeps through a storm of incarnations: the last one counts */
        *last = (struct own_log){ .log = checkpoint->log, .size = checkpoint->size };
    uv_async_send(&replicator->wake);
    pthread_mutex_unlock(&replicator->lock);
}

/* What is held is looked at here, because this thread alone stores: the loop then hears of it in
 * the order in which it came to be. */
void replicator_put_back(struct replicator *replicator, const struct log_id *log)
{
    struct put_back *put_back = calloc(1, sizeof *put_back);
    enum err err = put_back ? replica_held(replicator->replica, log, &put_back->held) : ERR_NOMEM;
    if (err != OK) {
        put_back_free(put_back);
        replicator->options.failed(replicator->options.context, err, "a log that was put back");
        return;
    }
    put_back->log = *log;
    pthread_mutex_lock(&replicator->lock);
    if (replicator->deaf) {
        put_back_free(put_back);
    } else {
        *replicator->own.put_back_last = put_back;
        replicator->own.put_back_last = &put_back->next;
        uv_async_send(&replicator->wake);
    }
    pthread_mutex_unlock(&replicator->lock);
}

/* ---- from the verifier ---- */

void replicator_damaged(struct replicator *replicator, uint32_t number, uint64_t position)
{
    struct damage damage;
    if (replica_damage(replicator->replica, number, position, &damage.log, &damage.first,
                       &damage.end) != OK)
        return; /* more than records: a start finds that, or a person */
    pthread_mutex_lock(&replicator->lock);
    struct own_news *own = &replicator->own;
    if (!replicator->deaf && own->damage_count < DAMAGE_MAX) {
        own->damages[own->damage_count++] = damage;
        uv_async_send(&replicator->wake);
    }
    pthread_mutex_unlock(&replicator->lock);
}

void own_news_take(struct replicator *replicator, struct own_news *news)
{
    *news = replicator->own;
    replicator->own.grown_count = 0;
    replicator->own.put_back_first = NULL;
    replicator->own.put_back_last = &replicator->own.put_back_first;
    replicator->own.damage_count = 0;
}

/* ---- on the loop ---- */

static void close_live(struct replicator *replicator)
{
    struct event event = { .type = EVENT_LOG_CLOSED, .own_log = { .log = replicator->live } };
    if (replicator->has_live)
        replicator_step(replicator, &event);
}

static void open_live(struct replicator *replicator, const struct own_log *own)
{
    struct log_store *logs = engine_logs(replicator->options.engine);
    struct event event = { .type = EVENT_LOG_OPENED,
                           .own_log = { .log = own->log, .size = own->size } };
    struct log_head *parents = calloc(INCARNATION_PARENT_MAX, sizeof *parents);
    uint32_t number;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = parents ? log_find(logs, &txn, &own->log, &number) : ERR_NOMEM;
    if (err == OK)
        err = log_parents(logs, &txn, number, parents, INCARNATION_PARENT_MAX,
                          &event.own_log.parent_count);
    store_abort(&txn);
    if (err != OK)
        replicator->options.failed(replicator->options.context, err, "the log just opened");
    event.own_log.parents = parents;
    replicator->live = own->log;
    replicator->has_live = true;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(&own->log, origin);
    log_event(LOG_EVENT_INFO, "log.opened", "log", origin, "parents",
              log_number((int64_t)event.own_log.parent_count), NULL);
    replicator_step(replicator, &event);
    free(parents);
}

static void own_log_grew(struct replicator *replicator, const struct own_log *own)
{
    if (replicator->has_live && log_id_equal(&replicator->live, &own->log)) {
        struct event event = { .type = EVENT_LOG_ADVANCED,
                               .own_log = { .log = own->log, .size = own->size } };
        replicator_step(replicator, &event);
    } else {
        close_live(replicator);
        open_live(replicator, own);
    }
}

void own_news_grown(struct replicator *replicator, const struct own_news *news)
{
    for (size_t i = 0; i < news->grown_count; i++)
        own_log_grew(replicator, &news->grown[i]);
}

void own_news_put_back(struct replicator *replicator, const struct own_news *news)
{
    for (const struct put_back *one = news->put_back_first; one; one = one->next) {
        struct event event = { .type = EVENT_LOG_PUT_BACK,
                               .log_put_back = { .log = one->log,
                                                 .held = one->held.cursor,
                                                 .parents = one->held.parents,
                                                 .parent_count = one->held.parent_count } };
        replicator_step(replicator, &event);
    }
    put_back_free(news->put_back_first);
}

void own_news_damaged(struct replicator *replicator, const struct own_news *news)
{
    for (size_t i = 0; i < news->damage_count; i++) {
        const struct damage *damage = &news->damages[i];
        struct event event = { .type = EVENT_LOG_DAMAGED,
                               .log_damaged = { .log = damage->log,
                                                .first = damage->first,
                                                .end = damage->end } };
        replicator_step(replicator, &event);
    }
}

void put_back_free(struct put_back *first)
{
    while (first) {
        struct put_back *next = first->next;
        replica_result_close(&first->held);
        free(first);
        first = next;
    }
}
