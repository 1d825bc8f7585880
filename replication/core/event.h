/* What the replication core is told. Every event carries the time; the core reads no clock.
 *
 * Ranges and pointers inside an event are borrowed for the call of core_step() and for as long as
 * the caller executes the effects of that step: effects such as STORE_PACKAGE point back into the
 * message that caused them. A shell that hands an effect to another thread keeps the message. */
#ifndef REPLICATION_CORE_EVENT_H
#define REPLICATION_CORE_EVENT_H

#include "proto/record/facts.h"
#include "proto/wire/message.h"

enum event_type {
    EVENT_LOG_LOADED,        /* before START: one log that the store holds */
    EVENT_START,             /* everything is loaded; links and writing may begin */
    EVENT_TICK,              /* core_deadline() has come (earlier or later does no harm) */
    EVENT_LINK_OPENED,       /* the handshake is done */
    EVENT_LINK_HEARD,        /* an authentic frame came; at most one a second is enough */
    EVENT_LINK_CLOSED,       /* the transport is gone, whoever ended it */
    EVENT_CONNECT_FAILED,    /* a CONNECT did not become a link */
    EVENT_MESSAGE,           /* a decoded message */
    EVENT_LOG_OPENED,        /* an own incarnation: its first record is committed */
    EVENT_LOG_ADVANCED,      /* a group of an own live log is committed, checkpoint included */
    EVENT_LOG_CLOSED,        /* an own log will not be written again by this process */
    EVENT_LOG_PUT_BACK,      /* more of an own log is held that no effect has stored */
    EVENT_LOG_DAMAGED,       /* records that are held lie damaged in the store */
    EVENT_CHECKPOINT_SENT,   /* answers SEND_CHECKPOINT */
    EVENT_RECORDS_SENT,      /* answers SEND_RECORDS */
    EVENT_CHECKPOINT_STORED, /* answers STORE_CHECKPOINT */
    EVENT_PACKAGE_STORED,    /* answers STORE_PACKAGE */
    EVENT_RECEIPT_SIGNED,    /* answers SIGN_RECEIPT */
    EVENT_RECEIPT_STORED,    /* answers STORE_RECEIPT */
    EVENT_FORK_STORED,       /* answers STORE_FORK */
    EVENT_BRANCH_FOUND,      /* answers FIND_BRANCH */
    EVENT_WANT_UNSENT,       /* answers SEND_WANT when nothing could be sent */
};

/* How much of one log is held. covered <= size <= pending, and all are record counts:
 *   size     records stored, without a hole from 0; the next one that is lacking
 *   covered  the largest checkpoint that is wholly held: what may be shown to others
 *   pending  the largest checkpoint accepted (and persisted) so far
 * Of an own live log the three are equal after every group commit. */
struct cursor {
    uint64_t size;
    uint64_t covered;
    uint64_t pending;
};

struct event_receipt_held {
    const char *hub; /* node name */
    uint64_t size;
};

struct event_log_loaded {
    struct log_id log;
    struct cursor held;
    uint64_t cosigned; /* hub: the largest checkpoint this node has ever cosigned */
    /* What its first record names; empty when that record is not held. */
    const struct log_head *parents;
    size_t parent_count;
    /* Own logs: the newest receipt of each hub. */
    const struct event_receipt_held *receipts;
    size_t receipt_count;
    /* A forked log: who showed the other branch, how much of that is held, whether proven. */
    bool frozen;
    bool proven;
    const char *fork_node;
    struct cursor branch;
};

struct event_link_opened {
    uint64_t link; /* chosen by the shell, never 0, never used twice */
    bool outbound;
    const char *node;    /* mapped from the peer's link key; "" when the key is unknown */
    struct hash binding; /* the handshake hash */
};

struct event_link {
    uint64_t link;
};

struct event_connect_failed {
    const char *node;
};

struct event_message {
    uint64_t link;
    const struct message *message;
    size_t size; /* encoded bytes; what a PACKAGE costs of the credit */
};

struct event_own_log {
    struct log_id log;
    uint64_t size;                  /* durable, and covered by a checkpoint of exactly this size */
    const struct log_head *parents; /* LOG_OPENED only */
    size_t parent_count;
};

/* From another copy that this node has (a journal), behind what a hub handed back. */
struct event_log_put_back {
    struct log_id log;
    struct cursor held;
    const struct log_head *parents; /* what its first record names */
    size_t parent_count;
};

/* Records [first, end) of a log; the shell wants all of them, to put right what it can (STORE_PACKAGE
 * with `mends`). It is told again as long as it lasts. */
struct event_log_damaged {
    struct log_id log;
    uint64_t first, end;
};

/* err OK: the shell sent a checkpoint of `size`, chosen as effect_send_checkpoint says.
 * Otherwise nothing was sent: ERR_NOT_FOUND (no such checkpoint), ERR_CORRUPT, ERR_IO. */
struct event_checkpoint_sent {
    uint64_t link;
    struct log_id log;
    uint64_t size;
    enum err err;
};

/* Reported when the link's write queue has drained below a mark of the shell's choice (a fraction
 * of a second of the link's rate), so that a slow link is never given more than it can carry.
 * next: the first record not sent; size: encoded bytes of all packages sent. With an error the
 * packages before it count. */
struct event_records_sent {
    uint64_t link;
    struct log_id log;
    uint64_t next;
    uint64_t size;
    enum err err;
};

/* The result of STORE_CHECKPOINT or STORE_PACKAGE, durable when reported. `cursor` is the state
 * after it (of the branch when `branch`), also when it failed.
 *   OK              stored, or already held and the same
 *   ERR_STALE       the checkpoint's `from` is not the pending size any more; nothing changed
 *   ERR_GAP         records before the package are missing
 *   ERR_PROOF, ERR_SIGNATURE, ERR_COMMITMENT, ERR_MALFORMED    refused, nothing stored
 *   ERR_FULL        no room
 *   ERR_FORK        another history, under a valid signature: the shell has frozen the log, kept
 *                   the conflicting note and whatever proves it, in one transaction. `proven` says
 *                   whether a transferable proof is stored (core/fork.h). */
struct event_stored {
    uint64_t link;
    const char *node; /* whose link that was; it may be gone */
    struct log_id log;
    bool branch;
    bool mends; /* as in the effect */
    enum err err;
    struct cursor cursor;
    struct cursor other; /* of a forked log, unless `branch`: what is held of the other branch */
    uint64_t size; /* packages: the encoded bytes, as in the effect */
    bool proven;
    /* When record 0 was among the newly stored: what it names. */
    const struct log_head *parents;
    size_t parent_count;
};

/* err OK: cosigned and persisted as the largest, then given here to be sent.
 * ERR_REFUSED: a person part is absent whose erasure is not held yet (design D3); asked again
 * when more of that node is stored. */
struct event_receipt_signed {
    struct log_id log;
    uint64_t size;
    struct bytes note;
    enum err err;
};

/* err OK: verified and durable (or a smaller one than held: size is then the held one's).
 * ERR_SIGNATURE, ERR_MALFORMED: refused. ERR_FORK: our own log has another root at that size; the
 * shell has frozen it and kept the proof. */
struct event_receipt_stored {
    const char *hub;
    struct log_id log;
    uint64_t size;
    enum err err;
    bool proven;
    struct cursor other; /* ERR_FORK: the other branch as it is now */
};

/* err OK: the proof verifies and is durable, the log is frozen. ERR_PROOF: it proves nothing. */
struct event_fork_stored {
    const char *fork_node;
    struct log_id log;
    enum err err;
    struct cursor cursor, other; /* OK: the log and its other branch, with what is to be fetched */
};

/* err OK: that one, `branch` being the other one of a forked log. ERR_NOT_FOUND: none that is held.
 * Others: it could not be looked for now. */
struct event_branch_found {
    uint64_t link;
    struct log_id log;
    bool branch;
    enum err err;
};

struct event_want_unsent {
    uint64_t link;
    struct log_id log;
};

struct event {
    enum event_type type;
    uint64_t now_ms; /* monotonic, not decreasing */
    union {
        struct event_log_loaded log_loaded;
        struct event_link_opened link_opened;
        struct event_link link; /* HEARD, CLOSED */
        struct event_connect_failed connect_failed;
        struct event_message message;
        struct event_own_log own_log; /* OPENED, ADVANCED, CLOSED */
        struct event_log_put_back log_put_back;
        struct event_log_damaged log_damaged;
        struct event_checkpoint_sent checkpoint_sent;
        struct event_records_sent records_sent;
        struct event_stored stored; /* CHECKPOINT_STORED, PACKAGE_STORED */
        struct event_receipt_signed receipt_signed;
        struct event_receipt_stored receipt_stored;
        struct event_fork_stored fork_stored;
        struct event_branch_found branch_found;
        struct event_want_unsent want_unsent;
    };
};

#endif
