/* What a request is about: a small versioned tree, "branch.leaf" (requirement M36).
 *
 * Codes are for ever: a subject that goes out of use is marked with the version that retired it, is
 * still shown by name, and is no longer accepted. A record may carry a code of a later version than
 * this program knows; whatever counts or shows subjects takes the code as it stands. */
#ifndef NODE_CASEWORK_SUBJECT_H
#define NODE_CASEWORK_SUBJECT_H

#include "proto/base/bytes.h"

#define SUBJECT_VERSION       1
#define SUBJECT_CODE_SIZE_MAX 64

struct subject {
    const char *code;     /* "water.outage" */
    const char *name_fa;  /* "قطعی آب" */
    const char *keywords; /* Persian words that point to it, separated by spaces, as search keys */
    unsigned since;       /* the version that brought it */
    unsigned retired;     /* the version that retired it, or 0 */
};

extern const struct subject SUBJECTS[];
extern const size_t SUBJECT_COUNT;

/* The subject of exactly this code, or NULL. Retired subjects are found. */
const struct subject *subject_by_code(struct bytes code);

#endif
