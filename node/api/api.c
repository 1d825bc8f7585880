#include "node/api/api_private.h"

#include "node/http/problem.h"
#include "node/runtime/log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct http_route ROUTES[] = {
    { "POST", "/v1/requests", SCOPE_REGISTER, NULL, api_register, "register a citizen's request" },
    { "GET", "/v1/requests", SCOPE_READ, "limit", api_list, "the newest requests" },
    { "GET", "/v1/requests/{}", SCOPE_PERSON, NULL, api_show, "one request with personal data" },
    { "POST", "/v1/requests/{}/erase", SCOPE_ADMIN, NULL, api_erase, "erase the personal data" },
    { "GET", "/v1/requests/{}/receipt", SCOPE_READ, NULL, api_receipt, "proof that it is recorded" },
    { "POST", "/v1/lookups", SCOPE_READ, NULL, api_lookup, "a request by code and second factor" },
    { "GET", "/v1/directory", SCOPE_READ, NULL, api_directory, "the provinces, as the hub says" },
    { "GET", "/v1/status", SCOPE_READ, NULL, api_status, "logs, peers, lag, space, alarms" },
    { "GET", "/metrics", SCOPE_READ, NULL, api_metrics, "the same for Prometheus" },
    { "GET", "/healthz", 0, NULL, api_health, "the process runs" },
    { "GET", "/readyz", 0, NULL, api_ready, "it takes requests" },
};

int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void api_answer_json(struct http_exchange *exchange, unsigned status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    if (text)
        http_answer(exchange, status, "application/json", bytes_of_string(text));
    else
        api_answer_err(exchange, ERR_NOMEM);
    free(text);
    json_decref(json);
}

static void answer_come_again(struct http_exchange *exchange, const char *code, const char *title)
{
    http_answer_header(exchange, "Retry-After", "1");
    http_answer_problem(exchange, 503, code, title,
                        "Nothing was recorded. Try again in a second, with the same "
                        "Idempotency-Key.",
                        NULL);
}

void api_answer_err(struct http_exchange *exchange, enum err err)
{
    switch (err) {
    case ERR_BUSY:
        answer_come_again(exchange, "busy", "The node is at its limit");
        break;
    case ERR_STALE:  /* the log that was being written is frozen, because a fork of it was shown */
    case ERR_EXISTS: /* the id of the new one is taken; another is drawn */
        answer_come_again(exchange, "reopening", "The node goes on in a new log");
        break;
    case ERR_FULL:
        http_answer_header(exchange, "Retry-After", "60");
        http_answer_problem(exchange, 507, "disk-full", "The node has no room for new requests",
                            "Nothing was recorded. Reading and replication go on. The operator "
                            "must free space on the data disk; intake then resumes by itself.",
                            NULL);
        break;
    case ERR_CLOSED:
        http_answer_header(exchange, "Retry-After", "5");
        http_answer_problem(exchange, 503, "stopping", "The node is stopping or starting",
                            "It is not known whether this was recorded. Try again with the same "
                            "Idempotency-Key.",
                            NULL);
        break;
    default:
        http_answer_problem(exchange, 500, "internal", "The node could not do this",
                            "It is not known whether this was recorded. Try again with the same "
                            "Idempotency-Key; the node's log says why it failed.",
                            NULL);
        log_event(LOG_EVENT_ERROR, "api.failed", "error", err_name(err), NULL);
    }
}

void api_answer_missing(struct http_exchange *exchange)
{
    http_answer_header(exchange, "Retry-After", "5");
    http_answer_problem(
        exchange, 503, "records-missing", "The node lacks records of its own",
        "It lost them with a disk, and the hubs have not handed all of them back yet. "
        "This request is not among those that are here; whether it exists is not "
        "known. Nothing was recorded. Try again when Retry-After has passed; `missing` "
        "in /v1/status says how many records are awaited.",
        NULL);
}

static void later_on_durable(struct durable_wait *wait, enum err err)
{
    struct api_later *later = (struct api_later *)wait;
    if (err == OK && later->refuse) {
        later->refuse(later->exchange);
    } else if (err == OK) {
        api_answer_json(later->exchange, later->status, later->json);
    } else {
        json_decref(later->json);
        api_answer_err(later->exchange, err);
    }
    free(later);
}

/* Takes the JSON of `what`. */
static void answer_later(struct api *api, uint64_t group, struct api_later what)
{
    struct api_later *later = calloc(1, sizeof *later);
    if (!later) {
        json_decref(what.json);
        api_answer_err(what.exchange, ERR_NOMEM);
        return;
    }
    *later = what;
    later->wait = (struct durable_wait){ .group = group, .done = later_on_durable };
    engine_when_durable(api->options.engine, &later->wait);
}

void api_answer_when_durable(struct api *api, struct http_exchange *exchange, uint64_t group,
                             unsigned status, json_t *json)
{
    answer_later(api, group,
                 (struct api_later){ .exchange = exchange, .status = status, .json = json });
}

void api_refuse_when_durable(struct api *api, struct http_exchange *exchange, uint64_t group,
                             api_refusal *refuse)
{
    answer_later(api, group, (struct api_later){ .exchange = exchange, .refuse = refuse });
}

void api_health(void *context, struct http_exchange *exchange)
{
    (void)context;
    http_answer(exchange, 200, "text/plain", bytes_of_string("ok\n"));
}

void api_ready(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    if (atomic_load(&api->ready))
        http_answer(exchange, 200, "text/plain", bytes_of_string("ready\n"));
    else
        http_answer(exchange, 503, "text/plain", bytes_of_string("not ready\n"));
}

enum err api_start(struct api **out, const struct api_options *options, struct buffer *problem)
{
    uint8_t key[16];
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return ERR_NOMEM;
    api->options = *options;
    api->started_ms = wall_ms();
    randombytes_buf(key, sizeof key);
    enum err err = guesses_new(&api->guesses, key);
    if (err == OK)
        err = http_server_start(
            &api->server,
            &(struct http_options){ .listen = options->config->api_listen,
                                    .tls_certificate = options->config->api_tls_certificate,
                                    .tls_key = options->config->api_tls_key,
                                    .connections_max = options->config->api_connections_max,
                                    .routes = ROUTES,
                                    .route_count = sizeof ROUTES / sizeof *ROUTES,
                                    .tokens = options->tokens,
                                    .context = api },
            problem);
    if (err == OK)
        *out = api;
    else
        api_stop(api);
    return err;
}

void api_stop(struct api *api)
{
    if (!api)
        return;
    http_server_stop(api->server);
    guesses_free(api->guesses);
    free(api);
}

uint16_t api_port(const struct api *api)
{
    return http_server_port(api->server);
}

void api_set_ready(struct api *api, bool ready)
{
    atomic_store(&api->ready, ready);
}
