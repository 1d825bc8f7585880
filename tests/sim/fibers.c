/* Fibers: stacks, switching, the choice of the next. What pthreads makes of them is threads.c. */
#include "tests/sim/fibers_private.h"

#include "proto/base/require.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN 1
#endif
#endif
#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_SIZE ((size_t)1 << 20)

static struct {
    struct fiber fibers[FIBER_MAX]; /* [0] stands for the driver */
    uint32_t count;                 /* ever used slots */
    uint32_t free_first;
    struct fiber *current;          /* NULL: the driver */
    struct fiber *runnable[FIBER_MAX];
    uint32_t runnable_count;
    struct fiber *parked[FIBER_MAX]; /* runnable, of paused nodes */
    uint32_t parked_count;
    void *driver_sp;
    struct sim_node *exited; /* by sim_exit(), until the driver has seen it */
    int exit_code;
    unsigned yield_percent;
#ifdef SIM_ASAN
    const void *driver_stack;
    size_t driver_stack_size;
#endif
} all;

/* ---- switching ------------------------------------------------------------------------------- */

/* Saves what a call must preserve, stores the stack pointer at *from and goes on at `to`. */
void sim_switch(void **from, void *to);

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl sim_switch\n"
        ".hidden sim_switch\n"
        ".type sim_switch,@function\n"
        "sim_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
        "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n"
        "    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size sim_switch, .-sim_switch\n");

static void *stack_prepare(uint8_t *stack, void (*entry)(void))
{
    uintptr_t *top = (uintptr_t *)(void *)(stack + STACK_SIZE);
    *--top = 0; /* where entry() would return to: keeps the stack aligned */
    *--top = (uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--top = 0;
    return top;
}
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl sim_switch\n"
        ".hidden sim_switch\n"
        ".type sim_switch,%function\n"
        "sim_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
        "    ldp x19, x20, [sp]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n    ret\n"
        ".size sim_switch, .-sim_switch\n");

static void *stack_prepare(uint8_t *stack, void (*entry)(void))
{
    uintptr_t *frame = (uintptr_t *)(void *)(stack + STACK_SIZE - 160);
    memset(frame, 0, 160);
    frame[11] = (uintptr_t)entry; /* x30 */
    return frame;
}
#else
#error "tests/sim/fibers.c: sim_switch() is to be written for this processor"
#endif

static void switch_to_driver(struct fiber *self, bool for_ever)
{
#ifdef SIM_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(for_ever ? NULL : &fake, all.driver_stack,
                                   all.driver_stack_size);
#endif
    (void)for_ever;
    sim_switch(&self->sp, all.driver_sp);
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(fake, &all.driver_stack, &all.driver_stack_size);
#endif
}

static void switch_to_fiber(struct fiber *fiber)
{
    all.current = fiber;
    sim_current_node = fiber->inside;
    errno = fiber->saved_errno;
#ifdef SIM_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, fiber->stack, STACK_SIZE);
#endif
    sim_switch(&all.driver_sp, fiber->sp);
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
    fiber->saved_errno = errno;
    fiber->inside = sim_current_node;
    all.current = NULL;
    sim_current_node = NULL;
}

/* ---- slots ----------------------------------------------------------------------------------- */

struct fiber *fiber_of_number(uint32_t number)
{
    require(number > 0 && number < all.count);
    return &all.fibers[number];
}

uint32_t fiber_number(const struct fiber *fiber)
{
    return fiber ? (uint32_t)(fiber - all.fibers) : FIBER_DRIVER;
}

static struct fiber *slot_take(void)
{
    uint32_t number = all.free_first;
    if (number != 0) {
        all.free_first = all.fibers[number].next;
    } else {
        if (all.count == 0)
            all.count = 1;
        require(all.count < FIBER_MAX);
        number = all.count++;
    }
    struct fiber *fiber = &all.fibers[number];
    void *stack = fiber->stack;
    if (stack == NULL) {
        stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        require(stack != MAP_FAILED);
        require(mprotect(stack, 4096, PROT_NONE) == 0); /* an overflow is noticed */
    }
    *fiber = (struct fiber){ .stack = stack };
    return fiber;
}

static void slot_give(struct fiber *fiber)
{
    sim_cancel(&fiber->sleep);
    fiber->state = FIBER_FREE;
    fiber->node = NULL;
    fiber->next = all.free_first;
    all.free_first = fiber_number(fiber);
#ifdef SIM_ASAN
    __asan_unpoison_memory_region((uint8_t *)fiber->stack + 4096, STACK_SIZE - 4096);
#endif
}

/* ---- states ---------------------------------------------------------------------------------- */

void fiber_make_runnable(struct fiber *fiber)
{
    if (fiber->state != FIBER_WAITING)
        return;
    fiber->state = FIBER_RUNNABLE;
    if (fiber->node && fiber->node->life == NODE_PAUSED)
        all.parked[all.parked_count++] = fiber;
    else
        all.runnable[all.runnable_count++] = fiber;
}

void fiber_wait(void)
{
    struct fiber *self = all.current;
    require(self != NULL); /* the driver never waits */
    self->state = FIBER_WAITING;
    switch_to_driver(self, false);
}

void fiber_yield(void)
{
    struct fiber *self = all.current;
    if (self == NULL)
        return;
    self->state = FIBER_WAITING;
    fiber_make_runnable(self);
    switch_to_driver(self, false);
}

bool fiber_may_yield(void)
{
    if (all.current == NULL || all.yield_percent == 0 || all.current->node == NULL ||
        sim_current_node == NULL ||
        !dice_chance(random_stream(STREAM_SCHEDULE), all.yield_percent, 100))
        return false;
    fiber_yield();
    return true;
}

void fibers_set_yield_rate(unsigned percent)
{
    all.yield_percent = percent;
}

static void on_sleep_over(struct sim_event *event)
{
    struct fiber *fiber = (struct fiber *)((char *)event - offsetof(struct fiber, sleep));
    fiber->timed_out = true;
    fiber_make_runnable(fiber);
}

void fiber_set_alarm(struct fiber *fiber, int64_t at_ns)
{
    fiber->sleep.run = on_sleep_over;
    fiber->timed_out = false;
    sim_at(&fiber->sleep, at_ns);
}

void fiber_sleep(int64_t ns)
{
    if (all.current == NULL)
        return;
    fiber_set_alarm(all.current, sim_now_ns() + ns);
    fiber_wait();
}

void fiber_park(void)
{
    struct fiber *self = all.current;
    require(self != NULL);
    if (!self->woken)
        fiber_wait();
    self->woken = false;
}

void fiber_wake(struct fiber *fiber)
{
    fiber->woken = true;
    fiber_make_runnable(fiber);
}

struct fiber *fiber_current(void)
{
    return all.current;
}

struct sim_node *fiber_node(const struct fiber *fiber)
{
    return fiber->node;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void fiber_entry(void)
{
    struct fiber *self = all.current;
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(NULL, &all.driver_stack, &all.driver_stack_size);
#endif
    self->run(self->argument);
    self->state = FIBER_ENDED;
    switch_to_driver(self, true);
    require(false);
}

struct fiber *fiber_spawn(struct sim_node *node, const char *name, void (*run)(void *),
                          void *argument)
{
    struct fiber *fiber = slot_take();
    fiber->node = node;
    fiber->inside = node;
    fiber->name = name;
    fiber->run = run;
    fiber->argument = argument;
    fiber->sp = stack_prepare(fiber->stack, fiber_entry);
    fiber->state = FIBER_WAITING;
    fiber_make_runnable(fiber);
    return fiber;
}

_Noreturn void sim_exit(int code)
{
    struct fiber *self = all.current;
    require(self != NULL && self->node != NULL);
    all.exited = self->node;
    all.exit_code = code;
    self->state = FIBER_WAITING;
    switch_to_driver(self, true);
    abort();
}

static uint32_t list_drop(struct fiber **list, uint32_t count, const struct sim_node *node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (list[i]->node != node)
            list[kept++] = list[i];
    return kept;
}

void fibers_kill(struct sim_node *node)
{
    require(node != NULL && (all.current == NULL || all.current->node != node));
    all.runnable_count = list_drop(all.runnable, all.runnable_count, node);
    all.parked_count = list_drop(all.parked, all.parked_count, node);
    for (uint32_t i = 1; i < all.count; i++)
        if (all.fibers[i].state != FIBER_FREE && all.fibers[i].node == node)
            slot_give(&all.fibers[i]);
}

void fiber_cancel(struct fiber *fiber)
{
    require(fiber->state == FIBER_WAITING);
    slot_give(fiber);
}

void fibers_pause(struct sim_node *node, bool paused)
{
    struct fiber **from = paused ? all.runnable : all.parked;
    struct fiber **to = paused ? all.parked : all.runnable;
    uint32_t *from_count = paused ? &all.runnable_count : &all.parked_count;
    uint32_t *to_count = paused ? &all.parked_count : &all.runnable_count;
    for (uint32_t i = 0; i < *from_count; i++)
        if (from[i]->node == node)
            to[(*to_count)++] = from[i];
    *from_count = list_drop(from, *from_count, node);
}

static void fiber_ended(struct fiber *fiber)
{
    if (fiber->joiner != 0)
        fiber_make_runnable(fiber_of_number(fiber->joiner));
    if (!fiber->joinable)
        slot_give(fiber);
}

void fiber_release(struct fiber *fiber)
{
    slot_give(fiber);
}

void fibers_run(void)
{
    struct dice *dice = random_stream(STREAM_SCHEDULE);
    while (all.runnable_count > 0) {
        uint32_t pick =
            all.runnable_count > 1 ? (uint32_t)dice_below(dice, all.runnable_count) : 0;
        struct fiber *fiber = all.runnable[pick];
        all.runnable[pick] = all.runnable[--all.runnable_count];
        fiber->state = FIBER_RUNNING;
        switch_to_fiber(fiber);
        if (all.exited != NULL) {
            struct sim_node *node = all.exited;
            all.exited = NULL;
            world_on_exit(node, all.exit_code);
        } else if (fiber->state == FIBER_ENDED) {
            fiber_ended(fiber);
        }
    }
}

void fibers_begin(void)
{
    all.runnable_count = all.parked_count = 0;
    all.yield_percent = 0;
    all.free_first = 0;
    for (uint32_t i = all.count; i > 1; i--) {
        all.fibers[i - 1].state = FIBER_FREE;
        all.fibers[i - 1].next = all.free_first;
        all.free_first = i - 1;
    }
}
