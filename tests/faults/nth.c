/* The n-th call on the disks, or the n-th allocation, fails: once, or that and all later ones. With
 * journals the calls on both devices count. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    struct disk *disks[PLACE_COUNT][DEVICE_COUNT];
    bool journal_hit;
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
    for (unsigned i = 0; i < PLACE_COUNT; i++)
        attempt->journal_hit |= call->disk == attempt->disks[i][DEVICE_JOURNAL];
    return kind->error;
}

static void on_begin(void *context, const struct disk_call *call)
{
    (void)context;
    if (setup != SETUP_ALONE && call->action != DISK_READ)
        program_wait_for_device();
}

static void keep_device(struct attempt *attempt, unsigned place, unsigned device,
                        const char *prefix)
{
    char data[FAULTS_PATH_SIZE], path[FAULTS_PATH_SIZE];
    struct disk_choice none = { .names = 0 };
    path_form(data, "%s/%s%s", attempt->folder, prefix, place_node(place));
    device_path(path, data, device);
    require(disk_snapshot_chosen(attempt->disks[place][device], path, &none) == OK);
}

/* What a crash right after the end would leave, beside what the process left; and the same with the
 * first device lost, when nothing has ever failed on the second. */
static void keep_synced(struct attempt *attempt)
{
    char path[FAULTS_PATH_SIZE];
    bool is_whole =
        setup == SETUP_JOURNAL && !attempt->journal_hit && attempt->kind->actions != 0;
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        for (unsigned device = 0; device < device_count(); device++)
            keep_device(attempt, i, device, "power-");
        if (!is_whole)
            continue;
        keep_device(attempt, i, DEVICE_JOURNAL, "lost-");
        path_form(path, "%s/lost-%s", attempt->folder, place_node(i));
        require(mkdir(path, 0700) == 0);
    }
    notes->journal_whole = is_whole;
}

static void attempt_plug(struct attempt *attempt, unsigned place, unsigned device)
{
    char data[FAULTS_PATH_SIZE], path[FAULTS_PATH_SIZE];
    struct disk_options options = { .path = path,
                                    .seed = 1 + attempt->at,
                                    .on_begin = on_begin,
                                    .on_fault = on_fault,
                                    .context = attempt };
    path_form(data, "%s/%s", attempt->folder, place_node(place));
    device_path(path, data, device);
    require(disk_new(&attempt->disks[place][device], &options) == OK);
}

static void attempt_run(void *context)
{
    struct attempt *attempt = context;
    for (unsigned i = 0; i < PLACE_COUNT; i++)
        for (unsigned device = 0; device < device_count(); device++)
            attempt_plug(attempt, i, device);
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

/* `how`: what to say of it. */
static void judge_folder(const char *folder, const char *prefix, const char *how)
{
    char data[FAULTS_PATH_SIZE];
    size_t count = notes->count;
    for (unsigned i = 0; i < PLACE_COUNT && notes->why[0] == '\0'; i++) {
        path_form(data, "%s/%s%s", folder, prefix, place_node(i));
        struct judgement judgement = { .place = i,
                                       .data = data,
                                       .note_count = count,
                                       .number = SCRIPT_REQUEST_AFTER,
                                       .data_lost = strcmp(prefix, "lost-") == 0 };
        struct child_end end = child_run(judge_run, &judgement, JUDGE_SECONDS);
        child_judge(&end);
        notes->count = count;
        if (notes->why[0] != '\0' && *how) {
            char why[FAULTS_WHY_SIZE];
            snprintf(why, sizeof why, "%.500s (%s)", notes->why, how);
            memcpy(notes->why, why, sizeof why);
        }
    }
}

static void attempt_begin(const char *folder)
{
    memset(notes, 0, sizeof *notes);
    folders_make(folder);
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
        judge_folder(folder, "", "");
        judge_folder(folder, "power-", "after a power cut");
        if (notes->journal_whole)
            judge_folder(folder, "lost-", "from the journal alone");
    }
    return hit;
}

static bool is_only(const char *only, const char *name, uint64_t *at)
{
    size_t size = strlen(name);
    unsigned long long number;
    if (strncmp(only, name, size) != 0 || sscanf(only + size, ":%llu", &number) != 1)
        return false;
    *at = number;
    return true;
}

/* Those of one setup. */
static void nth_of(const struct options *options, const char *only_name, uint64_t most,
                   struct totals *totals)
{
    char folder[FAULTS_PATH_SIZE], name[64];
    path_form(folder, "%s/nth", options->folder);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        uint64_t only = 0;
        if (only_name && !is_only(only_name, kinds[i].name, &only))
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
            if (only_name ? at != only : !is_chosen(options, at - 1, all, most))
                continue;
            snprintf(name, sizeof name, "nth:%s%s:%llu", setup_prefix(), kinds[i].name,
                     (unsigned long long)at);
            if (options->list)
                fprintf(stderr, "%s of %llu\n", name, (unsigned long long)all);
            bool hit = try_one(&kinds[i], at, folder);
            totals->nth += hit;
            totals->two_devices += setup != SETUP_ALONE;
            if (!hit)
                violated("the fault was not reached: the script is not the same again");
            if (notes->why[0] != '\0')
                report(totals, name);
        }
    }
}

void nth_run(const struct options *options, struct totals *totals)
{
    static const unsigned percents[] = { [SETUP_ALONE] = 70, [SETUP_JOURNAL] = 30 };
    const char *only = NULL;
    if (options->only) {
        setup = setup_of(options->only + strlen("nth:"), &only);
        nth_of(options, only, 1, totals);
        return;
    }
    for (setup = SETUP_ALONE; setup <= SETUP_JOURNAL; setup++)
        nth_of(options, NULL, setup_share(options->nth, percents[setup]), totals);
}
