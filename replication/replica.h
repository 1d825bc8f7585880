/* The store side of replication: carries out the effects of the core (replication/core/effect.h)
 * on the log store. Plain functions without threads or sockets; which thread calls them is said at
 * each. Everything that comes from a peer is verified here before it is stored (design D6).
 *
 *   sending    any thread, a short reading transaction inside
 *   opening    any thread: what can be checked without the store (records, commitments, the
 *              signature of a note); the costly part, so several run at once
 *   storing    the log thread, inside its transaction: what depends on the store (cursor, pending
 *              checkpoint, proof), then the write. A function that refuses has written nothing.
 */
#ifndef REPLICATION_REPLICA_H
#define REPLICATION_REPLICA_H

#include "replication/core/core.h"
#include "storage/log.h"

struct replica;

struct replica_options {
    struct log_store *logs;
    const char *node;                   /* this node */
    const struct sign_key *receipt_key; /* copied; signs this node's receipts */
    /* The keys in force; ERR_NOT_FOUND for nodes that are not configured. Any thread. */
    enum err (*log_key)(void *context, const char *node, struct sign_public *key);
    enum err (*receipt_key_of)(void *context, const char *hub, struct sign_public *key);
    void *context;
};

enum err replica_new(struct replica **out, const struct replica_options *options);
void replica_free(struct replica *replica);

/* ---- at start: EVENT_LOG_LOADED for each stored log ---- */
/* Calls back with one event per log in ascending order of ids; ranges live during the call. */
typedef void replica_on_loaded(void *context, const struct event_log_loaded *loaded);
enum err replica_load(struct replica *replica, const char *const *hubs, size_t hub_count,
                      replica_on_loaded *on_loaded, void *context);

/* ---- sending (any thread): each appends encoded messages to a buffer ---- */
/* One CHECKPOINT; *size is the one chosen. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
enum err replica_send_checkpoint(struct replica *replica,
                                 const struct effect_send_checkpoint *effect,
                                 struct buffer *message, uint64_t *size);
/* PACKAGEs, each with its size (u32) before it. *next is the first record not sent, *size the encoded
 * bytes of all. With an error what was appended counts. Person parts are in the clear: the caller
 * wipes the buffer, which does not move when it has room for the budget and PACKAGE_ROOM. */
enum err replica_send_records(struct replica *replica, const struct effect_send_records *effect,
                              struct buffer *messages, uint64_t *next, uint64_t *size);
/* One WANT that names the branch by the root of its pending checkpoint. */
enum err replica_send_want(struct replica *replica, const struct effect_send_want *effect,
                           struct buffer *message);
/* Which branch of the log has that root at that size: the log itself (`*branch` false), or the
 * other one of a forked log. ERR_NOT_FOUND: none that is held. */
enum err replica_find_branch(struct replica *replica, const struct effect_find_branch *effect,
                             bool *branch);
enum err replica_send_receipt(struct replica *replica, const struct log_id *log,
                              struct buffer *message);
enum err replica_send_fork(struct replica *replica, const struct log_id *log,
                           struct buffer *message);

/* ---- receiving ---- */
/* What a store effect became; filled for the answering event. */
struct replica_result {
    enum err err;
    struct cursor cursor; /* of the branch that the effect was about */
    struct cursor other;  /* of a forked log: of its other branch, when that was not it */
    bool proven;
    size_t parent_count; /* when record 0 was newly stored */
    struct log_head *parents; /* freed by replica_result_close() */
    uint64_t receipt_size;
    uint64_t mended; /* batches that were damaged and are whole again */
    struct buffer note;
};
void replica_result_close(struct replica_result *result);

/* What is held of a log, and what its first record names, as cursor and parents of a result. Any
 * thread. */
enum err replica_held(struct replica *replica, const struct log_id *log,
                      struct replica_result *result);

/* The log of that number, and which of its records have to come again for the damage at `position` to
 * go (storage/log_mend.h). Any thread. */
enum err replica_damage(struct replica *replica, uint32_t number, uint64_t position,
                        struct log_id *log, uint64_t *first, uint64_t *end);

/* One received thing on its way to the store; owns copies of all it needs. */
struct replica_intake;

/* Opening, any thread: copies and checks the message. Always gives an intake (or ERR_NOMEM); what
 * was found wrong comes out as the result of storing. */
enum err replica_open_checkpoint(struct replica *replica,
                                 const struct effect_store_checkpoint *effect,
                                 struct replica_intake **out);
enum err replica_open_package(struct replica *replica, const struct effect_store_package *effect,
                              struct replica_intake **out);
enum err replica_open_receipt(struct replica *replica, const struct effect_store_receipt *effect,
                              struct replica_intake **out);
enum err replica_open_fork(struct replica *replica, const struct effect_store_fork *effect,
                           struct replica_intake **out);
/* As cheap as a copy: takes the message apart from the effect so that the opening can go to
 * another thread. Then replica_verify() on that thread does the costly part. */
enum err replica_verify(struct replica_intake *intake);
/* Storing, the log thread. The result is true once the transaction has committed. An error is that
 * of the transaction, or of an intake that was written in part (a batch to be erased from is damaged,
 * no memory): the transaction is to be aborted, and may be run again without it. May be called again
 * with another transaction when the first was aborted. */
enum err replica_store(struct replica_intake *intake, struct store_txn *txn,
                       struct replica_result *result);
void replica_intake_free(struct replica_intake *intake);

/* Cosigns the checkpoint of exactly `size`, wholly held; the log thread. result->err ERR_REFUSED
 * while a person part is absent without its erasure (design D3); result->note is the receipt. */
enum err replica_sign_receipt(struct replica *replica, struct store_txn *txn,
                              const struct log_id *log, uint64_t size, int64_t time_s,
                              struct replica_result *result);

#endif
