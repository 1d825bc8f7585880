#include "node/casework/digits.h"

#include "node/casework/characters.h"
#include "node/casework/persian.h"

enum err digits_read(char *out, size_t digit_count_max, struct bytes typed, bool plus)
{
    size_t count = 0;
    out[0] = '\0';
    while (typed.size > 0) {
        int32_t code = character_next(&typed);
        int value = code < 0 ? -1 : persian_digit_value(code);
        bool is_plus = plus && count == 0 && code == '+';
        if (value < 0 && !is_plus) {
            if (code >= 0 && persian_is_number_separator(code))
                continue;
            return ERR_MALFORMED;
        }
        if (count == digit_count_max)
            return ERR_TOO_LARGE;
        out[count++] = is_plus ? '+' : (char)('0' + value);
        out[count] = '\0';
    }
    return OK;
}

bool digits_are_all_same(const char *digits)
{
    for (const char *digit = digits; *digit; digit++)
        if (*digit != digits[0])
            return false;
    return true;
}
