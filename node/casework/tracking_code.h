/* The tracking code a citizen gets on the phone (design D15): fourteen digits.
 *
 *   PP RRRRRRRRRR CC    PP  the province (ISO 3166-2 number)
 *                       R…  ten random digits
 *                       CC  ISO 7064 MOD 97-10: the whole number mod 97 is 1
 *
 * It is written and read aloud as 24-123-456-7890-12: no group is longer than the four digits that
 * people repeat without a mistake, and the province and the check stand alone. Hyphens, because
 * they keep the groups in order inside right-to-left text; spaces would let them change places.
 * The check finds every wrong digit and every swap of two neighbours. */
#ifndef NODE_CASEWORK_TRACKING_CODE_H
#define NODE_CASEWORK_TRACKING_CODE_H

#include "proto/base/bytes.h"
#include "proto/record/facts.h"

#define TRACKING_CODE_ENTROPY_SIZE 8
#define TRACKING_CODE_TEXT_SIZE    (TRACKING_CODE_DIGITS + 4)

enum tracking_code_fault {
    TRACKING_CODE_VALID,
    TRACKING_CODE_NOT_A_NUMBER, /* something else than digits and what separates them */
    TRACKING_CODE_WRONG_LENGTH, /* not fourteen digits */
    TRACKING_CODE_WRONG_CHECK   /* misheard or mistyped */
};

/* Makes the code of `province_number` (0..99) from eight random bytes. False, less than once in
 * a thousand million draws, for bytes that would make some codes likelier than others: draw again.
 */
bool tracking_code_draw(char out[TRACKING_CODE_DIGITS + 1], unsigned province_number,
                        const uint8_t entropy[TRACKING_CODE_ENTROPY_SIZE]);

/* Reads what somebody typed or dictated, in any digits and separators. Writes fourteen ASCII digits
 * and a terminator; an empty string unless VALID. Whether anybody was given the code, and whether
 * the province exists, is not asked here. */
enum tracking_code_fault tracking_code_parse(char out[TRACKING_CODE_DIGITS + 1],
                                             struct bytes typed);

/* The grouped form, terminated. `code` has fourteen digits. */
void tracking_code_format(char out[TRACKING_CODE_TEXT_SIZE + 1],
                          const char code[TRACKING_CODE_DIGITS]);

/* The province's number in the first two digits. */
unsigned tracking_code_province(const char code[TRACKING_CODE_DIGITS]);

#endif
