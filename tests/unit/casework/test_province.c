#include "node/casework/province.h"
#include "proto/record/log_id.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(province, the_populations_add_up_to_the_census)
{
    uint32_t total = 0;
    for (size_t i = 0; i < PROVINCE_COUNT; i++)
        total += PROVINCES[i].population;
    cr_assert_eq(total, 79926270);
}

Test(province, every_column_identifies_a_province)
{
    for (unsigned i = 0; i < PROVINCE_COUNT; i++) {
        const struct province *province = &PROVINCES[i];
        char iso[6];
        snprintf(iso, sizeof iso, "IR-%02u", province->number % 100);
        cr_assert_str_eq(province->iso, iso);
        cr_assert_eq(province_by_number(i), province);
        cr_assert_eq(province_by_node(bytes_of_string(province->node)), province);
        cr_assert_eq(province_by_iso(bytes_of_string(province->iso)), province);
        cr_assert_eq(province_by_area_code(bytes_of_string(province->area_code)), province);
        cr_assert_eq(strlen(province->area_code), 3);
        cr_assert_leq(strlen(province->node), NODE_NAME_SIZE_MAX);
        cr_assert_eq(strspn(province->node, "abcdefghijklmnopqrstuvwxyz-"), strlen(province->node));
    }
}

Test(province, what_does_not_exist_is_not_found)
{
    cr_assert_null(province_by_number(31));
    cr_assert_null(province_by_node(bytes_of_string("atlantis")));
    cr_assert_null(province_by_iso(bytes_of_string("IR-31")));
    cr_assert_null(province_by_area_code(bytes_of_string("029")));
}
