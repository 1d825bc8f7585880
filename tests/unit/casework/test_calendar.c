#include "node/casework/calendar.h"
#include "node/casework/instant.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define HOUR_MS INT64_C(3600000)
#define OFFICE_DAYS                                                                                \
    (1 << SATURDAY | 1 << SUNDAY | 1 << MONDAY | 1 << TUESDAY | 1 << WEDNESDAY)

static int32_t jalali(int year, int month, int day)
{
    return jalali_to_day((struct jalali_date){ year, month, day });
}

static int64_t at(int32_t day, int hour, int minute)
{
    return instant_of_iran_day(day) + hour * HOUR_MS + minute * INT64_C(60000);
}

/* 7:30 to 14:30 from Saturday to Wednesday. */
static struct calendar_rule office_week(void)
{
    return (struct calendar_rule){ .layer = CALENDAR_WEEK,
                                   .first_day = jalali(1404, 1, 1),
                                   .last_day = jalali(1405, 12, 29),
                                   .weekdays = OFFICE_DAYS,
                                   .span_count = 1,
                                   .spans = { { 450, 870 } } };
}

static struct calendar_rule closed(uint32_t layer, int32_t first_day, int32_t last_day)
{
    return (struct calendar_rule){ .layer = layer,
                                   .first_day = first_day,
                                   .last_day = last_day,
                                   .weekdays = CALENDAR_EVERY_WEEKDAY };
}

static struct calendar *calendar_of(const struct calendar_rule *rules, size_t count)
{
    struct calendar *calendar = NULL;
    cr_assert_eq(calendar_new(&calendar, rules, count, jalali(1404, 1, 1), jalali(1405, 12, 29)),
                 OK);
    return calendar;
}

/* 1404-02-06 is a Saturday. */
Test(calendar, a_deadline_counts_office_hours_and_skips_the_week_end)
{
    struct calendar_rule week = office_week();
    struct calendar *calendar = calendar_of(&week, 1);
    int32_t saturday = jalali(1404, 2, 6);
    cr_assert_eq(weekday_of_day(saturday), SATURDAY);
    cr_assert_eq(calendar_after(calendar, at(saturday, 8, 0), 2 * HOUR_MS), at(saturday, 10, 0));
    cr_assert_eq(calendar_after(calendar, at(saturday, 14, 0), HOUR_MS), at(saturday + 1, 8, 0));
    cr_assert_eq(calendar_after(calendar, at(saturday + 4, 14, 0), HOUR_MS),
                 at(saturday + 7, 8, 0));
    /* Called in the night: it begins in the morning. At the last minute: it ends with the day. */
    cr_assert_eq(calendar_after(calendar, at(saturday - 1, 22, 0), HOUR_MS), at(saturday, 8, 30));
    cr_assert_eq(calendar_after(calendar, at(saturday, 7, 30), 7 * HOUR_MS), at(saturday, 14, 30));
    cr_assert_eq(calendar_between(calendar, at(saturday, 12, 0), at(saturday + 7, 12, 0)),
                 35 * HOUR_MS);
    cr_assert_eq(calendar_between(calendar, at(saturday + 7, 12, 0), at(saturday, 12, 0)),
                 -35 * HOUR_MS);
    calendar_free(calendar);
}

Test(calendar, what_began_long_enough_ago_is_before_one_moment)
{
    struct calendar_rule week = office_week();
    struct calendar *calendar = calendar_of(&week, 1);
    int32_t saturday = jalali(1404, 2, 6);
    cr_assert_eq(calendar_before(calendar, at(saturday, 10, 0), 2 * HOUR_MS), at(saturday, 8, 0));
    /* Everything since Wednesday's closing has had just these thirty minutes. */
    cr_assert_eq(calendar_before(calendar, at(saturday, 8, 0), HOUR_MS / 2), at(saturday, 7, 30));
    cr_assert_eq(calendar_before(calendar, at(saturday, 8, 0), HOUR_MS), at(saturday - 3, 14, 0));
    cr_assert_eq(calendar_before(calendar, at(saturday, 8, 0), INT64_MAX), CALENDAR_ALWAYS);
    cr_assert_eq(calendar_after(calendar, at(saturday, 8, 0), INT64_MAX), CALENDAR_NEVER);
    calendar_free(calendar);
}

Test(calendar, the_higher_layer_wins_and_of_one_layer_the_later_rule)
{
    int32_t sunday = jalali(1404, 2, 7);
    struct calendar_rule season = office_week(), open = office_week();
    season.layer = CALENDAR_SEASON;
    season.spans[0] = (struct calendar_span){ 540, 780 };
    open.layer = CALENDAR_DAY;
    open.first_day = open.last_day = sunday;
    const struct calendar_rule rules[] = {
        closed(CALENDAR_HOLIDAY, sunday, sunday),
        season,
        office_week(), /* later in the list, but of a lower layer */
        closed(CALENDAR_DAY, sunday, sunday),
        open,
    };
    const int hours[] = { 0, 0, 0, 0, 7 };
    for (size_t count = 3; count <= 5; count++) {
        struct calendar *calendar = calendar_of(rules, count);
        cr_expect_eq(calendar_between(calendar, at(sunday, 0, 0), at(sunday + 1, 0, 0)),
                     hours[count - 1] * HOUR_MS, "%zu rules", count);
        cr_expect_eq(calendar_between(calendar, at(sunday + 1, 0, 0), at(sunday + 2, 0, 0)),
                     4 * HOUR_MS);
        calendar_free(calendar);
    }
}

Test(calendar, a_holiday_declared_later_moves_the_deadline)
{
    struct calendar_rule rules[] = { office_week(),
                                     closed(CALENDAR_DAY, jalali(1404, 2, 7), jalali(1404, 2, 8)) };
    struct calendar *before = calendar_of(rules, 1), *after = calendar_of(rules, 2);
    int64_t began = at(jalali(1404, 2, 6), 8, 0);
    cr_assert_eq(calendar_after(before, began, 14 * HOUR_MS), at(jalali(1404, 2, 8), 8, 0));
    cr_assert_eq(calendar_after(after, began, 14 * HOUR_MS), at(jalali(1404, 2, 10), 8, 0));
    calendar_free(before);
    calendar_free(after);
}

Test(calendar, the_solar_holidays_of_1404_are_closed)
{
    struct calendar_rule rules[1 + CALENDAR_SOLAR_HOLIDAYS] = { office_week() };
    rules[0].weekdays = CALENDAR_EVERY_WEEKDAY;
    calendar_solar_holidays(rules + 1, jalali(1404, 1, 1), jalali(1405, 12, 29));
    struct calendar *calendar = calendar_of(rules, 1 + CALENDAR_SOLAR_HOLIDAYS);
    int64_t year = calendar_between(calendar, at(jalali(1404, 1, 1), 0, 0),
                                    at(jalali(1405, 1, 1), 0, 0));
    cr_assert_eq(year, (365 - 10) * 7 * HOUR_MS); /* 1404 has no 30 Esfand */
    cr_assert_eq(calendar_between(calendar, at(jalali(1404, 11, 22), 0, 0),
                                  at(jalali(1404, 11, 23), 0, 0)),
                 0);
    calendar_free(calendar);
}

Test(calendar, a_rule_says_what_is_wrong_with_it)
{
    struct calendar_rule rule = office_week();
    struct calendar *calendar = NULL;
    cr_assert_eq(calendar_rule_check(&rule), CALENDAR_VALID);
#define EXPECT(fault, field, value)                                                                \
    do {                                                                                           \
        struct calendar_rule wrong = office_week();                                                \
        wrong.field = value;                                                                       \
        cr_expect_eq(calendar_rule_check(&wrong), fault, #field);                                  \
        cr_expect_eq(calendar_new(&calendar, &wrong, 1, jalali(1404, 1, 1), jalali(1404, 1, 2)),   \
                     ERR_INVALID);                                                                 \
    } while (0)
    EXPECT(CALENDAR_LAYER, layer, 0);
    EXPECT(CALENDAR_LAYER, layer, 5);
    EXPECT(CALENDAR_DAYS, last_day, rule.first_day - 1);
    EXPECT(CALENDAR_DAYS, first_day, INT32_MIN);
    EXPECT(CALENDAR_DAYS, last_day, INT32_MAX);
    EXPECT(CALENDAR_WEEKDAYS, weekdays, 0);
    EXPECT(CALENDAR_WEEKDAYS, weekdays, 128);
    EXPECT(CALENDAR_DATE, day, 1);
    EXPECT(CALENDAR_DATE, month, 13);
    EXPECT(CALENDAR_SPANS, span_count, 5);
    EXPECT(CALENDAR_SPANS, spans[0].to, 1441);
    EXPECT(CALENDAR_SPANS, spans[0].from, 870);
    EXPECT(CALENDAR_SPANS, span_count, 2); /* the second one is empty */
    cr_expect_eq(calendar_new(&calendar, &rule, 1, 10, 9), ERR_INVALID);
    cr_expect_eq(calendar_new(&calendar, &rule, 1, 0, CALENDAR_DAYS_MAX), ERR_INVALID);
    cr_expect_eq(calendar_new(&calendar, &rule, CALENDAR_RULES_MAX + 1, 0, 9), ERR_INVALID);
}

/* ---- against counting minute by minute ------------------------------------------------------- */

static unsigned draw(unsigned below)
{
    return (unsigned)rand() % below; /* NOLINT: a test, seeded */
}

static struct calendar_rule random_rule(int32_t first_day, int days)
{
    struct calendar_rule rule = { .layer = CALENDAR_WEEK + draw(4),
                                  .weekdays = (uint8_t)(1 + draw(CALENDAR_EVERY_WEEKDAY)) };
    rule.first_day = first_day - 3 + (int32_t)draw((unsigned)days);
    rule.last_day = rule.first_day + (int32_t)draw(12);
    if (draw(5) == 0) {
        struct jalali_date date = jalali_from_day(first_day + (int32_t)draw((unsigned)days));
        rule.month = (uint8_t)date.month;
        rule.day = (uint8_t)date.day;
        rule.last_day = rule.first_day + 400;
    }
    unsigned minute = draw(300);
    for (unsigned count = draw(CALENDAR_SPANS_MAX + 1);
         rule.span_count < count && minute < CALENDAR_DAY_MINUTES - 1; rule.span_count++) {
        unsigned to = minute + 1 + draw(400);
        if (to > CALENDAR_DAY_MINUTES || draw(10) == 0)
            to = CALENDAR_DAY_MINUTES;
        rule.spans[rule.span_count] =
            (struct calendar_span){ (uint16_t)minute, (uint16_t)to };
        minute = to + 1 + draw(200);
    }
    return rule;
}

static bool rule_is_for(const struct calendar_rule *rule, int32_t day)
{
    struct jalali_date date = jalali_from_day(day);
    return day >= rule->first_day && day <= rule->last_day &&
           (rule->weekdays & 1 << weekday_of_day(day)) != 0 &&
           (rule->month == 0 || (date.month == rule->month && date.day == rule->day));
}

/* Asks the rules about one minute, from the strongest down. */
static bool is_open(const struct calendar_rule *rules, size_t count, int32_t day, int minute)
{
    for (uint32_t layer = CALENDAR_DAY; layer >= CALENDAR_WEEK; layer--)
        for (size_t i = count; i-- > 0;) {
            if (rules[i].layer != layer || !rule_is_for(&rules[i], day))
                continue;
            for (size_t j = 0; j < rules[i].span_count; j++)
                if (minute >= rules[i].spans[j].from && minute < rules[i].spans[j].to)
                    return true;
            return false;
        }
    return false;
}

enum { DAYS = 9, MINUTES = DAYS * CALENDAR_DAY_MINUTES, RULES = 8 };

static void compare(const struct calendar *calendar, const bool *open, int32_t first_day)
{
    int from = (int)draw(MINUTES), to = (int)draw(MINUTES), wanted = (int)draw(3000);
    int64_t begin = instant_of_iran_day(first_day);
    int64_t counted = 0;
    for (int i = from < to ? from : to; i < (from < to ? to : from); i++)
        counted += open[i];
    int64_t from_ms = begin + from * INT64_C(60000), to_ms = begin + to * INT64_C(60000);
    cr_assert_eq(calendar_between(calendar, from_ms, to_ms),
                 (from < to ? counted : -counted) * 60000);

    /* Forward and backward, each minute by minute. */
    int left = wanted, i = from;
    for (; left > 0 && i < MINUTES; i++)
        left -= open[i];
    cr_assert_eq(calendar_after(calendar, from_ms, wanted * INT64_C(60000)),
                 left > 0 ? CALENDAR_NEVER : begin + i * INT64_C(60000));
    for (left = wanted, i = to; left > 0 && i > 0; i--)
        left -= open[i - 1];
    cr_assert_eq(calendar_before(calendar, to_ms, wanted * INT64_C(60000)),
                 left > 0 ? CALENDAR_ALWAYS : begin + i * INT64_C(60000));
}

Test(calendar, random_rules_give_what_counting_minutes_gives)
{
    static bool open[MINUTES];
    srand(111);
    for (int round = 0; round < 400; round++) {
        struct calendar_rule rules[RULES];
        struct calendar *calendar = NULL;
        int32_t first_day = jalali(1403, 12, 25) + (int32_t)draw(30); /* across a leap day */
        size_t count = draw(RULES + 1);
        for (size_t i = 0; i < count; i++)
            rules[i] = random_rule(first_day, DAYS);
        cr_assert_eq(calendar_new(&calendar, rules, count, first_day, first_day + DAYS - 1), OK);
        for (int i = 0; i < MINUTES; i++)
            open[i] = is_open(rules, count, first_day + i / CALENDAR_DAY_MINUTES,
                              i % CALENDAR_DAY_MINUTES);
        for (int i = 0; i < 25; i++)
            compare(calendar, open, first_day);
        calendar_free(calendar);
    }
}
