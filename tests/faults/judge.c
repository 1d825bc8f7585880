/* What a disk held is opened by the real recovery, and judged before and after by the reader of
 * tests/check, which shares no code with the product. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"
#include "tests/check/check.h"
#include "tests/check/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RETRY_MAX = 16 };

/* ---- the run without faults ------------------------------------------------------------------ */

struct reference {
    struct dump *dumps[PLACE_COUNT];
};

struct dump *dump_of(const char *data)
{
    struct dump *dump =
        dump_read(data, &(struct dump_options){ .label = "final", .data_key = place_data_key() });
    require(dump != NULL);
    return dump;
}

struct reference *reference_read(const char *folder)
{
    struct reference *reference = calloc(1, sizeof *reference);
    char data[FAULTS_PATH_SIZE];
    require(reference != NULL);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        path_form(data, "%s/%s", folder, place_node(i));
        reference->dumps[i] = dump_of(data);
        require(reference->dumps[i]->readable && reference->dumps[i]->problem_count == 0);
    }
    return reference;
}

const struct dump *reference_dump(const struct reference *reference, unsigned place)
{
    return reference->dumps[place];
}

/* ---- a store at rest ------------------------------------------------------------------------- */

static const struct dump_log *log_of(const struct dump *dump, const char *origin)
{
    for (size_t i = 0; i < dump->log_count; i++)
        if (!dump->logs[i].branch && strcmp(dump->logs[i].origin, origin) == 0)
            return &dump->logs[i];
    return NULL;
}

static const struct dump_record *record_of(const struct dump *dump, const char *origin,
                                           uint64_t position)
{
    const struct dump_log *log = log_of(dump, origin);
    for (size_t i = 0; log && i < log->record_count; i++)
        if (log->records[i].position == position)
            return &log->records[i];
    return NULL;
}

static uint64_t receipt_size(const struct dump_log *log, unsigned place)
{
    uint64_t size = place == HUB ? log->cosigned_size : 0;
    for (size_t i = 0; place != HUB && i < log->receipt_count; i++)
        if (log->receipts[i].size > size)
            size = log->receipts[i].size;
    return size;
}

static void judge_note(const struct dump *dump, const struct note *note, const char *when)
{
    const struct dump_log *log = log_of(dump, note->origin);
    const struct dump_record *record = record_of(dump, note->origin, note->position);
    unsigned long long position = note->position;
    switch (note->kind) {
    case NOTE_REQUEST:
        if (!record || record->damaged)
            violated("%s: %s was acknowledged as %llu of %s and is not there", when, note->key,
                     position, note->origin);
        else if (strcmp(record->key, note->key) != 0 || strcmp(record->code, note->code) != 0)
            violated("%s: record %llu of %s is not %s", when, position, note->origin, note->key);
        break;
    case NOTE_ERASED:
        if (!record || record->person != PERSON_ABSENT)
            violated("%s: the person part of %llu of %s was erased and is there", when, position,
                     note->origin);
        break;
    case NOTE_HELD:
        if (!log || log->size < note->position)
            violated("%s: %llu records of %s were taken, %llu are there", when, position,
                     note->origin, log ? (unsigned long long)log->size : 0);
        break;
    case NOTE_RECEIPT:
        if (!log || receipt_size(log, note->place) < note->position)
            violated("%s: the receipt for %llu of %s is not there", when, position, note->origin);
        break;
    }
}

static void judge_records(const struct dump *dump, const struct dump *reference, const char *when)
{
    for (size_t i = 0; i < reference->log_count; i++) {
        const struct dump_log *right = &reference->logs[i], *log = log_of(dump, right->origin);
        if (!log)
            continue;
        for (size_t k = 0; k < log->record_count && k < right->record_count; k++)
            if (log->records[k].position != k ||
                memcmp(&log->records[k].hash, &right->records[k].hash, 32) != 0)
                violated("%s: record %zu of %s is another one", when, k, log->origin);
        if (log->size > right->size && dump->log_count > reference->log_count)
            violated("%s: %s has grown to %llu", when, log->origin,
                     (unsigned long long)log->size);
    }
}

/* Signatures and parents. */
static void judge_signatures(struct dump *dump, unsigned place)
{
    struct history *history = history_new();
    require(history != NULL);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        struct sign_key log = place_log_key(i), receipt = place_receipt_key(i);
        struct history_host host = { .name = place_node(i), .node = place_node(i), .hub = i == HUB };
        memcpy(host.log_key.bytes, &log.public, 32);
        memcpy(host.receipt_key.bytes, &receipt.public, 32);
        history_add_host(history, &host);
    }
    history_add_dump(history, 1, place, dump);
    struct check_report *report = check_history(history, "I5");
    require(report != NULL);
    if (report->violation_count > 0)
        violated("after: I5: %s", report->violations[0].text);
    check_report_free(report);
    history_free(history);
}

static bool is_there(const char *data)
{
    char file[FAULTS_PATH_SIZE];
    path_form(file, "%s/log/data.mdb", data);
    return access(file, F_OK) == 0;
}

/* A journal has what its node wrote, and the receipts for it; what a hub took from others it has from
 * them again. */
static bool is_promised(const struct judgement *judgement, const struct note *note)
{
    char own[FAULTS_PATH_SIZE];
    if (note->place != judgement->place)
        return false;
    path_form(own, "samad/%s/", place_node(judgement->place));
    return !judgement->data_lost || strncmp(note->origin, own, strlen(own)) == 0;
}

static void judge_rest(const struct judgement *judgement, const char *when, bool signatures)
{
    doing(when);
    struct dump *dump = dump_of(judgement->data);
    bool promised = false;
    for (size_t i = 0; i < judgement->note_count; i++)
        promised |= is_promised(judgement, &notes->items[i]);
    if (!promised && !signatures && !is_there(judgement->data)) {
        dump_free(dump);
        return; /* nothing was begun */
    }
    if (dump->problem_count > 0)
        violated("%s: %s %llu: %s", when, dump->problems[0].log,
                 (unsigned long long)dump->problems[0].position, dump->problems[0].text);
    for (size_t i = 0; i < judgement->note_count; i++)
        if (is_promised(judgement, &notes->items[i]))
            judge_note(dump, &notes->items[i], when);
    if (judgement->reference)
        judge_records(dump, judgement->reference->dumps[judgement->place], when);
    if (signatures)
        judge_signatures(dump, judgement->place); /* takes it over */
    else
        dump_free(dump);
}

/* ---- opened by the product ------------------------------------------------------------------- */

/* The same requests again get the codes of then. */
static void judge_retries(struct place *place, const struct judgement *judgement)
{
    struct answer answer;
    size_t tried = 0;
    for (size_t i = judgement->note_count; i-- > 0 && tried < RETRY_MAX;) {
        const struct note note = notes->items[i];
        unsigned number;
        if (note.kind != NOTE_REQUEST || sscanf(note.key, "key-%u", &number) != 1)
            continue;
        tried++;
        place_register(place, number, 1, &answer);
        if (answer.err != OK)
            violated("%s again gives %s", note.key, err_name(answer.err));
        else if (!answer.known || strcmp(answer.code, note.code) != 0)
            violated("%s again is registered anew", note.key);
    }
}

static void judge_open(void *context)
{
    const struct judgement *judgement = context;
    struct place place;
    struct answer answer;
    uint64_t failures = 0;
    doing("recovery");
    enum err err = place_open(&place, judgement->place, judgement->data);
    if (err != OK) {
        violated("it does not open: %s", err_name(err));
        return;
    }
    err = place_start(&place);
    if (err != OK)
        violated("no incarnation: %s", err_name(err));
    doing("verifying");
    if (err == OK && (err = place_verify(&place, &failures)) != OK)
        violated("verification ends with %s", err_name(err));
    if (failures > 0)
        violated("verification finds %llu failures", (unsigned long long)failures);
    if (err == OK && judgement->place == PROVINCE) {
        doing("registering after recovery");
        judge_retries(&place, judgement);
        place_register(&place, judgement->number, 1, &answer);
        if (answer.err != OK || answer.known)
            violated("a request after recovery gives %s", err_name(answer.err));
    }
    doing("stopping after recovery");
    if (place.failed)
        violated("the storage failed during recovery");
    else
        place_stop(&place);
}

void judge(const struct judgement *judgement)
{
    struct judgement after = *judgement;
    if (!judgement->data_lost)
        judge_rest(judgement, "before", false);
    if (notes->why[0] != '\0')
        return;
    program_run(judge_open, &after, judgement->number);
    after.note_count = notes->count;
    if (notes->why[0] == '\0')
        judge_rest(&after, "after", true);
}
