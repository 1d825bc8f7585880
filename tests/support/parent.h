/* Who ends a run ends all of it: a child that outlived it would go on using the processors. */
#ifndef TESTS_SUPPORT_PARENT_H
#define TESTS_SUPPORT_PARENT_H

#include <signal.h>
#include <sys/prctl.h>

/* In a child just forked: it is killed when the thread that forked it ends. */
static inline void end_with_parent(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

#endif
