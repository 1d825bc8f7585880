/* The HTTP server by itself: how it ends while clients go on asking. */
#include "node/http/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CLIENTS = 16, AT_ONCE = 4, IDLE_LOOKS = 300 };

/* Keeps some back while others come, like a node under load: it never has nothing under way. */
struct desk {
    pthread_mutex_t lock;
    struct http_exchange *kept[CLIENTS];
    size_t count;
    bool closed;
    pthread_t thread;
};

static void desk_take(void *context, struct http_exchange *exchange)
{
    struct desk *desk = context;
    pthread_mutex_lock(&desk->lock);
    desk->kept[desk->count++] = exchange;
    pthread_mutex_unlock(&desk->lock);
}

static struct http_exchange *desk_next(struct desk *desk, bool quiet)
{
    struct http_exchange *next = NULL;
    pthread_mutex_lock(&desk->lock);
    if (desk->count > (quiet ? 0 : AT_ONCE)) {
        next = desk->kept[0];
        memmove(desk->kept, desk->kept + 1, --desk->count * sizeof *desk->kept);
    }
    pthread_mutex_unlock(&desk->lock);
    return next;
}

static bool desk_is_closed(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    bool closed = desk->closed;
    pthread_mutex_unlock(&desk->lock);
    return closed;
}

static void *desk_main(void *argument)
{
    unsigned idle = 0;
    while (!desk_is_closed(argument)) {
        struct http_exchange *exchange = desk_next(argument, idle > IDLE_LOOKS);
        if (exchange)
            http_answer(exchange, 200, "text/plain", bytes_of_string("ok\n"));
        else
            usleep(1000);
        idle = exchange && idle <= IDLE_LOOKS ? 0 : idle + 1;
    }
    return NULL;
}

static void desk_close(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->closed = true;
    pthread_mutex_unlock(&desk->lock);
    pthread_join(desk->thread, NULL);
}

struct client {
    pthread_t thread;
    uint16_t port;
    atomic_uint answers;
};

static int client_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval limit = { .tv_sec = 60 };
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(stream, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return stream;
}

/* Asks again and again on one connection, until the server closes it. */
static void *client_main(void *argument)
{
    static const char ask[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
    struct client *client = argument;
    int stream = client_connect(client->port);
    char answer[2048];
    while (send(stream, ask, sizeof ask - 1, MSG_NOSIGNAL) > 0) {
        ssize_t size = recv(stream, answer, sizeof answer, 0);
        if (size <= 0)
            break;
        atomic_fetch_add(&client->answers, 1);
    }
    close(stream);
    return NULL;
}

static void wait_for_answers(struct client *clients)
{
    for (size_t i = 0; i < CLIENTS; i++)
        while (atomic_load(&clients[i].answers) < 3)
            usleep(1000);
}

Test(http_server, ends_under_a_load_that_does_not, .timeout = 60)
{
    static const struct http_route route = { "GET", "/x", 0, NULL, desk_take, "kept for a while" };
    static struct desk desk = { .lock = PTHREAD_MUTEX_INITIALIZER };
    static struct client clients[CLIENTS];
    struct http_server *server;
    struct buffer problem = { 0 };
    struct http_options options = { .listen = "127.0.0.1:0",
                                    .connections_max = 64,
                                    .routes = &route,
                                    .route_count = 1,
                                    .context = &desk };
    cr_assert_eq(http_server_start(&server, &options, &problem), OK);
    cr_assert_eq(pthread_create(&desk.thread, NULL, desk_main, &desk), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].port = http_server_port(server);
        cr_assert_eq(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
    }
    wait_for_answers(clients);
    http_server_stop(server);
    desk_close(&desk);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
}
