#include "tests/sim/http.h"

#include "node/config.h"
#include "node/http/problem.h"
#include "proto/base/require.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { QUERY_MAX = 4, THREADS = 3 };

struct http_exchange {
    struct http_exchange *next, *next_queued;
    struct http_server *server;
    const struct http_route *route;
    size_t row;
    char parameter[HTTP_PATH_PARAMETER_SIZE_MAX + 1];
    struct token_info token;
    char *method, *path, *authorization, *idempotency_key;
    char *query[QUERY_MAX]; /* "limit=5", cut at the "=" */
    size_t query_count;
    uint8_t *body;
    size_t body_size;
    http_on_answer *on_answer; /* NULL: nobody listens any more */
    void *context;
};

struct http_server {
    struct http_server *next;
    char *address;
    struct http_options options;
    struct http_counters *rows;
    pthread_t threads[THREADS];
    /* Held for moments only, so that the driver may take it. */
    pthread_mutex_t lock;
    pthread_cond_t work, quiet;
    struct http_exchange *all, *queue, **queue_end;
    bool stopping, cut;
};

static struct http_server *servers;

static struct http_server *server_find(const char *address)
{
    struct http_server *server = servers;
    while (server && strcmp(server->address, address) != 0)
        server = server->next;
    return server;
}

/* ---- exchanges ------------------------------------------------------------------------------- */

static void exchange_free(struct http_exchange *exchange)
{
    for (size_t i = 0; i < exchange->query_count; i++)
        free(exchange->query[i]);
    free(exchange->method);
    free(exchange->path);
    free(exchange->authorization);
    free(exchange->idempotency_key);
    free(exchange->body);
    free(exchange);
}

static char *copy_of(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    require(!text || copy);
    return copy;
}

static void read_query(struct http_exchange *exchange)
{
    char *rest = strchr(exchange->path, '?');
    if (!rest)
        return;
    *rest++ = '\0';
    while (rest && exchange->query_count < QUERY_MAX) {
        char *next = strchr(rest, '&');
        if (next)
            *next++ = '\0';
        char *value = strchr(rest, '=');
        size_t at = value ? (size_t)(value - rest) : strlen(rest);
        char *pair = calloc(1, strlen(rest) + 2);
        require(pair != NULL);
        memcpy(pair, rest, strlen(rest));
        pair[at] = '\0'; /* name, 0, value, 0 */
        exchange->query[exchange->query_count++] = pair;
        rest = next;
    }
}

static struct http_exchange *exchange_new(const struct http_call *call, http_on_answer *on_answer,
                                          void *context)
{
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->method = copy_of(call->method);
    exchange->path = copy_of(call->path);
    exchange->authorization = copy_of(call->token);
    exchange->idempotency_key = copy_of(call->idempotency_key);
    exchange->body = malloc(call->body.size + 1);
    require(exchange->body != NULL);
    if (call->body.size > 0)
        memcpy(exchange->body, call->body.data, call->body.size);
    exchange->body_size = call->body.size;
    exchange->on_answer = on_answer;
    exchange->context = context;
    read_query(exchange);
    return exchange;
}

struct bytes http_body(const struct http_exchange *exchange)
{
    return bytes_of(exchange->body, exchange->body_size);
}

const char *http_parameter(const struct http_exchange *exchange)
{
    return exchange->parameter;
}

const char *http_header(const struct http_exchange *exchange, const char *name)
{
    if (strcasecmp(name, "Idempotency-Key") == 0)
        return exchange->idempotency_key;
    return strcasecmp(name, "Content-Type") == 0 ? "application/json" : NULL;
}

const char *http_query(const struct http_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->query_count; i++)
        if (strcmp(exchange->query[i], name) == 0)
            return exchange->query[i] + strlen(name) + 1;
    return NULL;
}

const struct token_info *http_token(const struct http_exchange *exchange)
{
    return &exchange->token;
}

bool http_is_json(const struct http_exchange *exchange)
{
    (void)exchange;
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void exchange_remove(struct http_exchange *exchange, unsigned status)
{
    struct http_server *server = exchange->server;
    pthread_mutex_lock(&server->lock);
    server->rows[exchange->row].answers[status / 100 % 6]++;
    struct http_exchange **at = &server->all;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    bool quiet = server->all == NULL;
    pthread_mutex_unlock(&server->lock);
    if (quiet)
        pthread_cond_broadcast(&server->quiet);
}

void http_answer(struct http_exchange *exchange, unsigned status, const char *content_type,
                 struct bytes content)
{
    (void)content_type;
    if (exchange->on_answer)
        exchange->on_answer(exchange->context, status, content);
    exchange->on_answer = NULL;
    exchange_remove(exchange, status);
    exchange_free(exchange);
}

void http_answer_header(struct http_exchange *exchange, const char *name, const char *value)
{
    (void)exchange; /* no client of the simulation reads one */
    (void)name;
    (void)value;
}

/* ---- requests, on the server's thread --------------------------------------------------------- */

static bool path_matches(const char *pattern, const char *path, char *parameter)
{
    const char *hole = strstr(pattern, "{}");
    size_t before = hole ? (size_t)(hole - pattern) : strlen(pattern);
    parameter[0] = '\0';
    if (!hole)
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t size = strcspn(path + before, "/");
    if (size == 0 || size > HTTP_PATH_PARAMETER_SIZE_MAX ||
        strcmp(hole + 2, path + before + size) != 0)
        return false;
    memcpy(parameter, path + before, size);
    parameter[size] = '\0';
    return true;
}

static unsigned find_route(struct http_exchange *exchange)
{
    const struct http_options *options = &exchange->server->options;
    unsigned refusal = 404;
    exchange->row = options->route_count;
    for (size_t i = 0; i < options->route_count; i++) {
        if (!path_matches(options->routes[i].path, exchange->path, exchange->parameter))
            continue;
        refusal = 405;
        if (strcmp(options->routes[i].method, exchange->method) != 0)
            continue;
        exchange->route = &options->routes[i];
        exchange->row = i;
        return 0;
    }
    return refusal;
}

static unsigned judge(struct http_exchange *exchange)
{
    unsigned refusal = find_route(exchange);
    if (refusal == 0 && exchange->route->scopes != 0) {
        if (!exchange->authorization ||
            tokens_check(exchange->server->options.tokens, bytes_of_string(exchange->authorization),
                         time(NULL), &exchange->token) != OK)
            refusal = 401;
        else if (!(exchange->token.scopes & exchange->route->scopes))
            refusal = 403;
    }
    return refusal == 0 && exchange->body_size > HTTP_BODY_SIZE_MAX ? 413 : refusal;
}

static void serve(struct http_exchange *exchange)
{
    unsigned refusal = judge(exchange);
    if (refusal != 0)
        http_answer_problem(exchange, refusal, "refused", "Refused before the handler", "", NULL);
    else
        exchange->route->handler(exchange->server->options.context, exchange);
}

static struct http_exchange *take(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (!server->queue && !server->stopping)
        pthread_cond_wait(&server->work, &server->lock);
    struct http_exchange *exchange = server->queue;
    if (exchange && !(server->queue = exchange->next_queued))
        server->queue_end = &server->queue;
    pthread_mutex_unlock(&server->lock);
    return exchange;
}

static void *server_main(void *argument)
{
    struct http_exchange *exchange;
    while ((exchange = take(argument)) != NULL)
        serve(exchange);
    return NULL;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void server_forget(struct http_server *server)
{
    struct http_server **at = &servers;
    while (*at && *at != server)
        at = &(*at)->next;
    if (*at)
        *at = server->next;
}

static void server_free(struct http_server *server)
{
    server_forget(server);
    pthread_cond_destroy(&server->quiet);
    pthread_cond_destroy(&server->work);
    pthread_mutex_destroy(&server->lock);
    free(server->rows);
    free(server->address);
    free(server);
}

enum err http_server_start(struct http_server **out, const struct http_options *options,
                           struct buffer *problem)
{
    struct http_server *before = server_find(options->listen);
    if (before && before->cut) { /* of a process that is dead */
        http_killed(options->listen);
        before = NULL;
    }
    if (before) {
        buffer_append_string(problem, options->listen);
        buffer_append_string(problem, ": cannot listen here (is the address in use?)");
        return ERR_IO;
    }
    struct http_server *server = calloc(1, sizeof *server);
    require(server != NULL);
    server->address = copy_of(options->listen);
    server->options = *options;
    server->rows = calloc(options->route_count + 1, sizeof *server->rows);
    require(server->rows != NULL);
    server->queue_end = &server->queue;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->work, NULL);
    pthread_cond_init(&server->quiet, NULL);
    server->next = servers;
    servers = server;
    for (unsigned i = 0; i < THREADS; i++)
        require(pthread_create(&server->threads[i], NULL, server_main, server) == 0);
    *out = server;
    return OK;
}

/* What was taken is still handed over and answered. */
void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    pthread_cond_broadcast(&server->work);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(server->threads[i], NULL);
    pthread_mutex_lock(&server->lock);
    while (server->all)
        pthread_cond_wait(&server->quiet, &server->lock);
    pthread_mutex_unlock(&server->lock);
    server_free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
    char host[256], port[8];
    return address_split(server->address, host, port) == OK ? (uint16_t)strtoul(port, NULL, 10)
                                                            : 0;
}

void http_server_counters(struct http_server *server, size_t route, struct http_counters *out)
{
    *out = server->rows[route];
}

uint64_t http_server_connections(struct http_server *server)
{
    uint64_t count = 0;
    pthread_mutex_lock(&server->lock);
    for (const struct http_exchange *exchange = server->all; exchange; exchange = exchange->next)
        count++;
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* ---- the clients' side ------------------------------------------------------------------------ */

enum err http_call(const struct http_call *call, http_on_answer *on_answer, void *context)
{
    struct http_server *server = server_find(call->address);
    if (!server || server->stopping || server->cut)
        return ERR_CLOSED;
    struct http_exchange *exchange = exchange_new(call, on_answer, context);
    if (!exchange)
        return ERR_NOMEM;
    exchange->server = server;
    pthread_mutex_lock(&server->lock);
    exchange->next = server->all;
    server->all = exchange;
    *server->queue_end = exchange;
    server->queue_end = &exchange->next_queued;
    pthread_mutex_unlock(&server->lock);
    pthread_cond_signal(&server->work);
    return OK;
}

void http_cut(const char *address)
{
    struct http_server *server = server_find(address);
    if (!server)
        return;
    server->cut = true;
    for (struct http_exchange *exchange = server->all; exchange; exchange = exchange->next) {
        http_on_answer *on_answer = exchange->on_answer;
        exchange->on_answer = NULL;
        if (on_answer)
            on_answer(exchange->context, 0, BYTES_NONE);
    }
}

void http_killed(const char *address)
{
    struct http_server *server = server_find(address);
    if (!server)
        return;
    http_cut(address);
    while (server->all) {
        struct http_exchange *exchange = server->all;
        server->all = exchange->next;
        exchange_free(exchange);
    }
    server_free(server);
}

size_t http_waiting(const char *address)
{
    size_t count = 0;
    struct http_server *server = server_find(address);
    for (const struct http_exchange *exchange = server ? server->all : NULL; exchange;
         exchange = exchange->next)
        count += exchange->on_answer != NULL;
    return count;
}
