/* A real LMDB store on the simulated disk: crashed at random calls, thousands of times. */
#include "storage/store.h"
#include "tests/sim/disk.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const names[] = { "groups", "heads" };
enum { GROUPS, HEADS, HEAD_COUNT = 50, VALUE_SIZE_MAX = 9000 };

struct rig {
    char folder[FOLDER_PATH_SIZE], store_path[FOLDER_PATH_SIZE];
    struct disk *disk;
    struct store *store;
    struct random random;
    uint32_t acknowledged; /* groups 0 … acknowledged - 1 were committed with OK */
    uint32_t calls_left;   /* until the power fails; 0: it does not */
    unsigned violations, in_flight_kept;
};

/* The power fails at the n-th call that changes anything. */
static void rig_on_begin(void *context, const struct disk_call *call)
{
    struct rig *rig = context;
    if (call->action != DISK_READ && rig->calls_left > 0 && --rig->calls_left == 0)
        disk_unplug(call->disk);
}

static void rig_open(struct rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    rig->random = random_of(seed, 2, 2);
    folder_make(rig->folder);
    folder_path(rig->store_path, rig->folder, "log");
    cr_assert_eq(disk_new(&rig->disk, &(struct disk_options){ .path = rig->folder,
                                                              .seed = seed,
                                                              .on_begin = rig_on_begin,
                                                              .context = rig }),
                 OK);
}

static void rig_close(struct rig *rig)
{
    store_close(rig->store);
    disk_free(rig->disk);
    folder_remove(rig->folder);
}

static enum err rig_open_store(struct rig *rig)
{
    struct store_options options = { .path = rig->store_path,
                                     .tables = names,
                                     .table_count = 2,
                                     .map_size = 8 << 20,
                                     .reserve_size = 64 << 10 };
    return store_open(&rig->store, &options);
}

static struct bytes number_key(uint32_t number)
{
    static uint8_t key[4];
    key[0] = (uint8_t)(number >> 24);
    key[1] = (uint8_t)(number >> 16);
    key[2] = (uint8_t)(number >> 8);
    key[3] = (uint8_t)number;
    return BYTES_OF_ARRAY(key);
}

static struct bytes group_value(uint32_t group)
{
    static uint8_t value[VALUE_SIZE_MAX];
    struct random random = random_of(group, 3, 3);
    size_t size = 1 + random_below(&random, random_chance(&random, 0.3) ? VALUE_SIZE_MAX : 400);
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)random_next(&random);
    return bytes_of(value, size);
}

/* One group: its value, and some heads that are written again and again. */
static enum err put_group(struct rig *rig, uint32_t group)
{
    struct store_txn txn = store_begin_write(rig->store);
    store_append(&txn, GROUPS, number_key(group), group_value(group));
    for (uint32_t i = 0; i < HEAD_COUNT; i += 1 + group % 5) {
        uint32_t value = group;
        store_put(&txn, HEADS, number_key(i), bytes_of(&value, sizeof value));
    }
    return store_commit(&txn);
}

static uint32_t expected_head(uint32_t head, uint32_t count)
{
    for (uint32_t group = count; group-- > 0;)
        if (head % (1 + group % 5) == 0)
            return group;
    return UINT32_MAX;
}

/* The number of groups held; adds a violation for anything that is not exactly them. */
static uint32_t judge_content(struct rig *rig)
{
    struct store_txn txn = store_begin_read(rig->store);
    struct bytes value;
    uint32_t count = (uint32_t)store_count(&txn, GROUPS);
    for (uint32_t i = 0; i < count; i++)
        if (store_get(&txn, GROUPS, number_key(i), &value) != OK ||
            !bytes_equal(value, group_value(i)))
            rig->violations++;
    for (uint32_t i = 0; i < HEAD_COUNT && count > 0; i++) {
        uint32_t expected = expected_head(i, count), found = UINT32_MAX;
        if (store_get(&txn, HEADS, number_key(i), &value) == OK && value.size == sizeof found)
            memcpy(&found, value.data, sizeof found);
        rig->violations += found != expected;
    }
    rig->violations += txn.err != OK;
    store_abort(&txn);
    return count;
}

static void judge(struct rig *rig, enum disk_fate fate)
{
    if (rig_open_store(rig) != OK) {
        rig->violations++;
        return;
    }
    uint32_t count = judge_content(rig);
    if (count < rig->acknowledged || count > rig->acknowledged + 1 ||
        (fate == DISK_KEEP_NONE && count != rig->acknowledged))
        rig->violations++;
    rig->in_flight_kept += count == rig->acknowledged + 1;
    rig->acknowledged = count;
}

/* Some groups, a power cut somewhere in them (or in the opening), and the judgement. */
static void crash_once(struct rig *rig)
{
    enum disk_fate fate = disk_draw_fate(rig->disk);
    rig->calls_left = 1 + random_below(&rig->random, 60);
    enum err err = rig->store ? OK : rig_open_store(rig);
    while (err == OK && !disk_is_unplugged(rig->disk)) {
        err = put_group(rig, rig->acknowledged);
        rig->acknowledged += err == OK;
    }
    store_close(rig->store);
    rig->store = NULL;
    rig->calls_left = 0;
    disk_plug(rig->disk, fate);
    judge(rig, fate);
    if (rig->store && random_chance(&rig->random, 0.5)) {
        store_close(rig->store);
        rig->store = NULL;
    }
}

static void run_crashes(uint64_t first_seed, unsigned seeds, unsigned crashes,
                        const struct disk_faults *faults, struct rig *total)
{
    memset(total, 0, sizeof *total);
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        struct rig rig;
        rig_open(&rig, seed);
        disk_set_faults(rig.disk, faults);
        for (unsigned i = 0; i < crashes && rig.violations == 0; i++)
            crash_once(&rig);
        total->violations += rig.violations;
        total->in_flight_kept += rig.in_flight_kept;
        total->acknowledged += rig.acknowledged;
        if (rig.violations > 0)
            fprintf(stderr, "seed %llu: %u violations\n", (unsigned long long)seed,
                    rig.violations);
        rig_close(&rig);
    }
}

Test(disk_store, after_4000_power_cuts_a_store_holds_what_was_committed_and_at_most_the_group_in_flight)
{
    struct rig total;
    run_crashes(1, 400, 10, &(struct disk_faults){ 0 }, &total);
    cr_expect_eq(total.violations, 0);
    cr_expect_gt(total.in_flight_kept, 5, "a group in flight survives now and then");
    cr_expect_gt(total.acknowledged, 4000);
}

/* The disk must be able to show a store that does not sync: here every sync lies. */
Test(disk_store, a_store_whose_syncs_do_nothing_is_found_out)
{
    struct disk_faults faults = { .lying_sync = 1 };
    unsigned found = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        fflush(NULL);
        pid_t child = fork(); /* LMDB may end the process on what it finds */
        if (child == 0) {
            struct rig total;
            fclose(stderr);
            run_crashes(seed, 1, 10, &faults, &total);
            _exit(total.violations > 0);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        found += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    cr_expect_geq(found, 30, "%u of 40", found);
}

/* I10 at the seam: after an error nothing more is committed in this process, and what was is there. */
Test(disk_store, after_an_injected_error_no_group_is_lost_or_half_there)
{
    static const struct disk_faults kinds[] = { { .write_error = 0.02 }, { .sync_error = 0.1 },
                                                { .short_write = 0.02 }, { .no_room = 0.02 },
                                                { .interrupted = 0.1 } };
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        uint64_t errors = 0;
        for (uint64_t seed = 0; seed < 60; seed++) {
            struct rig rig;
            rig_open(&rig, seed);
            cr_assert_eq(rig_open_store(&rig), OK);
            disk_set_faults(rig.disk, &kinds[kind]);
            enum err err = OK;
            for (unsigned i = 0; i < 20; i++) {
                enum err now = put_group(&rig, rig.acknowledged);
                cr_assert(err == OK || err == ERR_FULL || now != OK, "went on after %s",
                          err_name(err));
                rig.acknowledged += now == OK;
                err = now == OK ? err : now;
            }
            store_close(rig.store);
            rig.store = NULL;
            disk_set_faults(rig.disk, &(struct disk_faults){ 0 });
            disk_unplug(rig.disk);
            disk_plug(rig.disk, disk_draw_fate(rig.disk));
            judge(&rig, DISK_KEEP_ALL);
            cr_assert_eq(rig.violations, 0, "kind %zu, seed %d", kind, (int)seed);
            errors += disk_counters(rig.disk)->errors;
            rig_close(&rig);
        }
        cr_expect_gt(errors, 20, "kind %zu: %d errors", kind, (int)errors);
    }
}

Test(disk_store, a_full_disk_refuses_groups_and_takes_them_again_when_there_is_room)
{
    struct rig rig;
    rig_open(&rig, 1);
    cr_assert_eq(rig_open_store(&rig), OK);
    disk_set_capacity(rig.disk, disk_used(rig.disk) + (200 << 10));
    enum err err = OK;
    for (unsigned i = 0; i < 1000 && err == OK; i++) {
        err = put_group(&rig, rig.acknowledged);
        rig.acknowledged += err == OK;
    }
    cr_expect_eq(err, ERR_FULL);
    disk_set_capacity(rig.disk, 0);
    cr_expect_eq(put_group(&rig, rig.acknowledged++), OK);
    cr_expect_eq(judge_content(&rig), rig.acknowledged);
    cr_expect_eq(rig.violations, 0);
    rig_close(&rig);
}

Test(disk_store, a_snapshot_of_a_running_store_opens_with_what_was_committed)
{
    struct rig rig;
    char copy[FOLDER_PATH_SIZE];
    rig_open(&rig, 1);
    cr_assert_eq(rig_open_store(&rig), OK);
    for (; rig.acknowledged < 30; rig.acknowledged++)
        cr_assert_eq(put_group(&rig, rig.acknowledged), OK);
    snprintf(copy, sizeof copy, "%.400s.copy", rig.folder);
    cr_assert_eq(disk_snapshot(rig.disk, copy, DISK_KEEP_SECTORS), OK);
    cr_assert_eq(put_group(&rig, 30), OK);
    store_close(rig.store);
    rig.store = NULL;
    cr_assert_eq(disk_restore(rig.disk, copy), OK);
    judge(&rig, DISK_KEEP_NONE);
    cr_expect_eq(rig.violations, 0);
    cr_expect_eq(rig.acknowledged, 30);
    folder_remove(copy);
    rig_close(&rig);
}

static void rig_fill(struct rig *rig)
{
    rig_open(rig, 1);
    cr_assert_eq(rig_open_store(rig), OK);
    for (; rig->acknowledged < 100; rig->acknowledged++)
        cr_assert_eq(put_group(rig, rig->acknowledged), OK);
}

Test(disk_store, a_flipped_bit_lies_in_one_value_and_the_store_stays_readable)
{
    struct rig rig;
    unsigned changed = 0;
    rig_fill(&rig);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t offset;
        cr_assert(disk_flip(rig.disk, "log/data.mdb", 4, 300, &offset));
    }
    struct store_txn txn = store_begin_read(rig.store);
    for (uint32_t i = 0; i < 100; i++) {
        struct bytes value;
        cr_assert_eq(store_get(&txn, GROUPS, number_key(i), &value), OK);
        struct bytes expected = group_value(i);
        cr_assert_eq(value.size, expected.size);
        changed += !bytes_equal(value, expected);
        cr_expect(expected.size >= 300 || bytes_equal(value, expected));
    }
    store_abort(&txn);
    cr_expect_gt(changed, 20);
    rig_close(&rig);
}

Test(disk_store, a_misdirected_write_lies_in_one_large_value_and_the_store_stays_usable)
{
    struct rig rig;
    unsigned done = 0, changed = 0;
    rig_fill(&rig);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t offset;
        done += disk_misdirect(rig.disk, "log/data.mdb", 4, 300, &offset);
    }
    cr_expect_gt(done, 5);
    struct store_txn txn = store_begin_read(rig.store);
    for (uint32_t i = 0; i < 100; i++) {
        struct bytes value;
        cr_assert_eq(store_get(&txn, GROUPS, number_key(i), &value), OK);
        struct bytes expected = group_value(i);
        cr_assert_eq(value.size, expected.size);
        bool same = bytes_equal(value, expected);
        changed += !same;
        cr_expect(same || expected.size >= 496, "the first sector of a page is spared");
    }
    store_abort(&txn);
    cr_expect_gt(changed, 3);
    cr_expect_eq(put_group(&rig, 100), OK);
    rig_close(&rig);
}
