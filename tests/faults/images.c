/* Crashes at each I/O call of the script, and of the recoveries of some of their images. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    uint64_t counted;      /* result of counting */
};

struct hooked {
    struct imaged *imaged;
    struct disk *disk;
    unsigned place;
};

struct request {
    uint64_t number;
    unsigned place;
    size_t note_count;
};

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

static void image_made(void *context, const struct disk_choice *choice)
{
    struct hooked *hooked = context;
    struct imaged *imaged = hooked->imaged;
    struct request request = { imaged->count++, hooked->place, notes->count };
    char path[FAULTS_PATH_SIZE], answer;
    if (!image_is_wanted(imaged, request.number))
        return;
    image_path(path, imaged);
    require(disk_snapshot_chosen(hooked->disk, path, choice) == OK);
    require(write(imaged->request, &request, sizeof request) == sizeof request);
    require(read(imaged->answer, &answer, 1) == 1);
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
    if (call->action == DISK_WRITE || call->action == DISK_WRITE_SYNCED)
        images_now(context);
}

static void on_end(void *context, const struct disk_call *call)
{
    if (call->action != DISK_WRITE && call->action != DISK_READ)
        images_now(context);
}

static void hook(struct hooked *hooked, struct imaged *imaged, unsigned place, const char *path)
{
    struct disk_options options = {
        .path = path, .seed = 1, .on_begin = on_begin, .on_end = on_end, .context = hooked
    };
    *hooked = (struct hooked){ .imaged = imaged, .place = place };
    require(disk_new(&hooked->disk, &options) == OK);
    if (imaged->options->canary)
        disk_set_faults(hooked->disk, &(struct disk_faults){ .lying_sync = 0.3 });
}

static void imaged_run(void *context)
{
    struct imaged *imaged = context;
    static struct hooked hooks[PLACE_COUNT];
    char path[FAULTS_PATH_SIZE];
    if (imaged->depth > 0) {
        struct judgement judgement = { .place = imaged->place,
                                       .data = imaged->folder,
                                       .note_count = imaged->note_count,
                                       .reference = imaged->reference,
                                       .number = SCRIPT_REQUEST_AFTER + imaged->depth - 1 };
        hook(&hooks[0], imaged, imaged->place, imaged->folder);
        judge(&judgement);
    } else {
        for (unsigned i = 0; i < PLACE_COUNT; i++) {
            path_form(path, "%s/%s", imaged->folder, place_node(i));
            hook(&hooks[i], imaged, i, path);
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

static void folders_begin(struct imaged *imaged)
{
    char path[FAULTS_PATH_SIZE];
    if (imaged->depth > 0)
        return;
    folder_copy(NULL, imaged->folder);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        path_form(path, "%s/%s", imaged->folder, place_node(i));
        folder_copy(NULL, path);
    }
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
                            .reference = outer->reference };
    snprintf(inner.name, sizeof inner.name, "%.40s%llu/", outer->name,
             (unsigned long long)request->number);
    path_form(folder, "%s/nest-%u", outer->options->folder, inner.depth);
    path_form(work, "%s/work-%u", outer->options->folder, inner.depth);
    folder_copy(image, folder);
    folder_copy(folder, work);
    struct child_end end = child_run(imaged_run, &inner, RUN_SECONDS);
    child_judge(&end);
    inner.all = notes->calls;
    notes->count = request->note_count;
    if (notes->why[0] != '\0')
        return;
    folder_copy(folder, work);
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
                                   .number = SCRIPT_REQUEST_AFTER + imaged->depth };
    image_path(path, imaged);
    path_form(aside, "%s.aside", path);
    snprintf(name, sizeof name, "image:%s%llu", imaged->name, (unsigned long long)request->number);
    if (imaged->options->list)
        fprintf(stderr, "%s\n", name);
    if (nested)
        folder_copy(path, aside);
    size_t count = notes->count;
    struct child_end end = { 0 };
    if (!rest) {
        end = child_run(judge_run, &judgement, JUDGE_SECONDS);
        child_judge(&end);
        totals->images++;
        totals->nested += imaged->depth > 0;
    }
    notes->count = request->note_count;
    if (nested && notes->why[0] == '\0')
        nest(imaged, request, aside, rest ? rest + 1 : NULL, totals);
    notes->count = count;
    if (notes->why[0] != '\0')
        report(totals, name);
    notes->why[0] = '\0';
    folder_copy(NULL, path);
    require(rmdir(path) == 0);
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

void images_run(const struct options *options, struct totals *totals)
{
    char folder[FAULTS_PATH_SIZE];
    struct imaged imaged = { .options = options,
                             .only = options->only ? options->only + strlen("image:") : NULL,
                             .wanted = options->images,
                             .folder = folder };
    path_form(folder, "%s/script", options->folder);
    memset(notes, 0, sizeof *notes);
    folders_begin(&imaged);
    struct child_end end = child_run(imaged_run, &imaged, RUN_SECONDS);
    child_judge(&end);
    if (!notes->finished)
        violated("without a fault it does not finish (%s)", notes->doing);
    imaged.all = notes->calls;
    if (notes->why[0] == '\0') {
        imaged.reference = reference_read(folder);
        memset(notes, 0, sizeof *notes);
        folders_begin(&imaged);
        serve(&imaged, totals);
    }
    if (notes->why[0] != '\0')
        report(totals, "image:none");
}
