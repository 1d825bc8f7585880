/* libclock.so: another wall clock for one process, for tests (LD_PRELOAD).
 *
 * The file named by SAMAD_CLOCK_FILE holds one signed 64-bit number, nanoseconds, in the machine's
 * byte order; it is added to CLOCK_REALTIME. The file is mapped, so that a test changes the clock of a
 * running process by writing eight bytes. Monotonic clocks are left alone, as a machine does.
 *
 * Built without sanitizers and without anything of the project. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SECOND_NS = 1000000000 };

static const volatile int64_t *offset_ns;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SAMAD_CLOCK_FILE");
    void *found = dlsym(RTLD_NEXT, "clock_gettime");
    memcpy(&real_gettime, &found, sizeof found);
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *map = mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED)
        offset_ns = map;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!real_gettime) /* called by another constructor */
        begin();
    int code = real_gettime(clock, now);
    if (code != 0 || !offset_ns || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return code;
    int64_t ns = (int64_t)now->tv_sec * SECOND_NS + now->tv_nsec + *offset_ns;
    now->tv_sec = (time_t)(ns / SECOND_NS);
    now->tv_nsec = (long)(ns % SECOND_NS);
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
