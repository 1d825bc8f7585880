#include "tests/sim/minimise.h"

#include <stdio.h>
#include <string.h>

#define TRIES_MAX 200

/* Two failures are the same when the guarantee is: the words before the colon. */
static bool fails_alike(const struct run_result *a, const struct run_result *b)
{
    size_t size = strcspn(a->why, ":");
    return b->violations > 0 && strncmp(a->why, b->why, size) == 0;
}

/* What is left, in words, and how to run it. */
static void print_kept(const struct run_options *options, const bool *kept, unsigned count)
{
    struct run_options attempt = *options;
    struct run_result result;
    attempt.faults_kept = kept;
    attempt.describe = true;
    printf("  faults needed:\n");
    minimise_run(&attempt, &result);
    printf("  then: %s\n  again: ", result.why);
    minimise_command(options);
    printf(" --faults");
    const char *before = " ";
    for (unsigned i = 0; i < count; i++)
        if (kept[i]) {
            printf("%s%u", before, i);
            before = ",";
        }
    printf(" --trace\n");
}

/* Leaves out ever smaller runs of the schedule as long as it still fails. */
void minimise(const struct run_options *options, const struct run_result *failed)
{
    static bool kept[RUN_FAULT_KEPT_MAX], trial[RUN_FAULT_KEPT_MAX];
    unsigned count = failed->schedule_size, tries = 0;
    struct run_options attempt = *options;
    struct run_result result;
    memset(kept, 1, sizeof kept);
    attempt.faults_kept = trial;
    for (unsigned piece = count; piece > 0; piece /= 2)
        for (unsigned first = 0; first < count && tries < TRIES_MAX; first += piece) {
            unsigned end = first + piece < count ? first + piece : count, dropped = 0;
            memcpy(trial, kept, sizeof trial);
            for (unsigned i = first; i < end; i++) {
                dropped += trial[i];
                trial[i] = false;
            }
            if (dropped == 0)
                continue;
            tries++;
            minimise_run(&attempt, &result);
            if (fails_alike(failed, &result))
                memcpy(kept, trial, sizeof kept);
        }
    print_kept(options, kept, count);
}
