#include "proto/base/utf8.h"

#include <criterion/criterion.h>

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
