/* GET /v1/status: everything an operator looks at first, in one object. */
#include "node/api/api_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <time.h>

static json_t *time_json(int64_t ms)
{
    char text[40], whole[48];
    struct tm utc;
    time_t seconds = (time_t)(ms / 1000);
    if (ms <= 0)
        return json_null();
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    snprintf(whole, sizeof whole, "%s.%03dZ", text, (int)(ms % 1000));
    return json_string(whole);
}

static json_t *root_json(const struct hash *root)
{
    char hex[2 * HASH_SIZE + 1];
    hex_encode(hex, BYTES_OF_ARRAY(root->bytes));
    return json_string(hex);
}

/* "HUB_ROLLBACK" as the words of the API: "hub-rollback". */
static json_t *kind_json(const char *kind)
{
    char word[32];
    size_t i;
    for (i = 0; kind[i] && i + 1 < sizeof word; i++)
        word[i] = kind[i] == '_' ? '-' : (char)tolower((unsigned char)kind[i]);
    word[i] = '\0';
    return json_string(word);
}

static json_t *log_json(const struct log_status *log)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(&log->id, origin);
    json_t *json = json_pack("{s:s, s:I, s:o, s:b, s:b, s:b}", "log", origin, "size",
                             (json_int_t)log->size, "root", root_json(&log->root), "own", log->own,
                             "live", log->live, "frozen", log->frozen);
    if (log->own)
        json_object_set_new(json, "national_size", json_integer((json_int_t)log->national_size));
    else
        json_object_set_new(json, "receipted_size", json_integer((json_int_t)log->cosigned_size));
    return json;
}

static json_t *peer_json(const struct peer_status *peer)
{
    return json_pack("{s:s, s:s, s:b, s:o, s:I, s:f, s:I, s:I, s:I, s:I, s:s*}", "node",
                     peer->node, "role", peer->role == ROLE_HUB ? "hub" : "province", "connected",
                     peer->connected, "since", time_json(peer->since_ms), "lag_records",
                     (json_int_t)peer->lag_records, "lag_seconds", (double)peer->lag_ms / 1000.0,
                     "bytes_sent", (json_int_t)peer->bytes_sent, "bytes_received",
                     (json_int_t)peer->bytes_received, "connects", (json_int_t)peer->connects,
                     "refusals", (json_int_t)peer->refusals, "last_error",
                     peer->last_error[0] ? peer->last_error : NULL);
}

/* Days that the disk lasts at the average rate of this store's life; -1 while it is too young to
 * say (less than an hour, or less than a megabyte). */
double api_autonomy_days(const struct engine_status *engine, int64_t born_ms)
{
    double used = (double)(engine->log_space.used_size + engine->views_space.used_size);
    double age_days = (double)(wall_ms() - born_ms) / 86400e3;
    if (born_ms == 0 || age_days * 24 < 1 || used < 1e6)
        return -1;
    return (double)engine->log_space.available_size / (used / age_days);
}

static json_t *space_json(const struct engine_status *engine, int64_t born_ms)
{
    double days = api_autonomy_days(engine, born_ms);
    return json_pack("{s:I, s:I, s:I, s:b, s:o}", "log_bytes",
                     (json_int_t)engine->log_space.used_size, "views_bytes",
                     (json_int_t)engine->views_space.used_size, "available_bytes",
                     (json_int_t)engine->log_space.available_size, "intake_refused",
                     engine->intake_refused, "autonomy_days",
                     days < 0 ? json_null() : json_real(days));
}

/* null: none is configured. */
static json_t *journal_json(const struct journal_status *journal)
{
    if (journal->state == JOURNAL_NONE)
        return json_null();
    return json_pack("{s:s, s:s, s:I, s:I, s:b, s:b, s:I, s:I, s:I, s:s?}", "state",
                     journal->state == JOURNAL_GOOD ? "good" : "lost", "path", journal->path,
                     "bytes", (json_int_t)journal->size, "segments",
                     (json_int_t)journal->segments, "same_device", journal->same_device, "full",
                     journal->full, "rebuilt", (json_int_t)journal->rebuilt, "waiting",
                     (json_int_t)journal->waiting, "lost", (json_int_t)journal->lost, "problem",
                     journal->state == JOURNAL_LOST ? journal->problem : NULL);
}

/* The author's time of the oldest record: when this store's life began. */
static enum err take_time(void *context, uint64_t position, const struct record *record,
                          const struct record_header *header, const struct hash *leaf)
{
    int64_t *born_ms = context;
    (void)position;
    (void)record;
    (void)leaf;
    *born_ms = header->time_ms;
    return ERR_END;
}

int64_t api_born_ms(struct api *api)
{
    int64_t born_ms = 0;
    struct log_store *logs = engine_logs(api->options.engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    if (log_count(logs, &txn) > 0)
        (void)log_scan(logs, &txn, 0, 0, 1, false, take_time, &born_ms);
    store_abort(&txn);
    return born_ms;
}

/* ---- views: what is folded, in the order in which it is ------------------------------------ */

enum { APPLIED_MAX = 1024 };

/* The live log is folded as it is written, through the memory table: what is durable is applied. */
static void add_live(struct api *api, struct log_head *heads, size_t *count)
{
    struct engine_status status;
    engine_status(api->options.engine, &status);
    if (*count > 0 && log_id_equal(&heads[*count - 1].log, &status.live.log))
        heads[*count - 1] = status.live;
    else if (status.live.size > 0 && *count < APPLIED_MAX)
        heads[(*count)++] = status.live;
}

static void add_view(struct api *api, const char *node, struct log_head *heads, json_t *list)
{
    size_t count = 0;
    if (views_applied(engine_views(api->options.engine), node, heads, APPLIED_MAX, &count) != OK)
        return;
    if (node == api->options.config->node)
        add_live(api, heads, &count);
    json_t *applied = json_array();
    for (size_t i = 0; i < count; i++) {
        char origin[LOG_ORIGIN_SIZE_MAX + 1];
        log_id_origin(&heads[i].log, origin);
        json_array_append_new(applied, json_pack("{s:s, s:I}", "log", origin, "size",
                                                 (json_int_t)heads[i].size));
    }
    json_array_append_new(list, json_pack("{s:s, s:o}", "node", node, "applied", applied));
}

static json_t *views_json(struct api *api)
{
    const struct config *config = api->options.config;
    json_t *list = json_array();
    struct log_head *heads = calloc(APPLIED_MAX, sizeof *heads);
    if (!heads)
        return list;
    add_view(api, config->node, heads, list);
    for (size_t i = 0; i < config->province_count; i++)
        add_view(api, config->provinces[i].name, heads, list);
    for (size_t i = 0; i < config->hub_count; i++)
        add_view(api, config->hubs[i].name, heads, list);
    free(heads);
    return list;
}

/* What replication tells may be a moment old; who has just registered something must see it. */
static void take_live(struct replication_status *replication, const struct log_head *live)
{
    size_t i = 0;
    while (i < replication->log_count && !log_id_equal(&replication->logs[i].id, &live->log))
        i++;
    if (i == STATUS_LOG_MAX || live->size == 0)
        return;
    if (i == replication->log_count)
        replication->logs[replication->log_count++] =
            (struct log_status){ .id = live->log, .own = true, .live = true };
    if (replication->logs[i].size < live->size) {
        replication->logs[i].size = live->size;
        replication->logs[i].root = live->root;
    }
}

void api_status(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    struct engine_status engine;
    struct replication_status *replication = calloc(1, sizeof *replication);
    if (!replication) {
        api_answer_err(exchange, ERR_NOMEM);
        return;
    }
    engine_status(api->options.engine, &engine);
    api->options.replication_status(api->options.context, replication);
    json_t *logs = json_array(), *peers = json_array(), *alarms = json_array();
    take_live(replication, &engine.live);
    for (size_t i = 0; i < replication->log_count; i++)
        json_array_append_new(logs, log_json(&replication->logs[i]));
    for (size_t i = 0; i < replication->peer_count; i++)
        json_array_append_new(peers, peer_json(&replication->peers[i]));
    for (size_t i = 0; i < replication->alarm_count; i++)
        json_array_append_new(alarms,
                              json_pack("{s:o, s:s, s:s, s:o}", "kind",
                                        kind_json(replication->alarms[i].kind), "subject",
                                        replication->alarms[i].subject, "detail",
                                        replication->alarms[i].detail, "since",
                                        time_json(replication->alarms[i].since_ms)));
    const struct config *config = api->options.config;
    api_answer_json(
        exchange, 200,
        json_pack("{s:s, s:s, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
                  "node", config->node, "role", config->role == ROLE_HUB ? "hub" : "province",
                  "ready", atomic_load(&api->ready), "time", time_json(wall_ms()), "started",
                  time_json(api->started_ms), "queue", (json_int_t)engine.queue_length, "groups",
                  (json_int_t)engine.groups, "records", (json_int_t)engine.records, "missing",
                  (json_int_t)engine.missing, "space", space_json(&engine, api_born_ms(api)),
                  "journal", journal_json(&engine.journal), "logs", logs, "peers", peers, "views",
                  views_json(api), "alarms", alarms));
    free(replication);
}
