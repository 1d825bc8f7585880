#include "node/casework/characters.h"
#include "node/casework/persian.h"

#include <criterion/criterion.h>
#include <string.h>

#define ZWNJ "\xE2\x80\x8C"
#define LRM  "\xE2\x80\x8E"

static void expect_key(const char *text, enum persian_zwnj zwnj, const char *expected)
{
    struct buffer key = { 0 };
    struct buffer again = { 0 };
    persian_search_key(&key, bytes_of_string(text), zwnj);
    cr_assert(bytes_equal(buffer_bytes(&key), bytes_of_string(expected)), "%s gave %.*s", text,
              (int)key.size, (const char *)key.data);
    persian_search_key(&again, buffer_bytes(&key), zwnj);
    cr_assert(bytes_equal(buffer_bytes(&key), buffer_bytes(&again)), "the key of %s has a key",
              text);
    buffer_close(&key);
    buffer_close(&again);
}

static void expect_same_key(const char *text, const char *other)
{
    expect_key(text, PERSIAN_ZWNJ_SPACED, other);
}

static void expect_clean(const char *typed, enum persian_lines lines, const char *expected)
{
    struct buffer kept = { 0 };
    cr_assert_eq(persian_clean(&kept, bytes_of_string(typed), lines), OK);
    cr_assert(bytes_equal(buffer_bytes(&kept), bytes_of_string(expected)), "%s gave %.*s", typed,
              (int)kept.size, (const char *)kept.data);
    cr_assert_leq(kept.size, strlen(typed));
    buffer_close(&kept);
}

Test(persian, arabic_and_kurdish_letters_are_folded_to_persian_ones)
{
    expect_same_key("يىېۍی", "یی");
    expect_same_key("كتاب ڪتاب ګتاب ڬتاب ڭتاب", "کتاب کتاب کتاب کتاب کتاب");
    expect_same_key("خانة خانۀ خانە خانہ خانھ", "خانه خانه خانه خانه خانه");
    expect_same_key("مسؤول أحمد إيران ٱمن", "مسوول احمد ایران امن");
    expect_same_key("آب ئ", "آب ئ");
}

Test(persian, presentation_forms_become_their_letters)
{
    expect_same_key("\uFEB3\uFEFC\uFEE1", "سلام"); /* initial seen, final lam-alef, meem */
    expect_same_key("\uFB90\uFB8E\uFBFC", "کک"
                                          "ی");
    expect_same_key("\uFDF2", "الله");
    expect_same_key("\u06F1\u06F0 \uFDFC", "10 ریال");
    expect_same_key("\uFB56\uFB7A\uFB8A\uFB92", "پچژگ");
}

Test(persian, tatweel_harakat_and_marks_vanish)
{
    expect_same_key("مَدرَسِه‌ٔ", "مدرسه");
    expect_same_key("ســــلام", "سلام");
    expect_same_key("رحمٰن قرآن\u0653", "رحمن قرآن");
}

Test(persian, digits_and_signs_of_three_scripts_are_one)
{
    expect_same_key("۱۲۳ ٤٥٦ 789", "123 456 789");
    expect_same_key("۲۰٪ ۳٫۵", "20% 3.5");
    expect_same_key("۱۰۰۰۰", "10000"); /* a run of digits is not a stretched letter */
    expect_same_key("SAMAD", "samad");
}

Test(persian, stretched_letters_are_shortened_to_two)
{
    expect_same_key("سلاااااام", "سلاام");
    expect_same_key("الله", "الله");
    expect_same_key("ددد د", "دد د");
    expect_same_key("...", "...");
}

Test(persian, zwnj_is_spaced_or_joined)
{
    expect_key("نامه" ZWNJ "های", PERSIAN_ZWNJ_SPACED, "نامه های");
    expect_key("نامه" ZWNJ "های", PERSIAN_ZWNJ_JOINED, "نامههای");
    expect_key("می" ZWNJ " شود", PERSIAN_ZWNJ_SPACED, "می شود");
    expect_key(LRM "می" LRM "شود", PERSIAN_ZWNJ_JOINED, "میشود");
}

Test(persian, white_space_of_any_sort_is_one_space)
{
    expect_same_key(" \t آب\u00A0 \r\n برق \u2003", "آب برق");
    expect_same_key("   ", "");
}

Test(persian, bytes_that_are_not_utf8_are_passed_over_in_a_key)
{
    expect_same_key("آ\xFF\xC0ب\xE2\x80", "آب");
}

Test(persian, cleaning_keeps_letters_digits_and_zwnj_as_typed)
{
    expect_clean("كتاب" ZWNJ "هاي ۱۲ ٣ 4", PERSIAN_ONE_LINE, "كتاب" ZWNJ "هاي ۱۲ ٣ 4");
    expect_clean("a" LRM "b", PERSIAN_ONE_LINE, "a" LRM "b");
}

Test(persian, cleaning_takes_out_what_nobody_sees)
{
    expect_clean("\x01"
                 "a\x7F"
                 "b\x1B[31m",
                 PERSIAN_ONE_LINE, "ab[31m");
    expect_clean("\uFEFFx\u202Ey\u2066z\uFFFE", PERSIAN_ONE_LINE, "xyz");
    expect_clean("\xC2\x85"
                 "a",
                 PERSIAN_ONE_LINE, "a");
}

Test(persian, cleaning_trims_and_treats_lines_as_told)
{
    expect_clean(" \n a \r\n\r\n b\t\tc " ZWNJ " \n", PERSIAN_ONE_LINE, "a b c");
    expect_clean(" \n a\r\n\r\nb\rc\u2028"
                 "d\n",
                 PERSIAN_MANY_LINES, "a\n\nb\nc\nd");
    expect_clean(ZWNJ, PERSIAN_ONE_LINE, "");
}

Test(persian, cleaning_refuses_what_is_not_utf8_and_leaves_the_buffer_as_it_was)
{
    static const char *const BAD[] = { "\xFF",
                                       "a\xC3",
                                       "\xC0\xAF",
                                       "\xE0\x80\xAF",
                                       "\xED\xA0\x80",
                                       "\xF4\x90\x80\x80",
                                       "\xF0\x80\x80\x80",
                                       "\x80" };
    struct buffer kept = { 0 };
    buffer_append_string(&kept, "before");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        cr_assert_eq(persian_clean(&kept, bytes_of_string(BAD[i]), PERSIAN_ONE_LINE),
                     ERR_MALFORMED);
        cr_assert(bytes_equal(buffer_bytes(&kept), bytes_of_string("before")));
    }
    buffer_close(&kept);
}

Test(characters, every_code_point_is_written_and_read_back)
{
    struct buffer out = { 0 };
    for (int32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        buffer_clear(&out);
        character_append(&out, code);
        struct bytes rest = buffer_bytes(&out);
        cr_assert_eq(character_next(&rest), code);
        cr_assert_eq(rest.size, 0);
    }
    buffer_close(&out);
}

Test(characters, length_counts_characters)
{
    cr_assert_eq(characters_count(bytes_of_string("سامد ۱۱۱")), 8);
    cr_assert_eq(characters_count(bytes_of_string("")), 0);
    cr_assert_eq(characters_count(bytes_of_string("😀a")), 2);
    cr_assert_eq(characters_count(bytes_of_string("می‌خواهم a😀 تهران، کوچهٔ ۱۲")), 27);
}
