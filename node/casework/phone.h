/* Phone numbers, from anything a call-taker types to the one canonical form "+98…".
 *
 *   mobile    (+98 | 0098 | 98 | 0)? 9 and nine digits                     → +989XXXXXXXXX
 *   landline  (+98 | 0098 | 98 | 0) two-digit area code and eight digits   → +98AAXXXXXXXX
 *   local     eight digits, not beginning with 0 or 1: in the node's own area
 *
 * A mobile number says nothing about a province: numbers are portable. A landline does. */
#ifndef NODE_CASEWORK_PHONE_H
#define NODE_CASEWORK_PHONE_H

#include "proto/base/bytes.h"

#include "node/casework/province.h"

#define PHONE_SIZE_MAX 13 /* "+98" and ten digits */

enum phone_fault {
    PHONE_VALID,
    PHONE_NOT_A_NUMBER, /* something else than digits, separators and one leading '+' */
    PHONE_TOO_SHORT,
    PHONE_TOO_LONG,
    PHONE_FOREIGN,      /* a country code other than 98 */
    PHONE_UNKNOWN_AREA, /* a landline in an area that no province has */
    PHONE_WRONG_LOCAL   /* the part after the area code cannot begin with 0 or 1 */
};

/* `area_code` is the node's own ("045"), for local numbers. Writes the canonical number and a
 * terminator; an empty string unless VALID. */
enum phone_fault phone_normalise(char out[PHONE_SIZE_MAX + 1], struct bytes typed,
                                 const char *area_code);

/* The province of a canonical landline; NULL for a mobile. */
const struct province *phone_province(struct bytes canonical);

#endif
