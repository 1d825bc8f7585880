/* The keys and small values of a node's casework view: the only place that knows how they look.
 *
 *   letter  rest of the key                        value
 *   R       id                                     registered at, ms(8)
 *   T       registered at, ms(8) id                a request entry (request_entry.h)
 *   I       client size(1) client, idempotency key id, fingerprint(16)
 *   P       hash of the phone(8) id                1
 *   N       hash of the national ID(8) id          1
 *   L       record                                 id
 *   E       record                                 the erasing record
 *   X       record                                 reason(1) kind(4): parked, see fold.h
 *   C       counter(1) rest                        count(8)
 *   D       node                                   a directory entry (directory_entry.h)
 *
 *   id = code(6), as a number, slot(1)
 *   record = audience size(1) audience incarnation(16) position(8); the node is the view's own.
 *   Integers are big-endian, so that byte order is their order.
 *
 * The keys of R, P and N come in no order, so that each flush writes most of their pages anew: they are kept as
 * small as they can be. What is large stands in T, where new entries come last. P and N hold half of a hash;
 * the entry has the whole one, and who reads compares it. */
#ifndef NODE_CASEWORK_VIEW_KEYS_H
#define NODE_CASEWORK_VIEW_KEYS_H

#include "node/casework/lookup.h"
#include "proto/record/facts.h"

#define REQUEST_ID_SIZE       7
#define LOOKUP_INDEX_SIZE     8 /* of a hash, in keys */
#define RECORD_REF_SIZE_MAX   (1 + NODE_NAME_SIZE_MAX + INCARNATION_SIZE + 8)
#define CASEWORK_KEY_SIZE_MAX 160

/* A tracking code, and which of the requests that bear it: 0 but for a code that was given again
 * after a restore from an old copy (design D15). */
struct request_id {
    char code[TRACKING_CODE_DIGITS + 1];
    uint8_t slot;
};

/* A record of the view's node. */
struct record_ref {
    char audience[NODE_NAME_SIZE_MAX + 1];
    uint8_t incarnation[INCARNATION_SIZE];
    uint64_t position;
};

enum counter {
    COUNTER_REQUESTS = 't', /* cases registered: a merged request is not counted again */
    COUNTER_KIND = 'k',
    COUNTER_CHANNEL = 'c',
    COUNTER_SUBJECT = 's',
    COUNTER_DAY = 'd', /* the day in Iran on which it occurred */
    COUNTER_MERGED = 'm',
    COUNTER_ERASED = 'e',
    COUNTER_PARKED = 'p'
};

struct view_key {
    uint8_t data[CASEWORK_KEY_SIZE_MAX];
    size_t size;
};
struct bytes view_key_bytes(const struct view_key *key);

struct view_key key_of_request(const struct request_id *id);
struct view_key key_of_idempotency(struct bytes client, struct bytes idempotency_key);
struct view_key key_of_phone(const struct lookup_hash *phone, const struct request_id *id);
struct view_key key_of_national_id(const struct lookup_hash *national_id,
                                   const struct request_id *id);
struct view_key key_of_entry(int64_t registered_at_ms, const struct request_id *id);
struct view_key key_of_located(const struct record_ref *record);
struct view_key key_of_erased(const struct record_ref *record);
struct view_key key_of_parked(const struct record_ref *record);
struct view_key key_of_directory(struct bytes node);
/* `rest` is what the counter counts by: counter_number() for kinds and channels, counter_day() for
 * days, the code of a subject, nothing for the others. */
struct view_key key_of_counter(enum counter counter, struct bytes rest);

struct counter_rest {
    uint8_t data[4];
};
struct counter_rest counter_number(uint32_t number);
/* Days before 1970 sort first, too. */
struct counter_rest counter_day(int32_t day);
int32_t counter_rest_day(struct bytes rest);

struct request_id request_id_of(struct bytes code, uint8_t slot);
bool request_id_equal(const struct request_id *a, const struct request_id *b);
/* As in keys and values. The code must be fourteen digits. */
void request_id_pack(uint8_t out[REQUEST_ID_SIZE], const struct request_id *id);
/* ERR_MALFORMED in the reader for what is no code. */
struct request_id request_id_read(struct reader *reader);

struct record_ref record_ref_of(const struct log_id *log, uint64_t position);
void record_ref_write(struct buffer *out, const struct record_ref *record);
struct record_ref record_ref_read(struct reader *reader);

#endif
