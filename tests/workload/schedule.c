#include "schedule.h"

#include "node/casework/jalali.h"

#include <math.h>

enum { ARDABIL_POPULATION = 1270420, MEAN_POPULATION = 79926270 / PROVINCE_COUNT };
enum { STREAM_DAY = 101, STREAM_BURST = 102 };

/* ---- days ------------------------------------------------------------------------------------ */

static bool is_fixed_holiday(struct jalali_date date)
{
    static const struct {
        int month;
        int day;
    } HOLIDAYS[] = { { 1, 1 },  { 1, 2 },  { 1, 3 },   { 1, 4 },   { 1, 12 }, { 1, 13 },
                     { 3, 14 }, { 3, 15 }, { 11, 22 }, { 12, 29 }, { 12, 30 } };
    for (size_t i = 0; i < sizeof HOLIDAYS / sizeof *HOLIDAYS; i++)
        if (date.month == HOLIDAYS[i].month && date.day == HOLIDAYS[i].day)
            return true;
    return false;
}

double day_weight(int32_t day)
{
    static const double WEIGHTS[] = {
        [SATURDAY] = 1.30,  [SUNDAY] = 1.08,   [MONDAY] = 1.00, [TUESDAY] = 0.96,
        [WEDNESDAY] = 0.92, [THURSDAY] = 0.45, [FRIDAY] = 0
    };
    return is_fixed_holiday(jalali_from_day(day)) ? 0 : WEIGHTS[weekday_of_day(day)];
}

static double weight_of_days(int32_t first_day, int64_t days)
{
    double weight = 0;
    for (int64_t i = 0; i < days; i++)
        weight += day_weight(first_day + (int32_t)i);
    return weight;
}

/* ---- volume ---------------------------------------------------------------------------------- */

/* 200 to 2,000, each step a tenth of the way in orders of magnitude. */
static const uint32_t BURST_SIZES[] = { 200, 252, 317, 399, 502, 632, 796, 1002, 1262, 1589, 2000 };
enum { BURST_SIZE_COUNT = sizeof BURST_SIZES / sizeof *BURST_SIZES };

static double mean_burst_size(void)
{
    double sum = 0;
    for (size_t i = 0; i < BURST_SIZE_COUNT; i++)
        sum += BURST_SIZES[i];
    return sum / BURST_SIZE_COUNT;
}

static double burst_scale(const struct schedule *schedule)
{
    return schedule->scale * schedule->province_share * ARDABIL_POPULATION / MEAN_POPULATION;
}

void schedule_init(struct schedule *schedule, uint64_t seed, const struct province *province,
                   double scale, bool bursts)
{
    *schedule = (struct schedule){ .seed = seed, .scale = scale, .bursts = bursts };
    schedule->province_share = (double)province->population / ARDABIL_POPULATION;
    /* Two years with their twenty-four bursts give what Ardabil registered in two years. */
    int32_t first = jalali_to_day((struct jalali_date){ 1403, 1, 1 });
    int32_t end = jalali_to_day((struct jalali_date){ 1405, 1, 1 });
    double bursts_of_two_years = 24 * mean_burst_size() * ARDABIL_POPULATION / MEAN_POPULATION;
    schedule->ordinary_day = (REQUESTS_IN_TWO_YEARS - bursts_of_two_years) /
                             weight_of_days(first, end - first) * schedule->province_share;
}

double schedule_expected(const struct schedule *schedule, int32_t first_day, int64_t days)
{
    double expected = weight_of_days(first_day, days) * schedule->ordinary_day * schedule->scale;
    for (int64_t i = 0; i < days; i++)
        expected += schedule_burst(schedule, first_day + (int32_t)i).size;
    return expected;
}

/* Poisson, near enough: its mean and its variance, with a sum of twelve for the bell. Only exactly
 * rounded operations, so that every machine gives the same number. */
uint32_t schedule_ordinary_count(const struct schedule *schedule, int32_t day)
{
    double mean = day_weight(day) * schedule->ordinary_day * schedule->scale;
    struct random random = random_of(schedule->seed, STREAM_DAY, (uint32_t)day);
    double bell = -6;
    for (int i = 0; i < 12; i++)
        bell += random_share(&random);
    double count = mean + sqrt(mean) * bell + 0.5;
    return count > 0 ? (uint32_t)count : 0;
}

/* One day of each month, an ordinary working one, drawn from the month alone. */
struct burst schedule_burst(const struct schedule *schedule, int32_t day)
{
    struct jalali_date date = jalali_from_day(day);
    struct random random =
        random_of(schedule->seed, STREAM_BURST, (uint64_t)date.year * 12 + (uint64_t)date.month);
    struct burst burst = { .is_today = false };
    date.day = 0;
    for (int tries = 0; tries < 64 && date.day == 0; tries++) {
        struct jalali_date drawn = { date.year, date.month, (int)random_between(&random, 1, 29) };
        if (day_weight(jalali_to_day(drawn)) > 0.9)
            date.day = drawn.day;
    }
    double size = BURST_SIZES[random_below(&random, BURST_SIZE_COUNT)] * burst_scale(schedule);
    if (!schedule->bursts || date.day == 0 || jalali_to_day(date) != day)
        return burst;
    burst.is_today = true;
    burst.size = (uint32_t)(size + 0.5);
    burst.seed = random_next(&random);
    return burst;
}

/* ---- the shape of a day ---------------------------------------------------------------------- */

int64_t schedule_time_ms(double share)
{
    /* Parts of a day's work in each half hour from 07:30 to 14:30: a peak before ten, another after
     * the noon prayer. */
    static const double PARTS[] = { 3, 6, 9, 11, 12, 9, 7, 5, 6, 9, 10, 7, 4, 2 };
    const int64_t begin_ms = (7 * 60 + 30) * INT64_C(60000);
    const int64_t part_ms = 30 * INT64_C(60000);
    double rest = share * 100;
    size_t part = 0;
    while (part + 1 < sizeof PARTS / sizeof *PARTS && rest >= PARTS[part])
        rest -= PARTS[part++];
    double within = rest / PARTS[part];
    int64_t within_ms = (int64_t)((within < 1 ? within : 0.999999) * (double)part_ms);
    return begin_ms + (int64_t)part * part_ms + within_ms;
}
