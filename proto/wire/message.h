/* The messages of a link, after the handshake: one msgpack array each, [ type, fields... ].
 *
 * Either side may be the sender of a log and the receiver of another; both directions run in one
 * connection (design D6). The protocol in words is in replication/README.md, the byte tables in
 * proto/README.md. Ranges inside a decoded message point into the bytes it was decoded from. */
#ifndef PROTO_WIRE_MESSAGE_H
#define PROTO_WIRE_MESSAGE_H

#include "proto/record/record.h"
#include "proto/secure/merkle.h"
#include "proto/secure/note.h"

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX      2
#define PROTOCOL_VERSION_BRANCHES 2 /* from here on WANT may name a branch of a forked log */
#define MESSAGE_SIZE_MAX (1024 * 1024)
#define MESSAGE_HEAD_MAX 1024 /* heads in one message */
#define MESSAGE_TEXT_SIZE_MAX 256

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_HEADS = 2,
    MESSAGE_WANT = 3,
    MESSAGE_CHECKPOINT = 4,
    MESSAGE_PACKAGE = 5,
    MESSAGE_RECEIPT = 6,
    MESSAGE_CREDIT = 7,
    MESSAGE_REFUSAL = 8,
    MESSAGE_FORK = 9,
    MESSAGE_PING = 10,
    MESSAGE_PONG = 11,
    MESSAGE_CLOSE = 12,
    MESSAGE_ENROL = 13,
    MESSAGE_ENROLLED = 14,
};

/* First message in each direction. [1, min, max, node, role, software, binding, credit] */
struct message_hello {
    uint32_t protocol_min, protocol_max;
    char node[NODE_NAME_SIZE_MAX + 1];
    uint32_t role;         /* enum node_role */
    struct bytes software; /* 0..64, for people */
    struct hash binding;   /* the handshake hash, first 32 bytes */
    uint64_t credit;       /* package bytes the peer may send before CREDIT gives more */
};
enum node_role { ROLE_PROVINCE = 1, ROLE_HUB = 2 };

/* Logs this side can send. A link begins with a series of these that tells all its tips; the last
 * of the series is complete. Later ones tell what has grown, or answer a WANT that cannot be
 * served. [2, complete, [[log, size]...]] */
struct message_head {
    struct log_id log;
    uint64_t size;
};
struct message_heads {
    bool complete; /* the first series ends here */
    size_t count;
    struct message_head heads[MESSAGE_HEAD_MAX];
};

/* The receiver asks for a log, answers a checkpoint or a gap. [3, log, next, pending], or, since
 * version 2, [3, log, next, pending, root]: of a forked log, the branch whose first `pending`
 * records have that root. */
struct message_want {
    struct log_id log;
    uint64_t next;    /* the first record the receiver lacks, from its own store */
    uint64_t pending; /* size of the checkpoint it has accepted last; 0 none */
    bool names_branch;
    struct hash root; /* when it names a branch */
};

/* [4, note, from, [hash...]]: a checkpoint and its consistency proof from size `from`. */
struct message_checkpoint {
    struct bytes note;
    uint64_t from;
    struct merkle_proof proof;
};

/* [5, log, first, count, against, encoding, body, [hash...]]: `count` records from `first`, inside
 * one block; `body` their wire forms one after the other. The proof depends on where they end:
 *   at the end of the block, or of the checkpoint of size `against`: that of the block (or of what
 *     the checkpoint covers of it), merkle_prove_block();
 *   before (large records, a slow link): that the log of first + count records is a prefix of the
 *     checkpoint, merkle_prove_consistency(). */
struct message_package {
    struct log_id log;
    uint64_t first;
    uint64_t count; /* 1..MERKLE_BLOCK_SIZE */
    uint64_t against;
    uint32_t encoding; /* enum package_encoding */
    struct bytes body;
    struct merkle_proof proof;
};
enum package_encoding { PACKAGE_PLAIN = 0, PACKAGE_ZSTD = 1 };

/* [6, note]: a checkpoint with the sender's cosignature. */
struct message_receipt {
    struct bytes note;
};

/* [7, size]: that many more bytes of packages may be sent. */
struct message_credit {
    uint64_t size;
};

/* [8, log, code, next, text]: the receiver did not take something. */
struct message_refusal {
    struct log_id log;
    uint32_t code; /* enum refusal_code */
    uint64_t next;
    struct bytes text;
};
enum refusal_code {
    REFUSAL_GAP = 1,
    REFUSAL_PROOF,
    REFUSAL_SIGNATURE,
    REFUSAL_FORK,
    REFUSAL_COMMITMENT,
    REFUSAL_MALFORMED,
    REFUSAL_FULL,
    REFUSAL_NOT_ADMITTED, /* the asked one: not a log for you */
    REFUSAL_BUSY,         /* the asked one: not now, ask again later */
    REFUSAL_UNWANTED,     /* the asker: stop sending this log */
    REFUSAL_BRANCH /* the asked one, since version 2: nothing (more) of that branch is here */
};

/* [9, proof]: a transferable fork proof, see replication/README.md. */
struct message_fork {
    struct bytes proof;
};

/* [10, token], [11, token] */
struct message_ping {
    uint64_t token;
};

/* [12, code, text]: the last message of a connection; without it the end is a truncation. */
struct message_close {
    uint32_t code; /* enum close_code */
    struct bytes text;
};
enum close_code {
    CLOSE_NORMAL = 0, CLOSE_VERSION, CLOSE_UNKNOWN_NODE, CLOSE_DUPLICATE, CLOSE_MALFORMED,
    CLOSE_LIMIT, CLOSE_TIMEOUT, CLOSE_SHUTDOWN, CLOSE_BUSY, CLOSE_IDENTITY
};

/* Enrolment (design D8), over Noise_XKpsk3. [13, node, province, log key, link key, proof]:
 * proof = Ed25519 by the log key over "samad/enrol/v1\n" || handshake hash (first 32 bytes). */
struct message_enrol {
    char node[NODE_NAME_SIZE_MAX + 1];
    struct bytes province; /* 1..16, ISO code */
    struct sign_public log_key;
    struct link_public link_key;
    uint8_t proof[SIGNATURE_SIZE];
};
/* [14, status, text, code]: status 1 pending, 2 accepted, 3 refused; code is compared by people. */
struct message_enrolled {
    uint32_t status;
    struct bytes text;
    struct bytes code; /* 0..32 */
};

struct message {
    enum message_type type;
    union {
        struct message_hello hello;
        struct message_heads heads;
        struct message_want want;
        struct message_checkpoint checkpoint;
        struct message_package package;
        struct message_receipt receipt;
        struct message_credit credit;
        struct message_refusal refusal;
        struct message_fork fork;
        struct message_ping ping; /* and pong */
        struct message_close close;
        struct message_enrol enrol;
        struct message_enrolled enrolled;
    };
};

/* Appends the encoded message. ERR_INVALID for a field outside its limits, ERR_TOO_LARGE above
 * MESSAGE_SIZE_MAX. */
enum err message_encode(struct buffer *out, const struct message *message);
/* Skims, then decodes. ERR_MALFORMED; ERR_TOO_LARGE; an unknown type is ERR_VERSION. `message` is
 * large (about 100 kB): do not put it on a small stack. */
enum err message_decode(struct message *message, struct bytes input);
/* "hello", "heads" ... for logs and traces. */
const char *message_type_name(enum message_type type);

#endif
