/* A request as it is typed, and what is kept of it: checked, normalised, every fault named.
 *
 * All faults are reported at once, each with its field, so that a call-taker corrects a form once
 * while the citizen is still on the line. */
#ifndef NODE_CASEWORK_REQUEST_INPUT_H
#define NODE_CASEWORK_REQUEST_INPUT_H

#include "node/casework/province.h"
#include "proto/record/facts.h"

/* The fields, under the names that the API gives them. */
#define REQUEST_FIELD_LIST(X)                                                                      \
    X(KIND, kind)                                                                                  \
    X(CHANNEL, channel)                                                                            \
    X(SUBJECT, subject)                                                                            \
    X(TEXT, text)                                                                                  \
    X(NAME, name)                                                                                  \
    X(NATIONAL_ID, national_id)                                                                    \
    X(PHONE, phone)                                                                                \
    X(PLACE, place)                                                                                \
    X(OCCURRED_AT, occurred_at)                                                                    \
    X(ADDRESS, address)

enum request_field {
#define REQUEST_FIELD_ENUM(NAME, name) FIELD_##NAME,
    REQUEST_FIELD_LIST(REQUEST_FIELD_ENUM)
#undef REQUEST_FIELD_ENUM
        REQUEST_FIELD_COUNT
};

/* UTF-8 of whoever typed it; empty is the same as not given. */
struct request_input {
#define REQUEST_FIELD_MEMBER(NAME, name) struct bytes name;
    REQUEST_FIELD_LIST(REQUEST_FIELD_MEMBER)
#undef REQUEST_FIELD_MEMBER
};

/* Limits, in characters; a text must also fit its limit in bytes (proto/record/facts.h), which only
 * a text mostly of ZWNJ or emoji meets first. */
#define REQUEST_NAME_LENGTH_MAX    100
#define REQUEST_TEXT_LENGTH_MAX    10000
#define REQUEST_PLACE_LENGTH_MAX   60
#define REQUEST_ADDRESS_LENGTH_MAX 500

struct request_fault {
    enum request_field field;
    const char *code;       /* stable: "national_id.wrong_check" */
    const char *message;    /* one English sentence */
    const char *message_fa; /* one Persian sentence, to be read to the citizen */
};

/* At most one fault a field. */
struct request_faults {
    size_t count;
    struct request_fault items[REQUEST_FIELD_COUNT];
};

/* "national_id". Static storage. */
const char *request_field_name(enum request_field field);

struct request_setting {
    const struct province *province; /* the node's: local phone numbers and places belong to it */
    int64_t now_ms;                  /* for a request that does not say when it occurred */
};

/* Checks `input` and fills `facts` and `person`, but for code, client and idempotency key, which
 * are not typed. Required: kind, channel, subject, text, name, and a phone or a national ID,
 * because without either the citizen could never ask after the request.
 *
 *   national_id, phone   canonical (national_id.h, phone.h)
 *   place                "IR-24" or "IR-24/…": a place typed without a province is in the node's
 *   subject              a code of subject.h that is not retired
 *   kind, channel        the words of request_words.h, English or Persian
 *   occurred_at          ISO 8601 with an offset, between 1970 and 2100; otherwise now_ms. It may
 *                        lie in the future: the node's clock may be the one that is wrong (D9)
 *   name, text, address  persian_clean(); the citizen's own letters and digits
 *
 * The ranges point into `strings`, which is cleared first, or at static storage; they are valid
 * until `strings` is next changed. ERR_REFUSED when there are faults (facts and person are then
 * not to be used), ERR_NOMEM. */
enum err request_input_check(const struct request_input *input,
                             const struct request_setting *setting, struct buffer *strings,
                             struct request_facts *facts, struct request_person *person,
                             struct request_faults *faults);

#endif
