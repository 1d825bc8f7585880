/* What the parts of each kind of record contain: msgpack maps with small unsigned keys, ascending
 * and unique, so that a part can gain fields without a new format; unknown keys are ignored.
 * Strings are UTF-8. The tables stand in proto/README.md. */
#ifndef PROTO_RECORD_FACTS_H
#define PROTO_RECORD_FACTS_H

#include "proto/record/record.h"

/* A terminated copy would cost; these ranges point into the decoded part. */

#define TRACKING_CODE_DIGITS 14
#define IDEMPOTENCY_KEY_SIZE_MAX 64

/* RECORD_INCARNATION, facts: { 1: [[log, size, root]...], 2: occurred_at, 3: flags }.
 * Every head (log, size, root) the node holds of its own node; empty for the first log ever. */
#define INCARNATION_PARENT_MAX 4096
enum incarnation_flag {
    INCARNATION_HUBS_UNASKED = 1, /* no hub answered within the limit before it was opened */
    INCARNATION_CLOCK_BACK = 2,   /* opened because the clock was corrected backwards */
    INCARNATION_MERGE = 4,        /* opened while running, to name handed-back or forked logs */
    INCARNATION_AFTER_FAILURE = 8 /* opened after a failed group */
};

struct log_head {
    struct log_id log;
    uint64_t size;
    struct hash root;
};

struct incarnation_facts {
    int64_t occurred_at_ms;
    uint32_t flags;
    size_t parent_count;
    struct log_head *parents; /* for decoding: caller's array of INCARNATION_PARENT_MAX, or NULL
                                 to only count and check */
};

/* RECORD_REQUEST. Kinds and channels are stable numbers; their names are the API's words. */
enum request_kind {
    REQUEST_COMPLAINT = 1, REQUEST_SUGGESTION, REQUEST_CRITICISM, REQUEST_PROBLEM, REQUEST_IDEA,
    REQUEST_REQUEST, REQUEST_QUESTION, REQUEST_REPORT, REQUEST_THANKS
};
enum request_channel {
    CHANNEL_PHONE = 1, CHANNEL_WALK_IN, CHANNEL_LETTER, CHANNEL_DESK, CHANNEL_WEB, CHANNEL_SMS,
    CHANNEL_IMPORT
};

/* facts { 1: occurred_at_ms, 2: code, 3: kind, 4: channel, 5: subject, 6: place, 7: client,
 *         8: idempotency key } */
struct request_facts {
    int64_t occurred_at_ms;
    struct bytes code; /* TRACKING_CODE_DIGITS ASCII digits */
    uint32_t kind;
    uint32_t channel;
    struct bytes subject;         /* 1..64: a subject's code, e.g. "water.outage" */
    struct bytes place;           /* 0..128: ISO 3166-2 and below, "IR-24/..." */
    struct bytes client;          /* 1..64: the API client that owns the idempotency key */
    struct bytes idempotency_key; /* 1..64 printable ASCII */
};
/* person { 1: name, 2: national_id, 3: phone, 4: text, 5: address } */
struct request_person {
    struct bytes name;        /* 1..200 */
    struct bytes national_id; /* 10 digits, or empty */
    struct bytes phone;       /* canonical "+98...", or empty */
    struct bytes text;        /* 1..20000 */
    struct bytes address;     /* 0..1000 */
};

/* RECORD_ERASE, facts { 1: occurred_at_ms, 2: [log, position], 3: reason }: the person part of that
 * record, and its salt, are deleted by every holder. */
struct erase_facts {
    int64_t occurred_at_ms;
    struct log_id log;
    uint64_t position;
    struct bytes reason; /* 1..200, a code or short text without personal data */
};

/* RECORD_DIRECTORY, facts { 1: occurred_at_ms, 2: node, 3: ISO code, 4: Persian name,
 * 5: English name, 6: area code, 7: status }: the newest entry of a node wins. */
struct directory_facts {
    int64_t occurred_at_ms;
    struct bytes node;
    struct bytes iso; /* "IR-24" */
    struct bytes name_fa;
    struct bytes name_en;
    struct bytes area_code; /* "045" */
    uint32_t status;        /* 1 active, 2 retired */
};

/* Encoders append the part without its salt; ERR_INVALID outside the limits above. Decoders take
 * the part without its salt and check the same limits: ERR_MALFORMED. */
enum err incarnation_facts_encode(struct buffer *out, const struct incarnation_facts *facts);
enum err incarnation_facts_decode(struct incarnation_facts *facts, struct bytes part);
enum err request_facts_encode(struct buffer *out, const struct request_facts *facts);
enum err request_facts_decode(struct request_facts *facts, struct bytes part);
enum err request_person_encode(struct buffer *out, const struct request_person *person);
enum err request_person_decode(struct request_person *person, struct bytes part);
enum err erase_facts_encode(struct buffer *out, const struct erase_facts *facts);
enum err erase_facts_decode(struct erase_facts *facts, struct bytes part);
enum err directory_facts_encode(struct buffer *out, const struct directory_facts *facts);
enum err directory_facts_decode(struct directory_facts *facts, struct bytes part);

#endif
