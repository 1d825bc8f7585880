/* The client's end of many HTTP/1.1 connections, on one thread: each carries one request at a time
 * and stays open. Made to cost little, because it shares the machine with the server it measures. */
#ifndef TESTS_BENCH_HTTP_EXCHANGES_H
#define TESTS_BENCH_HTTP_EXCHANGES_H

#include "proto/base/bytes.h"

#include <stdbool.h>

#define HTTP_ANSWER_SIZE_MAX ((size_t)16 * 1024)

struct http_connection {
    int socket; /* -1: closed by the server while idle; opened again when needed */
    unsigned port;
    struct buffer out; /* the request under way */
    size_t sent;
    char in[HTTP_ANSWER_SIZE_MAX];
    size_t received;
    bool busy, retried;
    void *context; /* the caller's */
};

/* One answer; valid during the call. The connection is free again: its next request may be sent. */
typedef void http_on_answer(struct http_connection *connection, unsigned status, struct bytes body);

struct http_exchanges {
    int epoll;
    http_on_answer *on_answer;
};

/* What cannot be set up or breaks off is said on standard error and ends the program: a benchmark
 * has nothing to recover. */
void http_exchanges_open(struct http_exchanges *exchanges, http_on_answer *on_answer);
void http_exchanges_close(struct http_exchanges *exchanges);

/* Connects to 127.0.0.1. `connection` stays where it is until it is closed. */
void http_connect(struct http_exchanges *exchanges, struct http_connection *connection,
                  unsigned port, void *context);
void http_disconnect(struct http_connection *connection);

/* Sends what was put into `connection->out`, a whole request. */
void http_send(struct http_exchanges *exchanges, struct http_connection *connection);

/* Waits for events and handles them; true when the watched descriptor is readable. */
bool http_exchanges_step(struct http_exchanges *exchanges);
void http_exchanges_watch(struct http_exchanges *exchanges, int descriptor);

#endif
