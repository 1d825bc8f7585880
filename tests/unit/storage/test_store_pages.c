/* A store's file whose own structure is damaged (storage/store_pages.c). */
#include "storage/store.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_SIZE = 4096, META = 16, ROW_SIZE = 48, ROOT = 40, ENTRY_COUNT = 800 };

struct fixture {
    char folder[FOLDER_PATH_SIZE];
    struct store_options options;
    int file;
    uint64_t page_count;
};

static void entries_put(struct store *store)
{
    static uint8_t value[6000];
    char key[16];
    for (unsigned i = 0; i < ENTRY_COUNT; i++) {
        struct store_txn txn = store_begin_write(store);
        snprintf(key, sizeof key, "key-%05u", i);
        store_put(&txn, 0, bytes_of_string(key), bytes_of(value, i % 50 == 0 ? 6000 : 60));
        cr_assert_eq(store_commit(&txn), OK);
    }
}

/* Leaves, branches, overflows, and free pages of earlier commits; closed. */
static struct fixture fixture_make(void)
{
    static const char *const names[] = { "one" };
    struct fixture fixture;
    struct store *store;
    char name[FOLDER_PATH_SIZE];
    struct stat status;
    folder_make(fixture.folder);
    fixture.options = (struct store_options){
        .path = fixture.folder, .tables = names, .table_count = 1, .map_size = 4 << 20
    };
    cr_assert_eq(store_open(&store, &fixture.options), OK);
    entries_put(store);
    store_close(store);
    folder_path(name, fixture.folder, "data.mdb");
    fixture.file = open(name, O_RDWR | O_CLOEXEC);
    cr_assert_eq(fstat(fixture.file, &status), 0);
    fixture.page_count = (uint64_t)status.st_size / PAGE_SIZE;
    return fixture;
}

/* The error with which it opens. */
static enum err store_reopen(const struct fixture *fixture)
{
    struct store *store;
    struct store_options options = fixture->options;
    options.path = fixture->folder;
    options.check_pages = true;
    options.read_only = true; /* the file stays as it is */
    enum err err = store_open(&store, &options);
    if (err == OK)
        store_close(store);
    return err;
}

static void fixture_end(struct fixture *fixture)
{
    close(fixture->file);
    folder_remove(fixture->folder);
}

static void page_read(const struct fixture *fixture, uint64_t number, uint8_t page[PAGE_SIZE])
{
    cr_assert_eq(pread(fixture->file, page, PAGE_SIZE, (off_t)(number * PAGE_SIZE)), PAGE_SIZE);
}

static void page_write(const struct fixture *fixture, uint64_t number, const uint8_t *page)
{
    cr_assert_eq(pwrite(fixture->file, page, PAGE_SIZE, (off_t)(number * PAGE_SIZE)), PAGE_SIZE);
}

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

/* The newest of the two. */
static const uint8_t *meta_of(const struct fixture *fixture)
{
    static uint8_t metas[2][PAGE_SIZE];
    size_t transaction = META + 24 + 2 * ROW_SIZE + 8;
    page_read(fixture, 0, metas[0]);
    page_read(fixture, 1, metas[1]);
    return metas[number_at(metas[1] + transaction) > number_at(metas[0] + transaction)] + META;
}

Test(store_pages, a_store_is_whole_after_many_commits)
{
    struct fixture fixture = fixture_make();
    cr_expect_eq(store_reopen(&fixture), OK);
    fixture_end(&fixture);
}

/* Most pages of the file are in use. */
Test(store_pages, a_page_that_was_written_over_another_one_is_found)
{
    struct fixture fixture = fixture_make();
    uint8_t right[PAGE_SIZE], other[PAGE_SIZE];
    unsigned found = 0, used = 0;
    page_read(&fixture, 2, other);
    for (uint64_t i = 3; i < fixture.page_count; i++) {
        static const uint8_t zeros[PAGE_SIZE];
        page_read(&fixture, i, right);
        used += memcmp(right, zeros, PAGE_SIZE) != 0;
        page_write(&fixture, i, other);
        found += store_reopen(&fixture) == ERR_CORRUPT;
        page_write(&fixture, i, right);
    }
    cr_expect_gt(found, used / 4, "%u of %u", found, used);
    cr_expect_eq(store_reopen(&fixture), OK);
    fixture_end(&fixture);
}

Test(store_pages, the_root_under_another_number_is_found)
{
    struct fixture fixture = fixture_make();
    uint8_t page[PAGE_SIZE];
    uint64_t root = number_at(meta_of(&fixture) + 24 + ROW_SIZE + ROOT);
    page_read(&fixture, root, page);
    page[0] ^= 1;
    page_write(&fixture, root, page);
    cr_expect_eq(store_reopen(&fixture), ERR_CORRUPT);
    fixture_end(&fixture);
}

/* LMDB would write over it. */
Test(store_pages, a_page_in_use_that_is_said_to_be_free_is_found)
{
    struct fixture fixture = fixture_make();
    uint8_t page[PAGE_SIZE];
    const uint8_t *meta = meta_of(&fixture);
    uint64_t list = number_at(meta + 24 + ROOT), root = number_at(meta + 24 + ROW_SIZE + ROOT);
    page_read(&fixture, list, page);
    uint16_t node;
    memcpy(&node, page + META, sizeof node);
    uint8_t *first_free = page + node + 8 /* header */ + 8 /* key */ + 8 /* count */;
    cr_assert_gt(number_at(first_free - 8), 0);
    memcpy(first_free, &root, sizeof root);
    page_write(&fixture, list, page);
    cr_expect_eq(store_reopen(&fixture), ERR_CORRUPT);
    fixture_end(&fixture);
}

Test(store_pages, a_file_without_its_end_is_found)
{
    struct fixture fixture = fixture_make();
    uint64_t last = number_at(meta_of(&fixture) + 24 + 2 * ROW_SIZE);
    cr_assert_eq(ftruncate(fixture.file, (off_t)(last * PAGE_SIZE)), 0);
    cr_expect_eq(store_reopen(&fixture), ERR_CORRUPT);
    fixture_end(&fixture);
}
