#include "http_exchanges.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENT_MAX 128

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

void http_exchanges_open(struct http_exchanges *exchanges, http_on_answer *on_answer)
{
    exchanges->on_answer = on_answer;
    exchanges->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (exchanges->epoll < 0)
        fail("epoll");
}

void http_exchanges_close(struct http_exchanges *exchanges)
{
    close(exchanges->epoll);
}

void http_exchanges_watch(struct http_exchanges *exchanges, int descriptor)
{
    struct epoll_event event = { .events = EPOLLIN };
    if (epoll_ctl(exchanges->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        fail("epoll");
}

static void connect_socket(struct http_exchanges *exchanges, struct http_connection *connection)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)connection->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    int one = 1;
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->socket < 0 ||
        connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(exchanges->epoll, EPOLL_CTL_ADD, connection->socket, &event) != 0)
        fail("epoll");
}

void http_connect(struct http_exchanges *exchanges, struct http_connection *connection,
                  unsigned port, void *context)
{
    *connection = (struct http_connection){ .port = port, .context = context };
    connect_socket(exchanges, connection);
}

void http_disconnect(struct http_connection *connection)
{
    if (connection->socket >= 0)
        close(connection->socket);
    buffer_close(&connection->out);
}

static void watch_output(struct http_exchanges *exchanges, struct http_connection *connection,
                         bool watch)
{
    struct epoll_event event = { .events = EPOLLIN | (watch ? EPOLLOUT : 0),
                                 .data.ptr = connection };
    if (epoll_ctl(exchanges->epoll, EPOLL_CTL_MOD, connection->socket, &event) != 0)
        fail("epoll");
}

/* False while the socket takes no more. */
static bool send_rest(struct http_connection *connection)
{
    while (connection->sent < connection->out.size) {
        ssize_t size = send(connection->socket, connection->out.data + connection->sent,
                            connection->out.size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN)
            return false;
        if (size < 0 && (errno == EPIPE || errno == ECONNRESET))
            return true; /* receive() finds the end, and sends it all again */
        if (size < 0)
            fail("send");
        connection->sent += (size_t)size;
    }
    return true;
}

void http_send(struct http_exchanges *exchanges, struct http_connection *connection)
{
    connection->busy = true;
    connection->sent = 0;
    connection->received = 0;
    if (connection->socket < 0)
        connect_socket(exchanges, connection);
    if (!send_rest(connection))
        watch_output(exchanges, connection, true);
}

/* The body's offset when the whole answer is there, otherwise 0. */
static size_t answer_body(struct http_connection *connection, size_t *body_size)
{
    static const char NAME[] = "\r\ncontent-length:";
    connection->in[connection->received] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (!end)
        return 0;
    char *length = strcasestr(connection->in, NAME);
    *body_size = length && length < end ? strtoul(length + sizeof NAME - 1, NULL, 10) : 0;
    size_t offset = (size_t)(end + 4 - connection->in);
    return connection->received >= offset + *body_size ? offset : 0;
}

/* Servers close connections that were idle for a while, perhaps just as a request sets out. */
static void reconnect(struct http_exchanges *exchanges, struct http_connection *connection)
{
    close(connection->socket);
    connection->socket = -1;
    if (!connection->busy)
        return;
    if (connection->retried) {
        fputs("the server closes connections without an answer\n", stderr);
        exit(EXIT_FAILURE);
    }
    connection->retried = true;
    http_send(exchanges, connection);
}

static void receive(struct http_exchanges *exchanges, struct http_connection *connection)
{
    size_t body_size = 0;
    ssize_t size = recv(connection->socket, connection->in + connection->received,
                        sizeof connection->in - 1 - connection->received, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0 && connection->received == 0) {
        reconnect(exchanges, connection);
        return;
    }
    if (size <= 0 || !connection->busy) {
        fprintf(stderr, "an answer broke off: %s\n", size < 0 ? strerror(errno) : "end of file");
        exit(EXIT_FAILURE);
    }
    connection->received += (size_t)size;
    size_t offset = answer_body(connection, &body_size);
    if (offset > 0) {
        connection->busy = connection->retried = false;
        connection->received = 0;
        /* "HTTP/1.1 201 Created" */
        exchanges->on_answer(connection, (unsigned)strtoul(connection->in + 9, NULL, 10),
                             bytes_of(connection->in + offset, body_size));
    } else if (connection->received == sizeof connection->in - 1) {
        fputs("an answer is too long\n", stderr);
        exit(EXIT_FAILURE);
    }
}

bool http_exchanges_step(struct http_exchanges *exchanges)
{
    struct epoll_event events[EVENT_MAX];
    bool watched = false;
    int count = epoll_wait(exchanges->epoll, events, EVENT_MAX, -1);
    if (count < 0 && errno != EINTR)
        fail("epoll_wait");
    for (int i = 0; i < count; i++) {
        struct http_connection *connection = events[i].data.ptr;
        if (!connection) {
            watched = true;
            continue;
        }
        if (events[i].events & EPOLLOUT && send_rest(connection))
            watch_output(exchanges, connection, false);
        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            receive(exchanges, connection);
    }
    return watched;
}
