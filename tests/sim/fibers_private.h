/* What fibers.c and threads.c share. */
#ifndef TESTS_SIM_FIBERS_PRIVATE_H
#define TESTS_SIM_FIBERS_PRIVATE_H

#include "tests/sim/sim_private.h"

#include <stddef.h>
#include <stdlib.h>

#define FIBER_MAX    2048
#define FIBER_DRIVER UINT32_MAX

enum fiber_state { FIBER_FREE, FIBER_RUNNABLE, FIBER_RUNNING, FIBER_WAITING, FIBER_ENDED };

struct fiber {
    struct sim_node *node;   /* whose thread it is */
    struct sim_node *inside; /* who was current when it was switched away from */
    const char *name;
    void *stack, *sp;
    enum fiber_state state;
    int saved_errno;
    uint32_t next; /* in the list of whom it waits with: number of a fiber, 0: none */
    struct sim_event sleep;
    bool timed_out;
    bool woken; /* fiber_wake() came before fiber_park() */
    bool joinable;
    uint32_t joiner;
    void (*run)(void *);
    void *argument;
    void *(*thread_run)(void *); /* threads.c */
    void *result;
};

struct fiber *fiber_of_number(uint32_t number);
uint32_t fiber_number(const struct fiber *fiber); /* FIBER_DRIVER for NULL */
void fiber_make_runnable(struct fiber *fiber);
/* Until fiber_make_runnable(). */
void fiber_wait(void);
/* Wakes it at that time with timed_out set, unless something else does and cancels `sleep`. */
void fiber_set_alarm(struct fiber *fiber, int64_t at_ns);
/* Lets others go first, as often as the rate says; true when it did. */
bool fiber_may_yield(void);
/* An ended fiber was joined. */
void fiber_release(struct fiber *fiber);

#endif
