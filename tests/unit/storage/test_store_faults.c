/* Rows 2, 13, 14, 15, 16 of the fault matrix: the n-th call fails, for every n. What was
 * acknowledged is there afterwards, nothing is acknowledged after a failure that must stop the
 * process (I1, I9, I10), and what is there beyond is whole groups. */
#include "storage/verify.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCENARIO SAMAD_BINARY_DIR "/tests/store-scenario"
#define SHIM     SAMAD_BINARY_DIR "/tests/libfaults.so"

/* Sizes of the log after each group of the scenario. */
static const uint64_t boundaries[] = { 0, 1, 4, 24, 26, 66, 67 };

struct fault {
    const char *call, *how;
    bool forever;
};

struct outcome {
    uint64_t acknowledged;      /* the last size */
    bool acknowledged_after_io; /* an ack came after ERR_IO or ERR_CORRUPT */
    bool io_error, full_error, done;
    int exit_code;
    bool injected;
};

static void child_environment(const struct fault *fault, unsigned at, const char *mark)
{
    char number[16];
    snprintf(number, sizeof number, "%u", at);
    setenv("SAMAD_FAULT_CALL", fault->call, 1);
    setenv("SAMAD_FAULT_HOW", fault->how, 1);
    setenv("SAMAD_FAULT_AT", number, 1);
    setenv("SAMAD_FAULT_FOREVER", fault->forever ? "1" : "0", 1);
    setenv("SAMAD_FAULT_PATH", "/store", 1);
    setenv("SAMAD_FAULT_MARK", mark, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
    setenv("LD_PRELOAD", SHIM, 1);
}

static void outcome_read(struct outcome *outcome, FILE *lines)
{
    char word[32], rest[32];
    char line[128];
    while (fgets(line, sizeof line, lines)) {
        rest[0] = '\0';
        sscanf(line, "%31s %31s", word, rest);
        if (strcmp(word, "ack") == 0) {
            outcome->acknowledged = strtoull(rest, NULL, 10);
            outcome->acknowledged_after_io |= outcome->io_error;
        } else if (strcmp(word, "error") == 0) {
            outcome->full_error |= strcmp(rest, "ERR_FULL") == 0;
            outcome->io_error |= strcmp(rest, "ERR_FULL") != 0;
        } else if (strcmp(word, "done") == 0) {
            outcome->done = true;
        }
    }
}

static struct outcome scenario_run(const struct fault *fault, unsigned at, const char *store,
                                   const char *mark)
{
    struct outcome outcome = { 0 };
    int pipes[2], status;
    unlink(mark);
    cr_assert_eq(pipe(pipes), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        child_environment(fault, at, mark);
        execl(SCENARIO, "store-scenario", store, (char *)NULL);
        _exit(96);
    }
    close(pipes[1]);
    FILE *lines = fdopen(pipes[0], "r");
    outcome_read(&outcome, lines);
    fclose(lines);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "%s %s %u: ended by signal %d", fault->call, fault->how, at,
              WTERMSIG(status));
    outcome.exit_code = WEXITSTATUS(status);
    struct stat mark_status;
    outcome.injected = stat(mark, &mark_status) == 0 && mark_status.st_size > 0;
    return outcome;
}

static bool is_boundary(uint64_t size)
{
    for (size_t i = 0; i < sizeof boundaries / sizeof boundaries[0]; i++)
        if (boundaries[i] == size)
            return true;
    return false;
}

static bool scenario_key(void *context, const struct log_id *id, struct sign_public *key)
{
    (void)context;
    (void)id;
    *key = sample_key(3).public;
    return true;
}

/* Opens the store without the shim: whole groups, all that was acknowledged, all of it sound. */
static void store_judge(const char *path, const struct outcome *outcome, const char *what,
                        unsigned at)
{
    struct log_store_options options = {
        .path = path, .node = "ardabil", .map_size = 8 << 20, .create = true
    };
    struct log_store *logs;
    struct log_state state = { 0 };
    struct verify verify;
    enum err err = log_store_open(&logs, &options);
    cr_assert_eq(err, OK, "%s %u: opening again gives %s", what, at, err_name(err));
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    if (log_count(logs, &txn) > 0)
        cr_assert_eq(log_state_get(logs, &txn, 0, &state), OK);
    cr_assert(state.size >= outcome->acknowledged, "%s %u: %llu acknowledged, %llu there", what, at,
              (unsigned long long)outcome->acknowledged, (unsigned long long)state.size);
    cr_assert(is_boundary(state.size), "%s %u: %llu records", what, at,
              (unsigned long long)state.size);
    cr_assert_eq(verify_open(&verify, logs, scenario_key, NULL), OK);
    while ((err = verify_step(&verify, &txn, 1 << 20)) == OK)
        ;
    cr_assert_eq(err, ERR_END);
    cr_assert_eq(verify.report.failures, 0);
    cr_assert_eq(verify.report.records, state.size);
    verify_close(&verify);
    store_abort(&txn);
    log_store_close(logs);
}

/* For every n until a run in which no call was the n-th. Gives the number of faults. */
static unsigned every_call_fails(const struct fault *fault,
                                 void (*judge)(const struct outcome *, unsigned at))
{
    char folder[FOLDER_PATH_SIZE], store[FOLDER_PATH_SIZE], mark[FOLDER_PATH_SIZE];
    struct outcome outcome;
    unsigned at = 0;
    folder_make(folder);
    folder_path(store, folder, "store");
    folder_path(mark, folder, "mark");
    do {
        at++;
        folder_remove(store);
        outcome = scenario_run(fault, at, store, mark);
        if (outcome.injected)
            judge(&outcome, at);
        else
            cr_assert(outcome.done, "%s %s: no fault, and yet not done", fault->call, fault->how);
        store_judge(store, &outcome, fault->how, at);
    } while (outcome.injected && at < 400);
    cr_assert_not(outcome.injected);
    folder_remove(folder);
    return at - 1;
}

static void must_stop(const struct outcome *outcome, unsigned at)
{
    cr_assert_not(outcome->acknowledged_after_io, "call %u: acknowledged after a failure", at);
    cr_assert_not(outcome->done, "call %u: the failure was not noticed", at);
    cr_assert_neq(outcome->exit_code, 0);
}

static void may_go_on(const struct outcome *outcome, unsigned at)
{
    cr_assert_not(outcome->acknowledged_after_io, "call %u: acknowledged after a failure", at);
}

static void must_heal(const struct outcome *outcome, unsigned at)
{
    cr_assert_not(outcome->io_error, "call %u: lack of space was taken for an I/O error", at);
    cr_assert(outcome->done, "call %u", at);
}

static void must_say_full(const struct outcome *outcome, unsigned at)
{
    cr_assert_not(outcome->io_error, "call %u: lack of space was taken for an I/O error", at);
}

static void must_have_ended(const struct outcome *outcome, unsigned at)
{
    cr_assert_eq(outcome->exit_code, 97, "call %u", at);
}

Test(store_faults, a_failed_sync_stops_acknowledging_and_is_never_retried, .timeout = 120)
{
    cr_assert(every_call_fails(&(struct fault){ "fdatasync", "EIO", false }, must_stop) >= 6);
    cr_assert(every_call_fails(&(struct fault){ "fdatasync", "late", false }, must_stop) >= 6);
}

Test(store_faults, a_failed_write_stops_acknowledging, .timeout = 120)
{
    cr_assert(every_call_fails(&(struct fault){ "pwrite", "EIO", false }, must_stop) >= 12);
    cr_assert(every_call_fails(&(struct fault){ "pwrite", "EIO", true }, must_stop) >= 12);
    cr_assert(every_call_fails(&(struct fault){ "writev", "EIO", false }, must_stop) >= 3);
}

Test(store_faults, a_short_or_interrupted_write_loses_nothing, .timeout = 120)
{
    cr_assert(every_call_fails(&(struct fault){ "pwrite", "short", false }, may_go_on) >= 12);
    cr_assert(every_call_fails(&(struct fault){ "writev", "short", false }, may_go_on) >= 3);
    cr_assert(every_call_fails(&(struct fault){ "pwrite", "EINTR", false }, may_go_on) >= 12);
}

Test(store_faults, lack_of_space_shows_in_the_extension_and_heals, .timeout = 120)
{
    struct fault once = { "posix_fallocate", "ENOSPC", false };
    struct fault for_ever = { "posix_fallocate", "ENOSPC", true };
    cr_assert(every_call_fails(&once, must_heal) >= 1);
    cr_assert(every_call_fails(&for_ever, must_say_full) >= 1);
    /* Were it to show in a write all the same: */
    cr_assert(every_call_fails(&(struct fault){ "pwrite", "ENOSPC", false }, may_go_on) >= 12);
}

Test(store_faults, a_process_that_ends_at_any_call_leaves_whole_groups, .timeout = 120)
{
    cr_assert(every_call_fails(&(struct fault){ "any", "exit", false }, must_have_ended) >= 24);
    cr_assert(every_call_fails(&(struct fault){ "any", "exit-after", false }, must_have_ended) >=
              24);
}
