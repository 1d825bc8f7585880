/* What the server refuses by itself, before a handler is called: each with a stable code, why, and
 * what to do next.
 *
 * What the library below refuses before it calls the server is not among them: a request line or
 * headers that cannot be read or are too large, a Content-Length that is no number, another major
 * version of HTTP. It answers with a page of its own and closes (libmicrohttpd 0.9.75 has no hook for
 * these); the API description says so. */
#ifndef NODE_HTTP_REFUSAL_H
#define NODE_HTTP_REFUSAL_H

struct http_exchange;

enum refusal {
    REFUSAL_NONE,
    REFUSAL_LENGTHS,  /* more than one Content-Length */
    REFUSAL_HOST,     /* not exactly one Host */
    REFUSAL_TOKEN,
    REFUSAL_SCOPE,
    REFUSAL_PATH,
    REFUSAL_METHOD,
    REFUSAL_TRANSFER, /* a transfer encoding */
    REFUSAL_SIZE,
    REFUSAL_QUERY,    /* by refusal_answer_query() */
    REFUSAL_STOPPING,
    REFUSAL_VERSION
};

/* Answers the exchange. */
void refusal_answer(struct http_exchange *exchange, enum refusal refusal);

/* 422 with one entry in "errors". `name` is as it came; `known` are the parameters of the route
 * ("a b"), or NULL. */
enum query_fault { QUERY_UNKNOWN, QUERY_TWICE, QUERY_EMPTY };
void refusal_answer_query(struct http_exchange *exchange, enum query_fault fault, const char *name,
                          const char *known);

#endif
