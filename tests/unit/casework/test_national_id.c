#include "node/casework/national_id.h"

#include <criterion/criterion.h>
#include <string.h>

static enum national_id_fault normalise(const char *typed, char out[NATIONAL_ID_DIGITS + 1])
{
    return national_id_normalise(out, bytes_of_string(typed));
}

Test(national_id, numbers_in_use_are_valid)
{
    static const char *const VALID[] = { "0076229645", "1583250689", "0499370899", "0790419904" };
    char out[NATIONAL_ID_DIGITS + 1];
    for (size_t i = 0; i < sizeof VALID / sizeof *VALID; i++) {
        cr_assert_eq(normalise(VALID[i], out), NATIONAL_ID_VALID, "%s", VALID[i]);
        cr_assert_str_eq(out, VALID[i]);
    }
}

Test(national_id, eight_and_nine_digits_get_their_leading_zeros_back)
{
    char out[NATIONAL_ID_DIGITS + 1];
    cr_assert_eq(normalise("11537027", out), NATIONAL_ID_VALID);
    cr_assert_str_eq(out, "0011537027");
    cr_assert_eq(normalise("499370899", out), NATIONAL_ID_VALID);
    cr_assert_str_eq(out, "0499370899");
    cr_assert_eq(normalise("1153702", out), NATIONAL_ID_WRONG_LENGTH);
    cr_assert_str_eq(out, "");
}

Test(national_id, digits_of_every_script_and_separators_are_read)
{
    char out[NATIONAL_ID_DIGITS + 1];
    cr_assert_eq(normalise("۰۰۷۶۲۲۹۶۴۵", out), NATIONAL_ID_VALID);
    cr_assert_str_eq(out, "0076229645");
    cr_assert_eq(normalise("٠٠٧٦٢٢٩٦٤٥", out), NATIONAL_ID_VALID);
    cr_assert_str_eq(out, "0076229645");
    cr_assert_eq(normalise(" 007-622964-5\xE2\x80\x8F", out), NATIONAL_ID_VALID);
    cr_assert_str_eq(out, "0076229645");
}

Test(national_id, each_fault_is_told_apart)
{
    char out[NATIONAL_ID_DIGITS + 1];
    cr_assert_eq(normalise("007622964a", out), NATIONAL_ID_NOT_A_NUMBER);
    cr_assert_eq(normalise("", out), NATIONAL_ID_WRONG_LENGTH);
    cr_assert_eq(normalise("00762296450", out), NATIONAL_ID_WRONG_LENGTH);
    cr_assert_eq(normalise("0076229644", out), NATIONAL_ID_WRONG_CHECK);
    cr_assert_eq(normalise("\xFF", out), NATIONAL_ID_NOT_A_NUMBER);
}

Test(national_id, one_digit_repeated_is_refused_although_its_check_digit_fits)
{
    char out[NATIONAL_ID_DIGITS + 1];
    for (char digit = '0'; digit <= '9'; digit++) {
        char same[NATIONAL_ID_DIGITS + 1];
        memset(same, digit, NATIONAL_ID_DIGITS);
        same[NATIONAL_ID_DIGITS] = '\0';
        cr_assert_eq(national_id_check_digit(same), digit);
        cr_assert_eq(normalise(same, out), NATIONAL_ID_ALL_SAME);
    }
}

Test(national_id, every_single_wrong_digit_is_found)
{
    /* Not so for every number: a check digit 1 stands for two remainders of the rule, 1 and 10. */
    const char *valid = "0076229645";
    char out[NATIONAL_ID_DIGITS + 1];
    for (int place = 0; place < NATIONAL_ID_DIGITS; place++) {
        for (char digit = '0'; digit <= '9'; digit++) {
            char typed[NATIONAL_ID_DIGITS + 1];
            memcpy(typed, valid, sizeof typed);
            typed[place] = digit;
            bool same = digit == valid[place];
            cr_assert_eq(normalise(typed, out) == NATIONAL_ID_VALID, same, "%s", typed);
        }
    }
}
