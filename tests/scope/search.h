/* Goes through every order in which the choices of a script can be made. States that behave alike
 * are followed once (digest.c); how many interleavings lead through them is counted all the same.
 */
#ifndef TESTS_SCOPE_SEARCH_H
#define TESTS_SCOPE_SEARCH_H

#include "tests/scope/script.h"

struct search_result {
    double interleavings;   /* whole ones, from beginning to end; a number too large for 64 bits */
    uint64_t states;        /* different ones */
    uint64_t steps, faults; /* choices carried out; those of them that are faults */
    uint64_t judged;        /* ends */
    uint64_t forked;        /* those of them with a log whose fork is proven */
    uint64_t violations;
    bool complete; /* false: it ran out of time */
};

struct search_limits {
    unsigned seconds;        /* 0: none */
    unsigned violations_max; /* the search ends after so many */
};

/* Prints violations with the name of their case, and now and then how far it is. */
void search_run(const struct script *script, const struct search_limits *limits,
                struct search_result *result);

/* One case by its name, as printed. false: there is no such case. */
bool search_replay(const struct script *script, const char *name, const char *history_path,
                   bool *violated);

#endif
