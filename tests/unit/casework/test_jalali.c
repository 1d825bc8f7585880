#include "node/casework/instant.h"
#include "node/casework/jalali.h"

#include <criterion/criterion.h>

static int32_t jalali(int year, int month, int day)
{
    return jalali_to_day((struct jalali_date){ year, month, day });
}

static int32_t gregorian(int year, int month, int day)
{
    return gregorian_to_day((struct gregorian_date){ year, month, day });
}

Test(jalali, new_years_of_the_official_calendar)
{
    cr_assert_eq(jalali(1403, 1, 1), gregorian(2024, 3, 20));
    cr_assert_eq(jalali(1404, 1, 1), gregorian(2025, 3, 21));
    cr_assert_eq(jalali(1405, 1, 1), gregorian(2026, 3, 21));
    cr_assert_eq(jalali(1406, 1, 1), gregorian(2027, 3, 21));
    cr_assert_eq(jalali(1357, 11, 22), gregorian(1979, 2, 11));
    cr_assert_eq(gregorian(1970, 1, 1), 0);
    cr_assert_eq(jalali(1348, 10, 11), 0);
}

Test(jalali, leap_years_of_the_official_calendar)
{
    static const int LEAP[] = { 1383, 1387, 1391, 1395, 1399, 1403, 1408, 1412, 1416, 1420 };
    size_t next = 0;
    for (int year = 1383; year <= 1420; year++) {
        bool leap = next < sizeof LEAP / sizeof *LEAP && year == LEAP[next];
        cr_assert_eq(jalali_year_is_leap(year), leap, "%d", year);
        next += leap;
    }
}

/* Counts days one by one with nothing but the month lengths and the list of remainders, from a
 * known day, over all years in which dates are accepted. */
Test(jalali, every_day_of_1178_to_1633_is_what_counting_days_gives)
{
    static const int REMAINDERS[] = { 1, 5, 9, 13, 17, 22, 26, 30 };
    int32_t anchor = 0;
    int32_t day = 0;
    for (int pass = 0; pass < 2; pass++) {
        day = anchor;
        for (int year = JALALI_YEAR_MIN; year <= JALALI_YEAR_MAX; year++) {
            bool leap = false;
            for (size_t i = 0; i < 8; i++)
                leap = leap || year % 33 == REMAINDERS[i];
            cr_assert_eq(jalali_year_is_leap(year), leap);
            if (pass == 0 && year == 1403)
                anchor = 19802 - day; /* 1403-01-01 is 2024-03-20, day 19,802 */
            for (int month = 1; month <= 12; month++) {
                int days = month <= 6 ? 31 : month <= 11 || leap ? 30 : 29;
                cr_assert_eq(jalali_month_days(year, month), days);
                for (int i = 1; i <= days; i++, day++) {
                    if (pass == 0)
                        continue;
                    struct jalali_date date = jalali_from_day(day);
                    cr_assert(date.year == year && date.month == month && date.day == i);
                    cr_assert_eq(jalali_to_day(date), day);
                }
            }
        }
    }
    cr_assert_eq(day, jalali(JALALI_YEAR_MAX + 1, 1, 1));
}

Test(gregorian, every_day_of_1799_to_2255_is_what_counting_days_gives)
{
    int32_t day = gregorian(1799, 1, 1);
    cr_assert_eq(day, -62456);
    for (int year = 1799; year <= 2255; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        const int days[] = { 31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        for (int month = 1; month <= 12; month++) {
            for (int i = 1; i <= days[month - 1]; i++, day++) {
                struct gregorian_date date = gregorian_from_day(day);
                cr_assert(date.year == year && date.month == month && date.day == i);
                cr_assert_eq(gregorian_to_day(date), day);
            }
        }
    }
}

Test(jalali, the_week_begins_on_saturday)
{
    cr_assert_eq(weekday_of_day(jalali(1404, 1, 1)), FRIDAY);
    cr_assert_eq(weekday_of_day(jalali(1405, 1, 1)), SATURDAY);
    cr_assert_eq(weekday_of_day(jalali(1406, 1, 1)), SUNDAY);
    cr_assert_eq(weekday_of_day(-5), SATURDAY);
    cr_assert_str_eq(weekday_name(WEDNESDAY), "چهارشنبه");
    cr_assert_str_eq(jalali_month_name(2), "اردیبهشت");
}

Test(jalali, a_date_is_read_in_both_calendars_and_all_digits)
{
    int32_t day = 0;
    cr_assert_eq(date_parse(&day, bytes_of_string("2025-04-26")), OK);
    cr_assert_eq(day, gregorian(2025, 4, 26));
    cr_assert_eq(date_parse(&day, bytes_of_string("۱۴۰۴/۰۲/۰۶")), OK);
    cr_assert_eq(day, gregorian(2025, 4, 26));
    char text[JALALI_TEXT_SIZE + 1];
    jalali_format(text, day);
    cr_assert_str_eq(text, "1404-02-06");
}

Test(jalali, a_date_that_does_not_exist_is_refused)
{
    static const char *const INVALID[] = { "1404-12-30", "1404-13-01", "1404-00-01", "1404-07-31",
                                           "2025-02-29", "2025-13-01", "1100-01-01", "2400-01-01" };
    static const char *const MALFORMED[] = { "",           "1404",      "1404-1-01", "1404-01-01 ",
                                             "1404.01.01", "abcd-01-01" };
    int32_t day = 0;
    for (size_t i = 0; i < sizeof INVALID / sizeof *INVALID; i++)
        cr_assert_eq(date_parse(&day, bytes_of_string(INVALID[i])), ERR_INVALID, "%s", INVALID[i]);
    for (size_t i = 0; i < sizeof MALFORMED / sizeof *MALFORMED; i++)
        cr_assert_eq(date_parse(&day, bytes_of_string(MALFORMED[i])), ERR_MALFORMED);
    cr_assert_eq(date_parse(&day, bytes_of_string("1403-12-30")), OK);
}

Test(instant, a_moment_is_written_in_iran_s_time_and_read_back)
{
    char text[INSTANT_TEXT_SIZE + 1];
    int64_t time_ms = 0;
    cr_assert_eq(instant_parse(&time_ms, bytes_of_string("2025-04-26T08:14:09+03:30")), OK);
    cr_assert_eq(time_ms, INT64_C(1745642649000));
    instant_format(text, time_ms);
    cr_assert_str_eq(text, "2025-04-26T08:14:09+03:30");
}

Test(instant, offsets_fractions_and_missing_seconds_are_read)
{
    int64_t time_ms = 0;
    cr_assert_eq(instant_parse(&time_ms, bytes_of_string("1970-01-01T00:00Z")), OK);
    cr_assert_eq(time_ms, 0);
    cr_assert_eq(instant_parse(&time_ms, bytes_of_string("1970-01-01T00:00:01.2345-01:30")), OK);
    cr_assert_eq(time_ms, 90 * 60000 + 1234);
    cr_assert_eq(instant_parse(&time_ms, bytes_of_string("1969-12-31T23:59:59.9Z")), OK);
    cr_assert_eq(time_ms, -100);
}

Test(instant, what_is_no_moment_is_refused)
{
    static const char *const MALFORMED[] = { "",
                                             "2025-04-26",
                                             "2025-04-26T08:14:09",
                                             "2025-04-26 08:14:09Z",
                                             "2025-04-26T08:14:09+0330",
                                             "2025-04-26T08:14:09Z ",
                                             "2025-4-26T08:14:09Z",
                                             "2025-04-26T08:14:09.Z",
                                             "garbage",
                                             "2025-04-26T08:14:09+25:00" };
    static const char *const INVALID[] = { "2025-02-30T08:14:09Z", "2025-13-01T08:14:09Z",
                                           "2025-04-26T24:00:00Z", "2025-04-26T08:60:00Z",
                                           "2025-04-00T08:00:00Z", "2025-00-10T08:00:00Z" };
    int64_t time_ms = 0;
    for (size_t i = 0; i < sizeof MALFORMED / sizeof *MALFORMED; i++)
        cr_assert_eq(instant_parse(&time_ms, bytes_of_string(MALFORMED[i])), ERR_MALFORMED, "%s",
                     MALFORMED[i]);
    for (size_t i = 0; i < sizeof INVALID / sizeof *INVALID; i++)
        cr_assert_eq(instant_parse(&time_ms, bytes_of_string(INVALID[i])), ERR_INVALID, "%s",
                     INVALID[i]);
}

Test(instant, a_day_begins_at_midnight_in_iran)
{
    int32_t day = gregorian(2025, 4, 26);
    int64_t midnight = instant_of_iran_day(day);
    cr_assert_eq(instant_iran_day(midnight), day);
    cr_assert_eq(instant_iran_day(midnight - 1), day - 1);
    cr_assert_eq(instant_iran_day(-IRAN_OFFSET_S * INT64_C(1000) - 1), -1);
}
