/* The connections of an HTTP server and their time limits. The library's own limit is one of silence:
 * a byte now and then would keep a connection for ever. So each connection has a time by which its
 * present step must be over; a thread of its own looks twice a second and ends those that are late. */
#ifndef NODE_HTTP_PEERS_H
#define NODE_HTTP_PEERS_H

#include <microhttpd.h>
#include <stdint.h>

struct peers;

enum peer_limit {
    PEER_SILENCE_S = 10, /* the library's */
    PEER_HEADER_MS = 10 * 1000,
    PEER_IDLE_MS = 2 * PEER_HEADER_MS, /* between requests, and the next header */
    PEER_ANSWER_MS = 30 * 1000,        /* for reading the answer */
    PEER_BODY_BYTES_PER_MS = 8
};

/* NULL: no memory. */
struct peers *peers_new(void);
/* Without it (no thread could be made) only the library's limit of silence is in force. */
void peers_start(struct peers *peers);
/* Nobody is ended any more; before the library closes the connections. */
void peers_stop(struct peers *peers);
/* After the library has closed all of them. */
void peers_free(struct peers *peers);

/* On the connection's thread: from its acceptance until before the library closes the descriptor.
 * `slot` is the connection's socket context. */
void peer_begin(struct peers *peers, struct MHD_Connection *connection, void **slot);
void peer_end(struct peers *peers, void *slot);
/* The next step of the connection must be over within `limit_ms`; negative: whenever it is, for the
 * server's own work is waited for. */
void peer_allow(struct peers *peers, struct MHD_Connection *connection, int64_t limit_ms);

#endif
