/* pthreads on fibers. A mutex and a condition variable keep their state in their own memory, zero
 * being their initial state; waiters are chained by fiber numbers. LMDB's mutexes in its lock files
 * come here too: they are initialised anew by whoever opens the file first.
 *
 * Attributes are the library's own: only a condition variable's clock is asked for. */
#include "tests/sim/fibers_private.h"

#include "proto/base/require.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <string.h>

#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#undef pthread_cond_signal
#undef pthread_cond_broadcast

struct list { /* of waiting fibers */
    uint32_t first, last;
};

/* `kind` stands where the C library has it, for static initialisers of recursive ones. */
struct mutex {
    uint32_t owner; /* number of a fiber, FIBER_DRIVER, 0: free */
    uint32_t count;
    struct list waiters;
    int kind;
};

struct cond {
    struct list waiters;
    int clock;
};

_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "fits into the library's own");
_Static_assert(sizeof(struct cond) <= sizeof(pthread_cond_t), "fits into the library's own");

static uint32_t self_number(void)
{
    return fiber_number(fiber_current());
}

static void list_push(struct list *list, uint32_t number)
{
    struct fiber *fiber = fiber_of_number(number);
    fiber->next = 0;
    if (list->first == 0)
        list->first = number;
    else
        fiber_of_number(list->last)->next = number;
    list->last = number;
}

/* Takes out the one after `before` (0: the first). */
static uint32_t list_take_after(struct list *list, uint32_t before)
{
    uint32_t number = before ? fiber_of_number(before)->next : list->first;
    uint32_t next = fiber_of_number(number)->next;
    if (before)
        fiber_of_number(before)->next = next;
    else
        list->first = next;
    if (list->last == number)
        list->last = before;
    return number;
}

static void list_remove(struct list *list, uint32_t number)
{
    uint32_t before = 0;
    for (uint32_t at = list->first; at != 0; at = fiber_of_number(at)->next) {
        if (at == number) {
            list_take_after(list, before);
            return;
        }
        before = at;
    }
}

/* One of those who wait: which, is drawn. */
static uint32_t list_take_any(struct list *list)
{
    uint32_t count = 0, before = 0;
    if (list->first == list->last)
        return list_take_after(list, 0);
    for (uint32_t at = list->first; at != 0; at = fiber_of_number(at)->next)
        count++;
    for (uint64_t skip = dice_below(random_stream(STREAM_SCHEDULE), count); skip > 0; skip--)
        before = before ? fiber_of_number(before)->next : list->first;
    return list_take_after(list, before);
}

/* ---- mutexes --------------------------------------------------------------------------------- */

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    int kind = PTHREAD_MUTEX_DEFAULT;
    memset(mutex, 0, sizeof *mutex);
    if (attributes != NULL)
        pthread_mutexattr_gettype(attributes, &kind);
    ((struct mutex *)mutex)->kind = kind;
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

static void mutex_lock(struct mutex *mutex)
{
    uint32_t self = self_number();
    while (mutex->owner != 0) {
        require(mutex->owner != self && self != FIBER_DRIVER); /* would wait for ever */
        list_push(&mutex->waiters, self);
        fiber_wait();
    }
    mutex->owner = self;
}

int host_mutex_lock(pthread_mutex_t *given)
{
    struct mutex *mutex = (struct mutex *)given;
    if (mutex->kind == PTHREAD_MUTEX_RECURSIVE && mutex->owner == self_number())
        mutex->count++;
    else
        mutex_lock(mutex);
    return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    fiber_may_yield();
    return host_mutex_lock(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t *given)
{
    struct mutex *mutex = (struct mutex *)given;
    if (mutex->kind == PTHREAD_MUTEX_RECURSIVE && mutex->owner == self_number())
        mutex->count++;
    else if (mutex->owner != 0)
        return EBUSY;
    else
        mutex->owner = self_number();
    return 0;
}

static void mutex_unlock(struct mutex *mutex)
{
    mutex->owner = 0;
    if (mutex->waiters.first != 0)
        fiber_make_runnable(fiber_of_number(list_take_any(&mutex->waiters)));
}

int host_mutex_unlock(pthread_mutex_t *given)
{
    struct mutex *mutex = (struct mutex *)given;
    if (mutex->count > 0)
        mutex->count--;
    else
        mutex_unlock(mutex);
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    host_mutex_unlock(mutex);
    fiber_may_yield();
    return 0;
}

int pthread_mutex_consistent(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

/* ---- condition variables --------------------------------------------------------------------- */

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    clockid_t clock = CLOCK_REALTIME;
    memset(cond, 0, sizeof *cond);
    if (attributes != NULL)
        pthread_condattr_getclock(attributes, &clock);
    ((struct cond *)cond)->clock = clock;
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond)
{
    (void)cond;
    return 0;
}

int pthread_cond_wait(pthread_cond_t *given, pthread_mutex_t *mutex)
{
    struct cond *cond = (struct cond *)given;
    list_push(&cond->waiters, self_number());
    mutex_unlock((struct mutex *)mutex);
    fiber_wait();
    mutex_lock((struct mutex *)mutex);
    return 0;
}

static int64_t true_deadline(const struct cond *cond, const struct timespec *deadline)
{
    int64_t ns = (int64_t)deadline->tv_sec * SIM_S + deadline->tv_nsec;
    if (cond->clock == CLOCK_MONOTONIC)
        return clock_true_of_monotonic(sim_current_node, ns);
    return sim_now_ns() + ns - clock_wall_ns(sim_current_node);
}

int pthread_cond_timedwait(pthread_cond_t *given, pthread_mutex_t *mutex,
                           const struct timespec *deadline)
{
    struct cond *cond = (struct cond *)given;
    struct fiber *self = fiber_current();
    int64_t at_ns = true_deadline(cond, deadline);
    if (self != NULL && self->node != NULL)
        at_ns += world_lateness();
    if (at_ns <= sim_now_ns()) {
        mutex_unlock((struct mutex *)mutex);
        fiber_may_yield();
        mutex_lock((struct mutex *)mutex);
        return ETIMEDOUT;
    }
    require(self != NULL);
    list_push(&cond->waiters, fiber_number(self));
    fiber_set_alarm(self, at_ns);
    mutex_unlock((struct mutex *)mutex);
    fiber_wait();
    bool timed_out = self->timed_out;
    if (timed_out)
        list_remove(&cond->waiters, fiber_number(self));
    mutex_lock((struct mutex *)mutex);
    return timed_out ? ETIMEDOUT : 0;
}

/* A waiter whose time ran out and that has not run yet is still on the list: it is woken once. */
static void cond_wake_one(struct cond *cond)
{
    struct fiber *fiber = fiber_of_number(list_take_any(&cond->waiters));
    sim_cancel(&fiber->sleep);
    fiber->timed_out = false;
    fiber_make_runnable(fiber);
}

int host_cond_signal(pthread_cond_t *given)
{
    struct cond *cond = (struct cond *)given;
    if (cond->waiters.first != 0)
        cond_wake_one(cond);
    return 0;
}

int host_cond_broadcast(pthread_cond_t *given)
{
    struct cond *cond = (struct cond *)given;
    while (cond->waiters.first != 0)
        cond_wake_one(cond);
    return 0;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
    host_cond_signal(cond);
    fiber_may_yield();
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    host_cond_broadcast(cond);
    fiber_may_yield();
    return 0;
}

/* ---- threads --------------------------------------------------------------------------------- */

static void thread_main(void *argument)
{
    struct fiber *self = fiber_current();
    self->result = self->thread_run(argument);
}

int pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    (void)attributes;
    struct fiber *fiber = fiber_spawn(sim_current(), "thread", thread_main, argument);
    fiber->thread_run = run;
    fiber->joinable = true;
    *out = (pthread_t)fiber_number(fiber);
    return 0;
}

int pthread_join(pthread_t thread, void **result)
{
    struct fiber *fiber = fiber_of_number((uint32_t)thread);
    while (fiber->state != FIBER_ENDED) {
        fiber->joiner = self_number();
        fiber_wait();
    }
    if (result != NULL)
        *result = fiber->result;
    fiber_release(fiber);
    return 0;
}

int pthread_setname_np(pthread_t thread, const char *name)
{
    fiber_of_number((uint32_t)thread)->name = name;
    return 0;
}

/* Fibers share one thread of the system, and whose turn it is is drawn. */
int setpriority(__priority_which_t which, id_t who, int value)
{
    (void)which, (void)who, (void)value;
    return 0;
}
