/* The simulated disk against what it promises, byte by byte. */
#include "tests/sim/disk.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 32 * 1024, HISTORY_MAX = 24 };

struct fixture {
    char folder[FOLDER_PATH_SIZE], file[FOLDER_PATH_SIZE];
    struct disk *disk;
};

static void fixture_open(struct fixture *fixture, uint64_t seed)
{
    folder_make(fixture->folder);
    folder_path(fixture->file, fixture->folder, "data");
    cr_assert_eq(disk_new(&fixture->disk, &(struct disk_options){ .path = fixture->folder,
                                                                  .seed = seed }),
                 OK);
}

static void fixture_close(struct fixture *fixture)
{
    disk_free(fixture->disk);
    folder_remove(fixture->folder);
}

static int open_file(struct fixture *fixture, int flags)
{
    int file = open(fixture->file, O_RDWR | O_CLOEXEC | flags, 0600);
    cr_assert_geq(file, 0);
    return file;
}

static void sync_folder(struct fixture *fixture)
{
    int folder = open(fixture->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(fsync(folder), 0);
    close(folder);
}

static void write_text(int file, const char *text, off_t at)
{
    cr_assert_eq(pwrite(file, text, strlen(text), at), (ssize_t)strlen(text));
}

static const char *content(struct fixture *fixture)
{
    static char text[256];
    int file = open(fixture->file, O_RDONLY);
    if (file < 0)
        return "(no file)";
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    close(file);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* A file with durable content and name. */
static void durable_file(struct fixture *fixture, const char *text)
{
    int file = open_file(fixture, O_CREAT);
    write_text(file, text, 0);
    cr_assert_eq(fdatasync(file), 0);
    close(file);
    sync_folder(fixture);
}

static void power_cut(struct fixture *fixture, enum disk_fate fate)
{
    disk_unplug(fixture->disk);
    disk_plug(fixture->disk, fate);
}

Test(disk_model, what_was_not_synced_is_gone_after_a_power_cut_and_what_was_is_there)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    durable_file(&fixture, "first");
    int file = open_file(&fixture, 0);
    write_text(file, "SECOND, longer", 0);
    cr_expect_str_eq(content(&fixture), "SECOND, longer");
    close(file);
    power_cut(&fixture, DISK_KEEP_NONE);
    cr_expect_str_eq(content(&fixture), "first");
    fixture_close(&fixture);
}

Test(disk_model, what_the_cache_wrote_back_in_time_is_there)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    durable_file(&fixture, "first");
    int file = open_file(&fixture, 0);
    write_text(file, "SECOND", 0);
    close(file);
    power_cut(&fixture, DISK_KEEP_ALL);
    cr_expect_str_eq(content(&fixture), "SECOND");
    fixture_close(&fixture);
}

Test(disk_model, a_process_that_dies_alone_loses_nothing_but_a_later_power_cut_does)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    durable_file(&fixture, "first");
    int file = open_file(&fixture, 0);
    write_text(file, "SECOND", 0);
    disk_unplug(fixture.disk);
    cr_expect_eq(pwrite(file, "x", 1, 0), -1);
    close(file);
    disk_plug_process(fixture.disk);
    cr_expect_str_eq(content(&fixture), "SECOND");
    power_cut(&fixture, DISK_KEEP_NONE);
    cr_expect_str_eq(content(&fixture), "first");
    fixture_close(&fixture);
}

Test(disk_model, an_unplugged_disk_takes_nothing_and_says_so)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    durable_file(&fixture, "first");
    int file = open_file(&fixture, 0);
    disk_unplug(fixture.disk);
    cr_expect_eq(pwrite(file, "x", 1, 0), -1);
    cr_expect_eq(errno, EIO);
    cr_expect_eq(fdatasync(file), -1);
    cr_expect_eq(ftruncate(file, 0), -1);
    cr_expect_eq(posix_fallocate(file, 0, 9999), EIO);
    cr_expect_eq(unlink(fixture.file), -1);
    close(file);
    disk_plug(fixture.disk, DISK_KEEP_ALL);
    cr_expect_str_eq(content(&fixture), "first");
    fixture_close(&fixture);
}

Test(disk_model, a_write_through_a_synced_descriptor_is_durable_alone)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    durable_file(&fixture, "aaaaaaaaaa");
    int cached = open_file(&fixture, 0), synced = open_file(&fixture, O_DSYNC);
    write_text(cached, "bbbbbbbbbb", 0);
    write_text(synced, "CC", 4);
    write_text(cached, "d", 5);
    close(cached);
    close(synced);
    power_cut(&fixture, DISK_KEEP_NONE);
    cr_expect_str_eq(content(&fixture), "aaaaCCaaaa");
    fixture_close(&fixture);
}

Test(disk_model, a_failed_sync_is_not_made_good_by_a_later_one)
{
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 32; seed++) {
        struct fixture fixture;
        fixture_open(&fixture, seed);
        durable_file(&fixture, "first");
        int file = open_file(&fixture, 0);
        write_text(file, "SECON", 0);
        disk_fail_next(fixture.disk, DISK_SYNC, EIO);
        cr_expect_eq(fdatasync(file), -1);
        cr_expect_eq(errno, EIO);
        write_text(file, "!", 5);
        cr_expect_eq(fdatasync(file), 0);
        close(file);
        power_cut(&fixture, DISK_KEEP_NONE);
        lost += strcmp(content(&fixture), "first!") == 0;
        fixture_close(&fixture);
    }
    cr_expect(lost > 5 && lost < 27, "%u", lost);
}

Test(disk_model, a_fault_that_was_asked_for_is_forgotten_when_the_disk_is_healthy_again)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    durable_file(&fixture, "first");
    disk_fail_next(fixture.disk, DISK_SYNC, EIO);
    disk_set_faults(fixture.disk, &(struct disk_faults){ 0 });
    int file = open_file(&fixture, 0);
    cr_expect_eq(fdatasync(file), 0);
    close(file);
    fixture_close(&fixture);
}

Test(disk_model, a_name_is_durable_by_a_sync_of_its_folder_and_not_by_one_of_the_file)
{
    struct fixture fixture;
    fixture_open(&fixture, 1);
    int file = open_file(&fixture, O_CREAT);
    write_text(file, "new", 0);
    cr_assert_eq(fdatasync(file), 0);
    close(file);
    power_cut(&fixture, DISK_KEEP_NONE);
    cr_expect_str_eq(content(&fixture), "(no file)");
    fixture_close(&fixture);
}

Test(disk_model, what_a_rename_replaced_comes_back_until_the_folder_is_synced)
{
    struct fixture fixture;
    char aside[FOLDER_PATH_SIZE];
    for (int synced = 0; synced < 2; synced++) {
        fixture_open(&fixture, 1);
        durable_file(&fixture, "old");
        folder_path(aside, fixture.folder, "aside");
        int file = open(aside, O_WRONLY | O_CREAT, 0600);
        write_text(file, "new", 0);
        cr_assert_eq(fsync(file), 0);
        close(file);
        cr_assert_eq(rename(aside, fixture.file), 0);
        if (synced)
            sync_folder(&fixture);
        power_cut(&fixture, DISK_KEEP_NONE);
        cr_expect_str_eq(content(&fixture), synced ? "new" : "old");
        cr_expect_neq(access(aside, F_OK), 0);
        fixture_close(&fixture);
    }
}

Test(disk_model, what_was_unlinked_comes_back_until_the_folder_is_synced)
{
    struct fixture fixture;
    for (int synced = 0; synced < 2; synced++) {
        fixture_open(&fixture, 1);
        durable_file(&fixture, "old");
        cr_assert_eq(unlink(fixture.file), 0);
        if (synced)
            sync_folder(&fixture);
        power_cut(&fixture, DISK_KEEP_NONE);
        cr_expect_str_eq(content(&fixture), synced ? "(no file)" : "old");
        fixture_close(&fixture);
    }
}

Test(disk_model, names_are_lost_from_the_newest_on)
{
    for (uint64_t seed = 0; seed < 64; seed++) {
        struct fixture fixture;
        char name[FOLDER_PATH_SIZE], number[2] = "0";
        bool missing = false;
        fixture_open(&fixture, seed);
        for (number[0] = '0'; number[0] <= '9'; number[0]++) {
            folder_path(name, fixture.folder, number);
            close(open(name, O_WRONLY | O_CREAT, 0600));
        }
        power_cut(&fixture, DISK_KEEP_PAGES);
        for (number[0] = '0'; number[0] <= '9'; number[0]++) {
            folder_path(name, fixture.folder, number);
            bool there = access(name, F_OK) == 0;
            cr_expect(!there || !missing);
            missing |= !there;
        }
        fixture_close(&fixture);
    }
}

/* ---- room ---- */

Test(disk_model, a_full_disk_takes_what_fits_says_enospc_and_recovers)
{
    struct fixture fixture;
    struct statvfs space;
    uint8_t data[8192] = { 1 };
    fixture_open(&fixture, 1);
    disk_set_capacity(fixture.disk, 12 * 1024);
    int file = open_file(&fixture, O_CREAT);
    cr_expect_eq(pwrite(file, data, sizeof data, 0), 8192);
    cr_expect_eq(fstatvfs(file, &space), 0);
    cr_expect_eq(space.f_bavail * space.f_frsize, 4096);
    cr_expect_eq(pwrite(file, data, sizeof data, 8192), 4096);
    cr_expect_eq(pwrite(file, data, sizeof data, 12288), -1);
    cr_expect_eq(errno, ENOSPC);
    cr_expect_eq(posix_fallocate(file, 0, 20000), ENOSPC);
    cr_expect_eq(pwrite(file, data, sizeof data, 0), 8192, "what is there can be written again");
    disk_set_capacity(fixture.disk, 0);
    cr_expect_eq(posix_fallocate(file, 0, 20000), 0);
    cr_expect_eq(disk_used(fixture.disk), 20000);
    close(file);
    power_cut(&fixture, DISK_KEEP_NONE);
    cr_expect_eq(disk_used(fixture.disk), 0);
    fixture_close(&fixture);
}

/* ---- against a plain model ---- */

/* What each byte may be after a crash: the durable value first, then every one written since. */
struct model {
    uint8_t values[FILE_SIZE_MAX][HISTORY_MAX];
    uint8_t count[FILE_SIZE_MAX];
    uint8_t now[FILE_SIZE_MAX];
    size_t size, size_durable, size_least, size_most;
};

static void model_byte(struct model *model, size_t at, uint8_t value, bool durable)
{
    model->now[at] = value;
    if (durable)
        model->count[at] = 0;
    if (model->count[at] < HISTORY_MAX)
        model->values[at][model->count[at]++] = value;
}

static void model_size(struct model *model, size_t size)
{
    for (size_t i = size; i < model->size; i++)
        model_byte(model, i, 0, false);
    model->size = size;
    if (size < model->size_least)
        model->size_least = size;
    if (size > model->size_most)
        model->size_most = size;
}

static void model_sync(struct model *model)
{
    for (size_t i = 0; i < FILE_SIZE_MAX; i++)
        model_byte(model, i, model->now[i], true);
    model->size_durable = model->size_least = model->size_most = model->size;
}

static bool model_allows(const struct model *model, size_t at, uint8_t value)
{
    for (size_t i = 0; i < model->count[at]; i++)
        if (model->values[at][i] == value)
            return true;
    return value == 0; /* beyond an end that moved, there are holes */
}

static void random_step(struct model *model, struct random *random, int file, int synced_file)
{
    static uint8_t data[8192];
    uint32_t what = random_below(random, 20);
    size_t size = 1 + random_below(random, random_chance(random, 0.5) ? 600 : sizeof data);
    size_t at = random_below(random, (uint32_t)(FILE_SIZE_MAX - size));
    if (what < 14) {
        bool synced = what < 2 && at + size <= model->size_durable && model->size_least == model->size_most;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)random_next(random);
        cr_assert_eq(pwrite(synced ? synced_file : file, data, size, (off_t)at), (ssize_t)size);
        if (at + size > model->size)
            model_size(model, at + size);
        for (size_t i = 0; i < size; i++)
            model_byte(model, at + i, data[i], synced);
    } else if (what < 16) {
        cr_assert_eq(ftruncate(file, (off_t)at), 0);
        model_size(model, at);
    } else if (what < 18) {
        cr_assert_eq(fdatasync(file), 0);
        model_sync(model);
    }
}

static size_t model_compare(const struct model *model, struct fixture *fixture,
                            enum disk_fate fate)
{
    static uint8_t found[FILE_SIZE_MAX];
    int file = open_file(fixture, 0);
    struct stat status;
    cr_assert_eq(fstat(file, &status), 0);
    size_t size = (size_t)status.st_size, wrong = 0;
    memset(found, 0, sizeof found);
    cr_assert_eq(pread(file, found, size, 0), (ssize_t)size);
    close(file);
    if (fate == DISK_KEEP_NONE || fate == DISK_KEEP_ALL)
        wrong += size != (fate == DISK_KEEP_NONE ? model->size_durable : model->size);
    wrong += size > model->size_most;
    for (size_t i = 0; i < size; i++)
        if (fate == DISK_KEEP_NONE)
            wrong += found[i] != model->values[i][0];
        else if (fate == DISK_KEEP_ALL)
            wrong += found[i] != model->now[i];
        else
            wrong += !model_allows(model, i, found[i]);
    return wrong;
}

Test(disk_model, after_any_writes_syncs_and_a_crash_each_byte_is_one_that_it_may_be)
{
    static struct model model;
    struct disk_counters total = { 0 };
    for (uint64_t seed = 0; seed < 600; seed++) {
        struct fixture fixture;
        struct random random = random_of(seed, 1, 1);
        enum disk_fate fate = (enum disk_fate)(seed % DISK_FATE_COUNT);
        fixture_open(&fixture, seed);
        durable_file(&fixture, "");
        memset(&model, 0, sizeof model);
        model_sync(&model);
        int file = open_file(&fixture, 0), synced = open_file(&fixture, O_DSYNC);
        for (uint32_t steps = random_below(&random, 20); steps > 0; steps--)
            random_step(&model, &random, file, synced);
        close(file);
        close(synced);
        power_cut(&fixture, fate);
        cr_assert_eq(model_compare(&model, &fixture, fate), 0, "seed %d, fate %d", (int)seed,
                     (int)fate);
        total.writes_lost += disk_counters(fixture.disk)->writes_lost;
        total.writes_torn += disk_counters(fixture.disk)->writes_torn;
        fixture_close(&fixture);
    }
    cr_expect_gt(total.writes_lost, 100);
    cr_expect_gt(total.writes_torn, 100);
}

Test(disk_model, the_same_seed_leaves_the_same_bytes)
{
    char first[256] = "";
    for (int run = 0; run < 2; run++) {
        struct fixture fixture;
        char text[256];
        fixture_open(&fixture, 42);
        durable_file(&fixture, "0000000000000000000000000000000000000000");
        int file = open_file(&fixture, 0);
        for (int i = 0; i < 40; i++)
            write_text(file, "1", i);
        close(file);
        power_cut(&fixture, DISK_KEEP_WRITES);
        snprintf(text, sizeof text, "%s", content(&fixture));
        if (run == 0)
            memcpy(first, text, sizeof first);
        cr_expect_str_eq(text, first);
        fixture_close(&fixture);
    }
}

/* ---- copies ---- */

Test(disk_model, a_snapshot_is_what_a_crash_would_leave_and_the_disk_goes_on)
{
    struct fixture fixture;
    char copy[FOLDER_PATH_SIZE], file_in_copy[FOLDER_PATH_SIZE];
    char text[16] = "";
    fixture_open(&fixture, 1);
    durable_file(&fixture, "first");
    snprintf(copy, sizeof copy, "%.400s.copy", fixture.folder);
    int file = open_file(&fixture, 0);
    write_text(file, "SECON", 0);
    cr_assert_eq(disk_snapshot(fixture.disk, copy, DISK_KEEP_NONE), OK);
    folder_path(file_in_copy, copy, "data");
    int copied = open(file_in_copy, O_RDONLY);
    cr_expect_eq(pread(copied, text, sizeof text, 0), 5);
    cr_expect_str_eq(text, "first");
    close(copied);
    cr_expect_str_eq(content(&fixture), "SECON");
    cr_assert_eq(fdatasync(file), 0);
    close(file);
    power_cut(&fixture, DISK_KEEP_NONE);
    cr_expect_str_eq(content(&fixture), "SECON");
    cr_assert_eq(disk_restore(fixture.disk, copy), OK);
    cr_expect_str_eq(content(&fixture), "first");
    cr_assert_eq(disk_restore(fixture.disk, ""), OK);
    cr_expect_str_eq(content(&fixture), "(no file)");
    folder_remove(copy);
    fixture_close(&fixture);
}
