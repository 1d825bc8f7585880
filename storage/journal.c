#include "storage/journal_private.h"

#include "proto/base/bug.h"
#include "proto/base/require.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- failures --------------------------------------------------------------------------------- */

enum err journal_fail(struct journal *journal, const char *what, int code)
{
    if (journal->failure[0] == '\0' || !journal->failed)
        snprintf(journal->failure, sizeof journal->failure, "%s %.300s: %s", what, journal->path,
                 strerror(code));
    journal->failed = true;
    if (code == ENOSPC || code == EDQUOT)
        return ERR_FULL;
    return code == ENOMEM ? ERR_NOMEM : ERR_IO;
}

enum err journal_fail_corrupt(struct journal *journal, const char *what)
{
    journal_fail(journal, what, EBADMSG);
    return ERR_CORRUPT;
}

const char *journal_failure(const struct journal *journal)
{
    return journal->failure;
}

/* ---- opening ---------------------------------------------------------------------------------- */

static enum err journal_open_folder(struct journal *journal)
{
    struct stat status;
    if (mkdir(journal->path, 0700) != 0 && errno != EEXIST)
        return errno == ENOENT ? ERR_NOT_FOUND : journal_fail(journal, "mkdir", errno);
    journal->folder = open(journal->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->folder < 0 || fstat(journal->folder, &status) != 0)
        return journal_fail(journal, "open", errno);
    journal->device = (uint64_t)status.st_dev;
    journal->lock = openat(journal->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->lock < 0)
        return journal_fail(journal, "open the lock of", errno);
    if (flock(journal->lock, LOCK_EX | LOCK_NB) != 0)
        return ERR_BUSY;
    return OK;
}

static enum err journal_begin(struct journal *journal, struct journal_report *report)
{
    enum err err = journal_open_folder(journal);
    if (err == OK)
        err = journal_scan(journal, report);
    if (err != OK)
        return err;
    unlinkat(journal->folder, "next", 0); /* of the last process: begun anew */
    if (journal->segment_count == 0)
        return segment_begin(journal, 0);
    struct segment *last = &journal->segments[journal->segment_count - 1];
    if (last->used >= last->size) /* cannot be written on */
        return segment_begin(journal, 0);
    return segment_open(journal, last->number, &journal->file);
}

enum err journal_open(struct journal **out, const struct journal_options *options,
                      struct journal_report *report)
{
    *out = NULL;
    *report = (struct journal_report){ 0 };
    if (!node_name_is_valid(bytes_of_string(options->node)) ||
        options->segment_size < JOURNAL_SEGMENT_SIZE_MIN ||
        options->segment_size > JOURNAL_ENTRY_SIZE_MAX ||
        strlen(options->path) >= sizeof((struct journal *)0)->path)
        return ERR_INVALID;
    if (sodium_init() < 0)
        return ERR_IO;
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return ERR_NOMEM;
    strcpy(journal->path, options->path);
    strcpy(journal->node, options->node);
    journal->segment_size = options->segment_size / 4096 * 4096;
    journal->keep_size = options->keep_size;
    journal->folder = journal->lock = journal->file = journal->spare = -1;
    journal->sequence = 1;
    enum err err = journal_begin(journal, report);
    if (err != OK) {
        journal_close(journal);
        return err;
    }
    *out = journal;
    return OK;
}

static void close_file(int file)
{
    if (file >= 0)
        close(file);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    close_file(journal->file);
    close_file(journal->spare);
    close_file(journal->lock);
    close_file(journal->folder);
    index_close(journal);
    free(journal->segments);
    free(journal);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static struct segment *journal_last(struct journal *journal)
{
    return &journal->segments[journal->segment_count - 1];
}

enum err journal_make_room(struct journal *journal, size_t size)
{
    if (journal->failed)
        return ERR_IO;
    if (size > JOURNAL_ENTRY_SIZE_MAX)
        return ERR_TOO_LARGE;
    struct segment *last = journal_last(journal);
    return last->size - last->used >= size ? OK : segment_begin(journal, size);
}

enum err journal_append(struct journal *journal, struct journal_entry *entry)
{
    if (journal->failed)
        return ERR_IO;
    struct segment *last = journal_last(journal);
    enum err err = journal_entry_seal(entry, last->key, journal->sequence);
    struct bytes bytes = buffer_bytes(&entry->bytes);
    require(err != OK || bytes.size <= last->size - last->used);
    if (err == OK)
        err = segment_write(journal, journal->file, bytes.data, bytes.size, last->used);
    if (err == OK && !SAMAD_BUG(JOURNAL_NO_SYNC))
        err = segment_sync(journal, journal->file);
    if (err == OK)
        err = index_entry(journal, last->number, last->used, bytes.data, entry->body);
    if (err != OK) {
        journal->failed = true;
        return err;
    }
    journal->last_offset = last->used;
    journal->sequence++;
    last->used += bytes.size;
    return OK;
}

enum err journal_undo(struct journal *journal)
{
    if (journal->failed)
        return ERR_IO;
    struct segment *last = journal_last(journal);
    uint64_t from = journal->last_offset;
    require(from != 0);
    enum err err = segment_zero(journal, journal->file, from, last->used - from);
    if (err == OK)
        err = segment_sync(journal, journal->file);
    if (err != OK) {
        journal->failed = true;
        return err;
    }
    index_forget(journal, last->number, from);
    last->used = from;
    journal->sequence--;
    journal->last_offset = 0;
    return OK;
}

bool journal_touches_reserve(const struct journal *journal)
{
    const struct segment *last = &journal->segments[journal->segment_count - 1];
    return journal->no_space && !journal->spare_ready &&
           last->size - last->used < journal->segment_size / 4;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static enum err place_open(struct journal *journal, const struct journal_place *place, int *file)
{
    if (place->segment != journal_last(journal)->number)
        return segment_open(journal, place->segment, file);
    *file = journal->file;
    return OK;
}

static void place_close(struct journal *journal, int file)
{
    if (file != journal->file)
        close(file);
}

static enum err place_read(struct journal *journal, int file, const struct journal_log *log,
                           const struct journal_place *place, struct buffer *scratch,
                           struct journal_item *item)
{
    size_t size = (size_t)place->size + place->marks_size;
    buffer_clear(scratch);
    uint8_t *room = buffer_reserve(scratch, size);
    if (!room)
        return ERR_NOMEM;
    enum err err = segment_read(journal, file, room, size, place->offset);
    scratch->size = size;
    *item = (struct journal_item){ .kind = JOURNAL_BATCH, .log = log->id, .position = place->first,
                                   .payload = bytes_of(room, place->size),
                                   .marks = bytes_of(room + place->size, place->marks_size) };
    return err;
}

enum err journal_read(struct journal *journal, const struct journal_log *log,
                      const struct journal_place *place, struct buffer *scratch,
                      struct journal_item *item)
{
    int file;
    enum err err = place_open(journal, place, &file);
    if (err != OK)
        return err;
    err = place_read(journal, file, log, place, scratch, item);
    place_close(journal, file);
    return err;
}

void journal_space_get(const struct journal *journal, struct journal_space *space)
{
    *space = (struct journal_space){ .segments = (uint32_t)journal->segment_count,
                                     .entries = journal->sequence - 1,
                                     .device = journal->device };
    for (size_t i = 0; i < journal->segment_count; i++) {
        space->size += journal->segments[i].size;
        space->used_size += journal->segments[i].used;
    }
}

/* ---- erasing ---------------------------------------------------------------------------------- */

/* Where in the batch the sealed person part of a record stands. ERR_NOT_FOUND: there is none, or it
 * is gone already. */
static enum err person_range(const struct journal_item *item, uint32_t index, struct bytes *sealed)
{
    struct batch_view view;
    struct record record;
    struct hash leaf;
    uint32_t mark = 0;
    if (batch_open(&view, item->payload) != OK)
        return ERR_CORRUPT;
    struct batch_walk walk = batch_walk(&view);
    while (batch_next(&walk, &record, &leaf) == OK) {
        if (walk.index - 1 == index) {
            *sealed = record.person;
            bool is_there = record.person.size > 0 &&
                            journal_person_state(item, mark, record.person) != JOURNAL_PERSON_ERASED;
            return is_there ? OK : ERR_NOT_FOUND;
        }
        mark += record.person.size > 0;
    }
    return ERR_NOT_FOUND;
}

static enum err place_erase(struct journal *journal, const struct journal_log *log,
                            const struct journal_place *place, uint64_t position)
{
    struct buffer scratch = { 0 };
    struct journal_item item;
    struct bytes sealed;
    int file;
    enum err err = place_open(journal, place, &file);
    if (err != OK)
        return err;
    err = place_read(journal, file, log, place, &scratch, &item);
    if (err == OK)
        err = person_range(&item, (uint32_t)(position - place->first), &sealed);
    if (err == OK)
        err = segment_zero(journal, file,
                           place->offset + (uint64_t)(sealed.data - item.payload.data),
                           sealed.size);
    if (err == OK)
        err = segment_sync(journal, file);
    else if (err == ERR_CORRUPT)
        err = journal_fail_corrupt(journal, "erase in");
    place_close(journal, file);
    buffer_close(&scratch);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err journal_erase(struct journal *journal, const struct log_id *id, uint64_t position)
{
    const struct journal_log *log = index_log(journal, id);
    enum err err = journal->failed ? ERR_IO : OK;
    for (size_t i = 0; log && err == OK && i < log->place_count; i++) {
        const struct journal_place *place = &log->places[i];
        if (place->first > position)
            break;
        if (position < place->first + place->count)
            err = place_erase(journal, log, place, position);
    }
    if (err != OK)
        journal->failed = true;
    return err;
}

/* ---- recycling and remaking ------------------------------------------------------------------- */

/* What stands in the segments to be removed and is needed further: written once more. */
static void keep_of_log(struct journal_entry *entry, const struct journal_log *log,
                        uint32_t below, uint64_t base, bool notes)
{
    if (base > 0 && (base > log->base || log->base_segment < below))
        journal_entry_base(entry, &log->id, base);
    for (size_t i = 0; i < log->receipt_count; i++)
        if (log->receipts[i].segment < below)
            journal_entry_receipt(entry, &log->id, log->receipts[i].hub, log->receipts[i].size,
                                  buffer_bytes(&log->receipts[i].note));
    for (size_t i = 0; notes && i < log->note_count; i++)
        if (log->notes[i].segment < below && log->notes[i].size > base)
            journal_entry_note(entry, &log->id, log->notes[i].size,
                               buffer_bytes(&log->notes[i].note));
}

static enum err journal_write_entry(struct journal *journal, struct journal_entry *entry)
{
    if (entry->err != OK)
        return entry->err;
    if (entry->count == 0)
        return OK;
    enum err err = journal_make_room(journal, journal_entry_size(entry));
    return err == OK ? journal_append(journal, entry) : err;
}

/* Removes the segments below `below`. */
static enum err journal_drop_below(struct journal *journal, uint32_t below)
{
    size_t count = 0;
    enum err err = OK;
    while (count < journal->segment_count && journal->segments[count].number < below &&
           err == OK)
        err = segment_remove(journal, journal->segments[count++].number);
    index_forget_below(journal, below);
    memmove(journal->segments, journal->segments + count,
            (journal->segment_count - count) * sizeof *journal->segments);
    journal->segment_count -= count;
    return err;
}

/* The end of the log's records in segments below; 0 when there are none. */
static uint64_t log_end_below(const struct journal_log *log, uint32_t below)
{
    uint64_t end = 0;
    for (size_t i = 0; i < log->place_count; i++) {
        const struct journal_place *place = &log->places[i];
        if (place->segment < below && place->first + place->count > end)
            end = place->first + place->count;
    }
    return end;
}

enum err journal_recycle(struct journal *journal, journal_national *national, void *context)
{
    struct journal_space space;
    journal_space_get(journal, &space);
    if (journal->failed)
        return ERR_IO;
    if (journal->segment_count < 2 || space.size <= journal->keep_size)
        return OK;
    uint32_t below = journal->segments[1].number;
    struct journal_entry entry = { 0 };
    for (size_t i = 0; i < journal->log_count; i++) {
        const struct journal_log *log = &journal->logs[i];
        uint64_t end = log_end_below(log, below);
        if (end > 0 && end > national(context, &log->id)) {
            journal_entry_close(&entry);
            return OK;
        }
        keep_of_log(&entry, log, below, end > log->base ? end : log->base, true);
    }
    enum err err = journal_write_entry(journal, &entry);
    journal_entry_close(&entry);
    return err == OK ? journal_drop_below(journal, below) : err;
}

enum err journal_remake_begin(struct journal *journal)
{
    if (journal->failed)
        return ERR_IO;
    enum err err = segment_begin(journal, 0);
    if (err != OK)
        return err;
    journal->remake_from = journal_last(journal)->number;
    struct journal_entry entry = { 0 };
    for (size_t i = 0; i < journal->log_count; i++)
        keep_of_log(&entry, &journal->logs[i], journal->remake_from, journal->logs[i].base, true);
    err = journal_write_entry(journal, &entry);
    journal_entry_close(&entry);
    return err;
}

enum err journal_remake_end(struct journal *journal)
{
    require(journal->remake_from > 0);
    enum err err = journal->failed ? ERR_IO : journal_drop_below(journal, journal->remake_from);
    journal->remake_from = 0;
    return err;
}
