/* A synchronous shell around the replication core and the replica, on a real log store: what the
 * daemon does with threads and sockets, here one step after the other. For tests that need two ends
 * and their stores, and nothing else. */
#ifndef TESTS_SYNC_SHELL_H
#define TESTS_SYNC_SHELL_H

#include "replication/core/core.h"
#include "replication/replica.h"
#include "storage/log.h"

struct shell {
    char node[NODE_NAME_SIZE_MAX + 1];
    struct log_store *logs;
    struct replica *replica;
    struct core *core;
    struct effects effects;
    uint64_t now_ms;
    uint64_t link; /* 0: none */
    /* Messages to the other end: u32 size || bytes, in order. */
    struct buffer outbox;
    unsigned alarms[32]; /* by enum alarm */
    bool closed;         /* the core ended the link */
    struct log_id live;  /* the log that this run writes */
};

/* The keys of these tests: a function of the name. */
struct sign_key shell_log_key(const char *node);
struct sign_key shell_receipt_key(const char *node);

/* Opens (or makes) the store in `folder` and loads it into a new core. `peer` is the other end. */
void shell_open(struct shell *shell, const char *node, enum node_role role, const char *peer,
                const char *folder);
void shell_close(struct shell *shell);

/* A link comes up or goes; both ends are told by the caller. */
void shell_link(struct shell *shell, uint64_t link, const char *peer, bool outbound);
void shell_unlink(struct shell *shell);
/* One encoded message from the other end. */
void shell_receive(struct shell *shell, struct bytes message);
void shell_tick(struct shell *shell, uint64_t ms);
/* Carries messages between two ends until both are silent; each that `from` sends is appended to
 * `recorded` when that is given (u32 size || bytes). At most `limit` messages. */
size_t shell_exchange(struct shell *from, struct shell *to, struct buffer *recorded, size_t limit);

/* Writes `count` more requests to an own log (made when it is new) in one group, and tells the
 * core. */
void shell_write(struct shell *shell, const struct log_id *log, uint32_t count, uint64_t seed);
/* The same with one record of any kind, without a person part; facts without salt. */
void shell_write_record(struct shell *shell, const struct log_id *log, uint64_t seed,
                        uint32_t kind, struct bytes facts);
/* Records held of a log, and the root. */
uint64_t shell_held(struct shell *shell, const struct log_id *log, struct hash *root);

#endif
