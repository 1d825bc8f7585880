#include "node/casework/jalali.h"

#include "node/casework/characters.h"
#include "node/casework/persian.h"

#include <stdio.h>

enum {
    JULIAN_DAY_OF_1970 = 2440588,
    JULIAN_DAY_BEFORE_YEAR_1 = 1948320, /* of 1 Farvardin 1, less the leap days counted below */
    JALALI_YEAR_LIMIT = 1700            /* years typed below it are Jalali */
};

static int floor_div(int value, int divisor)
{
    return value / divisor - (value % divisor < 0);
}

static int floor_mod(int value, int divisor)
{
    return value - floor_div(value, divisor) * divisor;
}

/* ---- Jalali ---------------------------------------------------------------------------------- */

bool jalali_year_is_leap(int year)
{
    return floor_mod(25 * year + 11, 33) < 8;
}

int jalali_month_days(int year, int month)
{
    if (month <= 6)
        return 31;
    return month < 12 || jalali_year_is_leap(year) ? 30 : 29;
}

bool jalali_date_is_valid(struct jalali_date date)
{
    return date.year >= JALALI_YEAR_MIN && date.year <= JALALI_YEAR_MAX && date.month >= 1 &&
           date.month <= 12 && date.day >= 1 &&
           date.day <= jalali_month_days(date.year, date.month);
}

static int32_t first_day_of_year(int year)
{
    return JULIAN_DAY_BEFORE_YEAR_1 + 365 * (year - 1) + floor_div(8 * year + 21, 33) -
           JULIAN_DAY_OF_1970;
}

static int days_before_month(int month)
{
    return month <= 7 ? (month - 1) * 31 : 186 + (month - 7) * 30;
}

int32_t jalali_to_day(struct jalali_date date)
{
    return first_day_of_year(date.year) + days_before_month(date.month) + date.day - 1;
}

struct jalali_date jalali_from_day(int32_t day)
{
    /* The mean year is 365 + 8/33 days long, so the guess is at most one off. */
    int year = 1 + floor_div((day - first_day_of_year(1)) * 33, 365 * 33 + 8);
    while (first_day_of_year(year) > day)
        year--;
    while (first_day_of_year(year + 1) <= day)
        year++;
    int rest = day - first_day_of_year(year);
    int month = rest < 186 ? rest / 31 + 1 : (rest - 186) / 30 + 7;
    return (struct jalali_date){ year, month, rest - days_before_month(month) + 1 };
}

/* ---- Gregorian ------------------------------------------------------------------------------- */

static bool gregorian_year_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int gregorian_month_days(int year, int month)
{
    static const int DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return DAYS[month - 1] + (month == 2 && gregorian_year_is_leap(year));
}

/* Years that begin in March put the leap day at the end, so that months have fixed offsets. */
int32_t gregorian_to_day(struct gregorian_date date)
{
    int year = date.year - (date.month <= 2);
    int month = (date.month + 9) % 12;
    int day_of_year = (153 * month + 2) / 5 + date.day - 1;
    return 365 * year + floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400) +
           day_of_year - 719468;
}

struct gregorian_date gregorian_from_day(int32_t day)
{
    int since = day + 719468; /* since 1 March of the year 0 */
    int era = floor_div(since, 146097);
    int day_of_era = since - era * 146097;
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153;
    struct gregorian_date date = { .year = year_of_era + era * 400 + (month >= 10),
                                   .month = month < 10 ? month + 3 : month - 9,
                                   .day = day_of_year - (153 * month + 2) / 5 + 1 };
    return date;
}

static bool gregorian_date_is_valid(struct gregorian_date date)
{
    return date.month >= 1 && date.month <= 12 && date.day >= 1 &&
           date.day <= gregorian_month_days(date.year, date.month);
}

/* ---- both ------------------------------------------------------------------------------------ */

enum weekday weekday_of_day(int32_t day)
{
    return (enum weekday)floor_mod(day + 5, 7); /* 1970-01-01 was a Thursday */
}

const char *jalali_month_name(int month)
{
    static const char *const NAMES[] = { "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور",
                                         "مهر",     "آبان",     "آذر",   "دی",  "بهمن",  "اسفند" };
    return NAMES[month - 1];
}

const char *weekday_name(enum weekday weekday)
{
    static const char *const NAMES[] = { "شنبه",     "یکشنبه",  "دوشنبه", "سه‌شنبه",
                                         "چهارشنبه", "پنجشنبه", "جمعه" };
    return NAMES[weekday];
}

void jalali_format(char out[JALALI_TEXT_SIZE + 1], int32_t day)
{
    struct jalali_date date = jalali_from_day(day);
    unsigned year = (unsigned)date.year % 10000;
    unsigned month = (unsigned)date.month % 100;
    unsigned day_of_month = (unsigned)date.day % 100;
    snprintf(out, JALALI_TEXT_SIZE + 1, "%04u-%02u-%02u", year, month, day_of_month);
}

/* Reads exactly `count` digits off the front. */
static bool read_number(struct bytes *rest, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        int value = rest->size > 0 ? persian_digit_value(character_next(rest)) : -1;
        if (value < 0)
            return false;
        *number = *number * 10 + value;
    }
    return true;
}

static bool read_separator(struct bytes *rest)
{
    if (rest->size == 0)
        return false;
    int32_t code = character_next(rest);
    return code == '-' || code == '/';
}

enum err date_parse(int32_t *day, struct bytes typed)
{
    struct gregorian_date date;
    if (!read_number(&typed, 4, &date.year) || !read_separator(&typed) ||
        !read_number(&typed, 2, &date.month) || !read_separator(&typed) ||
        !read_number(&typed, 2, &date.day) || typed.size > 0)
        return ERR_MALFORMED;

    struct jalali_date jalali = { date.year, date.month, date.day };
    if (date.year < JALALI_YEAR_LIMIT) {
        if (!jalali_date_is_valid(jalali))
            return ERR_INVALID;
        *day = jalali_to_day(jalali);
        return OK;
    }
    if (!gregorian_date_is_valid(date))
        return ERR_INVALID;
    int32_t parsed = gregorian_to_day(date);
    if (!jalali_date_is_valid(jalali_from_day(parsed)))
        return ERR_INVALID;
    *day = parsed;
    return OK;
}
