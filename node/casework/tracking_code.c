#include "node/casework/tracking_code.h"

#include "node/casework/digits.h"
#include "proto/base/require.h"

#include <string.h>

enum { RANDOM_DIGITS = 10, CHECK_DIGITS = 2, CHECK_MODULUS = 97 };

static const uint64_t RANDOM_COUNT = UINT64_C(10000000000);

static unsigned mod_97(const char *digits, size_t count)
{
    unsigned rest = 0;
    for (size_t i = 0; i < count; i++)
        rest = (rest * 10 + (unsigned)(digits[i] - '0')) % CHECK_MODULUS;
    return rest;
}

static void write_digits(char *out, size_t count, uint64_t value)
{
    for (size_t i = count; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
}

bool tracking_code_draw(char out[TRACKING_CODE_DIGITS + 1], unsigned province_number,
                        const uint8_t entropy[TRACKING_CODE_ENTROPY_SIZE])
{
    require(province_number <= 99);
    uint64_t value = get_u64(entropy);
    if (value >= UINT64_MAX - UINT64_MAX % RANDOM_COUNT)
        return false;
    const size_t payload = TRACKING_CODE_DIGITS - CHECK_DIGITS;
    write_digits(out, payload - RANDOM_DIGITS, province_number);
    write_digits(out + payload - RANDOM_DIGITS, RANDOM_DIGITS, value % RANDOM_COUNT);
    unsigned check = CHECK_MODULUS + 1 - mod_97(out, payload) * 100 % CHECK_MODULUS;
    write_digits(out + payload, CHECK_DIGITS, check);
    out[TRACKING_CODE_DIGITS] = '\0';
    return true;
}

enum tracking_code_fault tracking_code_parse(char out[TRACKING_CODE_DIGITS + 1], struct bytes typed)
{
    char digits[TRACKING_CODE_DIGITS + 1];
    out[0] = '\0';
    enum err err = digits_read(digits, TRACKING_CODE_DIGITS, typed, false);
    if (err == ERR_MALFORMED)
        return TRACKING_CODE_NOT_A_NUMBER;
    if (err != OK || strlen(digits) != TRACKING_CODE_DIGITS)
        return TRACKING_CODE_WRONG_LENGTH;
    /* 00 and 01 have the same rest as 97 and 98, which are the ones in use. */
    bool check_in_use =
        digits[TRACKING_CODE_DIGITS - 2] != '0' || digits[TRACKING_CODE_DIGITS - 1] >= '2';
    if (mod_97(digits, TRACKING_CODE_DIGITS) != 1 || !check_in_use)
        return TRACKING_CODE_WRONG_CHECK;
    memcpy(out, digits, sizeof digits);
    return TRACKING_CODE_VALID;
}

void tracking_code_format(char out[TRACKING_CODE_TEXT_SIZE + 1],
                          const char code[TRACKING_CODE_DIGITS])
{
    static const size_t GROUP_SIZES[] = { 2, 3, 3, 4, 2 };
    for (size_t i = 0; i < sizeof GROUP_SIZES / sizeof *GROUP_SIZES; i++) {
        if (i > 0)
            *out++ = '-';
        memcpy(out, code, GROUP_SIZES[i]);
        out += GROUP_SIZES[i];
        code += GROUP_SIZES[i];
    }
    *out = '\0';
}

unsigned tracking_code_province(const char code[TRACKING_CODE_DIGITS])
{
    return (unsigned)(code[0] - '0') * 10 + (unsigned)(code[1] - '0');
}
