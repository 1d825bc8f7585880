/* The network: addresses, connections as two byte streams, and what stands in their way.
 *
 * Node k has the address 10.111.0.(k+1). Each ordered pair of nodes has a path: delay, bandwidth,
 * loss (which delays, as TCP repeats), cuts (one-way, too: what is sent waits until the path is back,
 * or the connection dies), clogging. What damages a stream (a flipped byte, a segment twice, swapped
 * or left out) is not repaired: the channel's AEAD must notice.
 *
 * A socket belongs to a node; uv_tcp.c makes libuv's streams of it. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "tests/sim/world.h"

struct sockaddr;
struct socket;

/* The way from one node to another. Zeroes are a perfect network. */
struct net_path {
    int64_t delay_ns, jitter_ns;
    uint64_t bandwidth;        /* bytes a second; 0: unlimited */
    unsigned loss_percent;     /* of segments: come 200 ms to 3 s later */
    bool cut;                  /* nothing arrives */
    int64_t clogged_until_ns;  /* nothing arrives before that */
    unsigned corrupt, duplicate, reorder, drop; /* of a million segments: the stream is damaged */
};
struct net_path *net_path(const struct sim_node *from, const struct sim_node *to);
/* Call it after a path is no longer cut or clogged: what waited goes on its way. */
void net_path_opened(const struct sim_node *from, const struct sim_node *to);
/* Connections between these two end: by a reset that both see, or (silently) that neither does. */
void net_break(const struct sim_node *a, const struct sim_node *b, bool silently);

void net_begin(void);
/* The node's process is gone: peers see resets, or nothing when the host went with it. */
void net_killed(struct sim_node *node, bool host_gone);
/* Host gone: nobody answers there until it is back. */
void net_host_back(struct sim_node *node);

void net_address(const struct sim_node *node, char out[16]);

/* ---- sockets, for uv_tcp.c ---- */

struct socket *socket_new(struct sim_node *node);
/* Frees it. In order (FIN) or, with unread bytes or `reset`, by a reset. */
void socket_close(struct socket *socket, bool reset);
/* Something has changed: look at everything below. Called on the driver or the peer's fiber. */
void socket_on_change(struct socket *socket, void (*changed)(void *owner), void *owner);
int socket_listen(struct socket *socket, uint16_t port); /* 0 or UV_EADDRINUSE */
void socket_connect(struct socket *socket, const struct sockaddr *to);
/* Of a stranger: a socket of no node, which connects from that one's address. */
void socket_connect_from(struct socket *socket, const struct sim_node *from,
                         const struct sockaddr *to);
/* What was once sent on some connection, from its beginning; empty when nothing was recorded. */
struct bytes net_recording(uint64_t draw);
#define NET_RECORDING_COUNT 8
unsigned net_recording_count(void); /* draws below it are different ones */
/* 0: under way; 1: connected; an error of libuv's otherwise. */
int socket_connect_status(const struct socket *socket);
struct socket *socket_accept(struct socket *listener); /* NULL: none waits */
unsigned socket_backlog(const struct socket *listener);
/* Takes as much as the peer's window allows; the rest later. */
size_t socket_write(struct socket *socket, struct bytes content);
void socket_shutdown(struct socket *socket); /* no more writes follow */
size_t socket_read(struct socket *socket, void *out, size_t size);
size_t socket_readable(const struct socket *socket);
bool socket_at_end(const struct socket *socket); /* and nothing left to read */
int socket_error(const struct socket *socket);   /* 0, UV_ECONNRESET, UV_ETIMEDOUT */
uint16_t socket_port(const struct socket *socket);
const struct sim_node *socket_node(const struct socket *socket);
const struct sim_node *socket_peer(const struct socket *socket);

struct net_counters {
    uint64_t connections, segments, bytes, damaged, resets, lost;
};
extern struct net_counters net_counters;

#endif
