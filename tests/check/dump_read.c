/* The tables of a store: storage/README.md, 2, and the invariants S5, S7, S8 and S10. */
#include "tests/check/dump_reader.h"

#include "tests/check/note.h"
#include "tests/check/record.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROW_SIZE = 56,
    ROW_FROZEN = 1,
    ROW_BRANCH = 2,
    LOGS_MAX = 1 << 20,
};

uint64_t dump_big_endian(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void problem(struct dump_reading *reading, const char *log, uint64_t position,
                    const char *text)
{
    dump_add_problem(reading->dump, log, position, text);
}

static void page_problem(void *context, const char *text)
{
    problem(context, "", 0, text);
}

/* Number and the u64 behind it, the key of most tables. */
static bool key_read(struct dump_reading *reading, struct span key, const char *table,
                     uint32_t *number, uint64_t *position)
{
    if (key.size == 12 && dump_big_endian(key.data, 4) < reading->dump->log_count) {
        *number = (uint32_t)dump_big_endian(key.data, 4);
        *position = dump_big_endian(key.data + 4, 8);
        return true;
    }
    char text[80];
    snprintf(text, sizeof text, "an entry of `%s` belongs to no log", table);
    problem(reading, "", 0, text);
    return false;
}

/* ---- meta, logs, names --------------------------------------------------------------------- */

static void meta_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    if (key.size == 6 && memcmp(key.data, "format", 6) == 0 &&
        (value.size != 4 || dump_big_endian(value.data, 4) != 1))
        problem(reading, "", 0, "the format of the store is not 1");
    if (key.size == 4 && memcmp(key.data, "node", 4) == 0)
        reading->dump->node =
            arena_string(&reading->dump->memory, (const char *)value.data, value.size);
}

/* Also for rows that cannot be read, so that numbers stay indexes. */
static void log_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    char origin[CHECK_ORIGIN_SIZE] = "";
    uint64_t size = value.size >= ROW_SIZE ? dump_big_endian(value.data + 2, 2) : 0;
    uint64_t number = key.size == 4 ? dump_big_endian(key.data, 4) : LOGS_MAX;
    while (number < LOGS_MAX && reading->dump->log_count < number && dump_add_log(reading->dump, "", false)) {
        reading->dump->logs[reading->dump->log_count - 1].readable = false;
        problem(reading, "", 0, "a row of `logs` is missing");
    }
    bool good = number == reading->dump->log_count && size >= 1 && size < sizeof origin &&
                value.size == ROW_SIZE + size && value.data[0] == 1 && value.data[1] <= 3;
    if (good)
        snprintf(origin, sizeof origin, "%.*s", (int)size, (const char *)value.data + ROW_SIZE);
    else
        problem(reading, "", number, "a row of `logs` is not of the form");
    if (number != reading->dump->log_count)
        return;
    struct dump_log *log =
        dump_add_log(reading->dump, origin, good && (value.data[1] & ROW_BRANCH) != 0);
    if (!log || !good) {
        if (log)
            log->readable = false;
        return;
    }
    log->frozen = (value.data[1] & ROW_FROZEN) != 0;
    log->pending_size = dump_big_endian(value.data + 8, 8);
    memcpy(log->pending_root.bytes, value.data + 16, 32);
    log->cosigned_size = dump_big_endian(value.data + 48, 8);
    log->fork_count_told = (uint32_t)dump_big_endian(value.data + 4, 4);
}

static void name_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    uint64_t number = value.size == 4 ? dump_big_endian(value.data, 4) : UINT64_MAX;
    bool branch = key.size > 0 && key.data[key.size - 1] == '#';
    size_t size = key.size - branch;
    const struct dump_log *log =
        number < reading->dump->log_count ? &reading->dump->logs[number] : NULL;
    if (!log || log->branch != branch || strlen(log->origin) != size ||
        memcmp(log->origin, key.data, size) != 0)
        problem(reading, log ? log->origin : "", 0, "a name and a row do not name each other");
}

/* ---- batches, tree ------------------------------------------------------------------------- */

static void batch_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    uint32_t number;
    uint64_t first;
    if (key_read(reading, key, "batches", &number, &first))
        dump_batch(reading, number, first, value);
}

static void tree_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    uint64_t number = key.size == 13 ? dump_big_endian(key.data, 4) : UINT64_MAX;
    if (number >= reading->dump->log_count || value.size != 32) {
        problem(reading, "", 0, "an entry of `tree` is not of the form");
        return;
    }
    struct log_reading *log = &reading->logs[number];
    unsigned level = key.data[4];
    uint64_t index = dump_big_endian(key.data + 5, 8);
    const struct dump_level *made =
        level >= DUMP_STORED_LEVEL && level < 64 ? &log->levels[level - DUMP_STORED_LEVEL] : NULL;
    log->subtrees_stored++;
    if (!log->whole)
        return;
    if (!made || index >= made->count)
        problem(reading, reading->dump->logs[number].origin, 0,
                "`tree` has a subtree of records that are not held");
    else if (memcmp(made->hashes[index].bytes, value.data, 32) != 0)
        problem(reading, reading->dump->logs[number].origin, index << level,
                "`tree` has a wrong hash of a subtree");
}

static void check_tree_complete(struct dump_reading *reading)
{
    for (size_t i = 0; i < reading->dump->log_count; i++) {
        uint64_t made = 0;
        for (size_t level = 0; level < 64 - DUMP_STORED_LEVEL; level++)
            made += reading->logs[i].levels[level].count;
        if (reading->logs[i].whole && made != reading->logs[i].subtrees_stored)
            problem(reading, reading->dump->logs[i].origin, 0, "`tree` lacks a subtree");
    }
}

/* ---- notes, receipts, forks ---------------------------------------------------------------- */

/* The root of the first `size` records; goes on from the last one asked for, or from none. */
static bool root_of(struct dump_reading *reading, uint32_t number, uint64_t size,
                    struct check_hash *root)
{
    const struct dump_log *log = &reading->dump->logs[number];
    struct log_reading *state = &reading->logs[number];
    if (!state->whole || size > log->record_count)
        return false;
    if (size == state->tree.count) {
        *root = tree_root(&state->tree);
        return true;
    }
    if (size < state->cursor.count)
        state->cursor = (struct tree){ 0 };
    while (state->cursor.count < size)
        tree_append(&state->cursor, &log->records[state->cursor.count].hash);
    *root = tree_root(&state->cursor);
    return true;
}

const char *dump_note_text(struct dump_reading *reading, uint32_t number, uint64_t size,
                           struct span note)
{
    const char *origin = reading->dump->logs[number].origin;
    struct check_note read;
    struct check_hash root;
    char text[CHECK_NOTE_SIZE_MAX + 1] = "";
    if (note.size <= CHECK_NOTE_SIZE_MAX)
        memcpy(text, note.data, note.size);
    if (note.size > CHECK_NOTE_SIZE_MAX || strlen(text) != note.size ||
        !check_note_read(&read, text)) {
        problem(reading, origin, size, "a note is not of the form");
        return "";
    }
    if (strcmp(read.origin, origin) != 0 || read.size != size)
        problem(reading, origin, size, "a note is about another log or size");
    else if (root_of(reading, number, size, &root) && !check_hash_equal(&root, &read.root))
        problem(reading, origin, size, "a note does not state the root of the records held");
    return arena_text(&reading->dump->memory, text);
}

static void note_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    struct dump_note note = { .hub = "" };
    uint32_t number;
    if (!key_read(reading, key, "notes", &number, &note.size))
        return;
    note.text = dump_note_text(reading, number, note.size, value);
    if (*note.text)
        dump_add_checkpoint(reading->dump, &reading->dump->logs[number], &note);
}

static void receipt_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    char hub[33] = "";
    uint64_t number = key.size > 4 ? dump_big_endian(key.data, 4) : UINT64_MAX;
    if (number >= reading->dump->log_count || key.size > 4 + 32 || value.size < 8) {
        problem(reading, "", 0, "an entry of `receipts` is not of the form");
        return;
    }
    memcpy(hub, key.data + 4, key.size - 4);
    struct dump_log *log = &reading->dump->logs[number];
    struct dump_note note = { .size = dump_big_endian(value.data, 8), .hub = hub };
    if (note.size > log->size)
        problem(reading, log->origin, note.size, "a receipt covers more than is held");
    if (strcmp(hub, reading->dump->node) == 0 && note.size != log->cosigned_size)
        problem(reading, log->origin, note.size,
                "the receipt given is not the one that the row of `logs` tells of");
    note.text = dump_note_text(reading, (uint32_t)number, note.size,
                               (struct span){ value.data + 8, value.size - 8 });
    if (*note.text)
        dump_add_receipt(reading->dump, log, &note);
}

/* u8 size, name of the peer that showed the other branch, proof or nothing */
static void fork_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    uint64_t number = key.size == 8 ? dump_big_endian(key.data, 4) : UINT64_MAX;
    if (number >= reading->dump->log_count) {
        problem(reading, "", 0, "an entry of `forks` belongs to no log");
        return;
    }
    struct dump_log *log = &reading->dump->logs[number];
    size_t head = value.size > 0 ? 1 + (size_t)value.data[0] : 1;
    if (value.size < head) {
        problem(reading, log->origin, 0, "an entry of `forks` is not of the form");
        head = value.size;
    }
    size_t size = value.size - head;
    char *hex = malloc(2 * size + 1);
    if (!hex)
        return;
    sodium_bin2hex(hex, 2 * size + 1, value.data + head, size);
    dump_add_fork(reading->dump, log, hex);
    free(hex);
}

static void check_rows(struct dump_reading *reading)
{
    for (uint32_t i = 0; i < reading->dump->log_count; i++) {
        const struct dump_log *log = &reading->dump->logs[i];
        struct check_hash root;
        if (log->cosigned_size > log->size)
            problem(reading, log->origin, log->cosigned_size, "a receipt given covers more than is held");
        if (log->pending_size > 0 && root_of(reading, i, log->pending_size, &root) &&
            !check_hash_equal(&root, &log->pending_root))
            problem(reading, log->origin, log->pending_size,
                    "the accepted checkpoint does not state the root of the records held");
        if (log->fork_count_told != log->fork_count || (log->fork_count > 0 && !log->frozen))
            problem(reading, log->origin, 0, "the row and `forks` do not agree");
    }
}

/* ---- erasures ------------------------------------------------------------------------------ */

static int record_order(const void *position, const void *record)
{
    uint64_t a = *(const uint64_t *)position, b = ((const struct dump_record *)record)->position;
    return a < b ? -1 : a > b;
}

static const struct dump_record *record_at(const struct dump_log *log, uint64_t position)
{
    return log->record_count
               ? bsearch(&position, log->records, log->record_count, sizeof *log->records,
                         record_order)
               : NULL;
}

static void explain(struct dump_reading *reading, uint32_t number, uint64_t position, bool erased)
{
    const struct dump_log *log = &reading->dump->logs[number];
    const struct dump_record *record = record_at(log, position);
    uint8_t *explained = reading->logs[number].explained;
    if (!record || !explained)
        return;
    explained[record - log->records] = 1;
    if (erased && (record->person == PERSON_HELD || record->person == PERSON_DAMAGED))
        problem(reading, log->origin, position, "it is erased, and its person part is still held");
}

static void erasure_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    const uint8_t *end = key.size >= 9 ? key.data + key.size - 9 : NULL;
    if (!end || *end != 0 || value.size != 0) {
        problem(reading, "", 0, "an entry of `erasures` is not of the form");
        return;
    }
    size_t size = (size_t)(end - key.data);
    for (uint32_t i = 0; i < reading->dump->log_count; i++)
        if (strlen(reading->dump->logs[i].origin) == size &&
            memcmp(reading->dump->logs[i].origin, key.data, size) == 0)
            explain(reading, i, dump_big_endian(end + 1, 8), true);
}

static void withheld_entry(void *context, struct span key, struct span value)
{
    struct dump_reading *reading = context;
    uint32_t number;
    uint64_t position;
    (void)value;
    if (key_read(reading, key, "withheld", &number, &position))
        explain(reading, number, position, false);
}

static void check_absent(struct dump_reading *reading)
{
    for (size_t i = 0; i < reading->dump->log_count; i++) {
        const struct dump_log *log = &reading->dump->logs[i];
        for (size_t k = 0; k < log->record_count; k++)
            if (log->records[k].person == PERSON_ABSENT && reading->logs[i].explained &&
                !reading->logs[i].explained[k])
                problem(reading, log->origin, log->records[k].position,
                        "its person part is absent, neither erased nor withheld");
    }
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool walk(struct dump_reading *reading, const char *name, pages_entry *entry)
{
    struct pages_table table;
    char text[80];
    if (!pages_table(&reading->pages, name, &table)) {
        snprintf(text, sizeof text, "the table `%s` is not there", name);
        problem(reading, "", 0, text);
        return false;
    }
    pages_walk(&reading->pages, &table, entry, reading);
    return true;
}

bool dump_logs_prepare(struct dump_reading *reading)
{
    reading->logs = calloc(reading->dump->log_count + 1, sizeof *reading->logs);
    for (size_t i = 0; reading->logs && i < reading->dump->log_count; i++)
        reading->logs[i].whole = true;
    return reading->logs != NULL;
}

static void read_tables(struct dump_reading *reading)
{
    bool found = walk(reading, "meta", meta_entry);
    found &= walk(reading, "logs", log_entry);
    if (!dump_logs_prepare(reading)) {
        reading->dump->memory.failed = true;
        return;
    }
    found &= walk(reading, "names", name_entry);
    found &= walk(reading, "batches", batch_entry);
    found &= walk(reading, "tree", tree_entry);
    check_tree_complete(reading);
    found &= walk(reading, "notes", note_entry);
    found &= walk(reading, "receipts", receipt_entry);
    found &= walk(reading, "forks", fork_entry);
    check_rows(reading);
    for (size_t i = 0; i < reading->dump->log_count; i++)
        reading->logs[i].explained = calloc(reading->dump->logs[i].record_count + 1, 1);
    found &= walk(reading, "erasures", erasure_entry);
    found &= walk(reading, "withheld", withheld_entry);
    check_absent(reading);
    reading->dump->readable = found;
}

void dump_logs_close(struct dump_reading *reading)
{
    for (size_t i = 0; reading->logs && i < reading->dump->log_count; i++) {
        for (size_t level = 0; level < 64 - DUMP_STORED_LEVEL; level++)
            free(reading->logs[i].levels[level].hashes);
        free(reading->logs[i].explained);
    }
    free(reading->logs);
}

struct dump *dump_read(const char *data_folder, const struct dump_options *options)
{
    struct dump *dump = dump_new(options->label);
    if (!dump)
        return NULL;
    struct dump_reading reading = { .dump = dump, .options = options };
    char path[4096], text[4400];
    const char *why = "";
    snprintf(path, sizeof path, "%s/log/data.mdb", data_folder);
    reading.pages.context = &reading;
    reading.pages.problem = page_problem;
    if (pages_open(&reading.pages, path, &why)) {
        read_tables(&reading);
    } else {
        snprintf(text, sizeof text, "%s cannot be read: %s", path, why);
        problem(&reading, "", 0, text);
    }
    dump_logs_close(&reading);
    pages_close(&reading.pages);
    if (options->journal)
        dump->journal = dump_read_journal(dump, options->journal);
    dump->memory.failed |= options->journal && (!dump->journal || dump->journal->memory.failed);
    return dump;
}

bool dump_root_at(const struct dump_log *log, uint64_t size, struct check_hash *root)
{
    struct tree tree = { 0 };
    if (size > log->record_count)
        return false;
    for (uint64_t i = 0; i < size; i++) {
        if (log->records[i].position != i || log->records[i].damaged)
            return false;
        tree_append(&tree, &log->records[i].hash);
    }
    *root = tree_root(&tree);
    return true;
}
