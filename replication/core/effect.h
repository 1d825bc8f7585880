/* What the replication core asks its caller to do, in this order.
 *
 * Order matters in two places. Messages of one link leave in the order of the effects, those that
 * the shell builds (SEND_CHECKPOINT, SEND_RECORDS, SEND_RECEIPT, SEND_FORK, SEND_WANT) included: a
 * shell that builds them on another thread keeps a queue per link. Store effects of one log are
 * carried out in order. Everything else may overlap; answers may come in any step afterwards. */
#ifndef REPLICATION_CORE_EFFECT_H
#define REPLICATION_CORE_EFFECT_H

#include "replication/core/event.h"

enum effect_type {
    EFFECT_SEND,             /* an encoded message to a link */
    EFFECT_SEND_CHECKPOINT,  /* read, prove, send; answer CHECKPOINT_SENT */
    EFFECT_SEND_RECORDS,     /* read, prove, send as packages; answer RECORDS_SENT */
    EFFECT_SEND_RECEIPT,     /* send the newest own cosignature of a log; no answer */
    EFFECT_SEND_FORK,        /* send the stored fork proof of a log; no answer */
    EFFECT_SEND_WANT,        /* ask for a branch of a forked log by its root; answer WANT_UNSENT when not */
    EFFECT_FIND_BRANCH,      /* look which branch has a root; answer BRANCH_FOUND */
    EFFECT_STORE_CHECKPOINT, /* verify, compare-and-advance; answer CHECKPOINT_STORED */
    EFFECT_STORE_PACKAGE,    /* verify, store; answer PACKAGE_STORED */
    EFFECT_STORE_RECEIPT,    /* verify, store; answer RECEIPT_STORED */
    EFFECT_STORE_FORK,       /* verify, store, freeze; answer FORK_STORED */
    EFFECT_SIGN_RECEIPT,     /* cosign, persist; answer RECEIPT_SIGNED */
    EFFECT_CONNECT,          /* open a link to a node; answer LINK_OPENED or CONNECT_FAILED */
    EFFECT_CLOSE,            /* send CLOSE, then end; the core has forgotten the link already */
    EFFECT_DROP,             /* end without a word: the peer said CLOSE, or is unreachable */
    EFFECT_ALARM,            /* a person should know */
    EFFECT_MAY_WRITE,        /* the hubs were asked: own incarnations may be opened */
    EFFECT_NEED_INCARNATION, /* close this live log and open one that names all heads */
};

struct effect_send {
    uint64_t link;
    enum message_type type; /* for traces */
    size_t offset;          /* use effect_message() */
    size_t size;
};

/* Choose the largest stored checkpoint of `log` with at_least <= size <= limit; when there is none,
 * the smallest of at_least or more, wholly held. Send it with its consistency proof from `from`. */
struct effect_send_checkpoint {
    uint64_t link;
    struct log_id log;
    uint64_t from;
    uint64_t at_least; /* from, or from + 1 */
    uint64_t limit;
    bool branch; /* of a forked log: the other branch */
};

/* Send records [first, end) as packages that prove against the checkpoint of size `against`, at
 * least one record, then as many as fit into `budget` encoded bytes. A package holds at most
 * MERKLE_BLOCK_SIZE records of one block and PACKAGE_ROOM bytes; where it may end and which proof
 * it then carries, replication/README.md says. */
struct effect_send_records {
    uint64_t link;
    struct log_id log;
    uint64_t first;
    uint64_t end; /* <= against */
    uint64_t against;
    uint64_t budget; /* >= PACKAGE_ROOM_MIN, and never more than the peer's credit */
    bool branch;     /* of a forked log: the other branch */
};

/* Send WANT for this branch of a forked log, from `next`, by the checkpoint accepted for it and its
 * root. The store knows which that is: a proof stored meanwhile may have told of a smaller one. */
struct effect_send_want {
    uint64_t link;
    struct log_id log;
    bool branch;
    uint64_t next;
};

/* Which branch of the log, as held here, has this root after its first `size` records? */
struct effect_find_branch {
    uint64_t link;
    struct log_id log;
    uint64_t size;
    struct hash root;
};

struct effect_send_log { /* SEND_RECEIPT, SEND_FORK */
    uint64_t link;
    struct log_id log;
};

/* Open the note with the log's key; then by compare-and-advance:
 *   from is the pending size    the proof must hold from the pending root
 *   from is the size held, and the note is smaller than the pending one (nobody reaches that any
 *   more: the author lost the end of its log)    the proof must hold from the root of what is held
 *   anything else               ERR_STALE
 * When it holds, the note's size and root become pending, durably; when it shows that the author
 * has signed another history (merkle_judge_consistency()), ERR_FORK: the note becomes the first
 * pending one of the other branch. When the proof merely fails, ERR_PROOF. Every note ever accepted
 * is kept, and compared with the tree when the log reaches its size: another root there is ERR_FORK
 * too. `branch`: of a frozen log, the other branch, with its own cursor; there a third history is
 * ERR_PROOF. Of a frozen log, what contradicts the branch held is ERR_STALE, and nothing steps
 * back. */
struct effect_store_checkpoint {
    uint64_t link;
    const char *node; /* the peer at its other end; lives as long as the core */
    struct log_id log;
    uint64_t size; /* as the note says */
    bool branch;
    const struct message_checkpoint *message;
};

/* Verify every record, the proof against the pending checkpoint, and what is already held; then
 * store the new records, the cursor and their tree in one transaction. `mends`: what is held is
 * damaged; where it is, it gives way to what has come, and nothing is appended. */
struct effect_store_package {
    uint64_t link;
    const char *node; /* as above */
    struct log_id log;
    bool branch;
    bool mends;
    const struct message_package *message;
    uint64_t size; /* encoded bytes; comes back in the answer */
};

struct effect_store_receipt {
    uint64_t link;
    struct log_id log;
    uint64_t size;
    const char *hub; /* whose cosignature it must be; lives as long as the core */
    struct bytes note;
};

struct effect_store_fork {
    uint64_t link;
    struct log_id log;
    const char *fork_node; /* who shows it; the branch will be fetched from there */
    struct bytes proof;
};

/* Cosign the checkpoint of exactly `size`, which is wholly held. Persist `size` as the largest
 * cosigned before the signature leaves; refuse a smaller one for ever. */
struct effect_sign_receipt {
    struct log_id log;
    uint64_t size;
};

struct effect_connect {
    const char *node; /* lives as long as the core */
};

struct effect_close {
    uint64_t link;
    enum close_code code;
    const char *text; /* static, English */
};

enum alarm {
    ALARM_FORK,         /* two histories of one log; frozen. held: our size, seen: theirs */
    ALARM_FORK_PROVEN,  /* a transferable proof is stored */
    ALARM_ROLLBACK,     /* a node lacks what others hold of its logs. held, seen: sizes */
    ALARM_HUB_ROLLBACK, /* a hub lacks what it has cosigned. held: receipt, seen: its size */
    ALARM_TWO_WRITERS,  /* two processes write as one node */
    ALARM_IDENTITY,     /* a hello does not match the link's key */
    ALARM_VERSION,      /* no common protocol version */
    ALARM_BAD_DATA,     /* a peer sent what does not verify. seen: enum err */
    ALARM_REFUSED,      /* a peer refuses what we send. seen: enum refusal_code */
    ALARM_UNREADABLE,   /* our own store could not give what it holds. seen: enum err */
    ALARM_LIMIT,        /* a bound of the core was reached, something was ignored */
};

struct effect_alarm {
    enum alarm alarm;
    const char *node; /* the peer or author; "" when none; lives as long as the core */
    bool has_log;
    struct log_id log;
    uint64_t held;
    uint64_t seen;
};

struct effect_may_write {
    bool hubs_unasked; /* there are hubs and none answered in time */
};

enum incarnation_reason {
    REASON_BEHIND, /* a peer holds more of the live log than we do */
    REASON_FORKED, /* a peer holds another history of the live log */
    REASON_MERGE,  /* handed-back records wait to be decided on */
};

struct effect_need_incarnation {
    struct log_id log; /* the live log to be closed */
    enum incarnation_reason reason;
};

struct effect {
    enum effect_type type;
    union {
        struct effect_send send;
        struct effect_send_checkpoint send_checkpoint;
        struct effect_send_records send_records;
        struct effect_send_log send_log;
        struct effect_send_want send_want;
        struct effect_find_branch find_branch;
        struct effect_store_checkpoint store_checkpoint;
        struct effect_store_package store_package;
        struct effect_store_receipt store_receipt;
        struct effect_store_fork store_fork;
        struct effect_sign_receipt sign_receipt;
        struct effect_connect connect;
        struct effect_close close; /* CLOSE, DROP */
        struct effect_alarm alarm;
        struct effect_may_write may_write;
        struct effect_need_incarnation need_incarnation;
    };
};

/* A queue that the caller owns and clears between steps; all zero is empty. It keeps its memory,
 * so that a running core does not allocate. err: ERR_NOMEM when an effect could not be kept; the
 * process must then stop, since the core believes that it was carried out. */
struct effects {
    struct effect *items;
    size_t count;
    size_t capacity;
    struct buffer messages; /* encoded, back to back */
    enum err err;
};

void effects_clear(struct effects *effects);
void effects_close(struct effects *effects);
/* The encoded bytes of a SEND; valid until the next clear or step. */
struct bytes effect_message(const struct effects *effects, const struct effect_send *send);

const char *effect_type_name(enum effect_type type);
const char *alarm_name(enum alarm alarm);
const char *incarnation_reason_name(enum incarnation_reason reason);

#endif
