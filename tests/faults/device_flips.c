/* Bits that flip on one of a node's two devices. The other one is whole, so nothing that was
 * acknowledged may be missing, refused or another one afterwards: the node starts, makes good what
 * was damaged, and then either device alone has everything again.
 *
 * A hub's first device is not among them: what it holds of others no journal has (flips.c). */
#include "tests/faults/faults.h"

#include "proto/base/require.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RUN_SECONDS = 20,
    START_MAX = 4, /* LMDB follows a damaged page: the fourth start does not look at it any more */
    SEGMENT_MAX = 16,
    PAGE_SIZE = 4096,
    MISDIRECTED_EVERY = 8,
};

static const struct target {
    unsigned place, device;
} TARGETS[] = { { PROVINCE, DEVICE_DATA },
                { PROVINCE, DEVICE_JOURNAL },
                { PROVINCE, DEVICE_DATA },
                { PROVINCE, DEVICE_JOURNAL },
                { HUB, DEVICE_JOURNAL } };
enum { TARGET_COUNT = sizeof TARGETS / sizeof TARGETS[0] };

struct device_flips {
    const struct options *options;
    struct totals *totals;
    char base[FAULTS_PATH_SIZE], work[FAULTS_PATH_SIZE];
    struct reference *reference;
    struct notes script; /* what was acknowledged */
};

/* ---- the damage -------------------------------------------------------------------------------- */

/* The files of a device that hold records; how many. */
static size_t files_of(const struct target *target, const char *data,
                       char files[SEGMENT_MAX][FAULTS_PATH_SIZE])
{
    size_t count = 0;
    if (target->device == DEVICE_DATA) {
        path_form(files[0], "%s/log/data.mdb", data);
        return 1;
    }
    for (unsigned number = 1; number <= SEGMENT_MAX; number++) {
        char path[FAULTS_PATH_SIZE];
        device_path(path, data, DEVICE_JOURNAL);
        path_form(files[count], "%s/journal/segment-%08u", path, number);
        if (access(files[count], F_OK) == 0)
            count++;
    }
    return count;
}

static void damage(const struct device_flips *flips, uint64_t number, const struct target *target,
                   char *words, size_t words_size)
{
    static char files[SEGMENT_MAX][FAULTS_PATH_SIZE];
    size_t count = files_of(target, flips->work, files);
    require(count > 0);
    const char *path = files[mixed(~number) % count];
    uint64_t bit = mixed(number) % (used_size(path) * 8), page = bit / 8 / PAGE_SIZE;
    if (number / TARGET_COUNT % MISDIRECTED_EVERY == 0) {
        uint64_t from = mixed(bit) % (used_size(path) / PAGE_SIZE);
        file_copy_page(path, from, page);
        snprintf(words, words_size, "%s, page %llu over page %llu", path + strlen(flips->work),
                 (unsigned long long)from, (unsigned long long)page);
    } else {
        file_flip(path, bit);
        snprintf(words, words_size, "%s, bit %llu of byte %llu", path + strlen(flips->work),
                 (unsigned long long)(bit % 8), (unsigned long long)(bit / 8));
    }
}

/* ---- what becomes of it ------------------------------------------------------------------------ */

static void judge_run(void *context)
{
    judge(context);
}

/* As a supervisor would: a process that a damaged store ended is started again. */
static void start_until_judged(struct device_flips *flips, const struct judgement *judgement)
{
    struct child_end end = { 0 };
    size_t count = notes->count;
    for (unsigned i = 0; i < START_MAX; i++) {
        notes->count = count;
        notes->why[0] = '\0';
        end = child_run(judge_run, (void *)judgement, RUN_SECONDS);
        if (!ended_by_damage(&end) || !judgement->data_lost)
            break;
        flips->totals->ended_log += i == 0;
    }
    child_judge(&end);
}

/* What the node has made good it has on the second device alone, too. */
static void lose_data(struct device_flips *flips, struct judgement judgement)
{
    judgement.data_lost = true;
    judgement.note_count = notes->count;
    judgement.number++;
    folder_copy(NULL, flips->work);
    struct child_end end = child_run(judge_run, &judgement, RUN_SECONDS);
    child_judge(&end);
    if (notes->why[0] != '\0') {
        size_t size = strlen(notes->why);
        snprintf(notes->why + size, sizeof notes->why - size, " (from the journal alone)");
    }
}

static void device_flip_one(struct device_flips *flips, uint64_t number)
{
    const struct target *target = &TARGETS[number % TARGET_COUNT];
    char from[FAULTS_PATH_SIZE], words[160], name[64];
    struct judgement judgement = { .place = target->place,
                                   .data = flips->work,
                                   .note_count = flips->script.count,
                                   .reference = flips->reference,
                                   .number = SCRIPT_REQUEST_AFTER,
                                   .data_lost = target->device == DEVICE_DATA };
    path_form(from, "%s/%s", flips->base, place_node(target->place));
    devices_copy(from, flips->work);
    damage(flips, number, target, words, sizeof words);
    snprintf(name, sizeof name, "flip:%s%llu", setup_prefix(), (unsigned long long)number);
    if (flips->options->list)
        fprintf(stderr, "%s: %s %s\n", name, place_node(target->place), words);
    *notes = flips->script;
    start_until_judged(flips, &judgement);
    if (notes->why[0] == '\0')
        lose_data(flips, judgement);
    flips->totals->flips++;
    flips->totals->two_devices++;
    if (notes->why[0] != '\0') {
        size_t size = strlen(notes->why);
        snprintf(notes->why + size, sizeof notes->why - size, " (%s %s)", place_node(target->place),
                 words);
        report(flips->totals, name);
    }
}

/* ---- the tier ---------------------------------------------------------------------------------- */

static void script_child(void *context)
{
    script_run(context);
}

void device_flips_run(const struct options *options, const char *only, uint64_t wanted,
                      struct totals *totals)
{
    static struct device_flips flips;
    flips.options = options;
    flips.totals = totals;
    path_form(flips.base, "%s/base", options->folder);
    path_form(flips.work, "%s/flipped", options->folder);
    folders_make(flips.base);
    memset(notes, 0, sizeof *notes);
    struct child_end end = child_run(script_child, flips.base, RUN_SECONDS);
    child_judge(&end);
    if (!notes->finished || notes->why[0] != '\0') {
        violated("the stores to be damaged could not be made");
        report(totals, "flip:journal:none");
        return;
    }
    flips.script = *notes;
    flips.reference = reference_read(flips.base);
    if (only) {
        device_flip_one(&flips, strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t number = 0; number < wanted; number++)
        if (number / TARGET_COUNT % options->workers == options->worker)
            device_flip_one(&flips, number);
}
