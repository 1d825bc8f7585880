/* Working time: when an authority is open, how much of that lies between two moments, and when so much will
 * have passed.
 *
 * A calendar is a list of rules, each of which paints the days it covers: with hours, or with none. The higher
 * layer wins, and of one layer the rule that comes later in the list: so new hours from spring on do not open
 * holidays, and a day declared closed, or open nevertheless, stands above all. A rule may be added for days
 * that are past: what is computed from the calendar is then computed anew, nothing is stored that could be
 * wrong (requirements §5.2).
 *
 * Pure. Days and their borders are Iran's (jalali.h, instant.h). */
#ifndef NODE_CASEWORK_CALENDAR_H
#define NODE_CASEWORK_CALENDAR_H

#include "node/casework/jalali.h"

#define CALENDAR_SPANS_MAX   4
#define CALENDAR_RULES_MAX   4096
#define CALENDAR_DAY_MINUTES 1440
#define CALENDAR_DAYS_MAX    (200 * 366)

enum calendar_layer {
    CALENDAR_WEEK = 1, /* the hours of the week */
    CALENDAR_SEASON,   /* other hours for some time: summer, Ramadan, lack of power */
    CALENDAR_HOLIDAY,  /* of the state */
    CALENDAR_DAY       /* one or a few days: closed because of dust or cold, open nevertheless */
};

#define CALENDAR_EVERY_WEEKDAY 0x7f

struct calendar_span {
    uint16_t from, to; /* minutes since midnight: open at `from`, closed at `to`; to <= 1440 */
};

struct calendar_rule {
    uint32_t layer;              /* enum calendar_layer */
    int32_t first_day, last_day; /* both included */
    uint8_t weekdays;            /* 1 << enum weekday, added up */
    uint8_t month, day;          /* of the solar year, or 0 and 0: each day */
    uint8_t span_count;          /* 0: closed */
    struct calendar_span spans[CALENDAR_SPANS_MAX]; /* ascending, not touching */
};

enum calendar_fault {
    CALENDAR_VALID,
    CALENDAR_LAYER,    /* no such layer */
    CALENDAR_DAYS,     /* the last day is before the first, or either outside the years of jalali.h */
    CALENDAR_WEEKDAYS, /* none, or a bit that is none */
    CALENDAR_DATE,     /* no such day of the year */
    CALENDAR_SPANS     /* too many, empty, out of order, touching, or past midnight */
};
enum calendar_fault calendar_rule_check(const struct calendar_rule *rule);

struct calendar;

/* The rules as they apply from `first_day` to `last_day`, at most CALENDAR_DAYS_MAX days. They are copied;
 * 16 bytes a day. A day without a rule is closed. ERR_INVALID for a rule that does not pass the check, too many
 * rules, or days out of order; ERR_NOMEM. */
enum err calendar_new(struct calendar **out, const struct calendar_rule *rules, size_t rule_count,
                      int32_t first_day, int32_t last_day);
void calendar_free(struct calendar *calendar);

/* Moments before the first day count as its beginning, those after the last one as its end.
 *
 * All three cost O(log of the days). */

/* Milliseconds of working time from `from_ms` on to before `to_ms`; negative when `to_ms` is earlier. */
int64_t calendar_between(const struct calendar *calendar, int64_t from_ms, int64_t to_ms);

#define CALENDAR_NEVER INT64_MAX
#define CALENDAR_ALWAYS INT64_MIN

/* The first moment by which `working_ms` (not negative) have passed since `from_ms`: a deadline. It lies at the end
 * of a span rather than at the beginning of the next. CALENDAR_NEVER when the calendar ends before. */
int64_t calendar_after(const struct calendar *calendar, int64_t from_ms, int64_t working_ms);

/* The last moment since which at least `working_ms` (not negative) have passed at `to_ms`: whatever began then or
 * earlier has had that long. CALENDAR_ALWAYS, which is before everything, when the calendar begins too late. */
int64_t calendar_before(const struct calendar *calendar, int64_t to_ms, int64_t working_ms);

#define CALENDAR_SOLAR_HOLIDAYS 11

/* Of the 27 official holidays those of the solar calendar, as rules for the given days. The lunar ones move, and
 * come as rules with the days that are announced for each year. */
void calendar_solar_holidays(struct calendar_rule out[CALENDAR_SOLAR_HOLIDAYS], int32_t first_day,
                             int32_t last_day);

#endif
