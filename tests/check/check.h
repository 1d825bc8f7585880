/* Judging a history: one checker a guarantee. They read the history and the dumps in it, never what
 * the product thinks of itself. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "tests/check/history.h"

#include <stdio.h>

struct check_violation {
    const char *guarantee; /* "I4" */
    char *text;            /* what is wrong, with the records concerned */
};

struct check_report {
    struct check_violation *violations; /* the first CHECK_KEPT of each guarantee */
    size_t kept_count, kept_capacity;
    size_t *counts; /* of violations, by guarantee */
    size_t *judged; /* how many things each checker looked at: 0 is no praise */
    size_t violation_count;
    size_t current; /* the guarantee being judged */
    bool failed;    /* memory ended: the report is not complete */
};

#define CHECK_KEPT 20

struct index;

struct check_guarantee {
    const char *id;      /* "I1" */
    const char *promise; /* half a sentence */
    void (*judge)(const struct index *index, struct check_report *report);
};

extern const struct check_guarantee CHECK_GUARANTEES[];
extern const size_t CHECK_GUARANTEE_COUNT;

/* All guarantees, or only the one of that id. NULL: no memory. */
struct check_report *check_history(const struct history *history, const char *only);
void check_report_free(struct check_report *report);
/* One line a violation kept; with `all`, then one a guarantee with what was looked at. */
void check_report_print(const struct check_report *report, FILE *file, bool all);

/* For the checkers. */
__attribute__((format(printf, 2, 3))) void check_violated(struct check_report *report,
                                                           const char *format, ...);
static inline void check_looked(struct check_report *report)
{
    report->judged[report->current]++;
}

#define CHECK_LIST(X)                                                                              \
    X(i01, "I1", "what was acknowledged is in every later reading of the store")                   \
    X(i02, "I2", "what is national is at the hub in the end")                                      \
    X(i03, "I3", "no record without a client who asked for exactly it")                            \
    X(i04, "I4", "one idempotency key, one case")                                                  \
    X(i05, "I5", "logs are dense, their roots and signatures right, their parents named")          \
    X(i06, "I6", "what a holder has of a log only grows")                                          \
    X(i07, "I7", "a copy is a hole-free prefix of its author's log")                               \
    X(i08, "I8", "the order of records is that of real time, and of cause and effect")             \
    X(i09, "I9", "no answer before the syncs that cover it")                                       \
    X(i10, "I10", "after an I/O error nothing is written, acknowledged or signed")                 \
    X(i11, "I11", "no damaged byte is served, signed or passed on")                                \
    X(i12, "I12", "a fork is proven, and both branches are kept")                                  \
    X(i13, "I13", "a rollback is noticed, and nothing is lost by it")                              \
    X(i14, "I14", "signed statements about one log never contradict each other")                   \
    X(i18, "I18", "a replay changes nothing")                                                      \
    X(i22, "I22", "with a healthy disk requests are taken, whatever the network does")             \
    X(i23, "I23", "when faults end all holders agree, in time")                                    \
    X(i24, "I24", "no clock makes the time in a log go back")                                      \
    X(i29, "I29", "one seed, one trace")                                                           \
    X(i30, "I30", "nothing is told of a log that is not held, and national means receipted")

#define CHECK_DECLARE(name, id, promise)                                                           \
    void check_##name(const struct index *index, struct check_report *report);
CHECK_LIST(CHECK_DECLARE)
#undef CHECK_DECLARE

#endif
