/* The encrypted links of a node: TCP connections on one libuv loop (design D6, D8).
 *
 * The set listens, connects, and keeps the limits; a link carries whole messages. Everything runs on
 * the loop's thread. Nothing that a stranger sends is parsed: a link exists for the owner once the
 * handshake is done, and hands messages on only from peers whose keys are configured.
 *
 *   accepted --+
 *              +--> HANDSHAKE --> OPEN --> ENDING --> closed
 *   CONNECTING +        |           |         ^
 *                       |           +---------+ link_end(): what is queued still leaves
 *                       +-- 10 s, a bad byte, an unknown key: closed, logged, counted */
#ifndef NODE_TRANSPORT_LINKS_H
#define NODE_TRANSPORT_LINKS_H

#include "proto/base/bytes.h"
#include "proto/record/log_id.h"
#include "proto/secure/channel.h"
#include "proto/secure/hash.h"

#include <uv.h>

#define LINKS_HALF_OPEN_MAX 64         /* accepted connections without a finished handshake */
#define LINKS_HALF_OPEN_ADDRESS_MAX 32 /* of these from one address */
#define LINKS_HANDSHAKE_LIMIT_MS 10000
#define LINKS_END_LIMIT_MS 3000 /* for what is queued, and the peer's own end */
#define LINKS_REKEY_MS (60 * 60 * 1000)
/* A link whose write queue is below this wants more to send. */
#define LINKS_QUEUE_LOW ((size_t)1 << 20)
/* A peer that does not read while it goes on asking: with this much to write it is not read either.
 * Orderly sending stays below it: a batch is begun when the queue is low. */
#define LINKS_QUEUE_HIGH ((size_t)4 << 20)

struct links;
struct link;

struct links_peer {
    char node[NODE_NAME_SIZE_MAX + 1];
    struct link_public key;
    const char *address; /* host:port to connect to; NULL: it connects to us */
};

struct links_events {
    /* The handshake is done. link_node() says with which peer, "" when its key is not configured:
     * such a link is to be ended, nothing it sends is handed on. */
    void (*opened)(void *context, struct link *link);
    /* Authentic bytes came; at most once a second. */
    void (*heard)(void *context, struct link *link);
    /* One message, valid during the call. An error ends the link at once. */
    enum err (*message)(void *context, struct link *link, struct bytes message);
    /* The write queue has fallen below LINKS_QUEUE_LOW. */
    void (*drained)(void *context, struct link *link);
    /* The last call for a link that was opened. `why` is static. */
    void (*closed)(void *context, struct link *link, const char *why);
    /* links_connect() did not become a link. */
    void (*connect_failed)(void *context, const char *node, const char *why);
};

struct links_options {
    uv_loop_t *loop;
    const struct link_key *key;     /* copied */
    const struct links_peer *peers; /* borrowed for the life of the set */
    size_t peer_count;
    const char *listen; /* host:port, port 0 lets the system choose; NULL: accept none */
    uint64_t handshake_limit_ms; /* 0: LINKS_HANDSHAKE_LIMIT_MS */
    struct links_events events;
    void *context;
};

/* ERR_INVALID for an address that cannot be used, ERR_IO when it cannot be listened on: `problem`
 * says it in words. */
enum err links_open(struct links **out, const struct links_options *options,
                    struct buffer *problem);
/* Where it listens, with the real port: "127.0.0.1:40123"; empty when it does not. */
const char *links_address(const struct links *links);
/* Connects to the configured peer; opened or connect_failed follows, never inside this call. */
void links_connect(struct links *links, const char *node);
/* No further connections; every link is ended and half-open ones are dropped. `done` is called when
 * the loop holds nothing of the set any more; the set is freed by then. */
void links_close(struct links *links, void (*done)(void *context), void *context);

/* Accepted; refused by a limit; ended before they were links; handshakes that went through. */
struct links_counters {
    uint64_t accepted, refused, failed, opened;
};
void links_counters(const struct links *links, struct links_counters *out);

/* ---- one link ---- */
uint64_t link_id(const struct link *link); /* never 0, never used twice */
const char *link_node(const struct link *link);
const char *link_address(const struct link *link); /* the other end's, without its port */
bool link_is_outbound(const struct link *link);
struct hash link_binding(const struct link *link);
uint64_t link_bytes_sent(const struct link *link);
uint64_t link_bytes_received(const struct link *link);
/* The owner's own pointer, kept with the link. */
void link_set_owner(struct link *link, void *owner);
void *link_owner(const struct link *link);

/* Encrypts and queues; link_flush() writes. Nothing happens on a link that is ending. */
void link_send(struct link *link, struct bytes message);
void link_flush(struct link *link);
/* Bytes queued and not yet taken by the system. */
size_t link_queue_size(const struct link *link);
/* Stops and resumes reading: back-pressure for what the credit window does not count. */
void link_pause(struct link *link, bool paused);
/* Says «nothing more follows», lets what is queued leave, then closes; closed() follows. */
void link_end(struct link *link);
/* Closes at once; closed() follows, with `why`, which is static. */
void link_drop(struct link *link, const char *why);

#endif
