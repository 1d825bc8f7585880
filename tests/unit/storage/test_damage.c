/* Row 9 of the fault matrix: LMDB has no checksums, and follows what it finds. A damaged file may
 * kill the process that reads it; it must never serve a record that was not written. */
#include "storage/verify.h"
#include "tests/unit/storage/log_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_COUNT 24
#define FLIP_STRIDE  97

/* Shared with the children: what they have found, and how far they are. */
struct findings {
    size_t next;
    unsigned tried, refused, noticed, served_all, crashed;
    unsigned served_wrong;
};

static uint8_t *file_read(const char *path, size_t *size)
{
    struct stat status;
    int file = open(path, O_RDONLY);
    cr_assert_eq(fstat(file, &status), 0);
    *size = (size_t)status.st_size;
    uint8_t *content = malloc(*size);
    cr_assert_eq(read(file, content, *size), (ssize_t)*size);
    close(file);
    return content;
}

static void byte_write(const char *path, size_t at, uint8_t byte)
{
    int file = open(path, O_WRONLY);
    if (pwrite(file, &byte, 1, (off_t)at) != 1)
        _exit(99);
    close(file);
}

static bool is_as_written(const struct log_id *id, uint64_t position, const struct record *record)
{
    struct sample sample;
    sample_request(&sample, id, position, FIXTURE_SEED, FIXTURE_TEXT_SIZE);
    bool same = bytes_equal(record->header, sample.record.header) &&
                bytes_equal(record->facts, sample.record.facts) &&
                (record->person_absent || bytes_equal(record->person, sample.record.person));
    sample_close(&sample);
    return same;
}

static unsigned served_well(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                            struct findings *findings)
{
    unsigned count = 0;
    struct buffer scratch = { 0 };
    for (uint64_t i = 0; i < RECORD_COUNT; i++) {
        struct record record;
        struct record_header header;
        struct hash leaf;
        if (log_read(logs, txn, 0, i, &scratch, &record, &header, &leaf) != OK)
            continue;
        if (is_as_written(id, i, &record))
            count++;
        else
            findings->served_wrong++;
    }
    buffer_close(&scratch);
    return count;
}

static bool damage_noticed(struct log_store *logs, struct store_txn *txn)
{
    struct verify verify;
    if (verify_open(&verify, logs, NULL, NULL) != OK)
        return false;
    enum err err = OK;
    for (int i = 0; i < 1000 && err == OK; i++)
        err = verify_step(&verify, txn, 1 << 20);
    bool noticed =
        err != ERR_END || verify.report.failures > 0 || verify.report.records != RECORD_COUNT;
    verify_close(&verify);
    return noticed;
}

static void try_flip(const struct log_fixture *fixture, const struct log_id *id,
                     struct findings *findings)
{
    struct log_store_options options = fixture->options;
    struct log_store *logs;
    options.read_only = true;
    options.create = false;
    findings->tried++;
    if (log_store_open(&logs, &options) != OK) {
        findings->refused++;
        return;
    }
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    unsigned good = served_well(logs, &txn, id, findings);
    if (damage_noticed(logs, &txn))
        findings->noticed++;
    else if (good == RECORD_COUNT)
        findings->served_all++;
    store_abort(&txn);
    log_store_close(logs);
}

static void child_run(const struct log_fixture *fixture, const struct log_id *id, const char *file,
                      const uint8_t *content, size_t size, struct findings *findings)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    alarm(20); /* a cycle of pages must not hang the test */
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 2); /* what a sanitizer says about the crash that is expected */
    while (findings->next < size) {
        size_t at = findings->next;
        byte_write(file, at, content[at] ^ (uint8_t)(1u << at % 8));
        findings->next = at + FLIP_STRIDE;
        try_flip(fixture, id, findings);
        byte_write(file, at, content[at]);
    }
    _exit(0);
}

Test(damage, no_flipped_bit_of_the_file_ever_serves_a_wrong_record, .timeout = 120)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    char file[FOLDER_PATH_SIZE], copy[FOLDER_PATH_SIZE];
    size_t size;
    log_fixture_open(&fixture);
    fixture_create(&fixture, &id);
    fixture_fill(&fixture, 0, &id, RECORD_COUNT, 6);
    folder_path(copy, fixture.folder, "copy");
    cr_assert_eq(store_copy(log_store_environment(fixture.logs), copy), OK);
    log_store_close(fixture.logs);
    fixture.logs = NULL;
    fixture.options.path = copy;
    folder_path(file, copy, "data.mdb");
    uint8_t *content = file_read(file, &size);
    struct findings *findings =
        mmap(NULL, sizeof *findings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    while (findings->next < size) {
        size_t began = findings->next;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            child_run(&fixture, &id, file, content, size, findings);
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            break;
        cr_assert(findings->next > began, "a child came no further");
        findings->crashed++;
        byte_write(file, findings->next - FLIP_STRIDE, content[findings->next - FLIP_STRIDE]);
    }
    cr_log_info("%u flips: %u refused to open, %u noticed, %u harmless, %u crashed",
                findings->tried, findings->refused, findings->noticed, findings->served_all,
                findings->crashed);
    cr_assert_eq(findings->served_wrong, 0);
    cr_assert(findings->tried >= size / FLIP_STRIDE);
    cr_assert(findings->noticed > 0);
    munmap(findings, sizeof *findings);
    free(content);
    folder_remove(copy);
    log_fixture_close(&fixture);
}
