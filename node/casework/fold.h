/* The fold: how one record changes its node's view (design D1, D3, D13).
 *
 * Pure but for the view: no clock, no randomness, no other node's records. Folding the same records
 * in the same order gives the same bytes, and so does folding them after an erasure:
 *
 *   F1  Lasting content derives from headers and facts alone; what derives from the person part
 *       (hashes, fingerprint) vanishes with it, and then the view is as if it had never been there.
 *   F2  Values are absolute. A record is folded once; the applied position is storage's.
 *   F3  A kind that this program does not know changes nothing.
 *   F4  A record that does not apply, or not wholly, is parked: visible, counted, with the reason.
 *   F5  Two requests under one (client, idempotency key) are one case with two codes, counted once.
 *   F6  Two requests under one code are both kept, in two slots. */
#ifndef NODE_CASEWORK_FOLD_H
#define NODE_CASEWORK_FOLD_H

#include "node/casework/lookup.h"
#include "node/casework/view_keys.h"
#include "storage/view.h"

/* Of the rules: raised whenever the same records would fold into other content (storage/rules.h). */
#define FOLD_VERSION 2

struct fold_context {
    struct lookup_key lookup_key;
};

/* Folds one record. `context` is a struct fold_context; the signature is that of struct rules
 * (storage/rules.h). `facts` and `person` are without their salts. The error is the view's. */
enum err fold_record(void *context, struct view *view, const struct record_header *header,
                     struct bytes facts, struct bytes person, bool person_absent);

/* Why a record is parked. Stable numbers: they stand in views and in the API. */
enum parked_reason {
    PARKED_FACTS_UNREADABLE = 1,  /* not in the form of its kind: nothing applied */
    PARKED_PERSON_UNREADABLE = 2, /* the facts apply, the citizen cannot be found by phone or ID */
    PARKED_CASE_MISSING = 3,      /* a request without a case id: nothing applied */
    PARKED_KEY_REUSED = 4,        /* merged by its idempotency key although its facts differ */
    PARKED_CODE_SHARED = 5,       /* its code was known: both kept */
    PARKED_CODE_FULL = 6,         /* its code was known 256 times: nothing applied */
    PARKED_ERASE_UNKNOWN = 7,     /* erases a record that is no request here; applied if it comes */
    PARKED_ERASE_FOREIGN = 8      /* erases a record of another node: nothing applied */
};

/* "facts_unreadable". Static storage; "unknown" for other numbers. */
const char *parked_reason_word(uint32_t reason);

#endif
