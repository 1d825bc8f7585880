/* A record: header, facts, person (design D3).
 *
 * The header is a msgpack array of fixed shape; its bytes as written are the leaf of the log's
 * tree and are never re-encoded. The parts are detached: the header commits to each by
 * SHA-256(salt || part), with a salt of 32 bytes of its own, so a part can be taken away and
 * the proofs still hold.
 *
 *   header = [ format, kind, [node, audience, incarnation], position, time_ms, actor,
 *              case | nil, cause | nil, receipt | nil, facts, person | nil ]
 *   cause   = [ [node, audience, incarnation], position, leaf hash ]
 *   receipt = [ hub, incarnation, size, time_s ]    the last receipt the author held
 *   facts, person = commitments, bin 32
 *
 * A stored or sent part is salt || bytes. */
#ifndef PROTO_RECORD_RECORD_H
#define PROTO_RECORD_RECORD_H

#include "proto/record/log_id.h"
#include "proto/secure/hash.h"

#define RECORD_FORMAT 1
#define RECORD_HEADER_SIZE_MAX 1024
#define RECORD_PART_SIZE_MAX (64 * 1024) /* salt included */
#define RECORD_ACTOR_SIZE_MAX 64
#define SALT_SIZE 32
#define CASE_ID_SIZE 16

/* Kinds are stable numbers; a program stores, forwards and verifies kinds that it does not know. */
enum record_kind {
    RECORD_INCARNATION = 1, /* first record of every log: its parents */
    RECORD_REQUEST = 2,     /* a citizen's request was registered */
    RECORD_ERASE = 3,       /* the person part of another record is erased */
    RECORD_DIRECTORY = 4,   /* hub broadcast: a province's directory entry */
};

struct record_cause {
    struct log_id log;
    uint64_t position;
    struct hash leaf;
};

struct record_receipt {
    char hub[NODE_NAME_SIZE_MAX + 1];
    uint8_t incarnation[INCARNATION_SIZE];
    uint64_t size;
    int64_t time_s;
};

struct record_header {
    uint32_t kind;
    struct log_id log;
    uint64_t position;
    int64_t time_ms; /* the author's wall clock, since 1970 UTC, >= 0 */
    char actor[RECORD_ACTOR_SIZE_MAX + 1]; /* an opaque id, never a name; may be empty */
    bool has_case;
    bool has_cause;
    bool has_receipt;
    bool has_person;
    uint8_t case_id[CASE_ID_SIZE];
    struct record_cause cause;
    struct record_receipt receipt;
    struct hash facts;
    struct hash person;
};

/* The three byte strings that are a record. `person` is empty either because the header has no
 * person commitment or because `person_absent` (erased, or withheld). */
struct record {
    struct bytes header;
    struct bytes facts;  /* salt || facts */
    struct bytes person; /* salt || person */
    bool person_absent;
};

/* Appends the header's bytes to `out`. ERR_INVALID when a field is outside its limits. */
enum err record_header_encode(struct buffer *out, const struct record_header *header);
/* ERR_VERSION for another format, ERR_MALFORMED for any other deviation, including trailing bytes
 * and non-minimal encodings: encode(decode(x)) == x for every accepted x. */
enum err record_header_decode(struct record_header *out, struct bytes header);

/* A part without its salt; empty when there is none. */
struct bytes record_unsalted(struct bytes salted_part);
/* SHA-256(salt || part), of the two together as they are stored. */
void record_commit(struct hash *out, struct bytes salted_part);

/* Checks a whole record: the header decodes and names `log` and `position`, the sizes are within
 * limits, facts and person match their commitments, and person is present exactly when it should
 * be (or absent by person_absent). Gives the decoded header and the leaf hash.
 * ERR_COMMITMENT, ERR_MALFORMED, ERR_VERSION, ERR_TOO_LARGE. */
enum err record_verify(const struct record *record, const struct log_id *log, uint64_t position,
                       struct record_header *header, struct hash *leaf);

/* A record on the wire: msgpack [ header bin, facts bin, person bin | nil | false ], where nil says
 * «the header has no person» and false «absent». Appends to `out`. */
void record_encode(struct buffer *out, const struct record *record);
/* Takes one record off the front of `*input`; the ranges point into it. Skims first, allocates
 * nothing. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err record_decode(struct record *record, struct bytes *input);

#endif
