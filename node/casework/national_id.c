#include "node/casework/national_id.h"

#include "node/casework/digits.h"

#include <string.h>

char national_id_check_digit(const char digits[NATIONAL_ID_DIGITS - 1])
{
    int sum = 0;
    for (int i = 0; i < NATIONAL_ID_DIGITS - 1; i++)
        sum += (digits[i] - '0') * (NATIONAL_ID_DIGITS - i);
    int rest = sum % 11;
    return (char)('0' + (rest < 2 ? rest : 11 - rest));
}

static enum national_id_fault fault_of(const char digits[NATIONAL_ID_DIGITS + 1])
{
    if (digits_are_all_same(digits))
        return NATIONAL_ID_ALL_SAME;
    if (digits[NATIONAL_ID_DIGITS - 1] != national_id_check_digit(digits))
        return NATIONAL_ID_WRONG_CHECK;
    return NATIONAL_ID_VALID;
}

enum national_id_fault national_id_normalise(char out[NATIONAL_ID_DIGITS + 1], struct bytes typed)
{
    char digits[NATIONAL_ID_DIGITS + 1];
    out[0] = '\0';
    enum err err = digits_read(digits, NATIONAL_ID_DIGITS, typed, false);
    size_t count = strlen(digits);
    if (err == ERR_MALFORMED)
        return NATIONAL_ID_NOT_A_NUMBER;
    if (err != OK || count < NATIONAL_ID_DIGITS - 2)
        return NATIONAL_ID_WRONG_LENGTH;

    char padded[NATIONAL_ID_DIGITS + 1];
    size_t missing = NATIONAL_ID_DIGITS - count;
    memset(padded, '0', missing);
    memcpy(padded + missing, digits, count + 1);
    enum national_id_fault fault = fault_of(padded);
    if (fault == NATIONAL_ID_VALID)
        memcpy(out, padded, sizeof padded);
    return fault;
}
