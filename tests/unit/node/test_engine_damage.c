#include "storage/journal.h"
#include "storage/log_private.h"
#include "tests/unit/node/engine_case.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdatomic.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(engine_damage, .init = set_up, .fini = tear_down, .timeout = 30);

/* ---- no room for the views ------------------------------------------------------------------- */

static rlim_t size_of(const char *name)
{
    char path[FOLDER_PATH_SIZE];
    struct stat status;
    folder_path(path, folder, name);
    cr_assert_eq(stat(path, &status), 0);
    return (rlim_t)status.st_size;
}

/* No file may become larger than the larger of the two is; the log has room in its own. */
static void files_may_grow(bool may)
{
    struct rlimit limit;
    rlim_t log = size_of("log/data.mdb"), own = size_of("views/data.mdb");
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = may ? limit.rlim_max : log > own ? log : own;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Each takes much room in the views and little in the log. */
static void put_until_full(const char *name)
{
    struct entry entry = { .err = OK };
    for (int i = 0; i < 1000 && entry.err == OK; i++) {
        char numbered[24];
        snprintf(numbered, sizeof(numbered), "wide-%s-%d", name, i);
        entry = put(numbered);
    }
    cr_assert_eq(entry.err, ERR_FULL);
}

/* E7, D10 */
Test(engine_damage, without_room_for_the_views_commands_are_refused_until_there_is_and_it_can_stop)
{
    struct engine_options options = options_of(512 << 10, 1024);
    options.reserve_size = 1 << 20;
    engine_stop(engine);
    engine_run(&options);
    signal(SIGXFSZ, SIG_IGN);
    files_may_grow(false);
    put_until_full("a");
    files_may_grow(true);
    struct entry healed = { .err = ERR_FULL };
    for (int i = 0; i < 500 && healed.err != OK; i++) {
        sleep_ms(10);
        healed = put("healed");
    }
    cr_assert_eq(healed.err, OK);
    cr_assert_eq(put("wide-a-0").known, true);

    files_may_grow(false);
    put_until_full("b");
    engine_stop(engine);
    engine = NULL;
    files_may_grow(true);
    engine_run(&options);
    cr_assert(put("wide-b-0").known);
    cr_assert_eq(atomic_load(&failures), 0);
}

/* ---- damaged views --------------------------------------------------------------------------- */

enum { TABLE_NODES = 1, TABLE_ENTRIES = 3 }; /* of the views store */

/* Flips a bit of the first value of a table of the views store, of the process that has it open. */
static void damage_views(unsigned table)
{
    struct store_txn txn = store_begin_write(views_environment(engine_views(engine)));
    struct store_cursor cursor = store_cursor_open(&txn, table);
    struct bytes at, value;
    uint8_t name[512], content[512];
    cr_assert_eq(store_cursor_seek(&cursor, BYTES_NONE, &at, &value), OK);
    memcpy(name, at.data, at.size);
    memcpy(content, value.data, value.size);
    content[0] ^= 1;
    store_cursor_close(&cursor);
    store_put(&txn, table, bytes_of(name, at.size), bytes_of(content, value.size));
    cr_assert_eq(store_commit(&txn), OK);
}

/* I4, I11 */
Test(engine_damage, a_damaged_view_is_made_anew_and_no_key_is_taken_twice)
{
    for (unsigned table = TABLE_NODES; table <= TABLE_ENTRIES; table += TABLE_ENTRIES - TABLE_NODES) {
        put("a");
        restart(); /* from here on "a" is in the store alone */
        damage_views(table);
        struct entry again = put("a");
        cr_assert(again.err != OK || again.known, "table %u", table);
        cr_assert(put("a").known);
        cr_assert(is_readable("a"));
    }
    cr_assert_eq(atomic_load(&failures), 0);
}

/* I11: found by a reader, while nobody decides anything. */
Test(engine_damage, damage_that_a_reader_meets_is_mended_without_a_restart)
{
    put("a");
    restart();
    damage_views(TABLE_ENTRIES);
    cr_assert_not(is_readable("a"));
    for (int i = 0; i < 1000 && !is_readable("a"); i++)
        sleep_ms(10);
    cr_assert(is_readable("a"));
    cr_assert(put("a").known);
    cr_assert_eq(atomic_load(&failures), 0);
}

/* As under a supervisor: started again when it ends, which LMDB may make it do. */
static void serves_in_the_end(int page)
{
    struct engine_options options = options_of(4 << 20, 1024);
    bool serves = false;
    for (int i = 0; i < 4 && !serves; i++) {
        pid_t child = fork();
        if (child == 0) {
            enum err err = engine_open(&engine, &options);
            if (err != OK || engine_start(engine, 0) != OK || !put("a").known ||
                !put("wide-1").known)
                _exit(1);
            engine_stop(engine);
            _exit(0);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        serves = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    cr_assert(serves, "page %d", page);
}

/* D13: whatever becomes of the file of the views, the log has it all. */
Test(engine_damage, any_page_of_the_views_may_be_lost)
{
    char path[FOLDER_PATH_SIZE];
    put("a");
    put("wide-1");
    engine_stop(engine);
    engine = NULL;
    folder_path(path, folder, "views/data.mdb");
    for (off_t page = 0; page == 0 || page < (off_t)size_of("views/data.mdb"); page += 4096) {
        static const uint8_t zeros[4096];
        int file = open(path, O_WRONLY);
        cr_assert_eq(pwrite(file, zeros, sizeof(zeros), page), (ssize_t)sizeof(zeros));
        close(file);
        serves_in_the_end((int)(page / 4096));
    }
    cr_assert_eq(truncate(path, 0), 0);
    serves_in_the_end(-1);
}

/* ---- damage in what the journal has no more ---------------------------------------------------- */

static unsigned oldest_segment(const char *journal)
{
    char path[FOLDER_PATH_SIZE], name[32];
    for (unsigned number = 1; number < 1000; number++) {
        snprintf(name, sizeof name, "segment-%08u", number);
        folder_path(path, journal, name);
        if (access(path, F_OK) == 0)
            return number;
    }
    return 0;
}

/* As if a hub held all of the live log, and will for ever. */
static void give_receipt(void)
{
    struct engine_status status;
    uint32_t number;
    engine_status(engine, &status);
    struct log_store *logs = engine_logs(engine);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(log_find(logs, &txn, &status.live.log, &number), OK);
    struct checkpoint checkpoint = { .log = status.live.log, .size = INT64_MAX };
    struct buffer note = { 0 };
    checkpoint_sign(&note, &checkpoint, &key);
    cr_assert_eq(log_receipt_put(logs, &txn, number, "centre", checkpoint.size, buffer_bytes(&note)),
                 OK);
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&note);
}

/* The opening record of the first log. */
static void damage_first_batch(void)
{
    struct store_txn txn = store_begin_write(log_store_environment(engine_logs(engine)));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_BATCHES);
    struct bytes at, value;
    struct buffer content = { 0 };
    struct log_key where = { 0 };
    cr_assert_eq(store_cursor_seek(&cursor, BYTES_NONE, &at, &value), OK);
    memcpy(where.bytes, at.data, where.size = at.size);
    buffer_append_bytes(&content, value);
    uint32_t count = get_u32(content.data + 4); /* storage/batch.h */
    content.data[16 + 44 * count + 32 * get_u16(content.data + 2) + get_u32(content.data + 8)] ^= 1;
    store_cursor_close(&cursor);
    store_put(&txn, LOG_BATCHES, log_key_bytes(&where), buffer_bytes(&content));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&content);
}

/* I1: one start is refused, and the next one has a log/ made again. */
Test(engine_damage, what_the_journal_cannot_compare_leads_to_another_log)
{
    char journal[FOLDER_PATH_SIZE], aside[FOLDER_PATH_SIZE], name[24];
    struct engine_options options = options_of(4 << 20, 1024);
    folder_path(journal, folder, "journal");
    options.journal_path = journal;
    options.journal_segment_size = JOURNAL_SEGMENT_SIZE_MIN;
    options.journal_keep_size = 1;
    options.national_receipts = 1;
    engine_stop(engine);
    folder_remove(folder);
    folder_make(folder);
    folder_path(journal, folder, "journal");
    engine_run(&options);
    give_receipt();
    unsigned first = oldest_segment(journal);
    for (int i = 0; i == 0 || oldest_segment(journal) == first; i++) {
        cr_assert_lt(i, 20000);
        snprintf(name, sizeof name, "n-%d", i);
        cr_assert_eq(put(name).err, OK);
    }
    damage_first_batch();
    engine_stop(engine);
    engine = NULL;
    folder_path(aside, folder, "views"); /* so that everything is folded again */
    folder_remove(aside);
    cr_assert_eq(engine_open(&engine, &options), ERR_CORRUPT);
    engine_run(&options);
    folder_path(aside, folder, "log.damaged-1");
    cr_assert_eq(access(aside, F_OK), 0);
    cr_assert_eq(put("goes on").err, OK);
    cr_assert_eq(atomic_load(&failures), 0);
}
