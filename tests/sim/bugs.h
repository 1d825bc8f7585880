/* The seeded bugs of proto/base/bug.h by name. In a build without SAMAD_BUGS there are none. */
#ifndef TESTS_SIM_BUGS_H
#define TESTS_SIM_BUGS_H

#include <stdbool.h>
#include <stddef.h>

struct seeded_bug {
    const char *name;   /* "ANSWER_BEFORE_COMMIT" */
    const char *breaks; /* "I1 I9" */
    const char *text;   /* what it does */
};

/* From 0; NULL behind the last one. */
const struct seeded_bug *bug_at(size_t index);
/* The whole product has this bug from now on. False: there is none of that name. */
bool bug_choose(const char *name);
/* Of the one that was chosen; NULL: none. */
const char *bug_name(void);

#endif
