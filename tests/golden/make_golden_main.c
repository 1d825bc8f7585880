/* make-golden FOLDER: writes FOLDER/log/data.mdb, a log store of the present format, and
 * FOLDER/log.txt, what is in it. Run once when a format is frozen, never to make a test pass:
 * tests/golden/format-<N> stays as it is as long as any node may hold data of format N. */
#include "proto/base/require.h"
#include "tests/golden/golden_log.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void compact(const char *from, const char *to)
{
    struct store *store;
    static const char *const tables[] = { "meta" };
    struct store_options options = {
        .path = from, .tables = tables, .table_count = 1, .map_size = 1 << 20
    };
    require(store_open(&store, &options) == OK);
    require(store_copy(store, to) == OK);
    store_close(store);
}

static void write_text(const char *path, struct bytes text)
{
    FILE *file = fopen(path, "wb");
    require(file && fwrite(text.data, 1, text.size, file) == text.size && fclose(file) == 0);
}

int main(int argc, char **argv)
{
    char work[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    struct buffer text = { 0 };
    if (argc != 2) {
        fprintf(stderr, "usage: make-golden FOLDER\n");
        return 2;
    }
    folder_make(work);
    golden_log_make(work);
    require(golden_log_dump(work, &text) == OK);
    mkdir(argv[1], 0755);
    folder_path(path, argv[1], "log");
    compact(work, path);
    folder_path(path, argv[1], "log.txt");
    write_text(path, buffer_bytes(&text));
    buffer_close(&text);
    folder_remove(work);
    return 0;
}
