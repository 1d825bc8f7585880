#include "node/cli/plain_tree.h"
#include "node/cli/tiles.h"
#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(tiles, are_named_in_groups_of_three_digits)
{
    static const struct {
        uint64_t index;
        size_t width;
        const char *name;
    } cases[] = {
        { 0, 256, "tile/0/000" },
        { 67, 256, "tile/0/067" },
        { 999, 3, "tile/0/999.p/3" },
        { 1000, 256, "tile/0/x001/000" },
        { 1234067, 256, "tile/0/x001/x234/067" },
        { 1234067, 112, "tile/0/x001/x234/067.p/112" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[256];
        tile_name(name, "0", cases[i].index, cases[i].width);
        cr_expect_str_eq(name, cases[i].name);
    }
}

static void write_tiles(const char *folder, uint64_t size)
{
    struct tiles *tiles = calloc(1, sizeof *tiles);
    tiles_begin(tiles, folder);
    for (uint64_t i = 0; i < size; i++) {
        struct hash leaf;
        uint8_t entry[8];
        put_u64(entry, i);
        merkle_leaf_hash(&leaf, BYTES_OF_ARRAY(entry));
        tiles_add(tiles, BYTES_OF_ARRAY(entry), &leaf);
    }
    cr_assert_eq(tiles_end(tiles, bytes_of_string("note"), "vkey"), OK);
    tiles_close(tiles);
    free(tiles);
}

static long size_of(const char *folder, const char *name)
{
    char path[FOLDER_PATH_SIZE];
    folder_path(path, folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fclose(file);
    return size;
}

Test(tiles, of_a_log_are_full_but_for_the_last_of_each_level)
{
    char folder[FOLDER_PATH_SIZE];
    folder_make(folder);
    write_tiles(folder, 70000);
    cr_expect_eq(size_of(folder, "tile/0/000"), 256 * 32);
    cr_expect_eq(size_of(folder, "tile/0/273.p/112"), 112 * 32);
    cr_expect_eq(size_of(folder, "tile/1/000"), 256 * 32);
    cr_expect_eq(size_of(folder, "tile/1/001.p/17"), 17 * 32);
    cr_expect_eq(size_of(folder, "tile/2/000.p/1"), 32);
    cr_expect_eq(size_of(folder, "tile/entries/000"), 256 * 10);
    cr_expect_eq(size_of(folder, "tile/entries/273.p/112"), 112 * 10);
    cr_expect_eq(size_of(folder, "tile/2/001.p/1"), -1);
    cr_expect_eq(size_of(folder, "checkpoint"), 4);
    cr_expect_eq(size_of(folder, "vkey"), 5);
    folder_remove(folder);
}

Test(tiles, say_which_file_could_not_be_written)
{
    struct tiles *tiles = calloc(1, sizeof *tiles);
    tiles_begin(tiles, "/dev/null/nowhere");
    cr_expect_eq(tiles_end(tiles, bytes_of_string("note"), "vkey"), ERR_IO);
    cr_expect(strstr(tiles->failure, "/dev/null/nowhere"));
    tiles_close(tiles);
    free(tiles);
}

Test(plain_tree, has_the_same_roots_as_the_tree_it_judges)
{
    struct plain_tree plain = { 0 };
    struct merkle_frontier frontier = { 0 };
    for (uint64_t i = 0; i < 2000; i++) {
        struct hash leaf, root;
        uint8_t entry[8], plain_leaf_hash[32], other[32];
        merkle_frontier_root(&frontier, &root);
        plain_root(&plain, other);
        cr_assert_arr_eq(root.bytes, other, 32, "size %lu", (unsigned long)i);
        put_u64(entry, i);
        merkle_leaf_hash(&leaf, BYTES_OF_ARRAY(entry));
        plain_leaf(plain_leaf_hash, entry, sizeof entry);
        cr_assert_arr_eq(leaf.bytes, plain_leaf_hash, 32);
        merkle_frontier_append(&frontier, &leaf, NULL, NULL);
        plain_append(&plain, plain_leaf_hash);
    }
}
