/* Opening: every segment is read once from beginning to end and every entry checked. */
#include "storage/journal_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scan {
    struct journal *journal;
    struct journal_report *report;
    uint8_t *bytes; /* of the segment being read */
    size_t size;
    bool is_last;
    size_t last_entry; /* where it begins in the segment being read; 0: there is none */
    bool started; /* the sequence number to come is known */
};

static int number_compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static enum err numbers_add(uint32_t **numbers, size_t *count, uint32_t number)
{
    uint32_t *grown = realloc(*numbers, (*count + 1) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    *numbers = grown;
    grown[(*count)++] = number;
    return OK;
}

static enum err numbers_read(struct journal *journal, uint32_t **numbers, size_t *count)
{
    DIR *folder = opendir(journal->path);
    if (!folder)
        return journal_fail(journal, "read the folder", errno);
    enum err err = OK;
    struct dirent *entry;
    while (err == OK && (entry = readdir(folder)) != NULL) {
        char again[64];
        unsigned number;
        if (sscanf(entry->d_name, "segment-%8u", &number) != 1)
            continue;
        snprintf(again, sizeof again, "segment-%08u", number);
        if (strcmp(again, entry->d_name) == 0 && number > 0)
            err = numbers_add(numbers, count, number);
    }
    closedir(folder);
    if (*count > 0)
        qsort(*numbers, *count, sizeof **numbers, number_compare);
    return err;
}

static enum err scan_read_file(struct scan *scan, int file)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return journal_fail(scan->journal, "fstat", errno);
    scan->size = (size_t)status.st_size;
    free(scan->bytes);
    scan->bytes = malloc(scan->size + 1);
    if (!scan->bytes)
        return ERR_NOMEM;
    return segment_read(scan->journal, file, scan->bytes, scan->size, 0);
}

/* Where the next entry that verifies begins; the end when none does. */
static size_t scan_next_good(const struct scan *scan, const struct segment *segment, size_t from)
{
    struct journal_view view;
    for (size_t at = (from + 7) / 8 * 8; at + 8 <= scan->size; at += 8)
        if (scan->bytes[at] == 'S' &&
            journal_view_open(&view, bytes_of(scan->bytes + at, scan->size - at), segment->key) ==
                OK)
            return at;
    return scan->size;
}

static enum err scan_entry(struct scan *scan, struct segment *segment, size_t at,
                           const struct journal_view *view)
{
    struct journal *journal = scan->journal;
    if (scan->started && view->sequence != journal->sequence)
        scan->report->missing_entries +=
            view->sequence > journal->sequence ? view->sequence - journal->sequence : 1;
    scan->started = true;
    if (view->sequence >= journal->sequence)
        journal->sequence = view->sequence + 1;
    scan->report->entries++;
    scan->report->persons_damaged += view->persons_damaged;
    segment->used = at + view->size;
    scan->last_entry = at;
    return index_entry(journal, segment->number, at, scan->bytes + at, view->body);
}

/* One past the last byte that is not zero, at least `from`. */
static size_t scan_end_of_bytes(const struct scan *scan, size_t from)
{
    size_t end = scan->size;
    while (end > from && scan->bytes[end - 1] == 0)
        end--;
    return end;
}

/* Behind the last good entry of the last segment stands what a crash left, if anything. */
static enum err scan_cut(struct scan *scan, const struct segment *segment, int file)
{
    size_t end = scan_end_of_bytes(scan, (size_t)segment->used);
    if (end == segment->used)
        return OK;
    scan->report->torn = true;
    scan->report->torn_size = end - segment->used;
    enum err err = segment_zero(scan->journal, file, segment->used, end - segment->used);
    return err == OK ? segment_sync(scan->journal, file) : err;
}

/* A sync of the last entry may have failed, which ended the use of the journal: what is read here is
 * then in the kernel's memory and nowhere else, and no later sync would write it. So it is written once
 * more. */
static enum err scan_harden(struct scan *scan, const struct segment *segment, int file)
{
    enum err err = OK;
    if (scan->last_entry > 0)
        err = segment_write(scan->journal, file, scan->bytes + scan->last_entry,
                            (size_t)segment->used - scan->last_entry, scan->last_entry);
    if (err == OK)
        err = segment_sync(scan->journal, file);
    return err == OK ? folder_sync(scan->journal) : err;
}

static enum err scan_entries(struct scan *scan, struct segment *segment)
{
    size_t at = SEGMENT_HEADER_SIZE;
    segment->used = at;
    scan->last_entry = 0;
    while (at < scan->size) {
        struct journal_view view;
        enum err err = journal_view_open(&view, bytes_of(scan->bytes + at, scan->size - at),
                                         segment->key);
        if (err == OK)
            err = scan_entry(scan, segment, at, &view);
        if (err == OK) {
            at += view.size;
            continue;
        }
        if (err == ERR_NOMEM)
            return err;
        size_t good = scan_next_good(scan, segment, at);
        if (good < scan->size) {
            scan->report->damaged_places++;
            at = good;
            continue;
        }
        if (!scan->is_last && scan_end_of_bytes(scan, (size_t)segment->used) != segment->used)
            scan->report->damaged_places++;
        break;
    }
    return OK;
}

static enum err scan_segment(struct scan *scan, uint32_t number)
{
    struct journal *journal = scan->journal;
    struct segment segment = { 0 };
    bool whole;
    int file;
    enum err err = segment_open(journal, number, &file);
    if (err != OK)
        return err;
    err = scan_read_file(scan, file);
    if (err == OK)
        err = segment_header_read(journal, bytes_of(scan->bytes, scan->size), &segment, &whole);
    bool readable = err == OK && segment.number == number;
    if (err == OK || err == ERR_CORRUPT) {
        bool is_short = readable && segment.size > scan->size;
        scan->report->damaged_places += !readable || !whole || is_short;
        err = OK;
    }
    if (err == OK && readable) {
        if (scan->started && segment.first_sequence > journal->sequence) {
            scan->report->missing_entries += segment.first_sequence - journal->sequence;
            journal->sequence = segment.first_sequence;
        } else if (!scan->started) {
            journal->sequence = segment.first_sequence;
        }
        scan->started = true;
        err = scan_entries(scan, &segment);
    }
    if (err == OK && readable && scan->is_last)
        err = scan_cut(scan, &segment, file);
    if (err == OK && readable && scan->is_last)
        err = scan_harden(scan, &segment, file);
    close(file);
    if (err != OK)
        return err;
    if (!readable)
        segment = (struct segment){ .used = scan->size };
    segment.number = number;
    segment.size = scan->size;
    return segment_add(journal, &segment);
}

enum err journal_scan(struct journal *journal, struct journal_report *report)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    struct scan scan = { .journal = journal, .report = report };
    enum err err = numbers_read(journal, &numbers, &count);
    for (size_t i = 0; i < count && err == OK; i++) {
        scan.is_last = i + 1 == count;
        err = scan_segment(&scan, numbers[i]);
    }
    free(scan.bytes);
    free(numbers);
    report->is_new = err == OK && count == 0;
    return err;
}
