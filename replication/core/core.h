/* The replication core: events in, effects out (design D6, D7). It decides what is announced,
 * asked for, shown, sent, stored, cosigned and alarmed; it never touches payloads, disks, sockets,
 * clocks or randomness. The algorithm and its invariants: replication/README.md.
 *
 *   1. core_new()
 *   2. EVENT_LOG_LOADED for every log in the store, ascending ids are fastest; EVENT_START
 *   3. events as they come; after each step carry out the effects in order and answer them
 *   4. EVENT_TICK at core_deadline()
 *
 * One thread at a time. Two cores given the same options and events give the same effects. */
#ifndef REPLICATION_CORE_CORE_H
#define REPLICATION_CORE_CORE_H

#include "replication/core/effect.h"

#define CORE_HUB_MAX 8
/* A package never has more encoded bytes than this; the largest single record fits. */
#define PACKAGE_ROOM     (256 * 1024)
#define PACKAGE_ROOM_MIN (32 * 1024)

struct core_peer {
    char node[NODE_NAME_SIZE_MAX + 1];
    enum node_role role;
    bool connect; /* this side opens the link and keeps it open */
};

/* Everything 0 after peer_count means the default in core.c. */
struct core_options {
    char node[NODE_NAME_SIZE_MAX + 1];
    enum node_role role;
    const struct core_peer *peers; /* copied */
    size_t peer_count;
    struct bytes software; /* for the hello, at most 64 bytes, copied */
    uint64_t seed;         /* of the jitter */

    uint64_t credit_window;     /* bytes; at least 4 * PACKAGE_ROOM; 4 MiB */
    uint64_t checkpoint_step;   /* records between shown checkpoints, a quarter of what it is on a
                                   fast link; 1,024 */
    uint64_t batch_size_max;    /* bytes asked of the shell in one SEND_RECORDS; 1 MiB */
    uint64_t catchup_threshold; /* records behind, above which a link needs admission; 4,096 */
    uint64_t catchup_quantum;   /* records after which an admitted link gives way; 16,384 */
    size_t catchup_links_max;   /* links admitted at once; 32 */
    size_t link_max;            /* 256 */
    size_t log_max;             /* 1,048,576 */
    size_t author_log_max;      /* of these, of one author; 32,768. Not for our own */
    size_t unheld_log_max;      /* logs a link may announce of which nothing is held; 1,024 */

    uint64_t hello_limit_ms;     /* 10 s */
    uint64_t ask_limit_ms;       /* waiting for the hubs before writing; 2 s */
    uint64_t ping_after_ms;      /* 15 s */
    uint64_t silence_limit_ms;   /* 45 s */
    uint64_t announce_after_ms;  /* growth that nobody follows is announced this often; 1 s */
    uint64_t retry_delay_min_ms; /* connecting; 0.5 s */
    uint64_t retry_delay_max_ms; /* 60 s */
    uint64_t refused_delay_ms;   /* asking again after bad data or a full disk; 60 s */
};

struct core;

/* NULL without memory or when an option is outside its limits (names, more than CORE_HUB_MAX hubs,
 * a peer that is this node or stands twice, a window that is too small). */
struct core *core_new(const struct core_options *options);
void core_free(struct core *core);

/* Takes one event; appends to `effects`. */
void core_step(struct core *core, const struct event *event, struct effects *effects);

/* When the core wants EVENT_TICK at the latest; UINT64_MAX: not at all. */
uint64_t core_deadline(const struct core *core);

/* «National» (design D16): the size that receipts of at least `k` hubs cover; a receipt counts only as
 * far as its hub has not shown since that it holds less. 0 for logs that are not our own node's, and
 * for k 0 or above the number of hubs. */
uint64_t core_national_size(const struct core *core, const struct log_id *log, size_t k);
/* The k-th largest of `count` sizes; 0 when there are fewer. count <= CORE_HUB_MAX. */
uint64_t national_size(const uint64_t *sizes, size_t count, size_t k);

/* For status pages: logs in ascending order, peers in the order of the options. */
struct core_log_status {
    struct log_id log;
    struct cursor held;
    struct cursor branch; /* of a forked log: the other branch */
    uint64_t named;    /* the largest size by which a held log names it as parent */
    uint64_t cosigned; /* by this hub */
    bool own, live, frozen, proven;
    const char *source;              /* node it is being followed from, "" none */
    uint64_t receipts[CORE_HUB_MAX]; /* as they count now, in the order of the hubs among the peers */
};
size_t core_log_count(const struct core *core);
void core_log_status(const struct core *core, size_t index, struct core_log_status *status);

enum catchup_state { CATCHUP_NONE, CATCHUP_WAITING, CATCHUP_ADMITTED };
struct core_peer_status {
    const char *node;
    bool ready;
    uint64_t link; /* 0 none */
    uint64_t credit_to_send;
    uint64_t missing; /* records it offers, over a live link, that are not held here */
    enum catchup_state catchup;
};
size_t core_peer_count(const struct core *core);
void core_peer_status(const struct core *core, size_t index, struct core_peer_status *status);

#endif
