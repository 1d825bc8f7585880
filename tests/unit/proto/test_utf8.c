#include "proto/base/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

Test(utf8, every_code_point_in_its_one_form_is_taken)
{
    static const struct {
        const char *text;
        uint32_t code_point;
    } cases[] = { { "a", 'a' },          { "\x7f", 0x7f },        { "\xc2\x80", 0x80 },
                  { "\xdf\xbf", 0x7ff }, { "\xe0\xa0\x80", 0x800 }, { "\xed\x9f\xbf", 0xd7ff },
                  { "\xee\x80\x80", 0xe000 }, { "\xef\xbf\xbf", 0xffff },
                  { "\xf0\x90\x80\x80", 0x10000 }, { "\xf4\x8f\xbf\xbf", 0x10ffff },
                  { "\xda\xa9", 0x6a9 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes rest = bytes_of_string(cases[i].text);
        uint32_t code_point;
        cr_assert(utf8_take(&rest, &code_point));
        cr_assert_eq(code_point, cases[i].code_point);
        cr_assert_eq(rest.size, 0);
    }
}

Test(utf8, overlong_surrogate_truncated_and_impossible_forms_are_refused)
{
    static const char *bad[] = { "\x80",         "\xbf",         "\xc0\x80",     "\xc1\xbf",
                                 "\xc2",         "\xc2z",        "\xe0\x9f\xbf", "\xed\xa0\x80",
                                 "\xed\xbf\xbf", "\xe2\x80",     "\xf0\x8f\xbf\xbf",
                                 "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xff",
                                 "ok\xfe" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes rest = bytes_of_string(bad[i]);
        uint32_t code_point;
        while (utf8_take(&rest, &code_point))
            ;
        cr_assert_neq(rest.size, 0, "case %zu", i);
        cr_assert(!utf8_is_valid(bytes_of_string(bad[i])), "case %zu", i);
    }
    cr_assert(utf8_is_valid(BYTES_NONE));
    cr_assert(utf8_is_valid(bytes_of_string("سلام ۱۱۱")));
}

/* Character by character, as a text is taken. */
static bool is_valid_slowly(struct bytes text)
{
    uint32_t code_point;
    while (text.size > 0)
        if (!utf8_take(&text, &code_point))
            return false;
    return true;
}

/* Every two bytes at every place among Persian letters and among ASCII, and every three bytes that
 * matter: runs are judged eight bytes at a time. */
Test(utf8, a_text_is_valid_just_when_all_of_its_characters_are)
{
    static const char *const around[] = { "سلام دنیای ما", "plain ascii text here" };
    static const uint8_t third[] = { 0x20, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xdb, 0xe2, 0xf0, 0xff };
    int valid = 0;
    for (size_t text = 0; text < 2; text++)
        for (size_t place = 0; place < 12; place++)
            for (unsigned pair = 0; pair < 0x10000; pair++) {
                uint8_t bytes[32] = { 0 };
                size_t size = strlen(around[text]);
                memcpy(bytes, around[text], size);
                bytes[place] = (uint8_t)(pair >> 8);
                bytes[place + 1] = (uint8_t)pair;
                bytes[place + 2] = third[pair % sizeof third];
                struct bytes whole = bytes_of(bytes, size);
                bool wanted = is_valid_slowly(whole);
                valid += wanted;
                cr_assert_eq(utf8_is_valid(whole), wanted, "text %zu, place %zu, pair %04x", text,
                             place, pair);
            }
    cr_assert_gt(valid, 10000); /* not all are refused */
}
