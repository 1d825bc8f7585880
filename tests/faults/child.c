#include "tests/faults/faults.h"
#include "tests/support/parent.h"

#include "proto/base/require.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct notes *notes;

void violated(const char *form, ...)
{
    va_list list;
    if (notes->why[0] != '\0')
        return;
    va_start(list, form);
    vsnprintf(notes->why, sizeof notes->why, form, list);
    va_end(list);
}

void doing(const char *what)
{
    snprintf(notes->doing, sizeof notes->doing, "%s", what);
}

void note_add(const struct note *note)
{
    require(notes->count < NOTE_MAX);
    notes->items[notes->count++] = *note;
}

/* Where it hangs: for addr2line. */
static void on_alarm(int number)
{
    void *frames[24];
    backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
    signal(number, SIG_DFL);
    raise(number);
}

struct child_end child_run(void (*run)(void *), void *context, unsigned seconds)
{
    int status;
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        end_with_parent();
        if (!getenv("SAMAD_FAULTS_LOUD")) {
            int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
            dup2(nowhere, STDOUT_FILENO);
            dup2(nowhere, STDERR_FILENO);
        }
        void *frame;
        backtrace(&frame, 1); /* it loads a library: not when memory has ended */
        signal(SIGPROF, getenv("SAMAD_FAULTS_LOUD") ? on_alarm : SIG_DFL);
        /* Of its own time: it may have to wait for others, and who sleeps for ever is found by the
         * simulated clock. */
        setitimer(ITIMER_PROF, &(struct itimerval){ .it_value = { .tv_sec = seconds } }, NULL);
        run(context);
        _exit(0);
    }
    require(waitpid(child, &status, 0) == child);
    return (struct child_end){ .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                               .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0 };
}

void child_judge(const struct child_end *end)
{
    if (end->signal == SIGPROF)
        violated("it hung (%s)", notes->doing);
    else if (end->signal)
        violated("the process ended by signal %d, %s (%s)", end->signal, strsignal(end->signal),
                 notes->doing);
    else if (end->code)
        violated("the process ended with %d (%s)", end->code, notes->doing);
}

void report(struct totals *totals, const char *only)
{
    totals->violations++;
    printf("violation: %s\n    again: tests/faults/run --only %s\n", notes->why, only);
    fflush(stdout);
}

bool is_chosen(const struct options *options, uint64_t number, uint64_t total, uint64_t wanted)
{
    uint64_t place = number;
    if (wanted < total) {
        __uint128_t at = (__uint128_t)number * wanted / total;
        if (at == (__uint128_t)(number + 1) * wanted / total)
            return false;
        place = (uint64_t)at;
    }
    return place % options->workers == options->worker;
}
