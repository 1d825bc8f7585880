#include "node/http/peers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { REAP_INTERVAL_MS = 500 };

/* One TCP connection, from its acceptance until the library closes it. */
struct peer {
    struct peer *next, **previous;
    MHD_socket socket;
    int64_t until_ms; /* INT64_MAX: the server's own work is waited for */
};

struct peers {
    pthread_mutex_t lock;
    struct peer *first; /* under `lock`, as is what follows */
    bool reaping;
    pthread_t reaper;
    pthread_cond_t reap;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the thread that looks ----------------------------------------------------------------- */

/* The connection's thread sees the end of the stream and closes; the descriptor stays its own. */
static void *reaper_main(void *argument)
{
    struct peers *peers = argument;
    pthread_mutex_lock(&peers->lock);
    while (peers->reaping) {
        int64_t now_ms = monotonic_ms(), next_ms = now_ms + REAP_INTERVAL_MS;
        for (struct peer *peer = peers->first; peer; peer = peer->next)
            if (peer->until_ms <= now_ms) {
                peer->until_ms = INT64_MAX;
                shutdown(peer->socket, SHUT_RDWR);
            }
        struct timespec until = { .tv_sec = next_ms / 1000,
                                  .tv_nsec = next_ms % 1000 * 1000000 };
        pthread_cond_timedwait(&peers->reap, &peers->lock, &until);
    }
    pthread_mutex_unlock(&peers->lock);
    return NULL;
}

struct peers *peers_new(void)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (!peers)
        return NULL;
    pthread_condattr_t attributes;
    pthread_mutex_init(&peers->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&peers->reap, &attributes);
    pthread_condattr_destroy(&attributes);
    return peers;
}

void peers_start(struct peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    peers->reaping = pthread_create(&peers->reaper, NULL, reaper_main, peers) == 0;
    pthread_mutex_unlock(&peers->lock);
}

void peers_stop(struct peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    bool runs = peers->reaping;
    peers->reaping = false;
    pthread_cond_signal(&peers->reap);
    pthread_mutex_unlock(&peers->lock);
    if (runs)
        pthread_join(peers->reaper, NULL);
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    pthread_cond_destroy(&peers->reap);
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

/* ---- one connection ------------------------------------------------------------------------ */

void peer_begin(struct peers *peers, struct MHD_Connection *connection, void **slot)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct peer *peer = info ? calloc(1, sizeof *peer) : NULL;
    *slot = peer;
    if (!peer)
        return; /* the library's limit of silence is left */
    peer->socket = info->connect_fd;
    peer->until_ms = monotonic_ms() + PEER_HEADER_MS;
    pthread_mutex_lock(&peers->lock);
    peer->next = peers->first;
    peer->previous = &peers->first;
    if (peer->next)
        peer->next->previous = &peer->next;
    peers->first = peer;
    pthread_mutex_unlock(&peers->lock);
}

void peer_end(struct peers *peers, void *slot)
{
    struct peer *peer = slot;
    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    *peer->previous = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    pthread_mutex_unlock(&peers->lock);
    free(peer);
}

void peer_allow(struct peers *peers, struct MHD_Connection *connection, int64_t limit_ms)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *peer = info ? info->socket_context : NULL;
    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    peer->until_ms = limit_ms < 0 ? INT64_MAX : monotonic_ms() + limit_ms;
    pthread_mutex_unlock(&peers->lock);
}
