/* Where requests come from: the counties of each province, and names of villages and quarters as
 * they occur all over the country. */
#ifndef TESTS_WORKLOAD_PLACES_H
#define TESTS_WORKLOAD_PLACES_H

#include <stddef.h>

struct names {
    const char *const *items;
    size_t count;
};

/* By the province's number. */
extern const struct names COUNTIES[];
extern const struct names VILLAGES;
extern const struct names QUARTERS;

#endif
