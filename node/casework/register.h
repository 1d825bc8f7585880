/* Deciding a registration (design D13, D15): is it new, and under which code. */
#ifndef NODE_CASEWORK_REGISTER_H
#define NODE_CASEWORK_REGISTER_H

#include "node/casework/lookup.h"
#include "node/casework/tracking_code.h"
#include "node/casework/view_keys.h"
#include "storage/view.h"

#define REGISTER_DRAWS        4
#define REGISTER_ENTROPY_SIZE (CASE_ID_SIZE + REGISTER_DRAWS * TRACKING_CODE_ENTROPY_SIZE)

struct register_setting {
    const struct lookup_key *lookup_key;
    unsigned province_number;
};

struct register_decision {
    bool is_new; /* false: registered before, with the same content; nothing is to be recorded */
    struct request_id id;
    uint8_t case_id[CASE_ID_SIZE];
};

/* Decides on the request of `facts` (its code is set here) and `person`, which
 * request_input_check() made, with client and idempotency key filled in.
 *
 * New: the parts of its record are appended to `facts_part` and `person_part`, and the caller
 * proposes it under the decision's case id. Registered before under this client's key: the code
 * and case of then; a request whose person part was erased counts as the same whatever it says.
 * `entropy` is random and used up.
 *
 * ERR_CONFLICT   the key was used for other content (HTTP 422); the decision names that request
 * ERR_INVALID    a field is outside the record's limits
 * ERR_BUSY       all codes drawn are known: decide again with new entropy
 * or the view's or a buffer's error. */
enum err register_decide(struct view *view, const struct register_setting *setting,
                         struct request_facts *facts, const struct request_person *person,
                         const uint8_t entropy[REGISTER_ENTROPY_SIZE],
                         struct register_decision *decision, struct buffer *facts_part,
                         struct buffer *person_part);

/* The first half of it: OK and ERR_CONFLICT as above, of what was registered under this client's
 * key; ERR_NOT_FOUND when nothing was, and then the decision says nothing. */
enum err register_find(struct view *view, const struct register_setting *setting,
                       const struct request_facts *facts, const struct request_person *person,
                       struct register_decision *decision);

#endif
