#include "node/http/server.h"

#include "node/config.h"
#include "node/http/peers.h"
#include "node/http/refusal.h"
#include "node/runtime/log.h"
#include "node/runtime/priority.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS_MAX = 8, /* a look-up then waits behind few of the registrations that a commit answers */
    ANSWER_HEADER_MAX = 4
};

struct http_server {
    struct MHD_Daemon *daemon;
    const struct http_route *routes;
    size_t route_count;
    struct tokens *tokens;
    void *context;
    char *certificate, *key;
    struct row {
        _Atomic uint64_t answers[6];
        _Atomic uint64_t microseconds;
    } *rows; /* route_count + 1 */
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    unsigned kept; /* exchanges handed to a handler and not yet answered */
    bool stopping; /* no more are handed over */
    struct peers *peers;
};

/* An exchange is owned by its connection's thread until the handler is called, by the handler until it
 * answers, then by that thread again. `answered` hands it back. */
struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    const struct http_route *route;
    size_t row;
    char parameter[HTTP_PATH_PARAMETER_SIZE_MAX + 1];
    struct token_info token;
    struct buffer body;
    struct timespec began;
    enum refusal refusal; /* decided before the body was read */
    enum query_fault query_fault; /* of REFUSAL_QUERY, and which parameter it is about */
    const char *query_name;
    bool handed, suspended;
    atomic_bool answered;
    struct MHD_Response *response;
    unsigned status;
    struct {
        char name[32];
        char value[96];
    } headers[ANSWER_HEADER_MAX];
    size_t header_count;
};

/* The library starts its threads by itself, and calls back on them. */
static void prepare_thread(void)
{
    static _Thread_local bool prepared;
    if (!prepared)
        priority_responsive();
    prepared = true;
}

/* Called on the connection's thread, and before the library closes the descriptor. */
static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    prepare_thread();
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        peer_begin(server->peers, connection, slot);
    else
        peer_end(server->peers, *slot);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void set_response(struct http_exchange *exchange, unsigned status, const char *content_type,
                         struct bytes content)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        content.size, (void *)(uintptr_t)content.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return; /* the connection is closed for want of an answer */
    MHD_add_response_header(response, "Content-Type", content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < exchange->header_count; i++)
        MHD_add_response_header(response, exchange->headers[i].name, exchange->headers[i].value);
    if (status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    exchange->response = response;
    exchange->status = status;
}

void http_answer_header(struct http_exchange *exchange, const char *name, const char *value)
{
    if (exchange->header_count == ANSWER_HEADER_MAX)
        return;
    snprintf(exchange->headers[exchange->header_count].name, 32, "%s", name);
    snprintf(exchange->headers[exchange->header_count++].value, 96, "%s", value);
}

static void release(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    if (--server->kept == 0)
        pthread_cond_broadcast(&server->quiet);
    pthread_mutex_unlock(&server->lock);
}

void http_answer(struct http_exchange *exchange, unsigned status, const char *content_type,
                 struct bytes content)
{
    struct http_server *server = exchange->server;
    struct MHD_Connection *connection = exchange->connection;
    set_response(exchange, status, content_type, content);
    if (!exchange->handed)
        return; /* a refusal by the server itself, on the connection's thread */
    bool suspended = exchange->suspended;
    atomic_store(&exchange->answered, true);
    if (suspended)
        MHD_resume_connection(connection);
    release(server);
}

/* ---- requests ---------------------------------------------------------------------------- */

struct bytes http_body(const struct http_exchange *exchange)
{
    return buffer_bytes(&exchange->body);
}

const char *http_parameter(const struct http_exchange *exchange)
{
    return exchange->parameter;
}

const char *http_header(const struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

const struct token_info *http_token(const struct http_exchange *exchange)
{
    return &exchange->token;
}

bool http_is_json(const struct http_exchange *exchange)
{
    const char *type = http_header(exchange, "Content-Type");
    return type && strncasecmp(type, "application/json", 16) == 0 &&
           (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

static bool path_matches(const char *pattern, const char *path, char *parameter)
{
    parameter[0] = '\0';
    while (*pattern) {
        if (pattern[0] == '{' && pattern[1] == '}') {
            size_t size = strcspn(path, "/");
            if (size == 0 || size > HTTP_PATH_PARAMETER_SIZE_MAX)
                return false;
            memcpy(parameter, path, size);
            parameter[size] = '\0';
            path += size;
            pattern += 2;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static enum refusal find_route(struct http_exchange *exchange, const char *method, const char *path)
{
    struct http_server *server = exchange->server;
    enum refusal refusal = REFUSAL_PATH;
    exchange->row = server->route_count;
    for (size_t i = 0; i < server->route_count; i++) {
        char parameter[HTTP_PATH_PARAMETER_SIZE_MAX + 1];
        if (!path_matches(server->routes[i].path, path, parameter))
            continue;
        if (strcmp(server->routes[i].method, method) == 0) {
            exchange->route = &server->routes[i];
            exchange->row = i;
            memcpy(exchange->parameter, parameter, sizeof parameter);
            return REFUSAL_NONE;
        }
        refusal = REFUSAL_METHOD;
    }
    return refusal;
}

static enum refusal authorise(struct http_exchange *exchange)
{
    if (exchange->route->scopes == 0)
        return REFUSAL_NONE;
    const char *header = http_header(exchange, "Authorization");
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return REFUSAL_TOKEN;
    if (tokens_check(exchange->server->tokens, bytes_of_string(header + 7), time(NULL),
                     &exchange->token) != OK)
        return REFUSAL_TOKEN;
    return (exchange->token.scopes & exchange->route->scopes) ? REFUSAL_NONE : REFUSAL_SCOPE;
}

struct header_count {
    unsigned content_lengths, hosts;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct header_count *count = context;
    (void)kind;
    (void)value;
    count->content_lengths += strcasecmp(name, "Content-Length") == 0;
    count->hosts += strcasecmp(name, "Host") == 0;
    return MHD_YES;
}

static bool is_one_of(const char *names, const char *name)
{
    size_t size = strlen(name);
    for (; names && *names; names += strcspn(names, " "), names += *names == ' ')
        if (size > 0 && strcspn(names, " ") == size && strncmp(names, name, size) == 0)
            return true;
    return false;
}

/* The first parameter that cannot be taken ends it. */
static enum MHD_Result check_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    struct http_exchange *exchange = context;
    if (!is_one_of(exchange->route->query, name))
        exchange->query_fault = QUERY_UNKNOWN;
    else if (!value)
        exchange->query_fault = QUERY_EMPTY;
    else if (value != MHD_lookup_connection_value(exchange->connection, kind, name))
        exchange->query_fault = QUERY_TWICE;
    else
        return MHD_YES;
    exchange->query_name = name;
    return MHD_NO;
}

/* Who mistypes a parameter would get an answer to another question. */
static enum refusal check_query(struct http_exchange *exchange)
{
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, check_parameter,
                              exchange);
    return exchange->query_name ? REFUSAL_QUERY : REFUSAL_NONE;
}

static bool is_too_large(const char *length)
{
    return length && strtoull(length, NULL, 10) > HTTP_BODY_SIZE_MAX;
}

/* What can be refused before the body: framing tricks, size, route, token, query. */
static enum refusal check_head(struct http_exchange *exchange, const char *method,
                               const char *path, const char *version)
{
    struct header_count count = { 0 };
    if (strcmp(version, "HTTP/1.1") != 0)
        return REFUSAL_VERSION;
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, count_header, &count);
    if (count.content_lengths > 1)
        return REFUSAL_LENGTHS;
    if (count.hosts != 1)
        return REFUSAL_HOST;
    if (http_header(exchange, "Transfer-Encoding"))
        return REFUSAL_TRANSFER;
    enum refusal refusal = find_route(exchange, method, path);
    if (refusal == REFUSAL_NONE)
        refusal = authorise(exchange);
    if (refusal == REFUSAL_NONE && is_too_large(http_header(exchange, "Content-Length")))
        refusal = REFUSAL_SIZE;
    return refusal == REFUSAL_NONE ? check_query(exchange) : refusal;
}

/* RFC 9110 wants it with every 405. */
static void say_allowed(struct http_exchange *exchange, const char *path)
{
    char methods[64] = "", parameter[HTTP_PATH_PARAMETER_SIZE_MAX + 1];
    for (size_t i = 0; i < exchange->server->route_count; i++) {
        const struct http_route *route = &exchange->server->routes[i];
        if (!path_matches(route->path, path, parameter))
            continue;
        size_t size = strlen(methods);
        snprintf(methods + size, sizeof methods - size, "%s%s", size > 0 ? ", " : "",
                 route->method);
    }
    http_answer_header(exchange, "Allow", methods);
}

static enum MHD_Result send_answer(struct http_exchange *exchange)
{
    if (!exchange->response)
        return MHD_NO;
    peer_allow(exchange->server->peers, exchange->connection, PEER_ANSWER_MS);
    return MHD_queue_response(exchange->connection, exchange->status, exchange->response);
}

/* False once the server stops: whoever goes on asking on an open connection would never let it end,
 * and the library takes no end while a connection is suspended. */
static bool keep(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool keeps = !server->stopping;
    server->kept += keeps;
    pthread_mutex_unlock(&server->lock);
    return keeps;
}

static enum MHD_Result refuse(struct http_exchange *exchange)
{
    if (exchange->refusal == REFUSAL_QUERY)
        refusal_answer_query(exchange, exchange->query_fault, exchange->query_name,
                             exchange->route->query);
    else
        refusal_answer(exchange, exchange->refusal);
    return send_answer(exchange);
}

static enum MHD_Result refuse_stopping(struct http_exchange *exchange)
{
    http_answer_header(exchange, "Retry-After", "5");
    http_answer_header(exchange, "Connection", "close");
    refusal_answer(exchange, REFUSAL_STOPPING);
    return send_answer(exchange);
}

/* Hands the request to its handler. The connection is suspended around the call, so that an answer
 * from another thread may come at any moment; an answer given inside the call resumes it too. */
static void hand_over(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;
    exchange->handed = true;
    exchange->suspended = true;
    peer_allow(server->peers, exchange->connection, -1);
    MHD_suspend_connection(exchange->connection);
    exchange->route->handler(server->context, exchange);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct http_server *server = context;
    struct http_exchange *exchange = *state;
    if (!exchange) {
        exchange = calloc(1, sizeof *exchange);
        if (!exchange)
            return MHD_NO;
        exchange->server = server;
        exchange->connection = connection;
        clock_gettime(CLOCK_MONOTONIC, &exchange->began);
        *state = exchange;
        exchange->refusal = check_head(exchange, method, url, version);
        if (exchange->refusal == REFUSAL_METHOD)
            say_allowed(exchange, url);
        peer_allow(server->peers, connection,
                   PEER_HEADER_MS + (int64_t)HTTP_BODY_SIZE_MAX / PEER_BODY_BYTES_PER_MS);
        /* A refused body that is small is read, so that the client reads the answer; a large one is
         * not waited for. */
        const char *length = http_header(exchange, "Content-Length");
        return exchange->refusal != REFUSAL_NONE && *upload_size == 0 &&
                       (!length || is_too_large(length))
                   ? refuse(exchange)
                   : MHD_YES;
    }
    if (exchange->handed)
        return atomic_load(&exchange->answered) ? send_answer(exchange) : MHD_YES;
    if (*upload_size > 0) {
        if (exchange->refusal == REFUSAL_NONE &&
            exchange->body.size + *upload_size > HTTP_BODY_SIZE_MAX)
            exchange->refusal = REFUSAL_SIZE;
        if (exchange->refusal == REFUSAL_NONE)
            buffer_append(&exchange->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (exchange->refusal != REFUSAL_NONE)
        return refuse(exchange);
    if (exchange->body.err != OK)
        return MHD_NO;
    if (!keep(server))
        return refuse_stopping(exchange);
    hand_over(exchange);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct http_exchange *exchange = *state;
    (void)context;
    (void)code;
    if (!exchange)
        return;
    peer_allow(exchange->server->peers, connection, PEER_IDLE_MS);
    struct row *row = &exchange->server->rows[exchange->row];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t took = (now.tv_sec - exchange->began.tv_sec) * 1000000 +
                   (now.tv_nsec - exchange->began.tv_nsec) / 1000;
    atomic_fetch_add(&row->answers[exchange->status / 100 % 6], 1);
    atomic_fetch_add(&row->microseconds, (uint64_t)took);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    buffer_close(&exchange->body);
    free(exchange);
    *state = NULL;
}

static void on_log(void *context, const char *format, va_list args)
{
    char text[256];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_EVENT_DEBUG, "http.library", "text", text, NULL);
}

/* ---- the server -------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? calloc(1, 65536) : NULL;
    if (text && (fread(text, 1, 65535, file) == 0 || ferror(file))) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

static enum err resolve(const char *listen, struct sockaddr_storage *address)
{
    char host[256], port[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found;
    if (address_split(listen, host, port) != OK || getaddrinfo(host, port, &hints, &found) != 0)
        return ERR_INVALID;
    memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return OK;
}

static void problem_add(struct buffer *problem, const char *what, const char *why)
{
    buffer_append_string(problem, what);
    buffer_append_string(problem, ": ");
    buffer_append_string(problem, why);
}

/* The library shares the connections out among its threads; each must get some. */
static unsigned thread_count(const struct http_options *options)
{
    return options->connections_max < THREADS_MAX ? options->connections_max : THREADS_MAX;
}

enum err http_server_start(struct http_server **out, const struct http_options *options,
                           struct buffer *problem)
{
    struct sockaddr_storage address = { 0 };
    enum err err = ERR_NOMEM;
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return ERR_NOMEM;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->quiet, NULL);
    server->routes = options->routes;
    server->route_count = options->route_count;
    server->tokens = options->tokens;
    server->context = options->context;
    server->peers = peers_new();
    server->rows = calloc(options->route_count + 1, sizeof *server->rows);
    if (!server->peers || !server->rows)
        goto fail;
    err = resolve(options->listen, &address);
    if (err != OK) {
        problem_add(problem, options->listen, "is not an address to listen at (host:port)");
        goto fail;
    }
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    if (options->tls_certificate) {
        server->certificate = read_file(options->tls_certificate);
        server->key = read_file(options->tls_key);
        if (!server->certificate || !server->key) {
            err = ERR_INVALID;
            problem_add(problem,
                        server->certificate ? options->tls_key : options->tls_certificate,
                        "cannot be read as a PEM file");
            goto fail;
        }
        flags |= MHD_USE_TLS;
    }
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, server->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3" },
        { MHD_OPTION_END, 0, NULL }
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&address, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        address_is_loopback(options->listen) ? 0 : (options->connections_max + 3) / 4,
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)PEER_SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * HTTP_HEADER_SIZE_MAX,
        MHD_OPTION_THREAD_POOL_SIZE, thread_count(options), MHD_OPTION_ARRAY,
        options->tls_certificate ? tls : none, MHD_OPTION_END);
    if (!server->daemon) {
        err = ERR_IO;
        problem_add(problem, options->listen,
                    "cannot listen here (is the address in use, or the certificate invalid?)");
        goto fail;
    }
    peers_start(server->peers);
    *out = server;
    return OK;
fail:
    http_server_stop(server);
    return err;
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    if (server->daemon) {
        MHD_socket listener = MHD_quiesce_daemon(server->daemon);
        pthread_mutex_lock(&server->lock);
        server->stopping = true;
        while (server->kept > 0)
            pthread_cond_wait(&server->quiet, &server->lock);
        pthread_mutex_unlock(&server->lock);
        peers_stop(server->peers);
        MHD_stop_daemon(server->daemon);
        if (listener != MHD_INVALID_SOCKET)
            close(listener);
    }
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->lock);
    free(server->certificate);
    free(server->key);
    peers_free(server->peers);
    free(server->rows);
    free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

uint64_t http_server_connections(struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

void http_server_counters(struct http_server *server, size_t route, struct http_counters *out)
{
    for (size_t i = 0; i < 6; i++)
        out->answers[i] = atomic_load(&server->rows[route].answers[i]);
    out->microseconds = atomic_load(&server->rows[route].microseconds);
}
