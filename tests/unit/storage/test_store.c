#include "storage/store.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define S(literal) bytes_of_string(literal)

static const char *const names[] = { "one", "two" };
enum { ONE, TWO };

struct fixture {
    char folder[FOLDER_PATH_SIZE];
    struct store_options options;
    struct store *store;
};

static void fixture_open(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    folder_make(fixture->folder);
    fixture->options = (struct store_options){
        .path = fixture->folder, .tables = names, .table_count = 2, .map_size = 4 << 20
    };
    cr_assert_eq(store_open(&fixture->store, &fixture->options), OK);
}

static enum err fixture_reopen(struct fixture *fixture)
{
    store_close(fixture->store);
    return store_open(&fixture->store, &fixture->options);
}

static void fixture_close(struct fixture *fixture)
{
    store_close(fixture->store);
    folder_remove(fixture->folder);
}

static void put_one(struct store *store, const char *key, const char *value)
{
    struct store_txn txn = store_begin_write(store);
    store_put(&txn, ONE, S(key), S(value));
    cr_assert_eq(store_commit(&txn), OK);
}

static enum err get_one(struct store *store, const char *key, char *out)
{
    struct bytes value;
    struct store_txn txn = store_begin_read(store);
    enum err err = store_get(&txn, ONE, S(key), &value);
    if (err == OK) {
        memcpy(out, value.data, value.size);
        out[value.size] = '\0';
    }
    store_abort(&txn);
    return err;
}

Test(store, what_was_committed_is_there_after_opening_again)
{
    struct fixture fixture;
    char value[64];
    fixture_open(&fixture);
    put_one(fixture.store, "key", "value");
    cr_assert_eq(fixture_reopen(&fixture), OK);
    cr_assert_eq(get_one(fixture.store, "key", value), OK);
    cr_assert_str_eq(value, "value");
    cr_assert_eq(get_one(fixture.store, "other", value), ERR_NOT_FOUND);
    fixture_close(&fixture);
}

Test(store, an_aborted_transaction_leaves_nothing_and_is_counted)
{
    struct fixture fixture;
    char value[64];
    fixture_open(&fixture);
    uint64_t before = store_abort_count(fixture.store);
    struct store_txn txn = store_begin_write(fixture.store);
    store_put(&txn, ONE, S("key"), S("value"));
    store_abort(&txn);
    cr_assert_eq(get_one(fixture.store, "key", value), ERR_NOT_FOUND);
    cr_assert_eq(store_abort_count(fixture.store), before + 1);
    put_one(fixture.store, "key", "value");
    cr_assert_eq(store_abort_count(fixture.store), before + 1);
    fixture_close(&fixture);
}

Test(store, the_first_error_of_a_transaction_stays_and_nothing_is_written)
{
    struct fixture fixture;
    struct bytes value;
    char text[64];
    fixture_open(&fixture);
    struct store_txn txn = store_begin_write(fixture.store);
    store_put(&txn, ONE, S("key"), S("value"));
    txn.err = ERR_CORRUPT;
    store_put(&txn, ONE, S("key"), S("value"));
    cr_assert_null(store_reserve(&txn, ONE, S("key"), 10, false));
    cr_assert_eq(store_get(&txn, ONE, S("key"), &value), ERR_CORRUPT);
    cr_assert_eq(store_commit(&txn), ERR_CORRUPT);
    cr_assert_eq(get_one(fixture.store, "key", text), ERR_NOT_FOUND);
    fixture_close(&fixture);
}

Test(store, append_takes_keys_in_any_order_and_reserve_is_filled_in_place)
{
    struct fixture fixture;
    struct bytes value;
    fixture_open(&fixture);
    struct store_txn txn = store_begin_write(fixture.store);
    store_append(&txn, ONE, S("b"), S("2"));
    store_append(&txn, ONE, S("a"), S("1"));
    store_append(&txn, ONE, S("b"), S("two"));
    memset(store_reserve(&txn, ONE, S("c"), 10000, true), 'c', 10000);
    memset(store_reserve(&txn, ONE, S("aa"), 3, true), 'a', 3);
    cr_assert_eq(store_commit(&txn), OK);
    txn = store_begin_read(fixture.store);
    cr_assert_eq(store_count(&txn, ONE), 4);
    cr_assert_eq(store_get(&txn, ONE, S("b"), &value), OK);
    cr_assert(bytes_equal(value, S("two")));
    cr_assert_eq(store_get(&txn, ONE, S("aa"), &value), OK);
    cr_assert(bytes_equal(value, S("aaa")));
    cr_assert_eq(store_get(&txn, ONE, S("c"), &value), OK);
    cr_assert_eq(value.size, 10000);
    cr_assert_eq(value.data[9999], 'c');
    store_abort(&txn);
    fixture_close(&fixture);
}

Test(store, delete_and_drop_take_away_only_what_they_name)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct store_txn txn = store_begin_write(fixture.store);
    store_put(&txn, ONE, S("a"), S("1"));
    store_put(&txn, ONE, S("b"), S("1"));
    store_put(&txn, TWO, S("a"), S("1"));
    store_delete(&txn, ONE, S("a"));
    store_delete(&txn, ONE, S("absent"));
    store_drop(&txn, TWO);
    cr_assert_eq(txn.changes, 6);
    cr_assert_eq(store_commit(&txn), OK);
    txn = store_begin_read(fixture.store);
    cr_assert_eq(store_count(&txn, ONE), 1);
    cr_assert_eq(store_count(&txn, TWO), 0);
    store_abort(&txn);
    fixture_close(&fixture);
}

static void expect_at(enum err err, struct bytes key, const char *expected)
{
    if (expected) {
        cr_assert_eq(err, OK);
        cr_assert(bytes_equal(key, S(expected)));
    } else {
        cr_assert_eq(err, ERR_END);
    }
}

Test(store, a_cursor_finds_neighbours_in_both_directions)
{
    struct fixture fixture;
    struct bytes key, value;
    fixture_open(&fixture);
    put_one(fixture.store, "b", "1");
    put_one(fixture.store, "d", "2");
    struct store_txn txn = store_begin_read(fixture.store);
    struct store_cursor cursor = store_cursor_open(&txn, ONE);
    expect_at(store_cursor_seek(&cursor, BYTES_NONE, &key, &value), key, "b");
    expect_at(store_cursor_seek(&cursor, S("c"), &key, &value), key, "d");
    expect_at(store_cursor_previous(&cursor, &key, &value), key, "b");
    expect_at(store_cursor_previous(&cursor, &key, &value), key, NULL);
    expect_at(store_cursor_seek(&cursor, S("d"), &key, &value), key, "d");
    expect_at(store_cursor_next(&cursor, &key, &value), key, NULL);
    expect_at(store_cursor_seek(&cursor, S("e"), &key, &value), key, NULL);
    expect_at(store_cursor_seek_before(&cursor, S("e"), &key, &value), key, "d");
    expect_at(store_cursor_seek_before(&cursor, S("d"), &key, &value), key, "b");
    expect_at(store_cursor_seek_before(&cursor, S("b"), &key, &value), key, NULL);
    store_cursor_close(&cursor);
    cursor = store_cursor_open(&txn, TWO);
    expect_at(store_cursor_seek_before(&cursor, S("x"), &key, &value), key, NULL);
    store_cursor_close(&cursor);
    store_abort(&txn);
    fixture_close(&fixture);
}

Test(store, a_reader_keeps_its_snapshot_while_others_write)
{
    struct fixture fixture;
    struct bytes value;
    fixture_open(&fixture);
    put_one(fixture.store, "key", "old");
    struct store_txn reader = store_begin_read(fixture.store);
    put_one(fixture.store, "key", "new");
    cr_assert_eq(store_get(&reader, ONE, S("key"), &value), OK);
    cr_assert(bytes_equal(value, S("old")));
    store_abort(&reader);
    fixture_close(&fixture);
}

/* ---- opening --------------------------------------------------------------------------------- */

Test(store, an_absent_store_is_not_made_by_a_reader_or_under_must_exist)
{
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    struct store *store;
    folder_make(folder);
    folder_path(path, folder, "store");
    struct store_options options = {
        .path = path, .tables = names, .table_count = 2, .map_size = 1 << 20, .read_only = true
    };
    cr_assert_eq(store_open(&store, &options), ERR_NOT_FOUND);
    options.read_only = false;
    options.must_exist = true;
    cr_assert_eq(store_open(&store, &options), ERR_NOT_FOUND);
    cr_assert_neq(access(path, F_OK), 0);
    folder_remove(folder);
}

Test(store, folder_and_files_are_readable_by_their_owner_only)
{
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE], file[FOLDER_PATH_SIZE];
    struct store *store;
    struct stat status;
    folder_make(folder);
    folder_path(path, folder, "store");
    folder_path(file, path, "data.mdb");
    struct store_options options = {
        .path = path, .tables = names, .table_count = 2, .map_size = 1 << 20
    };
    cr_assert_eq(store_open(&store, &options), OK);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0700);
    cr_assert_eq(stat(file, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    store_close(store);
    folder_remove(folder);
}

Test(store, files_that_are_no_store_or_cut_short_are_refused)
{
    struct fixture fixture;
    char file[FOLDER_PATH_SIZE];
    fixture_open(&fixture);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        put_one(fixture.store, key, "some value that makes the file grow a little with each one");
    }
    store_close(fixture.store);
    folder_path(file, fixture.folder, "data.mdb");
    cr_assert_eq(truncate(file, 3 * 4096), 0); /* row 12: its pages would end in SIGBUS */
    cr_assert_eq(store_open(&fixture.store, &fixture.options), ERR_CORRUPT);
    cr_assert_eq(truncate(file, 0), 0); /* LMDB alone would begin a new one in it */
    cr_assert_eq(store_open(&fixture.store, &fixture.options), ERR_CORRUPT);
    int data = open(file, O_WRONLY | O_TRUNC);
    for (int i = 0; i < 4096; i++)
        cr_assert_eq(write(data, "no store", 8), 8);
    close(data);
    cr_assert_eq(store_open(&fixture.store, &fixture.options), ERR_CORRUPT);
    folder_remove(fixture.folder);
}

/* Runs `what` in a process of its own; its result is the exit code. */
static int in_child(int (*what)(struct fixture *), struct fixture *fixture)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(what(fixture));
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_for_writing(struct fixture *fixture)
{
    struct store *store;
    return (int)store_open(&store, &fixture->options);
}

static int write_and_exit(struct fixture *fixture)
{
    struct store *store;
    if (store_open(&store, &fixture->options) != OK)
        return 1;
    struct store_txn txn = store_begin_write(store);
    for (int i = 0; i < 64; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        uint8_t *room = store_reserve(&txn, ONE, S(key), 1 << 18, false);
        if (room)
            memset(room, 1, 1 << 18);
        if (txn.err == ERR_MAP_FULL) { /* as the log thread does it: abort, grow, again */
            store_abort(&txn);
            if (store_grow(store) != OK)
                return 2;
            txn = store_begin_write(store);
            i = -1;
        }
    }
    return store_commit(&txn) == OK ? 0 : 3;
}

Test(store, a_second_writing_process_is_refused)
{
    struct fixture fixture;
    fixture_open(&fixture);
    cr_assert_eq(in_child(open_for_writing, &fixture), ERR_BUSY);
    fixture_close(&fixture);
}

Test(store, a_reading_process_follows_what_another_writes_beyond_its_map)
{
    struct fixture fixture;
    struct bytes value;
    fixture_open(&fixture);
    put_one(fixture.store, "first", "1");
    store_close(fixture.store);
    struct store_options reader = fixture.options;
    reader.read_only = true;
    cr_assert_eq(store_open(&fixture.store, &reader), OK);
    cr_assert_eq(in_child(write_and_exit, &fixture), 0);
    struct store_txn txn = store_begin_read(fixture.store);
    cr_assert_eq(store_get(&txn, ONE, S("63"), &value), OK);
    cr_assert_eq(value.size, 1 << 18);
    cr_assert_eq(value.data[value.size - 1], 1);
    store_abort(&txn);
    fixture_close(&fixture);
}

/* ---- growth ---------------------------------------------------------------------------------- */

Test(store, a_full_map_fails_the_transaction_and_grows_between_two)
{
    struct fixture fixture;
    static uint8_t large[1 << 20];
    fixture_open(&fixture);
    put_one(fixture.store, "before", "1");
    cr_assert_not(store_needs_growth(fixture.store, 4096));
    cr_assert(store_needs_growth(fixture.store, 4 << 20));
    struct store_txn txn = store_begin_write(fixture.store);
    for (char key[] = "a"; key[0] < 'f'; key[0]++)
        store_put(&txn, ONE, S(key), BYTES_OF_ARRAY(large));
    cr_assert_eq(txn.err, ERR_MAP_FULL);
    cr_assert_eq(store_commit(&txn), ERR_MAP_FULL);
    cr_assert_eq(store_grow(fixture.store), OK); /* row 18: not poisoned */
    txn = store_begin_write(fixture.store);
    for (char key[] = "a"; key[0] < 'f'; key[0]++)
        store_put(&txn, ONE, S(key), BYTES_OF_ARRAY(large));
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(fixture_reopen(&fixture), OK);
    txn = store_begin_read(fixture.store);
    cr_assert_eq(store_count(&txn, ONE), 6);
    store_abort(&txn);
    fixture_close(&fixture);
}

struct crowd {
    struct store *store;
    atomic_bool stop;
    atomic_uint reads;
    atomic_uint failures;
};

static void *crowd_read(void *context)
{
    struct crowd *crowd = context;
    while (!atomic_load(&crowd->stop)) {
        struct bytes value;
        struct store_txn txn = store_begin_read(crowd->store);
        enum err err = store_get(&txn, ONE, S("key"), &value);
        if (err != OK || !bytes_equal(value, S("value")))
            atomic_fetch_add(&crowd->failures, 1);
        store_abort(&txn);
        atomic_fetch_add(&crowd->reads, 1);
    }
    return NULL;
}

Test(store, readers_on_other_threads_are_not_disturbed_by_growth)
{
    struct fixture fixture;
    fixture_open(&fixture);
    put_one(fixture.store, "key", "value");
    struct crowd crowd = { .store = fixture.store };
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, crowd_read, &crowd);
    while (atomic_load(&crowd.reads) < 100)
        usleep(100);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(store_grow(fixture.store), OK);
        put_one(fixture.store, "key", "value");
    }
    atomic_store(&crowd.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(atomic_load(&crowd.failures), 0);
    fixture_close(&fixture);
}

Test(store, a_copy_is_a_store_with_the_same_content)
{
    struct fixture fixture;
    char copy[FOLDER_PATH_SIZE], value[64];
    fixture_open(&fixture);
    put_one(fixture.store, "key", "value");
    folder_path(copy, fixture.folder, "copy");
    cr_assert_eq(store_copy(fixture.store, copy), OK);
    cr_assert_eq(store_copy(fixture.store, copy), ERR_EXISTS);
    struct store_options options = fixture.options;
    struct store *copied;
    options.path = copy;
    cr_assert_eq(store_open(&copied, &options), OK);
    cr_assert_eq(get_one(copied, "key", value), OK);
    cr_assert_str_eq(value, "value");
    store_close(copied);
    fixture_close(&fixture);
}

/* ---- space ----------------------------------------------------------------------------------- */

Test(store, the_file_is_allocated_ahead_of_use)
{
    struct fixture fixture;
    struct store_space space;
    struct stat status;
    char file[FOLDER_PATH_SIZE];
    fixture_open(&fixture);
    fixture.options.reserve_size = 4 << 20;
    cr_assert_eq(fixture_reopen(&fixture), OK);
    folder_path(file, fixture.folder, "data.mdb");
    for (int i = 0; i < 30; i++) {
        char key[16];
        static uint8_t large[100000];
        snprintf(key, sizeof key, "%d", i);
        struct store_txn txn = store_begin_write(fixture.store);
        store_put(&txn, ONE, S(key), BYTES_OF_ARRAY(large));
        cr_assert_eq(store_commit(&txn), OK);
        cr_assert_eq(store_extend(fixture.store), OK);
        cr_assert_eq(store_space_update(fixture.store, &space), OK);
        cr_assert_eq(stat(file, &status), 0);
        cr_assert(space.file_size >= space.used_size + (7u << 19));
        cr_assert(status.st_blocks * 512 >= (4 << 20));
        cr_assert_not(space.reserve_reached);
    }
    cr_assert(space.used_size > 3000000);
    cr_assert(space.available_size > 4 << 20);
    fixture_close(&fixture);
}

enum { MARKED_FROM = 1 << 20, MARKED_TO = 3 << 20, BLOCK_SIZE = 4096 };

/* Puts a mark where nothing is written yet. */
static void mark_file_ahead(const char *folder)
{
    static uint8_t marks[MARKED_TO - MARKED_FROM];
    char path[FOLDER_PATH_SIZE];
    folder_path(path, folder, "data.mdb");
    int file = open(path, O_WRONLY | O_CLOEXEC);
    memset(marks, 0xee, sizeof marks);
    cr_assert_eq(pwrite(file, marks, sizeof marks, MARKED_FROM), (ssize_t)sizeof marks);
    close(file);
}

/* Blocks of the marked part that are all zero: no page of the store is. */
static size_t zero_block_count(const char *folder)
{
    static const uint8_t zeros[BLOCK_SIZE];
    static uint8_t blocks[MARKED_TO - MARKED_FROM];
    char path[FOLDER_PATH_SIZE];
    size_t count = 0;
    folder_path(path, folder, "data.mdb");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pread(file, blocks, sizeof blocks, MARKED_FROM), (ssize_t)sizeof blocks);
    close(file);
    for (size_t at = 0; at < sizeof blocks; at += BLOCK_SIZE)
        count += memcmp(blocks + at, zeros, BLOCK_SIZE) == 0;
    return count;
}

static void commit_value(struct store *store, uint32_t index, size_t size)
{
    static uint8_t value[200000];
    uint8_t key[4];
    put_u32(key, index);
    memset(value, (int)(index % 251) + 1, size);
    struct store_txn txn = store_begin_write(store);
    store_append(&txn, ONE, BYTES_OF_ARRAY(key), bytes_of(value, size));
    cr_assert_eq(store_commit(&txn), OK);
}

static void expect_value(struct store *store, uint32_t index, size_t size)
{
    uint8_t key[4];
    struct bytes value;
    put_u32(key, index);
    struct store_txn txn = store_begin_read(store);
    cr_assert_eq(store_get(&txn, ONE, BYTES_OF_ARRAY(key), &value), OK);
    cr_assert_eq(value.size, size);
    for (size_t i = 0; i < size; i++)
        cr_assert_eq(value.data[i], index % 251 + 1);
    store_abort(&txn);
}

Test(store, zeros_are_written_above_the_used_pages_and_never_over_one)
{
    enum { COUNT = 300, VALUE_SIZE = 9000 };
    struct fixture fixture;
    size_t most = 0;
    fixture_open(&fixture);
    fixture.options.reserve_size = 8 << 20;
    cr_assert_eq(fixture_reopen(&fixture), OK);
    mark_file_ahead(fixture.folder);
    for (uint32_t i = 0; i < COUNT; i++) {
        if (i == COUNT / 2)
            cr_assert_eq(fixture_reopen(&fixture), OK);
        commit_value(fixture.store, i, VALUE_SIZE);
        cr_assert_eq(store_zero_ahead(fixture.store), OK);
        size_t count = zero_block_count(fixture.folder);
        most = count > most ? count : most;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        expect_value(fixture.store, i, VALUE_SIZE);
    cr_assert(most >= (128 << 10) / BLOCK_SIZE, "%zu", most);
    cr_assert(most <= (512 << 10) / BLOCK_SIZE, "%zu", most);
    fixture_close(&fixture);
}

Test(store, nothing_is_written_ahead_of_large_transactions)
{
    struct fixture fixture;
    fixture_open(&fixture);
    fixture.options.reserve_size = 8 << 20;
    cr_assert_eq(fixture_reopen(&fixture), OK);
    mark_file_ahead(fixture.folder);
    for (uint32_t i = 0; i < 10; i++) {
        commit_value(fixture.store, i, 200000);
        cr_assert_eq(store_zero_ahead(fixture.store), OK);
        cr_assert_eq(zero_block_count(fixture.folder), 0);
    }
    fixture_close(&fixture);
}

/* A limit on the size of files stands in for a full disk: the extension meets it like one. */
static void disk_limit(const char *folder, uint64_t more)
{
    char file[FOLDER_PATH_SIZE];
    struct stat status;
    struct rlimit limit;
    folder_path(file, folder, "data.mdb");
    cr_assert_eq(stat(file, &status), 0);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = more == UINT64_MAX ? limit.rlim_max : (rlim_t)status.st_size + more;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static enum err write_some(struct store *store, unsigned index)
{
    static uint8_t value[50000];
    uint8_t key[4];
    put_u32(key, index);
    struct store_txn txn = store_begin_write(store);
    store_append(&txn, ONE, BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value));
    return store_commit(&txn);
}

static bool reserve_is_reached(struct store *store)
{
    struct store_space space;
    cr_assert_eq(store_space_update(store, &space), OK);
    return space.reserve_reached;
}

Test(store, a_full_disk_is_told_early_refuses_late_and_heals)
{
    struct fixture fixture;
    unsigned written = 0, when_reached = 0;
    enum err err = OK;
    fixture_open(&fixture);
    fixture.options.reserve_size = 2 << 20;
    cr_assert_eq(fixture_reopen(&fixture), OK);
    signal(SIGXFSZ, SIG_IGN);
    disk_limit(fixture.folder, 1 << 20);
    while (err == OK && written < 1000) {
        store_extend(fixture.store);
        if (when_reached == 0 && reserve_is_reached(fixture.store))
            when_reached = written;
        err = write_some(fixture.store, written);
        written += err == OK;
    }
    cr_assert_eq(err, ERR_FULL);
    cr_assert(when_reached > 0);
    cr_assert(written > when_reached + 20, "%u, %u", written, when_reached); /* the reserve */
    cr_assert_neq(store_failure(fixture.store)[0], '\0');

    struct store_txn txn = store_begin_read(fixture.store);
    cr_assert_eq(store_count(&txn, ONE), written);
    store_abort(&txn);
    disk_limit(fixture.folder, UINT64_MAX);
    cr_assert_eq(store_extend(fixture.store), OK);
    cr_assert_not(reserve_is_reached(fixture.store));
    cr_assert_eq(write_some(fixture.store, written), OK);
    fixture_close(&fixture);
}

Test(store, a_transaction_larger_than_the_room_ahead_extends_the_file_itself)
{
    struct fixture fixture;
    fixture_open(&fixture);
    fixture.options.reserve_size = 1 << 20;
    fixture.options.map_size = 64 << 20;
    cr_assert_eq(fixture_reopen(&fixture), OK);
    signal(SIGXFSZ, SIG_IGN);
    disk_limit(fixture.folder, 4 << 20);
    static uint8_t value[50000];
    struct store_txn txn = store_begin_write(fixture.store);
    for (uint32_t i = 0; i < 60; i++) { /* 3 MB: more than the reserve, less than the disk */
        uint8_t key[4];
        put_u32(key, i);
        store_append(&txn, ONE, BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value));
    }
    cr_assert_eq(store_commit(&txn), OK);
    txn = store_begin_write(fixture.store);
    for (uint32_t i = 100; i < 300 && txn.err == OK; i++) {
        uint8_t key[4];
        put_u32(key, i);
        store_append(&txn, ONE, BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value));
    }
    cr_assert_eq(store_commit(&txn), ERR_FULL); /* before any page was written */
    txn = store_begin_read(fixture.store);
    cr_assert_eq(store_count(&txn, ONE), 60);
    store_abort(&txn);
    fixture_close(&fixture);
}

/* ---- misuse by the disk ---------------------------------------------------------------------- */

static int interrupted_creation(struct fixture *fixture)
{
    char aside[FOLDER_PATH_SIZE], file[FOLDER_PATH_SIZE];
    struct store *store;
    folder_path(aside, fixture->folder, "new");
    folder_path(file, aside, "data.mdb");
    if (mkdir(aside, 0700) != 0)
        return 1;
    int data = open(file, O_WRONLY | O_CREAT, 0600);
    if (write(data, "torn", 4) != 4)
        return 2;
    close(data);
    return (int)store_open(&store, &fixture->options);
}

Test(store, a_creation_that_was_interrupted_is_begun_again)
{
    struct fixture fixture;
    char value[64];
    fixture_open(&fixture);
    store_close(fixture.store);
    folder_remove(fixture.folder);
    cr_assert_eq(mkdir(fixture.folder, 0700), 0);
    cr_assert_eq(in_child(interrupted_creation, &fixture), OK);
    cr_assert_eq(store_open(&fixture.store, &fixture.options), OK);
    cr_assert_eq(get_one(fixture.store, "key", value), ERR_NOT_FOUND);
    fixture_close(&fixture);
}

/* ---- damage that ends the process -------------------------------------------------------------- */

/* In a child: a fault, with a transaction open or without. */
static int signal_of_fault(const struct fixture *fixture, bool inside)
{
    pid_t child = fork();
    if (child == 0) {
        struct store *store;
        const struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        if (store_open(&store, &fixture->options) != OK)
            _exit(1);
        struct store_txn txn = store_begin_read(store);
        if (!inside)
            store_abort(&txn);
        const uint8_t *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        _exit(*(const volatile uint8_t *)nowhere);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool is_there_after_fault(bool disposable, bool inside)
{
    char value[16];
    struct fixture fixture;
    fixture_open(&fixture);
    put_one(fixture.store, "key", "value");
    store_close(fixture.store);
    fixture.options.disposable = disposable;
#ifdef __SANITIZE_ADDRESS__
    const int as_without = SIGABRT; /* after its report, which ASAN_OPTIONS=abort_on_error=1 ends so */
#else
    const int as_without = SIGSEGV;
#endif
    cr_assert_eq(signal_of_fault(&fixture, inside), as_without, "it ends as it would have");
    cr_assert_eq(store_open(&fixture.store, &fixture.options), OK);
    bool is_there = get_one(fixture.store, "key", value) == OK;
    fixture_close(&fixture);
    return is_there;
}

Test(store, a_fault_in_a_disposable_store_has_it_made_anew)
{
    cr_assert_not(is_there_after_fault(true, true));
    cr_assert(is_there_after_fault(true, false), "the fault was elsewhere");
    cr_assert(is_there_after_fault(false, true), "it is not disposable");
}
