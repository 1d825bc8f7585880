#include "node/casework/phone.h"

#include "node/casework/digits.h"

#include <stdio.h>
#include <string.h>

enum {
    TYPED_SIZE_MAX = 20,
    NATIONAL_DIGITS = 10, /* area code without its zero, and the number */
    LOCAL_DIGITS = 8
};

static bool starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* Takes the country code or the trunk zero off. False for another country's number. */
static bool strip_prefix(const char **digits)
{
    if (starts_with(*digits, "+98"))
        *digits += 3;
    else if (starts_with(*digits, "0098"))
        *digits += 4;
    else if (starts_with(*digits, "+") || starts_with(*digits, "00"))
        return false;
    else if (starts_with(*digits, "98") && strlen(*digits) == NATIONAL_DIGITS + 2)
        *digits += 2;
    /* "+98 (0) 45 …" is written, too. */
    if (starts_with(*digits, "0"))
        *digits += 1;
    return true;
}

static enum phone_fault landline_fault(const char national[NATIONAL_DIGITS + 1])
{
    char area[4] = { '0', national[0], national[1], '\0' };
    if (!province_by_area_code(bytes_of_string(area)))
        return PHONE_UNKNOWN_AREA;
    return national[2] == '0' || national[2] == '1' ? PHONE_WRONG_LOCAL : PHONE_VALID;
}

static enum phone_fault national_fault(const char *national)
{
    size_t count = strlen(national);
    if (count != NATIONAL_DIGITS)
        return count < NATIONAL_DIGITS ? PHONE_TOO_SHORT : PHONE_TOO_LONG;
    return national[0] == '9' ? PHONE_VALID : landline_fault(national);
}

enum phone_fault phone_normalise(char out[PHONE_SIZE_MAX + 1], struct bytes typed,
                                 const char *area_code)
{
    char digits[TYPED_SIZE_MAX + 1];
    char local[TYPED_SIZE_MAX + 1];
    out[0] = '\0';
    enum err err = digits_read(digits, TYPED_SIZE_MAX, typed, true);
    if (err != OK)
        return err == ERR_TOO_LARGE ? PHONE_TOO_LONG : PHONE_NOT_A_NUMBER;

    const char *national = digits;
    if (strlen(digits) == LOCAL_DIGITS && digits[0] >= '2' && digits[0] <= '9') {
        snprintf(local, sizeof local, "%s%s", area_code + 1, digits);
        national = local;
    } else if (!strip_prefix(&national)) {
        return PHONE_FOREIGN;
    }
    enum phone_fault fault = national_fault(national);
    if (fault == PHONE_VALID) {
        memcpy(out, "+98", 3);
        memcpy(out + 3, national, NATIONAL_DIGITS + 1);
    }
    return fault;
}

const struct province *phone_province(struct bytes canonical)
{
    if (canonical.size != PHONE_SIZE_MAX || canonical.data[3] == '9')
        return NULL;
    char area[3] = { '0', (char)canonical.data[3], (char)canonical.data[4] };
    return province_by_area_code(BYTES_OF_ARRAY(area));
}
