/* What the storage fault runner shares: two nodes in one process, a script that drives them, and the
 * judge of what a disk held afterwards. README.md says what is tried.
 *
 *   worker (clean: never runs the product)
 *     ├─ script child   runs the product on fibers over simulated disks; acknowledgements go to `notes`
 *     └─ judge child    opens one folder with the real recovery and says what is wrong with it
 *
 * A child is forked from a process in which the product has never run, so that nothing of a run leaks
 * into the next. */
#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include "node/runtime/engine.h"
#include "tests/check/dump.h"
#include "tests/sim/disk.h"

#include <sys/types.h>

enum { PROVINCE, HUB, PLACE_COUNT };

/* What each node has beside the device of its data folder. Set before a child is forked. */
enum setup {
    SETUP_ALONE,    /* nothing */
    SETUP_JOURNAL,  /* a journal on a second device, from which nothing is ever removed */
    SETUP_RECYCLED, /* and one whose segments are removed when their records are national */
    SETUP_COUNT
};
extern enum setup setup;

enum { DEVICE_DATA, DEVICE_JOURNAL, DEVICE_COUNT };

#define FAULTS_PATH_SIZE 256
#define FAULTS_KEY_SIZE  24
#define FAULTS_WHY_SIZE  640
#define NOTE_MAX         1024

/* ---- notes: shared memory of a worker and its children ---- */

enum note_kind {
    NOTE_REQUEST, /* registered: the record `position` of `origin`, under `key` and `code` */
    NOTE_ERASED,  /* the person part of that record is gone */
    NOTE_HELD,    /* the place holds `position` records of `origin`, as it told another one */
    NOTE_RECEIPT, /* the hub has cosigned, or the province was given a receipt for, that many */
};

struct note {
    enum note_kind kind;
    unsigned place;
    char key[FAULTS_KEY_SIZE], code[16];
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint64_t position;
};

struct notes {
    struct note items[NOTE_MAX];
    size_t count;
    uint64_t calls, allocations; /* by the script, that a fault could have hit */
    bool lasting;                /* the fault does not end */
    bool hit;                    /* the fault was injected */
    bool journal_whole;          /* and not on a second device, of which there is a copy */
    bool stopped;                /* the storage failed and the process would have ended */
    bool finished;               /* the script came to its end */
    bool refused;                /* a judged store was refused with a clear error */
    uint64_t damaged;            /* a judged store: failures found by the product's verification */
    char doing[64];              /* for what crashed or hung */
    char why[FAULTS_WHY_SIZE];   /* the first violation, or "" */
};
extern struct notes *notes;

/* Keeps the first. */
void violated(const char *form, ...) __attribute__((format(printf, 1, 2)));
void doing(const char *what);
void note_add(const struct note *note);

/* ---- memory.c: the product's allocations ---- */

/* The n-th allocation from now on fails (from 1), or with `for_ever` that and all later; 0: none. */
void memory_fail(uint64_t at, bool for_ever);
uint64_t memory_count(void); /* since memory_fail() */
bool memory_was_hit(void);

/* ---- place.c: a node's engine on fibers ---- */

struct replica;

struct place {
    unsigned index;
    char data[FAULTS_PATH_SIZE], journal[FAULTS_PATH_SIZE];
    struct engine *engine;
    struct replica *replica;
    bool failed;     /* on_failed was called */
    bool log_failed; /* ... for another store than views/: nothing may be promised after that */
};

const char *place_node(unsigned index);
struct sign_key place_log_key(unsigned index);
struct sign_key place_receipt_key(unsigned index);
const uint8_t *place_data_key(void);

/* Runs `run` as a program: on a fiber with its threads, until it returns; a violation when it has not
 * after a day of simulated time. Once in a process. Incarnations and salts come from `seed`. */
void program_run(void (*run)(void *), void *context, uint64_t seed);
/* Milliseconds of simulated time. */
void program_sleep(unsigned ms);
/* As long as a device takes: drawn, so that of two devices now one is ahead, now the other. */
void program_wait_for_device(void);

/* ERR_TIMEOUT: no incarnation came. Not started: no incarnation is opened. `data` is the folder on its
 * first device; the second is device_path() of it. */
enum err place_open(struct place *place, unsigned index, const char *data);
enum err place_start(struct place *place);
void place_stop(struct place *place);

struct answer {
    enum err err; /* ERR_TIMEOUT: it never came */
    bool known;   /* registered before */
    char code[16];
};
/* Registers requests `first`..`first + count - 1` of the script at once and waits for the answers,
 * which may be NULL. Those that are registered anew are noted. */
enum err place_register(struct place *place, unsigned first, unsigned count,
                        struct answer *answers);
/* Erases the person part of that request. */
enum err place_erase(struct place *place, unsigned number);
/* Brings all logs of the node `author` that `from` holds to `to`, as the protocol does. */
enum err place_transfer(struct place *from, struct place *to, unsigned author);
/* The hub cosigns what it holds of the province, and the province stores it. */
enum err place_receipt(struct place *hub, struct place *province);
/* Verifies every log by the product's own code. */
enum err place_verify(struct place *place, uint64_t *failures);
typedef void place_on_failure(void *context, uint32_t log, uint64_t position, uint64_t count);
enum err place_verify_all(struct place *place, uint64_t *failures, place_on_failure *on_failure,
                          void *context);

/* Reads every record of every log as it is served; `content` is a digest of all of it. */
typedef void place_on_record(void *context, uint32_t log, const char *origin, uint64_t position,
                             enum err err, const uint8_t content[32]);
enum err place_serve(struct place *place, place_on_record *on_record, void *context);
/* Whether anything of the province's records is in its view. */
bool place_has_view(struct place *place);
/* The request of that code as the view of the province tells it. */
enum err place_look_up(struct place *place, const char *code, uint8_t digest[32]);

/* ---- script.c ---- */

#define SCRIPT_REQUEST_AFTER 9000 /* numbers of requests that judges register begin here */
/* From the first open to the last clean stop, below `folder` (folders_make). Errors end a step
 * and not the script; a storage that has failed ends it. */
void script_run(const char *folder);

/* ---- judge.c: in a child of its own ---- */

struct reference; /* the records of a run without faults */
struct reference *reference_read(const char *folder);

const struct dump *reference_dump(const struct reference *reference, unsigned place);
struct dump *dump_of(const char *data);

struct judgement {
    unsigned place;
    const char *data;
    size_t note_count;                  /* acknowledged by then */
    const struct reference *reference;  /* NULL: records may differ */
    unsigned number;                    /* of the request that is registered */
    bool data_lost; /* the first device is a new one, or damaged: what the journal has must be there */
};
void judge(const struct judgement *judgement);

/* ---- child.c ---- */

struct child_end {
    int signal; /* SIGPROF: it hung */
    int code;
};
/* Runs it in a child, silent unless SAMAD_FAULTS_LOUD is set, for at most `seconds` of its
 * processor time. */
struct child_end child_run(void (*run)(void *), void *context, unsigned seconds);
/* Puts an end by a signal into `notes` as a violation. */
void child_judge(const struct child_end *end);
/* A path in printf form; ends the program when it is too long. */
void path_form(char out[FAULTS_PATH_SIZE], const char *form, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes `to` anew, as `from` is or, where that is NULL, empty. */
void folder_copy(const char *from, const char *to);

unsigned device_count(void);
void device_path(char out[FAULTS_PATH_SIZE], const char *data, unsigned device);
/* All devices of a node. */
void devices_copy(const char *from, const char *to);
void devices_remove(const char *data);
/* Makes `folder` anew, with empty devices for each node: ardabil, ardabil.second, hub-1 ... */
void folders_make(const char *folder);

/* The setup that a case's name begins with ("journal:12"), and the rest of the name. */
enum setup setup_of(const char *only, const char **rest);
/* "journal:"; "" of nodes with one device. */
const char *setup_prefix(void);
/* How many cases of `wanted` are for it, in percent of a tier's. */
uint64_t setup_share(uint64_t wanted, unsigned percent);

/* ---- damage.c: to files at rest ---- */

/* The same for the same number. */
uint64_t mixed(uint64_t number);
/* Up to the last page that is not zeros. */
uint64_t used_size(const char *path);
void file_flip(const char *path, uint64_t bit);
/* A write that went to the wrong place. */
void file_copy_page(const char *path, uint64_t from, uint64_t to);
/* Told apart from a bug of ours: LMDB follows what is in a page. */
bool ended_by_damage(const struct child_end *end);

/* ---- the three tiers ---- */

struct options {
    uint64_t images, flips, nth; /* how many of each kind at most; UINT64_MAX: all */
    const char *only;            /* one case, or NULL */
    unsigned worker, workers;    /* this one takes every workers-th */
    char folder[FAULTS_PATH_SIZE]; /* of this worker, empty */
    bool list;                   /* say each case before it is tried */
    bool canary;                 /* the disks lie about their syncs: crash images must show it */
};
struct totals {
    uint64_t nth, images, nested, flips, two_devices, refused, found, silent, ended_log, ended_views, healed,
        repaired, unnoticed, violations;
};
void nth_run(const struct options *options, struct totals *totals);
void images_run(const struct options *options, struct totals *totals);
void flips_run(const struct options *options, struct totals *totals);
/* device_flips.c: those of nodes with a journal. */
void device_flips_run(const struct options *options, const char *only, uint64_t wanted,
                      struct totals *totals);
/* Counts and prints it, with how to see it again. */
void report(struct totals *totals, const char *only);
/* Whether case `number` of `total` is one of `wanted` evenly chosen, and this worker's. */
bool is_chosen(const struct options *options, uint64_t number, uint64_t total, uint64_t wanted);

#endif
