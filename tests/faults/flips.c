/* Single bits of the stores at rest are flipped. Whatever is served, told or signed afterwards must be
 * as if they were not, or be refused. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"
#include "proto/base/bytes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RUN_SECONDS = 20,
    RECORD_MAX = 512,
    LOOK_MAX = 256,
    SETTLE_MS = 3000, /* two ticks: what is damaged is mended */
    TARGET_COUNT = 4,
    REPAIR_MAX = 40,
    PAGE_SIZE = 4096,
    MISDIRECTED_EVERY = 8, /* of the flips in views */
    DEVICES_PERCENT = 15   /* of all flips: on one of two devices */
};

/* ---- what is right: filled by a place that nothing has happened to, shared by all children ----- */

struct right_record {
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint64_t position;
    uint8_t content[32];
};
struct right {
    size_t record_count, look_count;
    struct right_record records[RECORD_MAX];
    struct {
        char key[FAULTS_KEY_SIZE], code[16];
        uint8_t digest[32];
    } looks[LOOK_MAX];
};

struct flip {
    const char *data;
    unsigned place;
    struct right *right;
    const struct dump *reference;
    struct notes *script; /* what was acknowledged */
    bool again;           /* the second start */
    bool healed;          /* it was of views, so all must be as if nothing had happened */
    /* of one run */
    bool missed;          /* a request could not be looked up */
    bool bad[RECORD_MAX], told[RECORD_MAX], seen[RECORD_MAX];
    uint32_t log_of[RECORD_MAX];
};

static void learn_record(void *context, uint32_t log, const char *origin, uint64_t position,
                         enum err err, const uint8_t content[32])
{
    struct right *right = context;
    (void)log;
    require(err == OK && right->record_count < RECORD_MAX);
    struct right_record *record = &right->records[right->record_count++];
    snprintf(record->origin, sizeof record->origin, "%s", origin);
    record->position = position;
    memcpy(record->content, content, 32);
}

/* Before an incarnation is opened: exactly what the script left. */
static void learn_main(void *context)
{
    struct flip *flip = context;
    struct place place;
    require(place_open(&place, flip->place, flip->data) == OK);
    require(place_serve(&place, learn_record, flip->right) == OK);
    for (size_t i = 0; i < flip->script->count; i++) {
        const struct note *note = &flip->script->items[i];
        size_t at = flip->right->look_count;
        if (note->kind != NOTE_REQUEST)
            continue;
        require(at < LOOK_MAX);
        memcpy(flip->right->looks[at].key, note->key, sizeof note->key);
        memcpy(flip->right->looks[at].code, note->code, sizeof note->code);
        require(place_look_up(&place, note->code, flip->right->looks[at].digest) == OK);
        flip->right->look_count++;
    }
    place_stop(&place);
}

static void learn_run(void *context)
{
    program_run(learn_main, context, 77);
}

/* ---- one damaged store ------------------------------------------------------------------------- */

static void on_record(void *context, uint32_t log, const char *origin, uint64_t position,
                      enum err err, const uint8_t content[32])
{
    struct flip *flip = context;
    for (size_t i = 0; i < flip->right->record_count; i++) {
        const struct right_record *record = &flip->right->records[i];
        if (record->position != position || strcmp(record->origin, origin) != 0)
            continue;
        flip->seen[i] = true;
        flip->log_of[i] = log;
        flip->bad[i] = err != OK;
        if (err == OK && memcmp(record->content, content, 32) != 0)
            violated("record %llu of %s is served as another one", (unsigned long long)position,
                     origin);
    }
}

static void on_failure(void *context, uint32_t log, uint64_t position, uint64_t count)
{
    struct flip *flip = context;
    for (size_t i = 0; i < flip->right->record_count; i++)
        if (flip->log_of[i] == log && flip->right->records[i].position >= position &&
            (count == 0 || flip->right->records[i].position - position < count))
            flip->told[i] = true;
}

/* Each record that is not served is told exactly: a loss report. */
static void judge_report(struct flip *flip, uint64_t failures, bool verified)
{
    bool lost = false;
    for (size_t i = 0; i < flip->right->record_count; i++) {
        lost |= !flip->seen[i];
        if (flip->bad[i] && verified && !flip->told[i])
            violated("record %llu of %s cannot be read, and verification does not tell it",
                     (unsigned long long)flip->right->records[i].position,
                     flip->right->records[i].origin);
    }
    if (lost && verified && failures == 0)
        violated("records are not there, and verification finds nothing");
}

static void judge_looks(struct flip *flip, struct place *place)
{
    uint8_t digest[32];
    for (size_t i = 0; i < flip->right->look_count; i++) {
        enum err err = place_look_up(place, flip->right->looks[i].code, digest);
        flip->missed |= err != OK;
        if (err == OK && memcmp(digest, flip->right->looks[i].digest, 32) != 0)
            violated("%s is looked up as something else", flip->right->looks[i].key);
        else if (err == ERR_NOT_FOUND)
            violated("%s is said not to exist", flip->right->looks[i].key);
        else if (err != OK && flip->healed)
            violated("%s cannot be looked up in views made anew: %s", flip->right->looks[i].key,
                     err_name(err));
    }
}

/* All keys again: refused, or the codes of then. */
static void judge_keys(struct flip *flip, struct place *place)
{
    struct answer answer;
    for (size_t i = 0; i < flip->right->look_count && !place->failed; i++) {
        unsigned number;
        require(sscanf(flip->right->looks[i].key, "key-%u", &number) == 1);
        place_register(place, number, 1, &answer);
        bool right = answer.known && strcmp(answer.code, flip->right->looks[i].code) == 0;
        if (answer.err == OK && !right)
            violated("%s was taken twice", flip->right->looks[i].key);
        else if (answer.err != OK && flip->healed)
            violated("%s again gives %s with views made anew", flip->right->looks[i].key,
                     err_name(answer.err));
    }
}

static void flip_main(void *context)
{
    struct flip *flip = context;
    struct place place;
    struct answer answer;
    doing("opening");
    enum err err = place_open(&place, flip->place, flip->data);
    if (err == OK) {
        doing("serving");
        place_serve(&place, on_record, flip);
        if (place_has_view(&place)) /* what a hub follows it folds after the start */
            judge_looks(flip, &place);
        doing("verifying");
        uint64_t failures = 0;
        enum err verified = place_verify_all(&place, &failures, on_failure, flip);
        notes->damaged = failures + (verified != OK);
        judge_report(flip, failures, verified == OK);
        doing("starting");
        err = place_start(&place);
    }
    if (err == OK) {
        program_sleep(SETTLE_MS);
        doing("serving after the start");
        judge_looks(flip, &place);
        if (flip->place == PROVINCE) {
            judge_keys(flip, &place);
            place_register(&place, SCRIPT_REQUEST_AFTER + flip->again, 1, &answer);
            err = answer.err;
        }
    }
    if (err == OK && !place.failed) {
        doing("stopping");
        place_stop(&place);
    } else {
        notes->refused = true;
        if (flip->healed)
            violated("with views made anew it gives %s", err_name(err));
    }
}

/* What was signed after the damage: new incarnations name parents with their true roots, and a log
 * that was there has no note beyond what it had. */
static void judge_signed(const struct flip *flip)
{
    struct dump *dump = dump_of(flip->data);
    for (size_t i = 0; i < dump->log_count; i++) {
        const struct dump_log *log = &dump->logs[i];
        for (size_t k = 0; k < log->parent_count; k++) {
            const struct dump_head *parent = &log->parents[k];
            for (size_t m = 0; m < flip->reference->log_count; m++) {
                struct check_hash root;
                const struct dump_log *right = &flip->reference->logs[m];
                if (strcmp(right->origin, parent->log) == 0 &&
                    (!dump_root_at(right, parent->size, &root) ||
                     memcmp(&root, &parent->root, 32) != 0))
                    violated("a new incarnation was signed that names a wrong root of %s",
                             parent->log);
            }
        }
    }
    dump_free(dump);
}

static void flip_run(void *context)
{
    struct flip *flip = context;
    program_run(flip_main, flip, 78 + flip->again);
    doing("reading what was signed");
    judge_signed(flip);
}

/* ---- a province that lost its store gets it back from the hub ----------------------------------- */

struct repair {
    const char *province, *hub;
    struct right *right;
    const struct dump *held; /* by the hub */
    size_t back;
};

static void on_back(void *context, uint32_t log, const char *origin, uint64_t position,
                    enum err err, const uint8_t content[32])
{
    struct repair *repair = context;
    (void)log;
    for (size_t i = 0; i < repair->right->record_count; i++)
        if (repair->right->records[i].position == position &&
            strcmp(repair->right->records[i].origin, origin) == 0) {
            if (err != OK || memcmp(repair->right->records[i].content, content, 32) != 0)
                violated("record %llu of %s came back as another one",
                         (unsigned long long)position, origin);
            repair->back++;
        }
}

static void repair_main(void *context)
{
    struct repair *repair = context;
    struct place province, hub;
    struct answer answer;
    doing("handing back");
    require(place_open(&hub, HUB, repair->hub) == OK && place_start(&hub) == OK);
    require(place_open(&province, PROVINCE, repair->province) == OK);
    enum err err = place_transfer(&hub, &province, PROVINCE);
    if (err != OK)
        violated("handing back gives %s", err_name(err));
    if (place_start(&province) != OK)
        violated("no incarnation after handing back");
    place_serve(&province, on_back, repair);
    size_t held = 0;
    for (size_t i = 0; i < repair->held->log_count; i++)
        if (strcmp(repair->held->logs[i].node, place_node(PROVINCE)) == 0)
            held += repair->held->logs[i].record_count;
    if (repair->back < held)
        violated("%zu of %zu records came back", repair->back, held);
    place_register(&province, SCRIPT_REQUEST_AFTER, 1, &answer);
    if (answer.err != OK)
        violated("after handing back a request gives %s", err_name(answer.err));
    place_stop(&province);
    place_stop(&hub);
}

static void repair_run(void *context)
{
    program_run(repair_main, context, 90);
}

/* ---- the tier ----------------------------------------------------------------------------------- */

struct flips {
    const struct options *options;
    struct totals *totals;
    char base[FAULTS_PATH_SIZE], work[FAULTS_PATH_SIZE];
    struct right *right[PLACE_COUNT];
    struct reference *reference;
    struct notes *script;
    struct flip *flip; /* shared with the children */
    uint64_t used[TARGET_COUNT]; /* bytes of the files that are not zeros at the end */
    uint64_t repaired;
};

static const char *const FILES[] = { "log/data.mdb", "views/data.mdb" };

static void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    return memory;
}

static void damage(const struct flips *flips, uint64_t number, const char *data, unsigned target,
                   char *words, size_t words_size)
{
    bool misdirected = target % 2 == 1 && number / TARGET_COUNT % MISDIRECTED_EVERY == 0;
    char path[FAULTS_PATH_SIZE];
    uint64_t bit = mixed(number) % (flips->used[target] * 8);
    path_form(path, "%s/%s", data, FILES[target % 2]);
    if (misdirected) {
        uint64_t from = mixed(bit) % (flips->used[target] / PAGE_SIZE), to = bit / 8 / PAGE_SIZE;
        file_copy_page(path, from, to);
        snprintf(words, words_size, "%s %s, page %llu over page %llu", place_node(target / 2),
                 FILES[target % 2], (unsigned long long)from, (unsigned long long)to);
        return;
    }
    file_flip(path, bit);
    snprintf(words, words_size, "%s %s, bit %llu of byte %llu", place_node(target / 2),
             FILES[target % 2], (unsigned long long)(bit % 8), (unsigned long long)(bit / 8));
}

static struct child_end start_once(struct flips *flips, const char *data, unsigned target,
                                   bool again)
{
    struct flip *flip = flips->flip;
    memset(flip, 0, sizeof *flip);
    flip->data = data;
    flip->place = target / 2;
    flip->again = again;
    flip->healed = again && target % 2 == 1;
    flip->right = flips->right[flip->place];
    flip->reference = reference_dump(flips->reference, flip->place);
    flip->script = flips->script;
    memset(notes, 0, sizeof *notes);
    return child_run(flip_run, flip, RUN_SECONDS);
}

static void repair_one(struct flips *flips)
{
    char province[FAULTS_PATH_SIZE], hub[FAULTS_PATH_SIZE], from[FAULTS_PATH_SIZE];
    struct repair repair = { .province = province,
                             .hub = hub,
                             .right = flips->right[PROVINCE],
                             .held = reference_dump(flips->reference, HUB) };
    path_form(from, "%s/%s", flips->base, place_node(HUB));
    path_form(hub, "%s/repair-hub", flips->options->folder);
    path_form(province, "%s/repair", flips->options->folder);
    folder_copy(from, hub);
    folder_copy(NULL, province);
    struct child_end end = child_run(repair_run, &repair, RUN_SECONDS);
    child_judge(&end);
    flips->repaired++;
    flips->totals->repaired++;
}

/* As the independent reader sees it. What it cannot reach because a page's own number is damaged,
 * which LMDB does not look at, does not count. */
static size_t damaged_records(const struct dump *dump)
{
    size_t damaged = 0;
    for (size_t i = 0; i < dump->log_count; i++)
        for (size_t k = 0; k < dump->logs[i].record_count; k++)
            damaged += dump->logs[i].records[k].damaged;
    return damaged;
}

static void flip_one(struct flips *flips, uint64_t number)
{
    unsigned target = (unsigned)(number % TARGET_COUNT);
    bool in_log = target % 2 == 0;
    char from[FAULTS_PATH_SIZE], words[160], name[64];
    struct totals *totals = flips->totals;
    path_form(from, "%s/%s", flips->base, place_node(target / 2));
    folder_copy(from, flips->work);
    damage(flips, number, flips->work, target, words, sizeof words);
    snprintf(name, sizeof name, "flip:%llu", (unsigned long long)number);
    if (flips->options->list)
        fprintf(stderr, "%s: %s\n", name, words);
    struct dump *dump = dump_of(flips->work);
    size_t problems = dump->problem_count, damaged = damaged_records(dump);
    dump_free(dump);
    struct child_end end = start_once(flips, flips->work, target, false);
    bool refused = notes->refused, found = notes->damaged > 0;
    if (ended_by_damage(&end)) {
        totals->ended_log += in_log;
        totals->ended_views += !in_log;
        notes->why[0] = '\0'; /* what it said before its end does not count, a second start does */
        end = start_once(flips, flips->work, target, true);
        if (!in_log || !ended_by_damage(&end))
            child_judge(&end);
        found = true;
    } else {
        child_judge(&end);
        totals->refused += refused;
        totals->found += found;
        if (in_log && problems + damaged > 0 && !refused && !found) {
            dump = dump_of(flips->work); /* a start may have made it right */
            totals->unnoticed += dump->problem_count > 0;
            damaged = damaged_records(dump);
            dump_free(dump);
            if (damaged > 0)
                violated("%zu records are damaged, and verification finds nothing", damaged);
        }
        if (!in_log && (refused || flips->flip->missed) && notes->why[0] == '\0') {
            end = start_once(flips, flips->work, target, true);
            child_judge(&end);
            totals->healed++;
        }
    }
    totals->silent += !refused && !found;
    totals->flips++;
    if (in_log && target / 2 == PROVINCE && (refused || found) && notes->why[0] == '\0' &&
        flips->repaired < REPAIR_MAX)
        repair_one(flips);
    if (notes->why[0] != '\0') {
        size_t size = strlen(notes->why);
        snprintf(notes->why + size, sizeof notes->why - size, " (%s)", words);
        report(totals, name);
    }
}

static void script_child(void *context)
{
    script_run(context);
}

static bool flips_begin(struct flips *flips)
{
    char path[FAULTS_PATH_SIZE];
    path_form(flips->base, "%s/base", flips->options->folder);
    path_form(flips->work, "%s/flipped", flips->options->folder);
    folders_make(flips->base);
    memset(notes, 0, sizeof *notes);
    struct child_end end = child_run(script_child, flips->base, RUN_SECONDS);
    child_judge(&end);
    if (!notes->finished || notes->why[0] != '\0')
        return false;
    flips->script = shared_memory(sizeof *notes);
    flips->flip = shared_memory(sizeof *flips->flip);
    *flips->script = *notes;
    flips->reference = reference_read(flips->base);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        char from[FAULTS_PATH_SIZE];
        path_form(from, "%s/%s", flips->base, place_node(i));
        folder_copy(from, flips->work);
        flips->right[i] = shared_memory(sizeof *flips->right[i]);
        struct flip learn = {
            .data = flips->work, .place = i, .right = flips->right[i], .script = flips->script
        };
        end = child_run(learn_run, &learn, RUN_SECONDS);
        child_judge(&end);
        for (unsigned k = 0; k < 2; k++) {
            path_form(path, "%s/%s", from, FILES[k]);
            flips->used[2 * i + k] = used_size(path);
        }
    }
    return notes->why[0] == '\0' && flips->right[PROVINCE]->record_count > 0;
}

/* Of nodes that have one device. */
static void flips_alone(const struct options *options, const char *only, uint64_t wanted,
                        struct totals *totals)
{
    static struct flips flips;
    flips.options = options;
    flips.totals = totals;
    if (!flips_begin(&flips)) {
        violated("the stores to be damaged could not be made");
        report(totals, "flip:none");
        return;
    }
    if (only) {
        flip_one(&flips, strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t number = 0; number < wanted; number++)
        if (number / TARGET_COUNT % options->workers == options->worker)
            flip_one(&flips, number);
}

void flips_run(const struct options *options, struct totals *totals)
{
    const char *only = NULL;
    if (options->only) {
        setup = setup_of(options->only + strlen("flip:"), &only);
        (setup == SETUP_ALONE ? flips_alone : device_flips_run)(options, only, 1, totals);
        return;
    }
    uint64_t second = options->flips * DEVICES_PERCENT / 100;
    setup = SETUP_ALONE;
    flips_alone(options, NULL, options->flips - second, totals);
    setup = SETUP_JOURNAL;
    device_flips_run(options, NULL, second, totals);
}
