#include "node/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS 200

int64_t steady_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct progress progress_of(const char *what, uint64_t total)
{
    return (struct progress){ .what = what,
                              .total = total,
                              .next_ms =
                                  isatty(STDERR_FILENO) ? steady_ms() + INTERVAL_MS : INT64_MAX };
}

void progress_show(struct progress *progress, uint64_t done)
{
    if (progress->next_ms == INT64_MAX || steady_ms() < progress->next_ms)
        return;
    progress->next_ms = steady_ms() + INTERVAL_MS;
    progress->shown = true;
    if (progress->total > 0)
        fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " %s (%.0f %%) ", done, progress->total,
                progress->what, 100.0 * (double)done / (double)progress->total);
    else
        fprintf(stderr, "\r%" PRIu64 " %s ", done, progress->what);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
