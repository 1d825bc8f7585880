#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void latencies_add(struct latencies *latencies, int64_t from_ns, int64_t to_ns)
{
    int64_t us = (to_ns - from_ns) / 1000;
    if (latencies->count == latencies->capacity) {
        latencies->capacity = latencies->capacity > 0 ? 2 * latencies->capacity : 4096;
        latencies->us = realloc(latencies->us, latencies->capacity * sizeof *latencies->us);
        if (!latencies->us) {
            fputs("out of memory\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    latencies->us[latencies->count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double latencies_share_ms(struct latencies *latencies, double share)
{
    if (latencies->count == 0)
        return 0;
    qsort(latencies->us, latencies->count, sizeof *latencies->us, compare);
    size_t index = (size_t)(share * (double)latencies->count);
    if (index >= latencies->count)
        index = latencies->count - 1;
    return latencies->us[index] / 1e3;
}

void latencies_close(struct latencies *latencies)
{
    free(latencies->us);
    *latencies = (struct latencies){ 0 };
}
