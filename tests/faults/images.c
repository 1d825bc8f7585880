/* Crashes at each I/O call of the script, and of the recoveries of some of their images. Of two devices
 * each has a write-back cache of its own: with each crash of the one whose call it is, the other one
 * has written everything back, or only what was synced, or is lost. */
#include "tests/faults/faults.h"
#include "tests/support/parent.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RUN_SECONDS = 3600, /* it waits for the judges */
    JUDGE_SECONDS = 30,
    PENDING_MAX = 256,
    CUT_MAX = 4,
    SECTOR = 512,
    PAGE = 4096,
    DEPTH_MAX = 3,
    NESTED_EVERY = 60,  /* of the images: their recovery is crashed, too */
    NESTED_IMAGES = 24, /* of each */
    NAME_SIZE = 64
};

/* ---- which crashes there are at one moment --------------------------------------------------- */

/* Calls back for each; all are different unless the writes say the same. */
typedef void on_image(void *context, const struct disk_choice *choice);

struct moment {
    struct disk_pending pending[PENDING_MAX];
    size_t count, names;
    on_image *on_image;
    void *context;
};

static void image(const struct moment *moment, bool others, size_t names,
                  const struct disk_kept *kept)
{
    struct disk_choice choice = { kept, kept ? 1 : 0, others, names };
    moment->on_image(moment->context, &choice);
}

/* The borders at which a write may be torn, but for its ends. */
static size_t cuts_of(const struct disk_pending *write, uint64_t cuts[CUT_MAX])
{
    const uint64_t wanted[CUT_MAX] = { SECTOR, PAGE, write->size / 2, write->size - 1 };
    size_t count = 0;
    for (size_t i = 0; i < CUT_MAX; i++) {
        uint64_t border = (write->offset + wanted[i]) / SECTOR * SECTOR;
        if (wanted[i] >= write->size || border <= write->offset)
            continue;
        uint64_t cut = border - write->offset;
        if (count == 0 || cut > cuts[count - 1])
            cuts[count++] = cut;
    }
    return count;
}

static void torn(const struct moment *moment, const struct disk_pending *write)
{
    uint64_t cuts[CUT_MAX];
    size_t count = write->is_resize ? 0 : cuts_of(write, cuts);
    for (size_t i = 0; i < count; i++) {
        struct disk_kept head = { write->number, 0, cuts[i] };
        struct disk_kept tail = { write->number, cuts[i], write->size };
        image(moment, true, moment->names, &head);
        image(moment, true, moment->names, &tail);
        image(moment, false, moment->names, &head);
        image(moment, false, moment->names, &tail);
    }
}

static void each_image(const struct moment *moment)
{
    image(moment, false, 0, NULL); /* only what was synced */
    if (moment->count + moment->names == 0)
        return;
    image(moment, true, moment->names, NULL);
    for (size_t names = 0; names <= moment->names && moment->names > 0; names++) {
        if (names < moment->names)
            image(moment, true, names, NULL);
        if (names > 0)
            image(moment, false, names, NULL);
    }
    for (size_t i = 0; i < moment->count; i++) {
        struct disk_kept whole = { moment->pending[i].number, 0, UINT64_MAX };
        struct disk_kept none = { moment->pending[i].number, 0, 0 };
        if (moment->count > 1) {
            image(moment, false, moment->names, &whole);
            image(moment, true, moment->names, &none);
        }
        torn(moment, &moment->pending[i]);
    }
}

/* ---- a program whose disks are imaged -------------------------------------------------------- */

struct imaged {
    const struct options *options;
    unsigned depth;        /* 0: the script; else the recovery of an image */
    const char *only;      /* what is left of --only, or NULL: "number/rest" */
    uint64_t wanted, all;  /* images; all 0: they are only counted */
    uint64_t count;        /* so far */
    const char *folder;    /* script: of the places; recovery: the data folder */
    unsigned place;        /* recovery */
    size_t note_count;     /* acknowledged before */
    int request, answer;   /* to the worker and back */
    const struct reference *reference;
    char name[NAME_SIZE];  /* "" or "12/" of the images that led here */
    bool device_lost, data_lost; /* by an image that led here */
};

struct hooked {
    struct imaged *imaged;
    struct disk *disk;
    unsigned place, device;
    struct hooked *other; /* of the same node, or NULL */
};

struct request {
    uint64_t number;
    unsigned place;
    size_t note_count;
    bool device_lost, data_lost;
};

/* What the other device of the node holds. */
enum other { OTHER_SYNCED, OTHER_WRITTEN, OTHER_LOST, OTHER_COUNT };

static bool image_is_wanted(struct imaged *imaged, uint64_t number)
{
    if (imaged->all == 0)
        return false;
    if (imaged->only)
        return strtoull(imaged->only, NULL, 10) == number;
    if (imaged->depth == 0)
        return is_chosen(imaged->options, number, imaged->all, imaged->wanted);
    struct options whole = { .workers = 1 };
    return is_chosen(&whole, number, imaged->all, imaged->wanted);
}

static void image_path(char out[FAULTS_PATH_SIZE], const struct imaged *imaged)
{
    path_form(out, "%s/image-%u", imaged->options->folder, imaged->depth);
}

/* Recycled segments are gone: what they held is the hub's, and the first device's. After a loss there
 * is no second one until both were made equal. */
static bool other_is_possible(const struct hooked *hooked, enum other other)
{
    if (hooked->other == NULL)
        return other == OTHER_SYNCED;
    if (other == OTHER_LOST)
        return setup == SETUP_JOURNAL && !hooked->imaged->device_lost;
    return other == OTHER_SYNCED || disk_pending(hooked->other->disk, NULL, 0) > 0 ||
           disk_pending_names(hooked->other->disk) > 0;
}

static void snapshot(struct disk *disk, const char *data, unsigned device,
                     const struct disk_choice *choice)
{
    char path[FAULTS_PATH_SIZE];
    device_path(path, data, device);
    require(disk_snapshot_chosen(disk, path, choice) == OK);
}

static void image_take(const struct hooked *hooked, const struct disk_choice *choice,
                       enum other other)
{
    char path[FAULTS_PATH_SIZE], lost[FAULTS_PATH_SIZE];
    const struct hooked *second = hooked->other;
    image_path(path, hooked->imaged);
    snapshot(hooked->disk, path, hooked->device, choice);
    if (second == NULL)
        return;
    struct disk_choice written = { .others = true, .names = disk_pending_names(second->disk) };
    struct disk_choice synced = { .others = false };
    if (other != OTHER_LOST) {
        snapshot(second->disk, path, second->device, other == OTHER_WRITTEN ? &written : &synced);
    } else {
        device_path(lost, path, second->device);
        require(mkdir(lost, 0700) == 0);
    }
}

static void image_ask(struct hooked *hooked, const struct disk_choice *choice, enum other other)
{
    struct imaged *imaged = hooked->imaged;
    struct request request = { .number = imaged->count++,
                               .place = hooked->place,
                               .note_count = notes->count,
                               .device_lost = imaged->device_lost || other == OTHER_LOST,
                               .data_lost = imaged->data_lost };
    char answer;
    if (!image_is_wanted(imaged, request.number))
        return;
    request.data_lost |= other == OTHER_LOST && hooked->device == DEVICE_JOURNAL;
    image_take(hooked, choice, other);
    require(write(imaged->request, &request, sizeof request) == sizeof request);
    require(read(imaged->answer, &answer, 1) == 1);
}

static void image_made(void *context, const struct disk_choice *choice)
{
    for (enum other other = 0; other < OTHER_COUNT; other++)
        if (other_is_possible(context, other))
            image_ask(context, choice, other);
}

static void images_now(struct hooked *hooked)
{
    static struct moment moment;
    moment.on_image = image_made;
    moment.context = hooked;
    moment.names = disk_pending_names(hooked->disk);
    moment.count = disk_pending(hooked->disk, moment.pending, PENDING_MAX);
    require(moment.count <= PENDING_MAX);
    each_image(&moment);
}

/* A write is in the cache when it begins, and nothing of it is durable then. */
static void on_begin(void *context, const struct disk_call *call)
{
    const struct hooked *hooked = context;
    if (call->action == DISK_WRITE || call->action == DISK_WRITE_SYNCED)
        images_now(context);
    if (hooked->other && call->action != DISK_READ)
        program_wait_for_device();
}

static void on_end(void *context, const struct disk_call *call)
{
    if (call->action != DISK_WRITE && call->action != DISK_READ)
        images_now(context);
}

static void hook(struct hooked *hooked, const char *data)
{
    char path[FAULTS_PATH_SIZE];
    struct disk_options options = {
        .path = path, .seed = 1, .on_begin = on_begin, .on_end = on_end, .context = hooked
    };
    device_path(path, data, hooked->device);
    require(disk_new(&hooked->disk, &options) == OK);
    if (hooked->imaged->options->canary)
        disk_set_faults(hooked->disk, &(struct disk_faults){ .lying_sync = 0.3 });
}

static void hook_place(struct imaged *imaged, unsigned place, const char *data)
{
    static struct hooked hooks[PLACE_COUNT][DEVICE_COUNT];
    for (unsigned device = 0; device < device_count(); device++) {
        struct hooked *hooked = &hooks[place][device];
        *hooked = (struct hooked){ .imaged = imaged, .place = place, .device = device };
        if (device_count() > 1)
            hooked->other = &hooks[place][DEVICE_COUNT - 1 - device];
        hook(hooked, data);
    }
}

static void imaged_run(void *context)
{
    struct imaged *imaged = context;
    char path[FAULTS_PATH_SIZE];
    if (imaged->depth > 0) {
        struct judgement judgement = { .place = imaged->place,
                                       .data = imaged->folder,
                                       .note_count = imaged->note_count,
                                       .reference = imaged->reference,
                                       .number = SCRIPT_REQUEST_AFTER + imaged->depth - 1,
                                       .data_lost = imaged->data_lost };
        hook_place(imaged, imaged->place, imaged->folder);
        judge(&judgement);
    } else {
        for (unsigned i = 0; i < PLACE_COUNT; i++) {
            path_form(path, "%s/%s", imaged->folder, place_node(i));
            hook_place(imaged, i, path);
        }
        script_run(imaged->folder);
    }
    notes->calls = imaged->count;
}

/* ---- the worker's side ----------------------------------------------------------------------- */

static void judge_run(void *context)
{
    judge(context);
}

static void serve(struct imaged *imaged, struct totals *totals);

/* The recovery of an image is crashed at each of its calls. */
static void nest(const struct imaged *outer, const struct request *request, const char *image,
                 const char *rest, struct totals *totals)
{
    char folder[FAULTS_PATH_SIZE], work[FAULTS_PATH_SIZE];
    struct imaged inner = { .options = outer->options,
                            .depth = outer->depth + 1,
                            .only = rest,
                            .wanted = NESTED_IMAGES,
                            .folder = work,
                            .place = request->place,
                            .note_count = request->note_count,
                            .reference = outer->reference,
                            .device_lost = request->device_lost,
                            .data_lost = request->data_lost };
    snprintf(inner.name, sizeof inner.name, "%.40s%llu/", outer->name,
             (unsigned long long)request->number);
    path_form(folder, "%s/nest-%u", outer->options->folder, inner.depth);
    path_form(work, "%s/work-%u", outer->options->folder, inner.depth);
    devices_copy(image, folder);
    devices_copy(folder, work);
    struct child_end end = child_run(imaged_run, &inner, RUN_SECONDS);
    child_judge(&end);
    inner.all = notes->calls;
    notes->count = request->note_count;
    if (notes->why[0] != '\0')
        return;
    devices_copy(folder, work);
    serve(&inner, totals);
    notes->count = request->note_count;
}

static void image_judge(struct imaged *imaged, const struct request *request,
                        struct totals *totals)
{
    char path[FAULTS_PATH_SIZE], aside[FAULTS_PATH_SIZE], name[NAME_SIZE + 40];
    const char *rest = imaged->only ? strchr(imaged->only, '/') : NULL;
    bool nested = imaged->only ? rest != NULL
                               : imaged->depth + 1 < DEPTH_MAX &&
                                     totals->images % (NESTED_EVERY * (1 + 7 * imaged->depth)) == 0;
    struct judgement judgement = { .place = request->place,
                                   .data = path,
                                   .note_count = request->note_count,
                                   .reference = imaged->reference,
                                   .number = SCRIPT_REQUEST_AFTER + imaged->depth,
                                   .data_lost = request->data_lost };
    image_path(path, imaged);
    path_form(aside, "%s.aside", path);
    snprintf(name, sizeof name, "image:%s%s%llu", setup_prefix(), imaged->name,
             (unsigned long long)request->number);
    if (imaged->options->list)
        fprintf(stderr, "%s\n", name);
    if (nested)
        devices_copy(path, aside);
    size_t count = notes->count;
    struct child_end end = { 0 };
    if (!rest) {
        end = child_run(judge_run, &judgement, JUDGE_SECONDS);
        child_judge(&end);
        totals->images++;
        totals->two_devices += setup != SETUP_ALONE;
        totals->nested += imaged->depth > 0;
    }
    notes->count = request->note_count;
    if (nested && notes->why[0] == '\0')
        nest(imaged, request, aside, rest ? rest + 1 : NULL, totals);
    notes->count = count;
    if (notes->why[0] != '\0')
        report(totals, name);
    notes->why[0] = '\0';
    devices_remove(path);
}

/* Runs the imaged program and judges each image it hands out. */
static void serve(struct imaged *imaged, struct totals *totals)
{
    int requests[2], answers[2], status;
    struct request request;
    require(pipe(requests) == 0 && pipe(answers) == 0);
    imaged->request = requests[1];
    imaged->answer = answers[0];
    fflush(stdout);
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        end_with_parent();
        close(requests[0]);
        close(answers[1]);
        struct child_end end = child_run(imaged_run, imaged, RUN_SECONDS);
        _exit(end.signal != 0 || end.code != 0);
    }
    close(requests[1]);
    close(answers[0]);
    while (read(requests[0], &request, sizeof request) == sizeof request) {
        image_judge(imaged, &request, totals);
        require(write(answers[1], "", 1) == 1);
    }
    close(requests[0]);
    close(answers[1]);
    require(waitpid(child, &status, 0) == child);
    if (status != 0)
        violated("the imaged program came to a bad end (%s)", notes->doing);
}

/* Those of one setup. */
static void images_of(const struct options *options, const char *only, uint64_t wanted,
                      struct totals *totals)
{
    char folder[FAULTS_PATH_SIZE];
    struct imaged imaged = {
        .options = options, .only = only, .wanted = wanted, .folder = folder
    };
    path_form(folder, "%s/script", options->folder);
    memset(notes, 0, sizeof *notes);
    folders_make(folder);
    struct child_end end = child_run(imaged_run, &imaged, RUN_SECONDS);
    child_judge(&end);
    if (!notes->finished)
        violated("without a fault it does not finish (%s)", notes->doing);
    imaged.all = notes->calls;
    if (notes->why[0] == '\0') {
        imaged.reference = reference_read(folder);
        memset(notes, 0, sizeof *notes);
        folders_make(folder);
        serve(&imaged, totals);
    }
    if (notes->why[0] != '\0')
        report(totals, "image:none");
}

void images_run(const struct options *options, struct totals *totals)
{
    static const unsigned percents[SETUP_COUNT] = {
        [SETUP_ALONE] = 60, [SETUP_JOURNAL] = 30, [SETUP_RECYCLED] = 10
    };
    const char *only = NULL;
    if (options->only) {
        setup = setup_of(options->only + strlen("image:"), &only);
        images_of(options, only, 1, totals);
        return;
    }
    for (setup = SETUP_ALONE; setup < SETUP_COUNT; setup++)
        images_of(options, NULL, setup_share(options->images, percents[setup]), totals);
}
