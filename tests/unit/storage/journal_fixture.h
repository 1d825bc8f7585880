/* A journal in a folder of its own, and a log whose batches go into it. */
#ifndef TESTS_UNIT_STORAGE_JOURNAL_FIXTURE_H
#define TESTS_UNIT_STORAGE_JOURNAL_FIXTURE_H

#include "storage/journal.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

struct journal_fixture {
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    struct journal_options options;
    struct journal_report report; /* of the last opening */
    struct journal *journal;
    struct log_id log;
    struct merkle_frontier frontier; /* after the last batch */
    struct buffer values;            /* all batches appended, one behind the other */
};

void journal_fixture_open(struct journal_fixture *fixture);
enum err journal_fixture_reopen(struct journal_fixture *fixture);
void journal_fixture_close(struct journal_fixture *fixture);
/* Appends a batch of `count` records; false when the journal says an error. */
enum err fixture_journal_batch(struct journal_fixture *fixture, uint32_t count, size_t text_size);
/* The batch that begins at `first` as the journal has it. */
enum err fixture_journal_read(struct journal_fixture *fixture, uint64_t first,
                              struct buffer *value);
/* A file of the journal as a whole. */
void fixture_file_path(struct journal_fixture *fixture, uint32_t segment,
                       char out[FOLDER_PATH_SIZE]);
void file_read_all(const char *path, struct buffer *out);
void file_write_all(const char *path, struct bytes bytes);
/* Whether any segment contains these bytes. */
bool fixture_journal_contains(struct journal_fixture *fixture, struct bytes wanted);

#endif
