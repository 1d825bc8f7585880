/* When requests come: working days, their weights, the two peaks of a day, one burst a month. */
#ifndef TESTS_WORKLOAD_SCHEDULE_H
#define TESTS_WORKLOAD_SCHEDULE_H

#include "node/casework/province.h"

#include "random.h"

/* The source texts: 190,196 calls and 74,113 registered requests of Ardabil in two years. */
#define CALLS_IN_TWO_YEARS    190196
#define REQUESTS_IN_TWO_YEARS 74113

/* How much of an ordinary day's work a day sees: 0 on Fridays and the fixed solar holidays (the
 * lunar ones move and are left out), more on Saturdays, half a day on Thursdays. */
double day_weight(int32_t day);

/* A burst: many similar cases on one day. */
struct burst {
    bool is_today;
    uint32_t size;
    uint64_t seed; /* of where it happens */
};

struct schedule {
    uint64_t seed;
    double scale;
    double province_share; /* of Ardabil's population */
    double ordinary_day;   /* expected requests on a day of weight 1, at scale 1 */
    bool bursts;
};

void schedule_init(struct schedule *schedule, uint64_t seed, const struct province *province,
                   double scale, bool bursts);
/* What these days are expected to bring. */
double schedule_expected(const struct schedule *schedule, int32_t first_day, int64_t days);
uint32_t schedule_ordinary_count(const struct schedule *schedule, int32_t day);
struct burst schedule_burst(const struct schedule *schedule, int32_t day);

/* The moment of the `share`-th part (0…1) of a day's work, in ms after midnight. */
int64_t schedule_time_ms(double share);

#endif
