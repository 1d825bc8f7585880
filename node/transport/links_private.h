/* What links.c (the set) and link.c (one connection) share. */
#ifndef NODE_TRANSPORT_LINKS_PRIVATE_H
#define NODE_TRANSPORT_LINKS_PRIVATE_H

#include "node/transport/links.h"

#define LINKS_READ_SIZE ((size_t)256 * 1024)
#define LINKS_ADDRESS_SIZE 64

enum link_state { LINK_CONNECTING, LINK_HANDSHAKE, LINK_OPEN, LINK_ENDING, LINK_CLOSED };

struct link {
    struct links *links;
    struct link *next, **previous;
    uint64_t id;
    enum link_state state;
    bool outbound;
    bool announced; /* opened() was called: closed() must follow */
    bool paused;
    bool half_open; /* counted in links->half_open */
    bool shut_down; /* the end is on its way: uv_shutdown was asked for */
    bool peer_ended;
    const struct links_peer *peer;
    void *owner;
    const char *why;
    char address[LINKS_ADDRESS_SIZE]; /* the other end's, without its port */
    struct channel *channel;
    struct buffer out;   /* encrypted, not yet handed to libuv */
    struct buffer spare; /* memory of the last write, for the next while the link is busy */
    uint64_t bytes_sent, bytes_received;
    uint64_t heard_at_ms;

    uv_tcp_t tcp;
    uv_timer_t timer; /* handshake limit, then rekeying, then the limit of the end */
    unsigned handles; /* open ones, and the name look-up; the link is freed with the last */
    uv_connect_t connecting;
    uv_shutdown_t shutting;
    uv_getaddrinfo_t lookup;
    bool resolving;
    struct addrinfo *addresses, *next_address; /* outbound: tried in turn */
};

struct links {
    struct links_options options;
    struct link_key key;
    struct link *first;
    uint64_t next_id;
    uv_tcp_t listener;
    bool listening;
    bool closing;
    char address[LINKS_ADDRESS_SIZE + 8];
    struct links_counters counters;
    unsigned half_open;
    uint64_t complain_second;
    unsigned complained;
    uint8_t *read_buffer; /* one for all links: a read is used up in its callback */
    void (*closed)(void *context);
    void *closed_context;
};

/* ---- links.c ---- */
/* Frees the set when it is closing and this was its last. */
void links_release(struct links *links);
const struct links_peer *links_peer_of(const struct links *links, const struct link_public *key);
/* One line about a connection that never became a link; strangers cannot fill the log with them. */
void links_complain(struct links *links, const char *address, const char *why);

/* ---- link.c ---- */
struct link *link_new(struct links *links);
/* Takes a connection from the listener. */
void link_accept(struct links *links);
void link_connect(struct links *links, const struct links_peer *peer);
void link_close(struct link *link, const char *why);

#endif
