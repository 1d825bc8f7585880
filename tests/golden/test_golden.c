/* Data written by format 1 are read for ever, and read as the same. */
#include "tests/golden/golden_log.h"
#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FROZEN          SAMAD_SOURCE_DIR "/tests/golden/format-1"
#define GOLDEN_SIZE_MAX (64 * 1024)

static struct buffer expected_text(void)
{
    struct buffer text = { 0 };
    FILE *file = fopen(FROZEN "/log.txt", "rb");
    cr_assert_not_null(file);
    char block[4096];
    size_t count;
    while ((count = fread(block, 1, sizeof block, file)) > 0)
        buffer_append(&text, block, count);
    fclose(file);
    return text;
}

/* Compares line by line, so that a difference names itself. */
static void expect_text(struct buffer *actual)
{
    struct buffer expected = expected_text();
    buffer_append_u8(&expected, 0);
    buffer_append_u8(actual, 0);
    char *expected_rest, *actual_rest;
    char *expected_line = strtok_r((char *)expected.data, "\n", &expected_rest);
    char *actual_line = strtok_r((char *)actual->data, "\n", &actual_rest);
    while (expected_line && actual_line) {
        cr_assert_str_eq(actual_line, expected_line);
        expected_line = strtok_r(NULL, "\n", &expected_rest);
        actual_line = strtok_r(NULL, "\n", &actual_rest);
    }
    cr_assert(!expected_line && !actual_line);
    buffer_close(&expected);
}

Test(golden, a_log_store_of_format_1_reads_and_verifies_as_on_its_first_day)
{
    char folder[FOLDER_PATH_SIZE], file[FOLDER_PATH_SIZE];
    struct buffer text = { 0 };
    folder_make(folder);
    folder_path(file, folder, "data.mdb");
    file_copy(FROZEN "/log/data.mdb", file);
    cr_assert_eq(golden_log_dump(folder, &text), OK);
    cr_assert_not_null(memmem(text.data, text.size, "failures=0\n", 11));
    expect_text(&text);
    buffer_close(&text);
    folder_remove(folder);
}

Test(golden, the_same_records_written_today_have_the_same_content)
{
    char folder[FOLDER_PATH_SIZE];
    struct buffer text = { 0 };
    folder_make(folder);
    golden_log_make(folder);
    cr_assert_eq(golden_log_dump(folder, &text), OK);
    expect_text(&text);
    buffer_close(&text);
    folder_remove(folder);
}

Test(golden, the_frozen_data_are_small)
{
    struct stat status;
    cr_assert_eq(stat(FROZEN "/log/data.mdb", &status), 0);
    cr_assert(status.st_size <= GOLDEN_SIZE_MAX);
}
