/* The n-th call on the disks, or the n-th allocation, fails: once, or that and all later ones. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_SECONDS = 10, JUDGE_SECONDS = 30 };

struct kind {
    const char *name;
    unsigned actions; /* bits */
    int error;        /* or DISK_SHORT; 0: an allocation */
    bool for_ever;
};

#define BIT(action) (1u << (action))
#define WRITES      (BIT(DISK_WRITE) | BIT(DISK_WRITE_SYNCED))
#define SYNCS       (BIT(DISK_SYNC) | BIT(DISK_SYNC_FOLDER))
#define CHANGES     (WRITES | SYNCS | BIT(DISK_RESIZE) | BIT(DISK_NAME))
#define ALL         (CHANGES | BIT(DISK_READ) | BIT(DISK_OPEN))

static const struct kind kinds[] = {
    { "call-eio", ALL, EIO, false },
    { "call-eio-ever", ALL, EIO, true },
    { "sync-once", SYNCS | BIT(DISK_WRITE_SYNCED), EIO, false },
    { "write-full", WRITES | BIT(DISK_RESIZE), ENOSPC, false },
    { "write-full-ever", WRITES | BIT(DISK_RESIZE), ENOSPC, true },
    { "write-short", WRITES, DISK_SHORT, false },
    { "call-interrupted", WRITES, EINTR, false },
    { "open-files", BIT(DISK_OPEN) | BIT(DISK_NAME), EMFILE, false },
    { "memory", 0, 0, false },
    { "memory-ever", 0, 0, true },
};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

struct attempt {
    const struct kind *kind;
    uint64_t at; /* 0: counts only */
    const char *folder;
    struct disk *disks[PLACE_COUNT];
    bool log_sync_failed;
};

static int on_fault(void *context, const struct disk_call *call)
{
    struct attempt *attempt = context;
    const struct kind *kind = attempt->kind;
    if (!(kind->actions & BIT(call->action)))
        return 0;
    notes->calls++;
    if (attempt->at == 0 ||
        (kind->for_ever ? notes->calls < attempt->at : notes->calls != attempt->at))
        return 0;
    notes->hit = true;
    return kind->error;
}

/* What a crash right after the end would leave, beside what the process left. */
static void keep_synced(struct attempt *attempt)
{
    char path[FAULTS_PATH_SIZE];
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct disk_choice none = { .names = 0 };
        path_form(path, "%s/power-%s", attempt->folder, place_node(i));
        require(disk_snapshot_chosen(attempt->disks[i], path, &none) == OK);
    }
}

static void attempt_run(void *context)
{
    struct attempt *attempt = context;
    char path[FAULTS_PATH_SIZE];
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct disk_options options = {
            .path = path, .seed = 1 + attempt->at, .on_fault = on_fault, .context = attempt
        };
        path_form(path, "%s/%s", attempt->folder, place_node(i));
        require(disk_new(&attempt->disks[i], &options) == OK);
    }
    memory_fail(attempt->kind->actions == 0 ? attempt->at : 0, attempt->kind->for_ever);
    script_run(attempt->folder);
    notes->allocations = memory_count();
    notes->hit |= memory_was_hit();
    memory_fail(0, false);
    keep_synced(attempt);
}

static void judge_run(void *context)
{
    judge(context);
}

static void judge_folder(const char *folder, const char *prefix)
{
    char data[FAULTS_PATH_SIZE];
    size_t count = notes->count;
    for (unsigned i = 0; i < PLACE_COUNT && notes->why[0] == '\0'; i++) {
        path_form(data, "%s/%s%s", folder, prefix, place_node(i));
        struct judgement judgement = {
            .place = i, .data = data, .note_count = count, .number = SCRIPT_REQUEST_AFTER
        };
        struct child_end end = child_run(judge_run, &judgement, JUDGE_SECONDS);
        child_judge(&end);
        notes->count = count;
        if (notes->why[0] != '\0' && *prefix) {
            char why[FAULTS_WHY_SIZE];
            snprintf(why, sizeof why, "%.500s (after a power cut)", notes->why);
            memcpy(notes->why, why, sizeof why);
        }
    }
}

static void attempt_begin(const char *folder)
{
    char path[FAULTS_PATH_SIZE];
    memset(notes, 0, sizeof *notes);
    folder_copy(NULL, folder);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        path_form(path, "%s/%s", folder, place_node(i));
        folder_copy(NULL, path);
    }
}

/* False: no call was the n-th. */
static bool try_one(const struct kind *kind, uint64_t at, const char *folder)
{
    struct attempt attempt = { .kind = kind, .at = at, .folder = folder };
    attempt_begin(folder);
    notes->lasting = kind->for_ever;
    struct child_end end = child_run(attempt_run, &attempt, RUN_SECONDS);
    child_judge(&end);
    bool hit = notes->hit;
    if (end.signal == 0 && end.code == 0) {
        if (!hit && !notes->finished && at > 0)
            violated("no fault, and yet it did not finish (%s)", notes->doing);
        judge_folder(folder, "");
        judge_folder(folder, "power-");
    }
    return hit;
}

static bool is_only(const char *only, const char *name, uint64_t *at)
{
    size_t size = strlen(name);
    unsigned long long number;
    if (strncmp(only, "nth:", 4) != 0 || strncmp(only + 4, name, size) != 0 ||
        sscanf(only + 4 + size, ":%llu", &number) != 1)
        return false;
    *at = number;
    return true;
}

void nth_run(const struct options *options, struct totals *totals)
{
    char folder[FAULTS_PATH_SIZE], name[64];
    path_form(folder, "%s/nth", options->folder);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        uint64_t only = 0, most = options->nth;
        if (options->only && !is_only(options->only, kinds[i].name, &only))
            continue;
        struct attempt counting = { .kind = &kinds[i], .folder = folder };
        attempt_begin(folder);
        struct child_end end = child_run(attempt_run, &counting, RUN_SECONDS);
        child_judge(&end);
        if (!notes->finished)
            violated("without a fault it does not finish");
        if (notes->why[0] != '\0') {
            report(totals, "nth:none:0");
            return;
        }
        uint64_t all = kinds[i].actions ? notes->calls : notes->allocations;
        for (uint64_t at = 1; at <= all; at++) {
            if (options->only ? at != only : !is_chosen(options, at - 1, all, most))
                continue;
            snprintf(name, sizeof name, "nth:%s:%llu", kinds[i].name, (unsigned long long)at);
            if (options->list)
                fprintf(stderr, "%s of %llu\n", name, (unsigned long long)all);
            bool hit = try_one(&kinds[i], at, folder);
            totals->nth += hit;
            if (!hit)
                violated("the fault was not reached: the script is not the same again");
            if (notes->why[0] != '\0')
                report(totals, name);
        }
    }
}
