/* GET /metrics: Prometheus text format 0.0.4. */
#include "node/api/api_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void add(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct buffer *out, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_append_string(out, line);
}

static void family(struct buffer *out, const char *name, const char *type, const char *help)
{
    add(out, "# HELP samad_%s %s\n# TYPE samad_%s %s\n", name, help, name, type);
}

static void single(struct buffer *out, const char *name, const char *type, const char *help,
                   double value)
{
    family(out, name, type, help);
    add(out, "samad_%s %.17g\n", name, value);
}

static void add_engine(struct buffer *out, const struct api *api, const struct engine_status *engine)
{
    single(out, "ready", "gauge", "1 when the node takes requests.", atomic_load(&api->ready));
    single(out, "records_total", "counter", "Records committed since start.",
           (double)engine->records);
    single(out, "groups_total", "counter", "Group commits since start.", (double)engine->groups);
    single(out, "queue_length", "gauge", "Commands waiting to be decided.",
           (double)engine->queue_length);
    single(out, "memory_table_bytes", "gauge", "View changes not yet flushed.",
           (double)engine->memory_size);
    single(out, "log_bytes", "gauge", "Bytes in use in the log store.",
           (double)engine->log_space.used_size);
    single(out, "views_bytes", "gauge", "Bytes in use in the views store.",
           (double)engine->views_space.used_size);
    single(out, "available_bytes", "gauge", "Bytes the log store can still grow by.",
           (double)engine->log_space.available_size);
    single(out, "intake_refused", "gauge", "1 while new requests are refused for want of space.",
           engine->intake_refused);
    single(out, "records_missing", "gauge",
           "Records of this node that it knows of and cannot answer from; 0 is whole.",
           (double)engine->missing);
    if (engine->journal.state == JOURNAL_NONE)
        return;
    single(out, "journal_good", "gauge",
           "1 while what is acknowledged is also in the journal, 0 when that is lost.",
           engine->journal.state == JOURNAL_GOOD);
    single(out, "journal_bytes", "gauge", "Bytes of the journal's segments.",
           (double)engine->journal.size);
}

static void add_api(struct buffer *out, struct api *api)
{
    single(out, "requests_registered_total", "counter", "Requests registered since start.",
           (double)atomic_load(&api->registered));
    single(out, "requests_duplicate_total", "counter", "Repeated idempotency keys since start.",
           (double)atomic_load(&api->duplicates));
    single(out, "requests_refused_total", "counter", "Requests refused for their content.",
           (double)atomic_load(&api->refused));
    single(out, "requests_refused_full_total", "counter", "Requests refused for want of space.",
           (double)atomic_load(&api->refused_full));
    single(out, "lookups_total", "counter", "Look-ups by code and second factor.",
           (double)atomic_load(&api->lookups));
    single(out, "lookups_refused_total", "counter", "Look-ups with a wrong second factor.",
           (double)atomic_load(&api->lookups_refused));
    single(out, "http_connections", "gauge", "Open HTTP connections.",
           (double)http_server_connections(api->server));
}

static void add_replication(struct buffer *out, const struct replication_status *status)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    family(out, "peer_connected", "gauge", "1 while the link to the peer is up.");
    for (size_t i = 0; i < status->peer_count; i++)
        add(out, "samad_peer_connected{peer=\"%s\"} %d\n", status->peers[i].node,
            status->peers[i].connected);
    family(out, "peer_lag_records", "gauge", "Records not yet covered by the peer's receipt.");
    for (size_t i = 0; i < status->peer_count; i++)
        add(out, "samad_peer_lag_records{peer=\"%s\"} %" PRIu64 "\n", status->peers[i].node,
            status->peers[i].lag_records);
    family(out, "peer_lag_seconds", "gauge", "Age of the oldest such record.");
    for (size_t i = 0; i < status->peer_count; i++)
        add(out, "samad_peer_lag_seconds{peer=\"%s\"} %.3f\n", status->peers[i].node,
            (double)status->peers[i].lag_ms / 1000.0);
    family(out, "log_size", "gauge", "Records held of a log.");
    for (size_t i = 0; i < status->log_count; i++) {
        log_id_origin(&status->logs[i].id, origin);
        add(out, "samad_log_size{log=\"%s\"} %" PRIu64 "\n", origin, status->logs[i].size);
    }
    family(out, "alarms", "gauge", "Alarms that stand.");
    add(out, "samad_alarms %zu\n", status->alarm_count);
}

void api_metrics(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    struct buffer out = { 0 };
    struct engine_status engine;
    struct replication_status *replication = calloc(1, sizeof *replication);
    if (!replication) {
        api_answer_err(exchange, ERR_NOMEM);
        return;
    }
    engine_status(api->options.engine, &engine);
    api->options.replication_status(api->options.context, replication);
    add_engine(&out, api, &engine);
    add_api(&out, api);
    add_replication(&out, replication);
    if (out.err == OK)
        http_answer(exchange, 200, "text/plain; version=0.0.4", buffer_bytes(&out));
    else
        api_answer_err(exchange, ERR_NOMEM);
    buffer_close(&out);
    free(replication);
}
