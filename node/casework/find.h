/* Reading a view: requests by code and second factor, by citizen, the newest, what is parked. */
#ifndef NODE_CASEWORK_FIND_H
#define NODE_CASEWORK_FIND_H

#include "node/casework/lookup.h"
#include "node/casework/request_entry.h"
#include "storage/view.h"

/* The request of a tracking code, for somebody who also knows the citizen's phone number, or the
 * last four digits of the national ID where the request has no phone (design D15). Both are as
 * typed; `area_code` is the node's, for local phone numbers.
 *
 * ERR_MALFORMED  the code has a typing error (its length or check digits are wrong)
 * ERR_INVALID    the factor is neither a phone number nor four digits
 * ERR_NOT_FOUND  no such code, another factor, or erased: not told apart, and the hash is computed
 *                before the code is looked up and compared in constant time */
enum err request_find(struct view *view, const struct lookup_key *lookup_key, struct bytes code,
                      struct bytes factor, const char *area_code, struct request_entry *entry);

/* The requests under one code, whoever asks (for staff, after authorisation): `count` is 0, 1, or
 * more after a code was given twice. `code` has fourteen digits. */
enum err request_list_by_code(struct view *view, struct bytes code, struct request_entry *entries,
                              size_t max, size_t *count);

/* The requests of one citizen, by canonical number, in the order of their codes. */
enum err request_list_by_phone(struct view *view, const struct lookup_key *lookup_key,
                               struct bytes phone, struct request_entry *entries, size_t max,
                               size_t *count);
enum err request_list_by_national_id(struct view *view, const struct lookup_key *lookup_key,
                                     struct bytes national_id, struct request_entry *entries,
                                     size_t max, size_t *count);

/* The newest first; `before` NULL, or the last entry of the page before. */
enum err request_list_recent(struct view *view, const struct request_entry *before,
                             struct request_entry *entries, size_t max, size_t *count);

struct parked {
    struct record_ref record;
    uint32_t reason; /* enum parked_reason */
    uint32_t kind;   /* of the record */
};
/* `after` NULL, or the last of the page before. */
enum err parked_list(struct view *view, const struct parked *after, struct parked *items,
                     size_t max, size_t *count);

#endif
