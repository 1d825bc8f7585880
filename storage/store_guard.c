/* The mark that is left when damage in a disposable store ends the process by a signal.
 *
 * A handler may touch little: a list of stores that only grows and shrinks by single words, a counter
 * of its own thread, and open(). What would have ended the process ends it then all the same. */
#include "storage/store_private.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define GUARDED_MAX 128

static const int SIGNALS[] = { SIGSEGV, SIGBUS, SIGFPE };
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof SIGNALS[0] };

static _Atomic(struct store *) guarded[GUARDED_MAX];
static struct sigaction before[SIGNAL_COUNT];
static _Thread_local volatile sig_atomic_t depth; /* of this thread: looks into a guarded store */

static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    (void)context;
    for (size_t i = 0; depth > 0 && i < GUARDED_MAX; i++) {
        const struct store *store = atomic_load(&guarded[i]);
        if (store)
            store_mark_damage(store);
    }
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (SIGNALS[i] == number)
            sigaction(number, &before[i], NULL);
    errno = error;
    if (info->si_code <= 0)
        raise(number); /* somebody sent it; a fault comes again by itself */
}

static void handlers_install(void)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &action, &before[i]);
}

enum err store_guard_add(struct store *store)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char name[STORE_NAME_SIZE];
    if (!store->disposable)
        return OK;
    if (store_name_in(name, store->path, STORE_DAMAGE_MARK) != OK)
        return ERR_INVALID;
    store->mark = strdup(name);
    if (!store->mark)
        return ERR_NOMEM;
    pthread_once(&once, handlers_install);
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        struct store *none = NULL;
        if (atomic_compare_exchange_strong(&guarded[i], &none, store))
            return OK;
    }
    return OK; /* so many in one process are a test's */
}

void store_guard_remove(struct store *store)
{
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        struct store *mine = store;
        atomic_compare_exchange_strong(&guarded[i], &mine, NULL);
    }
}

void store_guard_enter(const struct store *store)
{
    if (store->mark)
        depth++;
}

void store_guard_leave(const struct store *store)
{
    if (store->mark && depth > 0)
        depth--;
}
