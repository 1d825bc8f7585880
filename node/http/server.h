/* The HTTP server: GNU libmicrohttpd on a few epoll threads of its own; a connection stays with one of
 * them. A handler parses and authorises on its connection's thread and either answers at once or keeps
 * the exchange and answers later from any thread; the connection is suspended in between.
 *
 * So handlers, the same one too, run on several threads at a time: what they share must be safe for
 * that.
 *
 * Limits: headers 8 KiB, body 256 KiB, no Transfer-Encoding on requests, one Content-Length, one Host,
 * header within 10 s, body within 42 s, the answer read within 30 s, however the bytes trickle;
 * connections per server, and on a network a quarter of them per address. HTTP/1.1 only. */
#ifndef NODE_HTTP_SERVER_H
#define NODE_HTTP_SERVER_H

#include "node/tokens.h"
#include "proto/base/bytes.h"

#define HTTP_BODY_SIZE_MAX ((size_t)256 * 1024)
#define HTTP_HEADER_SIZE_MAX ((size_t)8 * 1024)
#define HTTP_PATH_PARAMETER_SIZE_MAX 64

struct http_server;
struct http_exchange;

/* Called on the connection's thread when the request is complete and allowed, for several connections
 * at a time. The handler must call http_answer() exactly once for it, now or later. */
typedef void http_handler(void *context, struct http_exchange *exchange);

/* One row makes routing, authorisation, metrics and documentation. A path segment "{}" matches one
 * segment, given by http_parameter(). */
struct http_route {
    const char *method; /* "GET", "POST" */
    const char *path;   /* "/v1/requests/{}" */
    unsigned scopes;    /* any of these (enum token_scope); 0: open to everybody */
    const char *query;  /* its query parameters ("limit offset"), or NULL; others are refused */
    http_handler *handler;
    const char *summary; /* one line, for people */
};

struct http_options {
    const char *listen; /* host:port; port 0 lets the system choose */
    const char *tls_certificate, *tls_key; /* files, or NULL */
    unsigned connections_max;
    const struct http_route *routes;
    size_t route_count;
    struct tokens *tokens;
    void *context; /* of the handlers */
};

/* ERR_INVALID, ERR_IO with `problem` in words. */
enum err http_server_start(struct http_server **out, const struct http_options *options,
                           struct buffer *problem);
/* Stops accepting, refuses with 503 what open connections still ask, then waits until every kept
 * exchange has been answered; the owner of the handlers makes sure that they will be. */
void http_server_stop(struct http_server *server);
uint16_t http_server_port(const struct http_server *server);

/* ---- the request, valid until the answer ---- */
struct bytes http_body(const struct http_exchange *exchange);
/* The segment that matched "{}", or empty. */
const char *http_parameter(const struct http_exchange *exchange);
/* NULL when absent. */
const char *http_header(const struct http_exchange *exchange, const char *name);
const char *http_query(const struct http_exchange *exchange, const char *name);
/* The caller's token; its id is empty on an open route. */
const struct token_info *http_token(const struct http_exchange *exchange);
/* True when the body is announced as application/json. */
bool http_is_json(const struct http_exchange *exchange);

/* ---- the answer ---- */
/* Content is copied. Any thread. */
void http_answer(struct http_exchange *exchange, unsigned status, const char *content_type,
                 struct bytes content);
/* Adds a header to the coming answer (before http_answer). */
void http_answer_header(struct http_exchange *exchange, const char *name, const char *value);
/* Counters for metrics; route_count + 1 rows, the last one for requests that matched no route. */
struct http_counters {
    uint64_t answers[6]; /* by status class 0..5 */
    uint64_t microseconds;
};
void http_server_counters(struct http_server *server, size_t route, struct http_counters *out);
uint64_t http_server_connections(struct http_server *server);

#endif
