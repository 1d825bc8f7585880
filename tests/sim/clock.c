#include "tests/sim/clock.h"

#include "tests/sim/sim_private.h"

#include <errno.h>
#include <sys/time.h>
#include <time.h>
#include <uv.h>

static int64_t elapsed(const struct node_clock *clock, int64_t true_ns)
{
    /* in two parts: years of nanoseconds times parts per million would overflow */
    return true_ns + true_ns / 1000000 * clock->rate_ppm;
}

int64_t clock_monotonic_ns(const struct sim_node *node)
{
    if (node == NULL)
        return sim_now_ns();
    return node->clock.monotonic_ns + elapsed(&node->clock, sim_now_ns() - node->clock.boot_ns);
}

int64_t clock_wall_ns(const struct sim_node *node)
{
    int64_t now_ns = sim_now_ns();
    if (node == NULL)
        return SIM_EPOCH_S * SIM_S + now_ns;
    if (node->clock.stuck)
        return node->clock.stuck_ns;
    return SIM_EPOCH_S * SIM_S + node->clock.wall_ns + elapsed(&node->clock, now_ns);
}

int64_t clock_true_of_monotonic(const struct sim_node *node, int64_t monotonic_ns)
{
    if (node == NULL)
        return monotonic_ns;
    const struct node_clock *clock = &node->clock;
    int64_t since = monotonic_ns - clock->monotonic_ns;
    int64_t guess = since - since / 1000000 * clock->rate_ppm;
    /* the inverse is off by parts per million of itself: never early */
    while (elapsed(clock, guess) < since)
        guess += 1 + (since - elapsed(clock, guess));
    return clock->boot_ns + guess;
}

void clock_jump(struct sim_node *node, int64_t by_ns)
{
    node->clock.wall_ns += by_ns;
    node->clock.stuck_ns += by_ns;
}

/* ---- what the product calls ------------------------------------------------------------------ */

static bool clock_is_monotonic(clockid_t id)
{
    return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE ||
           id == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int64_t ns = clock_is_monotonic(id) ? clock_monotonic_ns(sim_current_node)
                                        : clock_wall_ns(sim_current_node);
    *out = (struct timespec){ .tv_sec = ns / SIM_S, .tv_nsec = ns % SIM_S };
    return 0;
}

time_t time(time_t *out)
{
    time_t now = clock_wall_ns(sim_current_node) / SIM_S;
    if (out != NULL)
        *out = now;
    return now;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int64_t ns = clock_wall_ns(sim_current_node);
    (void)zone;
    *out = (struct timeval){ .tv_sec = ns / SIM_S, .tv_usec = ns % SIM_S / 1000 };
    return 0;
}

uint64_t uv_hrtime(void)
{
    return (uint64_t)clock_monotonic_ns(sim_current_node);
}
