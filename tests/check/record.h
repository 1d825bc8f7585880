/* Records (proto/README.md, 2), read by a decoder of its own. */
#ifndef CHECK_RECORD_H
#define CHECK_RECORD_H

#include "tests/check/content.h"
#include "tests/check/pages.h"

#define CHECK_ORIGIN_SIZE 105 /* with its end */

enum {
    CHECK_KIND_INCARNATION = 1,
    CHECK_KIND_REQUEST = 2,
    CHECK_KIND_ERASE = 3,
    CHECK_KIND_DIRECTORY = 4,
};

struct check_header {
    uint64_t kind, position, time_ms;
    char origin[CHECK_ORIGIN_SIZE];
    bool has_case, has_cause, has_receipt, has_person;
    uint8_t case_id[16];
    char cause_origin[CHECK_ORIGIN_SIZE];
    uint64_t cause_position;
    struct check_hash cause_hash;
    struct check_hash facts, person; /* commitments */
};

/* NULL when it is exactly of the form, otherwise what is wrong with it. */
const char *check_header_read(struct check_header *header, struct span bytes);

/* SHA-256 of the part with its salt. */
bool check_part_matches(struct span part, const struct check_hash *commitment);

/* The facts of a request, digest included; the ranges lie in the part. */
struct check_request {
    struct request_content content; /* strings are NULL; only their digest is kept */
    struct check_hash facts_content;
    struct span client, key, code;
};
const char *check_request_read(struct check_request *request, struct span facts);
const char *check_person_read(struct check_hash *digest, struct span person);

struct check_erase {
    char origin[CHECK_ORIGIN_SIZE];
    uint64_t position;
};
const char *check_erase_read(struct check_erase *erase, struct span facts);

/* Calls `parent` for each. */
typedef void check_parent(void *context, const char *origin, uint64_t size,
                          const struct check_hash *root);
const char *check_incarnation_read(struct span facts, check_parent *parent, void *context);

#endif
