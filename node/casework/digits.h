/* Numbers as people type them: digits of any script with anything customary between them. */
#ifndef NODE_CASEWORK_DIGITS_H
#define NODE_CASEWORK_DIGITS_H

#include "proto/base/bytes.h"

/* Writes the digits of `typed` in ASCII, terminated, without what separates them; a single leading
 * '+' is kept when `plus` is true. ERR_TOO_LARGE for more than `digit_count_max` characters (`out`
 * has room for one more), ERR_MALFORMED for any other character. */
enum err digits_read(char *out, size_t digit_count_max, struct bytes typed, bool plus);

/* True when all of the terminated string is one digit repeated. */
bool digits_are_all_same(const char *digits);

#endif
