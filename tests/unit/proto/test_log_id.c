#include "proto/record/log_id.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t incarnation[INCARNATION_SIZE] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                                       0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                                       0xcc, 0xdd, 0xee, 0xff };

static struct log_id make(const char *node, const char *audience)
{
    struct log_id id;
    cr_assert_eq(log_id_init(&id, bytes_of_string(node), bytes_of_string(audience), incarnation),
                 OK);
    return id;
}

Test(log_id, an_origin_names_node_audience_and_incarnation_and_reads_back)
{
    struct log_id id = make("ardabil", "hub"), back;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(&id, origin);
    cr_assert_str_eq(origin, "samad/ardabil/hub/00112233445566778899aabbccddeeff");
    cr_assert_eq(log_id_from_origin(&back, bytes_of_string(origin)), OK);
    cr_assert(log_id_equal(&id, &back));
}

Test(log_id, the_longest_names_fit)
{
    struct log_id id = make("a1234567890123456789012345678901", "b-------------------------------");
    struct log_id back;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(&id, origin);
    cr_assert_eq(strlen(origin), LOG_ORIGIN_SIZE_MAX);
    cr_assert_eq(log_id_from_origin(&back, bytes_of_string(origin)), OK);
    cr_assert(log_id_equal(&id, &back));
}

Test(log_id, a_name_begins_with_a_letter_and_holds_letters_digits_and_dashes)
{
    static const char *good[] = { "a", "z", "hub-2", "qom", "a-", "x0" };
    static const char *bad[] = { "",  "0a", "-a", "A",  "aB", "a_b", "a b", "a/b",
                                 "a.b", "\xd9\x82", "a\n", "a{", "a`", "a:" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(node_name_is_valid(bytes_of_string(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!node_name_is_valid(bytes_of_string(bad[i])), "%s", bad[i]);
    cr_assert(!node_name_is_valid(bytes_of_string("a12345678901234567890123456789012")));
    cr_assert(!node_name_is_valid(bytes_of("a\0b", 3)));
}

Test(log_id, invalid_names_are_refused_and_leave_the_id_alone)
{
    struct log_id id = make("qom", "hub"), before = id;
    cr_assert_eq(log_id_init(&id, bytes_of_string("Qom"), bytes_of_string("hub"), incarnation),
                 ERR_INVALID);
    cr_assert_eq(log_id_init(&id, bytes_of_string("qom"), BYTES_NONE, incarnation), ERR_INVALID);
    cr_assert(log_id_equal(&id, &before));
}

Test(log_id, an_id_reused_for_a_shorter_name_is_equal_to_a_fresh_one)
{
    struct log_id id = make("kermanshah", "ardabil"), fresh = make("qom", "all");
    cr_assert_eq(log_id_init(&id, bytes_of_string("qom"), bytes_of_string("all"), incarnation), OK);
    cr_assert_eq(memcmp(&id, &fresh, sizeof id), 0);
}

Test(log_id, anything_but_an_exact_origin_is_refused)
{
    static const char *bad[] = {
        "",
        "samad/",
        "samad/qom/hub",
        "samad/qom/hub/",
        "samad/qom/receipt",
        "samad/qom/hub/00112233445566778899aabbccddeef",
        "samad/qom/hub/00112233445566778899aabbccddeeff0",
        "samad/qom/hub/00112233445566778899AABBCCDDEEFF",
        "samad/qom/hub/00112233445566778899aabbccddeefg",
        "samad/qom/hub/x/00112233445566778899aabbccddeeff",
        "samad/qom//00112233445566778899aabbccddeeff",
        "samad//hub/00112233445566778899aabbccddeeff",
        "Samad/qom/hub/00112233445566778899aabbccddeeff",
        "samad/Qom/hub/00112233445566778899aabbccddeeff",
        "samad/qom/hub/00112233445566778899aabbccddeeff\n",
        " samad/qom/hub/00112233445566778899aabbccddeeff",
        "samad/qom/hub/00112233445566778899aabbccddeeff/",
    };
    struct log_id id;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(log_id_from_origin(&id, bytes_of_string(bad[i])), ERR_MALFORMED, "%s", bad[i]);
    cr_assert_eq(log_id_from_origin(&id, BYTES_NONE), ERR_MALFORMED);
}

Test(log_id, ids_order_by_node_then_audience_then_incarnation)
{
    struct log_id ordered[] = { make("a", "z"), make("a1", "a"), make("aa", "a"), make("b", "a"),
                                make("b", "a") };
    ordered[4].incarnation[0] = 1;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++) {
            int order = log_id_compare(&ordered[i], &ordered[j]);
            cr_assert_eq(order < 0, i < j);
            cr_assert_eq(order > 0, i > j);
        }
}
