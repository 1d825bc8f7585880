/* The solar Hijri (Jalali) calendar, in which offices work (constitution, article 17).
 *
 * A day is its number since 1970-01-01, in Iran. The leap rule is the 33-year one:
 * leap ⇔ y mod 33 ∈ {1,5,9,13,17,22,26,30}. It gives the official calendar for 1178 to 1633, the
 * range in which dates are accepted; the often copied 2820-year rule is wrong for 1403 and 1404. */
#ifndef NODE_CASEWORK_JALALI_H
#define NODE_CASEWORK_JALALI_H

#include "proto/base/bytes.h"

#define JALALI_YEAR_MIN  1178
#define JALALI_YEAR_MAX  1633
#define JALALI_TEXT_SIZE 10 /* "1404-02-06" */

struct jalali_date {
    int year;
    int month; /* 1 Farvardin … 12 Esfand */
    int day;   /* 1… */
};

struct gregorian_date {
    int year;
    int month;
    int day;
};

/* The week as Iran counts it. */
enum weekday { SATURDAY, SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY };

bool jalali_year_is_leap(int year);
int jalali_month_days(int year, int month);
bool jalali_date_is_valid(struct jalali_date date);

int32_t jalali_to_day(struct jalali_date date);
struct jalali_date jalali_from_day(int32_t day);
int32_t gregorian_to_day(struct gregorian_date date);
struct gregorian_date gregorian_from_day(int32_t day);
enum weekday weekday_of_day(int32_t day);

/* "فروردین" … "اسفند"; "شنبه" … "جمعه". Static storage. */
const char *jalali_month_name(int month);
const char *weekday_name(enum weekday weekday);

/* "1404-02-06", terminated; `day` within the accepted years. */
void jalali_format(char out[JALALI_TEXT_SIZE + 1], int32_t day);

/* Reads YYYY-MM-DD or YYYY/MM/DD in any digits: a year below 1700 is Jalali, another Gregorian.
 * ERR_MALFORMED for another form, ERR_INVALID for a date that no calendar has or that lies outside
 * the accepted years. */
enum err date_parse(int32_t *day, struct bytes typed);

#endif
