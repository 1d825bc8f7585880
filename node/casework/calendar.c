#include "node/casework/calendar.h"

#include "node/casework/instant.h"
#include "proto/base/require.h"

#include <stdlib.h>

#define MINUTE_MS INT64_C(60000)

struct day {
    int64_t before_ms; /* working time since the first day, before this one */
    uint32_t rule;     /* index + 1, or 0: none, closed */
};

struct calendar {
    int32_t first_day;
    size_t day_count;
    struct calendar_rule *rules;
    struct day *days; /* day_count + 1: the last one is the end */
};

/* ---- rules ----------------------------------------------------------------------------------- */

static int32_t day_min(void)
{
    return jalali_to_day((struct jalali_date){ JALALI_YEAR_MIN, 1, 1 });
}

static int32_t day_max(void)
{
    return jalali_to_day((struct jalali_date){ JALALI_YEAR_MAX + 1, 1, 1 }) - 1;
}

static bool spans_are_valid(const struct calendar_rule *rule)
{
    if (rule->span_count > CALENDAR_SPANS_MAX)
        return false;
    for (size_t i = 0; i < rule->span_count; i++)
        if (rule->spans[i].from >= rule->spans[i].to ||
            rule->spans[i].to > CALENDAR_DAY_MINUTES ||
            (i > 0 && rule->spans[i].from <= rule->spans[i - 1].to))
            return false;
    return true;
}

/* 30 Esfand is a day, although not of every year. */
static bool date_is_valid(const struct calendar_rule *rule)
{
    if (rule->month == 0)
        return rule->day == 0;
    return rule->month <= 12 && rule->day >= 1 && rule->day <= (rule->month <= 6 ? 31 : 30);
}

enum calendar_fault calendar_rule_check(const struct calendar_rule *rule)
{
    if (rule->layer < CALENDAR_WEEK || rule->layer > CALENDAR_DAY)
        return CALENDAR_LAYER;
    if (rule->first_day > rule->last_day || rule->first_day < day_min() ||
        rule->last_day > day_max())
        return CALENDAR_DAYS;
    if (rule->weekdays == 0 || rule->weekdays > CALENDAR_EVERY_WEEKDAY)
        return CALENDAR_WEEKDAYS;
    if (!date_is_valid(rule))
        return CALENDAR_DATE;
    return spans_are_valid(rule) ? CALENDAR_VALID : CALENDAR_SPANS;
}

static bool rule_covers(const struct calendar_rule *rule, int32_t day)
{
    if ((rule->weekdays >> weekday_of_day(day) & 1) == 0)
        return false;
    if (rule->month == 0)
        return true;
    struct jalali_date date = jalali_from_day(day);
    return date.month == rule->month && date.day == rule->day;
}

/* ---- painting the days ----------------------------------------------------------------------- */

static void paint(struct calendar *calendar, size_t index)
{
    const struct calendar_rule *rule = &calendar->rules[index];
    int64_t first = (int64_t)rule->first_day - calendar->first_day;
    int64_t last = (int64_t)rule->last_day - calendar->first_day;
    if (first < 0)
        first = 0;
    for (int64_t i = first; i <= last && i < (int64_t)calendar->day_count; i++)
        if (rule_covers(rule, calendar->first_day + (int32_t)i))
            calendar->days[i].rule = (uint32_t)index + 1;
}

static const struct calendar_rule CLOSED = { .span_count = 0 };

static const struct calendar_rule *rule_of(const struct calendar *calendar, size_t day)
{
    uint32_t rule = calendar->days[day].rule;
    return rule > 0 ? &calendar->rules[rule - 1] : &CLOSED;
}

static int64_t span_ms(struct calendar_span span)
{
    return (span.to - span.from) * MINUTE_MS;
}

static void add_up(struct calendar *calendar)
{
    int64_t sum = 0;
    for (size_t i = 0; i < calendar->day_count; i++) {
        const struct calendar_rule *rule = rule_of(calendar, i);
        calendar->days[i].before_ms = sum;
        for (size_t j = 0; j < rule->span_count; j++)
            sum += span_ms(rule->spans[j]);
    }
    calendar->days[calendar->day_count].before_ms = sum;
}

enum err calendar_new(struct calendar **out, const struct calendar_rule *rules, size_t rule_count,
                      int32_t first_day, int32_t last_day)
{
    int64_t days = (int64_t)last_day - first_day + 1;
    if (rule_count > CALENDAR_RULES_MAX || days < 1 || days > CALENDAR_DAYS_MAX ||
        first_day < day_min() || last_day > day_max())
        return ERR_INVALID;
    for (size_t i = 0; i < rule_count; i++)
        if (calendar_rule_check(&rules[i]) != CALENDAR_VALID)
            return ERR_INVALID;
    struct calendar *calendar = calloc(1, sizeof *calendar);
    if (!calendar)
        return ERR_NOMEM;
    calendar->first_day = first_day;
    calendar->day_count = (size_t)days;
    calendar->rules = calloc(rule_count + 1, sizeof *calendar->rules);
    calendar->days = calloc(calendar->day_count + 1, sizeof *calendar->days);
    if (!calendar->rules || !calendar->days) {
        calendar_free(calendar);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < rule_count; i++)
        calendar->rules[i] = rules[i];
    for (uint32_t layer = CALENDAR_WEEK; layer <= CALENDAR_DAY; layer++)
        for (size_t i = 0; i < rule_count; i++)
            if (rules[i].layer == layer)
                paint(calendar, i);
    add_up(calendar);
    *out = calendar;
    return OK;
}

void calendar_free(struct calendar *calendar)
{
    if (!calendar)
        return;
    free(calendar->rules);
    free(calendar->days);
    free(calendar);
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Working time from the first day to `time_ms`. It never decreases; it stands still while closed. */
static int64_t worked(const struct calendar *calendar, int64_t time_ms)
{
    int64_t begin = instant_of_iran_day(calendar->first_day);
    int64_t end = begin + (int64_t)calendar->day_count * DAY_MS;
    if (time_ms <= begin)
        return 0;
    if (time_ms >= end)
        return calendar->days[calendar->day_count].before_ms;
    size_t day = (size_t)((time_ms - begin) / DAY_MS);
    int64_t in_day = (time_ms - begin) % DAY_MS;
    int64_t sum = calendar->days[day].before_ms;
    const struct calendar_rule *rule = rule_of(calendar, day);
    for (size_t i = 0; i < rule->span_count; i++) {
        int64_t since = in_day - rule->spans[i].from * MINUTE_MS;
        int64_t whole = span_ms(rule->spans[i]);
        if (since > 0)
            sum += since < whole ? since : whole;
    }
    return sum;
}

int64_t calendar_between(const struct calendar *calendar, int64_t from_ms, int64_t to_ms)
{
    return worked(calendar, to_ms) - worked(calendar, from_ms);
}

/* The first day at whose end at least `sum` have passed; sum is within the calendar's. */
static size_t day_reaching(const struct calendar *calendar, int64_t sum)
{
    size_t low = 0, high = calendar->day_count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (calendar->days[middle + 1].before_ms >= sum)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The first moment by which `sum`, more than 0 and within the calendar's, have passed since the first day. */
static int64_t moment_reaching(const struct calendar *calendar, int64_t sum)
{
    size_t day = day_reaching(calendar, sum);
    int64_t left = sum - calendar->days[day].before_ms;
    const struct calendar_rule *rule = rule_of(calendar, day);
    size_t i = 0;
    for (; left > span_ms(rule->spans[i]); i++)
        left -= span_ms(rule->spans[i]);
    return instant_of_iran_day(calendar->first_day) + (int64_t)day * DAY_MS +
           rule->spans[i].from * MINUTE_MS + left;
}

int64_t calendar_after(const struct calendar *calendar, int64_t from_ms, int64_t working_ms)
{
    require(working_ms >= 0);
    if (working_ms == 0)
        return from_ms;
    int64_t begun = worked(calendar, from_ms);
    if (working_ms > calendar->days[calendar->day_count].before_ms - begun)
        return CALENDAR_NEVER;
    return moment_reaching(calendar, begun + working_ms);
}

int64_t calendar_before(const struct calendar *calendar, int64_t to_ms, int64_t working_ms)
{
    require(working_ms >= 0);
    if (working_ms == 0)
        return to_ms;
    int64_t sum = worked(calendar, to_ms) - working_ms;
    /* The last moment at which no more than `sum` have passed is before the first at which more have. */
    return sum < 0 ? CALENDAR_ALWAYS : moment_reaching(calendar, sum + 1) - 1;
}

/* ---- the solar holidays ---------------------------------------------------------------------- */

void calendar_solar_holidays(struct calendar_rule out[CALENDAR_SOLAR_HOLIDAYS], int32_t first_day,
                             int32_t last_day)
{
    /* 30 Esfand by the law of 1359. */
    static const uint8_t DATES[CALENDAR_SOLAR_HOLIDAYS][2] = {
        { 1, 1 },  { 1, 2 },  { 1, 3 },   { 1, 4 },   { 1, 12 }, { 1, 13 },
        { 3, 14 }, { 3, 15 }, { 11, 22 }, { 12, 29 }, { 12, 30 },
    };
    for (size_t i = 0; i < CALENDAR_SOLAR_HOLIDAYS; i++)
        out[i] = (struct calendar_rule){ .layer = CALENDAR_HOLIDAY,
                                         .first_day = first_day,
                                         .last_day = last_day,
                                         .weekdays = CALENDAR_EVERY_WEEKDAY,
                                         .month = DATES[i][0],
                                         .day = DATES[i][1] };
}
