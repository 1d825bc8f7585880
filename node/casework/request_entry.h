/* A request as the view holds it: where its record is, its facts, and how its citizen is found. No
 * personal data: the person part is read from the record, through the one door (design D18). */
#ifndef NODE_CASEWORK_REQUEST_ENTRY_H
#define NODE_CASEWORK_REQUEST_ENTRY_H

#include "node/casework/view_keys.h"
#include "storage/view.h"

enum request_flag {
    REQUEST_HAS_PHONE = 1,
    REQUEST_HAS_NATIONAL_ID = 2,
    REQUEST_ERASED = 4,         /* the person part was erased */
    REQUEST_PERSON_UNKNOWN = 8, /* the person part is absent here, or unreadable */
    REQUEST_MERGED = 16,        /* the same request as `same_as`: one case with two codes (D1) */
    REQUEST_CODE_SHARED = 32    /* its code had been given before: slot is not 0 (D15) */
};

enum request_state { REQUEST_REGISTERED = 1 };

#define SUBJECT_SIZE_MAX 64
#define PLACE_SIZE_MAX   128
#define CLIENT_SIZE_MAX  64

struct request_entry {
    struct request_id id;
    struct record_ref record;
    uint8_t case_id[CASE_ID_SIZE]; /* of `same_as` when merged */
    uint32_t flags;
    uint32_t state;
    uint32_t kind;
    uint32_t channel;
    int64_t occurred_at_ms;
    int64_t registered_at_ms;
    struct request_id same_as;
    /* All zero unless the flag says that there is one. */
    struct lookup_hash phone;
    struct lookup_hash national_id;
    struct lookup_hash last_digits;
    /* Terminated; client and key are kept to find the idempotency entry on erasure. */
    char subject[SUBJECT_SIZE_MAX + 1];
    char place[PLACE_SIZE_MAX + 1];
    char client[CLIENT_SIZE_MAX + 1];
    char idempotency_key[IDEMPOTENCY_KEY_SIZE_MAX + 1];
};

/* ERR_NOT_FOUND, or the view's error; ERR_CORRUPT, kept in the view, for a value that is no entry, or when the
 * request is there and its entry is not. */
enum err request_entry_get(struct view *view, const struct request_id *id,
                           struct request_entry *entry);
/* From a key and value of the table T. ERR_CORRUPT likewise. */
enum err request_entry_read(struct view *view, struct bytes key, struct bytes value,
                            struct request_entry *entry);
/* registered_at_ms and the id stay what they were when it was first put. */
void request_entry_put(struct view *view, const struct request_entry *entry);

#endif
