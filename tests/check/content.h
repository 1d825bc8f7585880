/* What a request says, as one digest for its facts and one for its person part, so that what a
 * client asked for and what a store holds can be compared without keeping either.
 *
 * The values are those that must be stored: a client of a test that sends "0914 123 4567" gives the
 * digest of "+989141234567" here. Simplest: send only what is stored as it is. */
#ifndef CHECK_CONTENT_H
#define CHECK_CONTENT_H

#include "tests/check/history.h"

struct request_content {
    uint64_t kind, channel; /* the numbers of proto/README.md, 2.3 */
    const char *subject;    /* NULL and "" are the same in all of these */
    const char *place;      /* with the province: "IR-24", "IR-24/اردبیل" */
    const char *name, *national_id, *phone, *text, *address;
};

/* SHA-256 over "facts" or "person", then each field in the order above as "<size>:<bytes>,". The
 * times, code, client and idempotency key are not part of it. */
void content_digest_facts(const struct request_content *content, struct check_hash *facts);
void content_digest_person(const struct request_content *content, struct check_hash *person);
void content_digest(const struct request_content *content, struct check_hash *facts,
                    struct check_hash *person);

#endif
