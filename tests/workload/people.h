/* Common Iranian names: lists of our own. */
#ifndef TESTS_WORKLOAD_PEOPLE_H
#define TESTS_WORKLOAD_PEOPLE_H

#include <stddef.h>

extern const char *const FIRST_NAMES[];
extern const size_t FIRST_NAME_COUNT;
extern const char *const SURNAMES[];
extern const size_t SURNAME_COUNT;

#endif
