/* What replication tells about itself: a copy made on the loop thread when something has changed, at
 * most ten times a second, and handed out under the lock. */
#include "node/transport/replicator_private.h"

#include "node/runtime/log.h"
#include "node/transport/alarms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer_note *status_peer(struct replicator *replicator, const char *node)
{
    for (size_t i = 0; i < replicator->peer_count; i++)
        if (strcmp(replicator->peers[i].node, node) == 0)
            return &replicator->peers[i];
    return NULL;
}

void status_touch(struct replicator *replicator)
{
    if (!replicator->closing && !uv_is_active((uv_handle_t *)&replicator->refresh))
        uv_timer_start(&replicator->refresh, status_refresh, STATUS_REFRESH_MS, 0);
}

/* ---- alarms ---- */

static void alarm_detail(const struct effect_alarm *alarm, char out[128])
{
    switch (alarm->alarm) {
    case ALARM_FORK:
        snprintf(out, 128, "two histories: held to %llu, another shown to %llu by %s",
                 (unsigned long long)alarm->held, (unsigned long long)alarm->seen, alarm->node);
        break;
    case ALARM_ROLLBACK:
    case ALARM_HUB_ROLLBACK:
        snprintf(out, 128, "%s holds %llu records, %llu are known of", alarm->node,
                 (unsigned long long)alarm->seen, (unsigned long long)alarm->held);
        break;
    case ALARM_BAD_DATA:
    case ALARM_UNREADABLE:
        snprintf(out, 128, "%s: %s", alarm->node, err_name((enum err)alarm->seen));
        break;
    default:
        snprintf(out, 128, "%s: held %llu, seen %llu", alarm->node,
                 (unsigned long long)alarm->held, (unsigned long long)alarm->seen);
    }
}

/* What is lost or contested comes before what is repaired, and that before what is only refused. */
static unsigned alarm_severity(enum alarm alarm)
{
    switch (alarm) {
    case ALARM_FORK_PROVEN:
    case ALARM_FORK:
    case ALARM_TWO_WRITERS:
    case ALARM_UNREADABLE:
        return 4;
    case ALARM_IDENTITY:
    case ALARM_BAD_DATA:
        return 3;
    case ALARM_HUB_ROLLBACK:
    case ALARM_ROLLBACK:
        return 2;
    case ALARM_REFUSED:
    case ALARM_VERSION:
    case ALARM_LIMIT:
        return 1;
    }
    return 0;
}

void status_alarm(struct replicator *replicator, const struct effect_alarm *alarm)
{
    struct alarm_status entry = { .since_ms = replicator_wall_ms(),
                                  .severity = alarm_severity(alarm->alarm) };
    char subject[LOG_ORIGIN_SIZE_MAX + 1];
    snprintf(entry.kind, sizeof entry.kind, "%s", alarm_name(alarm->alarm));
    for (char *at = entry.kind; *at; at++) /* the words of status.h are with dashes */
        *at = *at == '_' ? '-' : *at;
    if (alarm->has_log)
        log_id_origin(&alarm->log, subject);
    else
        snprintf(subject, sizeof subject, "%s", alarm->node);
    memcpy(entry.subject, subject, sizeof subject);
    snprintf(entry.peer, sizeof entry.peer, "%s", alarm->node);
    alarm_detail(alarm, entry.detail);
    log_event(LOG_EVENT_WARNING, "alarm", "kind", entry.kind, "subject", entry.subject, "peer",
              alarm->node, "detail", entry.detail, NULL);
    pthread_mutex_lock(&replicator->lock);
    alarms_add(&replicator->status, &entry);
    pthread_mutex_unlock(&replicator->lock);
}

/* ---- logs ---- */

/* The root of the first `size` records. The store may hold more already: a group that the journal has
 * not confirmed, or of which the core is yet to hear, is not told of. */
static enum err root_in_store(struct replicator *replicator, struct store_txn *txn,
                              const struct log_id *log, uint64_t size, struct hash *root)
{
    struct log_store *logs = engine_logs(replicator->options.engine);
    struct log_source source = { .logs = logs, .txn = txn };
    struct merkle_frontier frontier = { 0 };
    enum err err = log_find(logs, txn, log, &source.number);
    if (err == OK)
        err = log_frontier(logs, txn, source.number, &frontier);
    if (err != OK)
        return err;
    if (frontier.size != size) {
        struct merkle_source tree = log_merkle_source(&source);
        return merkle_root(&tree, size, root);
    }
    merkle_frontier_root(&frontier, root);
    return OK;
}

/* The root of what is held, made anew only when the log has grown. `index` is the log's place in
 * the core's order, which only shifts when logs come. */
static void root_of(struct replicator *replicator, struct store_txn *txn, size_t index,
                    const struct core_log_status *log, struct hash *root)
{
    struct root_note *note = &replicator->roots[index];
    if (!log_id_equal(&note->log, &log->log) || note->size != log->held.size) {
        struct root_note made = { .log = log->log, .size = log->held.size };
        if (root_in_store(replicator, txn, &made.log, made.size, &made.root) != OK)
            return;
        *note = made;
    }
    *root = note->root;
}

static bool roots_grow(struct replicator *replicator, size_t count)
{
    if (count <= replicator->root_count)
        return true;
    struct root_note *grown = realloc(replicator->roots, count * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + replicator->root_count, 0, (count - replicator->root_count) * sizeof *grown);
    replicator->roots = grown;
    replicator->root_count = count;
    return true;
}

static size_t fill_logs(struct replicator *replicator, struct store_txn *txn,
                        struct log_status *logs)
{
    size_t count = core_log_count(replicator->core);
    if (count > STATUS_LOG_MAX)
        count = STATUS_LOG_MAX;
    if (!roots_grow(replicator, count))
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct core_log_status log;
        core_log_status(replicator->core, i, &log);
        logs[i] = (struct log_status){ .id = log.log,
                                       .size = log.held.size,
                                       .own = log.own,
                                       .live = log.live,
                                       .frozen = log.frozen,
                                       .cosigned_size = log.cosigned };
        root_of(replicator, txn, i, &log, &logs[i].root);
        if (log.own)
            logs[i].national_size = core_national_size(
                replicator->core, &log.log, replicator->options.config->national_receipts);
    }
    return count;
}

/* ---- peers ---- */

static enum err on_oldest(void *context, uint64_t position, const struct record *record,
                          const struct record_header *header, const struct hash *leaf)
{
    (void)position;
    (void)record;
    (void)leaf;
    *(int64_t *)context = header->time_ms;
    return ERR_END;
}

/* When the author wrote the record at `position`; 0 when it cannot be read. */
static int64_t time_of(struct replicator *replicator, struct store_txn *txn,
                       const struct log_id *log, uint64_t position)
{
    struct log_store *logs = engine_logs(replicator->options.engine);
    uint32_t number;
    int64_t time_ms = 0;
    if (log_find(logs, txn, log, &number) == OK)
        (void)log_scan(logs, txn, number, position, 1, false, on_oldest, &time_ms);
    return time_ms;
}

/* What a hub has not given receipts for, of the logs this node writes; and the oldest of it. */
static void fill_hub(struct replicator *replicator, struct store_txn *txn, size_t hub,
                     struct peer_status *peer, int64_t *oldest_ms)
{
    for (size_t i = 0; i < core_log_count(replicator->core); i++) {
        struct core_log_status log;
        core_log_status(replicator->core, i, &log);
        if (!log.own || log.held.size <= log.receipts[hub])
            continue;
        peer->lag_records += log.held.size - log.receipts[hub];
        int64_t time_ms = time_of(replicator, txn, &log.log, log.receipts[hub]);
        if (time_ms > 0 && (*oldest_ms == 0 || time_ms < *oldest_ms))
            *oldest_ms = time_ms;
    }
}

static void fill_peer(struct replicator *replicator, struct store_txn *txn, size_t index,
                      struct peer_status *peer, int64_t *oldest_ms)
{
    const struct peer_note *note = &replicator->peers[index];
    *peer = (struct peer_status){ .role = note->role,
                                  .connected = note->connected,
                                  .since_ms = note->since_ms,
                                  .bytes_sent = note->bytes_sent,
                                  .bytes_received = note->bytes_received,
                                  .connects = note->connects,
                                  .refusals = note->refusals };
    memcpy(peer->node, note->node, sizeof peer->node);
    memcpy(peer->last_error, note->last_error, sizeof peer->last_error);
    for (const struct session *session = replicator->sessions; session; session = session->next)
        if (session->link && strcmp(session->node, note->node) == 0) {
            peer->bytes_sent += link_bytes_sent(session->link);
            peer->bytes_received += link_bytes_received(session->link);
        }
    *oldest_ms = 0;
    for (size_t hub = 0; hub < replicator->hub_count; hub++)
        if (strcmp(replicator->hubs[hub], note->node) == 0 &&
            replicator->options.config->role == ROLE_PROVINCE)
            fill_hub(replicator, txn, hub, peer, oldest_ms);
    struct core_peer_status core;
    core_peer_status(replicator->core, index, &core);
    if (note->role == ROLE_PROVINCE)
        peer->lag_records = core.missing;
}

void status_refresh(uv_timer_t *timer)
{
    struct replicator *replicator = timer->data;
    struct replication_status *fresh = malloc(sizeof *fresh); /* most of it is never used */
    int64_t oldest_ms[STATUS_PEER_MAX] = { 0 };
    if (!fresh)
        return;
    struct store_txn txn =
        store_begin_read(log_store_environment(engine_logs(replicator->options.engine)));
    fresh->log_count = fill_logs(replicator, &txn, fresh->logs);
    fresh->peer_count =
        replicator->peer_count < STATUS_PEER_MAX ? replicator->peer_count : STATUS_PEER_MAX;
    for (size_t i = 0; i < fresh->peer_count; i++)
        fill_peer(replicator, &txn, i, &fresh->peers[i], &oldest_ms[i]);
    store_abort(&txn);
    pthread_mutex_lock(&replicator->lock);
    replicator->status.log_count = fresh->log_count;
    replicator->status.peer_count = fresh->peer_count;
    memcpy(replicator->status.logs, fresh->logs, fresh->log_count * sizeof *fresh->logs);
    memcpy(replicator->status.peers, fresh->peers, fresh->peer_count * sizeof *fresh->peers);
    memcpy(replicator->oldest_ms, oldest_ms, sizeof oldest_ms);
    pthread_mutex_unlock(&replicator->lock);
    free(fresh);
}

/* The live log as the engine has it now: who has just been answered finds his record counted. */
static void newest_live(struct replicator *replicator, struct replication_status *status)
{
    struct engine_status engine;
    engine_status(replicator->options.engine, &engine);
    for (size_t i = 0; i < status->log_count; i++) {
        struct log_status *log = &status->logs[i];
        if (log->live && log_id_equal(&log->id, &engine.live.log) && engine.live.size > log->size) {
            log->size = engine.live.size;
            log->root = engine.live.root;
        }
    }
}

void replicator_status(struct replicator *replicator, struct replication_status *status)
{
    int64_t now_ms = replicator_wall_ms();
    pthread_mutex_lock(&replicator->lock);
    const struct replication_status *known = &replicator->status;
    status->peer_count = known->peer_count;
    status->log_count = known->log_count;
    status->alarm_count = known->alarm_count;
    memcpy(status->peers, known->peers, known->peer_count * sizeof *known->peers);
    memcpy(status->logs, known->logs, known->log_count * sizeof *known->logs);
    memcpy(status->alarms, known->alarms, known->alarm_count * sizeof *known->alarms);
    for (size_t i = 0; i < status->peer_count; i++)
        if (replicator->oldest_ms[i] > 0 && now_ms > replicator->oldest_ms[i])
            status->peers[i].lag_ms = now_ms - replicator->oldest_ms[i];
    pthread_mutex_unlock(&replicator->lock);
    newest_live(replicator, status);
}

uint64_t replicator_national_size(struct replicator *replicator, const struct log_id *log)
{
    uint64_t size = 0;
    pthread_mutex_lock(&replicator->lock);
    const struct replication_status *known = &replicator->status;
    for (size_t i = 0; i < known->log_count; i++)
        if (log_id_equal(&known->logs[i].id, log))
            size = known->logs[i].national_size;
    pthread_mutex_unlock(&replicator->lock);
    return size;
}
