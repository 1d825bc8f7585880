/* What citizens ask for: sentences of our own, by subject and by kind, with slots in braces.
 *
 *   {place}   روستای … or محله …          {county}  a county of the province
 *   {agency}  an agency of the subject     {topic}   the subject's name
 *   {months} {days} {years} {count} {families}  numbers   {amount}  million tomans */
#ifndef TESTS_WORKLOAD_MATTERS_H
#define TESTS_WORKLOAD_MATTERS_H

#include <stddef.h>

struct sentences {
    const char *const *items;
    size_t count;
};

struct matter_subject {
    const char *code; /* of node/casework/subject.h */
    const char *topic;
    struct sentences agencies;
    struct sentences requests; /* kind "request" and "problem" */
};

/* In the order of how often they are asked for. */
extern const struct matter_subject MATTER_SUBJECTS[];
extern const size_t MATTER_SUBJECT_COUNT;

/* For the kinds that are not requests; by enum request_kind, empty where subjects serve. */
extern const struct sentences MATTERS_OF_KIND[];

extern const struct sentences OPENINGS; /* "", "با سلام. " … */
extern const struct sentences CLOSINGS;
extern const struct sentences FOLLOW_UPS; /* of somebody who calls again */

#endif
