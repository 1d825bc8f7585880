#include "node/runtime/priority.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BACKGROUND_NICE     10
#define IDLE_NICE           19
#define RESPONSIVE_SLICE_NS 300000

/* struct sched_attr, which glibc 2.36 does not declare. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

void priority_background(void)
{
    (void)setpriority(PRIO_PROCESS, 0, BACKGROUND_NICE);
}

void priority_idle(void)
{
    (void)setpriority(PRIO_PROCESS, 0, IDLE_NICE);
}

void priority_responsive(void)
{
    int nice_value = getpriority(PRIO_PROCESS, 0); /* it is set together with the slice */
    struct attributes wanted = { .size = sizeof wanted,
                                 .nice = nice_value,
                                 .runtime_ns = RESPONSIVE_SLICE_NS };
    (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}
