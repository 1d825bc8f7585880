/* The national ID (کد ملی): ten digits, the last a check digit.
 *
 *   s = Σ d[i]·(10-i) for i = 0…8, r = s mod 11;  valid ⇔ d[9] = r < 2 ? r : 11 - r
 *
 * Ten equal digits satisfy the rule and are nobody's number. The first three digits name a place of
 * issue, but new ones appear, so an unknown one is no reason to refuse a citizen. */
#ifndef NODE_CASEWORK_NATIONAL_ID_H
#define NODE_CASEWORK_NATIONAL_ID_H

#include "proto/base/bytes.h"

#define NATIONAL_ID_DIGITS 10

enum national_id_fault {
    NATIONAL_ID_VALID,
    NATIONAL_ID_NOT_A_NUMBER, /* something else than digits and what separates them */
    NATIONAL_ID_WRONG_LENGTH, /* not 8, 9 or 10 digits */
    NATIONAL_ID_ALL_SAME,
    NATIONAL_ID_WRONG_CHECK
};

/* Reads an ID typed in any digits; eight or nine digits have lost their leading zeros and get them
 * back. Writes ten ASCII digits and a terminator; an empty string unless VALID. */
enum national_id_fault national_id_normalise(char out[NATIONAL_ID_DIGITS + 1], struct bytes typed);

/* The check digit, as a character, for the first nine of `digits`. */
char national_id_check_digit(const char digits[NATIONAL_ID_DIGITS - 1]);

#endif
