/* A store in memory that carries out the core's store effects with the real records, trees, notes
 * and proofs: what storage/ does on disk, in the fewest lines. A copy of it is a backup. */
#ifndef TESTS_SCENARIO_STORE_H
#define TESTS_SCENARIO_STORE_H

#include "replication/core/core.h"

#define STORE_LOG_MAX     64
#define STORE_HISTORY_MAX 20000

struct store_note {
    uint64_t size;
    struct hash root;
    size_t note_size;
    uint8_t note[1024];
};

/* One branch of one log: records, their leaves, the checkpoints accepted. */
struct history {
    size_t count;
    struct bytes *records; /* wire forms, allocated */
    struct hash *leaves;
    size_t note_count;
    struct store_note *notes; /* every one accepted, ascending */
    size_t pending;           /* which of them is; meaningless without any */
};

struct store_log {
    struct log_id id;
    struct history main, branch;
    bool frozen, proven;
    char fork_node[NODE_NAME_SIZE_MAX + 1];
    struct buffer proof;
    uint64_t cosigned;
    struct store_note receipt; /* the newest own cosignature */
    struct event_receipt_held receipts[CORE_HUB_MAX];
    char receipt_hubs[CORE_HUB_MAX][NODE_NAME_SIZE_MAX + 1];
    size_t receipt_count;
};

struct store {
    size_t count;
    struct store_log *logs[STORE_LOG_MAX]; /* in the order of first sight */
};

void store_close(struct store *store);
void store_copy(struct store *to, const struct store *from);
struct store_log *store_find(struct store *store, const struct log_id *id);
struct store_log *store_make(struct store *store, const struct log_id *id);

struct merkle_source history_source(struct history *history);
struct cursor history_cursor(const struct history *history);
/* Parents named by record 0; the array is static, overwritten by the next call. */
const struct log_head *history_parents(const struct history *history, size_t *count);

/* Own logs: appends `count` made-up records (the first of a log being an incarnation that names
 * the tips) and signs one checkpoint. Different salts make different histories. */
void store_write(struct store *store, struct store_log *log, size_t count, uint8_t salt);
/* One record of these facts, their salt included; store_write() of none signs for it. */
void store_add(struct store_log *log, enum record_kind kind, struct bytes salted_facts);

/* The keys of a node: deterministic from its name. */
void store_log_key(const char *node, struct sign_key *key);
void store_receipt_key(const char *node, struct sign_key *key);

/* The effects. `*proven` becomes true when a fork proof was stored. */
enum err store_checkpoint(struct store *store, const struct effect_store_checkpoint *effect,
                          bool *proven);
enum err store_package(struct store *store, const struct effect_store_package *effect, bool *proven,
                       bool *first_stored);
enum err store_receipt(struct store *store, const struct effect_store_receipt *effect,
                       bool *proven);
enum err store_fork(struct store *store, const struct effect_store_fork *effect);
enum err store_cosign(struct store *store, const char *hub,
                      const struct effect_sign_receipt *effect);
enum err store_find_branch(struct store *store, const struct effect_find_branch *effect,
                           bool *branch);
/* The branch that the effect means, asked for by its accepted checkpoint. */
struct message_want store_want(struct store *store, const struct effect_send_want *effect);
/* What a core that starts is told of a log; points into it, and is overwritten by the next call. */
struct event store_loaded(const struct store_log *log);
/* The note to be shown, or NULL. */
const struct store_note *store_choose(const struct store_log *log,
                                      const struct effect_send_checkpoint *effect);

#endif
