#include "node/casework/phone.h"

#include <criterion/criterion.h>

static char phone[PHONE_SIZE_MAX + 1];

static enum phone_fault normalise(const char *typed)
{
    return phone_normalise(phone, bytes_of_string(typed), "045");
}

static void expect(const char *typed, const char *canonical)
{
    cr_assert_eq(normalise(typed), PHONE_VALID, "%s", typed);
    cr_assert_str_eq(phone, canonical, "%s gave %s", typed, phone);
}

static void refuse(const char *typed, enum phone_fault fault)
{
    cr_assert_eq(normalise(typed), fault, "%s", typed);
    cr_assert_str_eq(phone, "");
}

Test(phone, a_mobile_is_read_with_every_prefix)
{
    expect("09141234567", "+989141234567");
    expect("9141234567", "+989141234567");
    expect("989141234567", "+989141234567");
    expect("00989141234567", "+989141234567");
    expect("+989141234567", "+989141234567");
    expect("+98 (0) 914 123 45 67", "+989141234567");
}

Test(phone, digits_of_every_script_and_separators_are_read)
{
    expect("۰۹۱۴ ۱۲۳ ۴۵۶۷", "+989141234567");
    expect("٠٩١٤-١٢٣-٤٥٦٧", "+989141234567");
    expect("0914\xE2\x80\x8C.123/45_67\xC2\xA0", "+989141234567");
}

Test(phone, a_landline_is_read_with_its_area)
{
    expect("04533241234", "+984533241234");
    expect("045-33241234", "+984533241234");
    expect("+984533241234", "+984533241234");
    expect("02188889999", "+982188889999");
}

Test(phone, a_local_number_is_in_the_node_s_area)
{
    expect("33241234", "+984533241234");
    expect("۳۳۲۴ ۱۲۳۴", "+984533241234");
    phone_normalise(phone, bytes_of_string("33241234"), "076");
    cr_assert_str_eq(phone, "+987633241234");
}

Test(phone, a_canonical_number_stays_as_it_is)
{
    expect("+989141234567", "+989141234567");
    expect("+984533241234", "+984533241234");
}

Test(phone, each_fault_is_told_apart)
{
    refuse("", PHONE_TOO_SHORT);
    refuse("0914123456", PHONE_TOO_SHORT);
    refuse("3324123", PHONE_TOO_SHORT);
    refuse("13241234", PHONE_TOO_SHORT); /* not a local number: none begins with 1 */
    refuse("091412345678", PHONE_TOO_LONG);
    refuse("000000000000000000000000", PHONE_TOO_LONG);
    refuse("0914123456x", PHONE_NOT_A_NUMBER);
    refuse("0914+1234567", PHONE_NOT_A_NUMBER);
    refuse("+14155552671", PHONE_FOREIGN);
    refuse("00905321234567", PHONE_FOREIGN);
    refuse("09933241234x", PHONE_NOT_A_NUMBER);
    refuse("02933241234", PHONE_UNKNOWN_AREA);
    refuse("04513241234", PHONE_WRONG_LOCAL);
}

Test(phone, a_landline_names_its_province_and_a_mobile_does_not)
{
    cr_assert_str_eq(phone_province(bytes_of_string("+987633241234"))->node, "hormozgan");
    cr_assert_null(phone_province(bytes_of_string("+989141234567")));
    cr_assert_null(phone_province(bytes_of_string("+98")));
}
