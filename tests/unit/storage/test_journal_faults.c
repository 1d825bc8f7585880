/* Rows 2, 5, 13, 14, 15, 16 of the fault matrix, for the journal: the n-th call fails, for every n.
 * What was acknowledged is there at the next opening, what was erased is not, and nothing is
 * acknowledged after a failure (I1, I9, I10). */
#include "tests/unit/storage/journal_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCENARIO SAMAD_BINARY_DIR "/tests/journal-scenario"
#define SHIM     SAMAD_BINARY_DIR "/tests/libfaults.so"
#define RECORDS  20 /* of each entry */

struct fault {
    const char *call, *how;
    bool forever;
};

struct outcome {
    unsigned acked, erased;
    bool opened, acked_after_error, full;
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
    setenv("SAMAD_FAULT_PATH", "/journal", 1);
    setenv("SAMAD_FAULT_MARK", mark, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
    setenv("LD_PRELOAD", SHIM, 1);
}

static void outcome_read(struct outcome *outcome, FILE *lines)
{
    char word[32], rest[32], line[128];
    bool failed = false;
    while (fgets(line, sizeof line, lines)) {
        rest[0] = '\0';
        sscanf(line, "%31s %31s", word, rest);
        if (strcmp(word, "open") == 0)
            outcome->opened = true;
        else if (strcmp(word, "ack") == 0)
            outcome->acked = (unsigned)strtoul(rest, NULL, 10);
        else if (strcmp(word, "erased") == 0)
            outcome->erased = (unsigned)strtoul(rest, NULL, 10);
        if (strcmp(word, "ack") == 0 || strcmp(word, "erased") == 0)
            outcome->acked_after_error |= failed;
        if (strcmp(word, "error") == 0) {
            bool full = strcmp(rest, "ERR_FULL") == 0;
            outcome->full |= full;
            failed |= !full;
        }
    }
}

static struct outcome scenario_run(const struct fault *fault, unsigned at, const char *path,
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
        execl(SCENARIO, "journal-scenario", path, (char *)NULL);
        _exit(96);
    }
    close(pipes[1]);
    FILE *lines = fdopen(pipes[0], "r");
    outcome_read(&outcome, lines);
    fclose(lines);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "%s %s %u: ended by a signal", fault->call, fault->how, at);
    struct stat mark_status;
    outcome.injected = stat(mark, &mark_status) == 0 && mark_status.st_size > 0;
    return outcome;
}

static enum journal_person person_state(const struct journal_item *item, uint32_t index)
{
    struct batch_view view;
    struct record sealed;
    struct hash leaf;
    uint32_t mark = 0;
    cr_assert_eq(batch_open(&view, item->payload), OK);
    struct batch_walk walk = batch_walk(&view);
    while (batch_next(&walk, &sealed, &leaf) == OK && walk.index - 1 < index)
        mark += sealed.person.size > 0;
    return journal_person_state(item, mark, sealed.person);
}

/* Without the shim. */
static void judge(const char *path, const struct outcome *outcome, const char *what, unsigned at)
{
    struct journal_options options = { .path = path, .node = "ardabil",
                                       .segment_size = JOURNAL_SEGMENT_SIZE_MIN,
                                       .keep_size = UINT64_MAX };
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct journal *journal;
    struct journal_report report;
    struct buffer scratch = { 0 };
    cr_assert_eq(journal_open(&journal, &options, &report), OK, "%s %u", what, at);
    cr_assert_not(journal_is_damaged(&report), "%s %u", what, at);
    const struct journal_log *log = journal_log_find(journal, &id);
    for (unsigned i = 0; i < outcome->acked; i++) {
        struct journal_item item;
        const struct journal_place *place = log ? journal_place_of(log, i * RECORDS) : NULL;
        cr_assert(place && place->first == i * RECORDS && place->count == RECORDS,
                  "%s %u: entry %u was acknowledged", what, at, i);
        cr_assert_eq(journal_read(journal, log, place, &scratch, &item), OK);
        if (i < outcome->erased)
            cr_assert_eq(person_state(&item, RECORDS - 1), JOURNAL_PERSON_ERASED, "%s %u", what,
                         at);
    }
    buffer_close(&scratch);
    journal_close(journal);
}

/* Returns how many calls there were to hit. */
static unsigned every_call(const struct fault *fault)
{
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE], mark[FOLDER_PATH_SIZE];
    unsigned hits = 0;
    for (unsigned at = 1; at < 400; at++) {
        folder_make(folder);
        folder_path(path, folder, "journal");
        folder_path(mark, folder, "mark");
        struct outcome outcome = scenario_run(fault, at, path, mark);
        cr_assert_not(outcome.acked_after_error, "%s %s %u", fault->call, fault->how, at);
        judge(path, &outcome, fault->how, at);
        folder_remove(folder);
        if (!outcome.injected)
            return hits;
        hits++;
    }
    return hits;
}

#define FAULT_TEST(name, ...)                                                                      \
    Test(journal_faults, name, .timeout = 120)                                                     \
    {                                                                                              \
        struct fault fault = { __VA_ARGS__ };                                                      \
        cr_assert_gt(every_call(&fault), 5);                                                       \
    }

FAULT_TEST(a_write_that_fails, "pwrite", "EIO", false)
FAULT_TEST(a_write_that_is_short, "pwrite", "short", false)
FAULT_TEST(a_write_that_is_interrupted, "pwrite", "EINTR", false)
FAULT_TEST(a_write_without_room, "pwrite", "ENOSPC", false)
FAULT_TEST(a_disk_that_stays_full, "pwrite", "ENOSPC", true)
FAULT_TEST(a_sync_that_fails_once, "fdatasync", "EIO", false)
FAULT_TEST(a_sync_that_says_an_error_late, "fdatasync", "late", false)
FAULT_TEST(an_end_before_any_call, "any", "exit", false)
FAULT_TEST(an_end_after_any_call, "any", "exit-after", false)
