#include "tests/unit/storage/journal_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void journal_fixture_open(struct journal_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    folder_make(fixture->folder);
    folder_path(fixture->path, fixture->folder, "journal");
    fixture->log = sample_log("ardabil", "hub", 1);
    fixture->options = (struct journal_options){ .path = fixture->path,
                                                 .node = "ardabil",
                                                 .segment_size = JOURNAL_SEGMENT_SIZE_MIN,
                                                 .keep_size = UINT64_MAX };
    cr_assert_eq(journal_fixture_reopen(fixture), OK);
}

enum err journal_fixture_reopen(struct journal_fixture *fixture)
{
    journal_close(fixture->journal);
    fixture->journal = NULL;
    return journal_open(&fixture->journal, &fixture->options, &fixture->report);
}

void journal_fixture_close(struct journal_fixture *fixture)
{
    journal_close(fixture->journal);
    buffer_close(&fixture->values);
    folder_remove(fixture->folder);
}

enum err fixture_journal_batch(struct journal_fixture *fixture, uint32_t count, size_t text_size)
{
    static const struct seal_key key = { { 1 } };
    struct sign_key sign = sample_key(3);
    struct batch_builder batch;
    struct buffer note = { 0 };
    batch_begin(&batch, &fixture->frontier);
    sample_batch(&batch, &fixture->log, 7, count, text_size, &key);
    sample_note(&note, &fixture->log, &batch.frontier, &sign);
    size_t size = batch_size(&batch, note.size);
    uint8_t *room = buffer_reserve(&fixture->values, size);
    cr_assert(room);
    batch_write(&batch, buffer_bytes(&note), room);

    struct journal_entry entry = { 0 };
    journal_entry_batch(&entry, &fixture->log, batch.first, bytes_of(room, size));
    enum err err = journal_make_room(fixture->journal, journal_entry_size(&entry));
    if (err == OK)
        err = journal_append(fixture->journal, &entry);
    if (err == OK) {
        fixture->values.size += size;
        fixture->frontier = batch.frontier;
    }
    journal_entry_close(&entry);
    buffer_close(&note);
    batch_close(&batch);
    return err;
}

enum err fixture_journal_read(struct journal_fixture *fixture, uint64_t first,
                              struct buffer *value)
{
    struct journal_item item;
    const struct journal_log *log = journal_log_find(fixture->journal, &fixture->log);
    const struct journal_place *place = log ? journal_place_of(log, first) : NULL;
    if (!place || place->first != first)
        return ERR_NOT_FOUND;
    struct buffer scratch = { 0 };
    enum err err = journal_read(fixture->journal, log, place, &scratch, &item);
    if (err == OK)
        buffer_append_bytes(value, item.payload);
    buffer_close(&scratch);
    return err;
}

void fixture_file_path(struct journal_fixture *fixture, uint32_t segment,
                       char out[FOLDER_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof name, "segment-%08u", segment);
    folder_path(out, fixture->path, name);
}

void file_read_all(const char *path, struct buffer *out)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    cr_assert(file && fstat(fileno(file), &status) == 0);
    buffer_clear(out);
    uint8_t *room = buffer_reserve(out, (size_t)status.st_size + 1);
    out->size = fread(room, 1, (size_t)status.st_size, file);
    fclose(file);
}

void file_write_all(const char *path, struct bytes bytes)
{
    FILE *file = fopen(path, "we");
    cr_assert(file && fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
    fclose(file);
}

bool fixture_journal_contains(struct journal_fixture *fixture, struct bytes wanted)
{
    struct buffer bytes = { 0 };
    bool found = false;
    DIR *folder = opendir(fixture->path);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char path[FOLDER_PATH_SIZE];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%.250s/%.200s", fixture->path, entry->d_name);
        file_read_all(path, &bytes);
        found |= memmem(bytes.data, bytes.size, wanted.data, wanted.size) != NULL;
    }
    closedir(folder);
    buffer_close(&bytes);
    return found;
}
