#include "node/casework/tracking_code.h"

#include <criterion/criterion.h>
#include <string.h>

static void draw(char code[TRACKING_CODE_DIGITS + 1], unsigned province, uint64_t random)
{
    uint8_t entropy[TRACKING_CODE_ENTROPY_SIZE];
    put_u64(entropy, random);
    cr_assert(tracking_code_draw(code, province, entropy));
}

static enum tracking_code_fault parse(const char *typed)
{
    char code[TRACKING_CODE_DIGITS + 1];
    return tracking_code_parse(code, bytes_of_string(typed));
}

Test(tracking_code, a_drawn_code_has_its_province_its_digits_and_an_iso_7064_check)
{
    char code[TRACKING_CODE_DIGITS + 1];
    draw(code, 24, UINT64_C(1234567890));
    cr_assert_eq(strncmp(code, "241234567890", 12), 0);
    cr_assert_eq(strtoull(code, NULL, 10) % 97, 1); /* the definition of MOD 97-10 */
    cr_assert_eq(tracking_code_province(code), 24);
    draw(code, 0, 0);
    cr_assert_str_eq(code, "00000000000098");
}

Test(tracking_code, every_drawn_code_parses_and_is_grouped)
{
    uint64_t random = 1;
    for (unsigned province = 0; province <= 99; province++) {
        char code[TRACKING_CODE_DIGITS + 1];
        char text[TRACKING_CODE_TEXT_SIZE + 1];
        char parsed[TRACKING_CODE_DIGITS + 1];
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        draw(code, province, random);
        tracking_code_format(text, code);
        cr_assert_eq(strlen(text), TRACKING_CODE_TEXT_SIZE);
        cr_assert_eq(tracking_code_parse(parsed, bytes_of_string(text)), TRACKING_CODE_VALID);
        cr_assert_str_eq(parsed, code);
    }
}

Test(tracking_code, groups_are_two_three_three_four_two)
{
    char text[TRACKING_CODE_TEXT_SIZE + 1];
    tracking_code_format(text, "24123456789098");
    cr_assert_str_eq(text, "24-123-456-7890-98");
}

Test(tracking_code, typed_codes_are_read_in_any_digits_and_separators)
{
    cr_assert_eq(parse("00000000000098"), TRACKING_CODE_VALID);
    cr_assert_eq(parse("۰۰ ۰۰۰ ۰۰۰ ۰۰۰۰ ۹۸"), TRACKING_CODE_VALID);
    cr_assert_eq(parse("٠٠-٠٠٠/٠٠٠.٠٠٠٠–٩٨"), TRACKING_CODE_VALID);
    cr_assert_eq(parse("\xE2\x80\x8E"
                       "00000000000098 \n"),
                 TRACKING_CODE_VALID);
}

Test(tracking_code, each_fault_is_told_apart)
{
    cr_assert_eq(parse(""), TRACKING_CODE_WRONG_LENGTH);
    cr_assert_eq(parse("0000000000098"), TRACKING_CODE_WRONG_LENGTH);
    cr_assert_eq(parse("000000000000098"), TRACKING_CODE_WRONG_LENGTH);
    cr_assert_eq(parse("0000000000009O"), TRACKING_CODE_NOT_A_NUMBER);
    cr_assert_eq(parse("00000000000099"), TRACKING_CODE_WRONG_CHECK);
}

Test(tracking_code, a_check_of_00_or_01_is_refused_so_that_a_code_has_one_form)
{
    char code[TRACKING_CODE_DIGITS + 1];
    int met = 0;
    for (uint64_t random = 0; random < 1000; random++) {
        draw(code, 24, random);
        if (strcmp(code + 12, "97") != 0 && strcmp(code + 12, "98") != 0)
            continue;
        met++;
        code[12] = '0';
        code[13] = (char)(code[13] - 7);
        cr_assert_eq(strtoull(code, NULL, 10) % 97, 1);
        cr_assert_eq(parse(code), TRACKING_CODE_WRONG_CHECK);
    }
    cr_assert_gt(met, 5);
}

Test(tracking_code, every_wrong_digit_and_every_swap_of_neighbours_is_found)
{
    for (uint64_t random = 0; random < 200; random++) {
        char code[TRACKING_CODE_DIGITS + 1];
        draw(code, (unsigned)random % 31, random * UINT64_C(49979687) + 86028121);
        for (size_t place = 0; place < TRACKING_CODE_DIGITS; place++) {
            char wrong[TRACKING_CODE_DIGITS + 1];
            for (char digit = '0'; digit <= '9'; digit++) {
                memcpy(wrong, code, sizeof wrong);
                wrong[place] = digit;
                bool same = digit == code[place];
                cr_assert_eq(parse(wrong) == TRACKING_CODE_VALID, same, "%s as %s", code, wrong);
            }
            if (place == 0 || code[place] == code[place - 1])
                continue;
            memcpy(wrong, code, sizeof wrong);
            wrong[place] = code[place - 1];
            wrong[place - 1] = code[place];
            cr_assert_eq(parse(wrong), TRACKING_CODE_WRONG_CHECK, "%s as %s", code, wrong);
        }
    }
}

Test(tracking_code, entropy_that_would_favour_some_codes_is_refused)
{
    char code[TRACKING_CODE_DIGITS + 1];
    uint8_t entropy[TRACKING_CODE_ENTROPY_SIZE];
    /* The largest multiple of 10^10 below 2^64, and its neighbour. */
    put_u64(entropy, UINT64_C(18446744070000000000));
    cr_assert_not(tracking_code_draw(code, 24, entropy));
    put_u64(entropy, UINT64_C(18446744069999999999));
    cr_assert(tracking_code_draw(code, 24, entropy));
    cr_assert_eq(strncmp(code, "249999999999", 12), 0);
    put_u64(entropy, UINT64_MAX);
    cr_assert_not(tracking_code_draw(code, 24, entropy));
}
