#include "tests/support/folder.h"

#include "proto/base/require.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void folder_make_in(char out[FOLDER_PATH_SIZE], const char *base)
{
    folder_path(out, base, "samad-test-XXXXXX");
    require(mkdtemp(out) != NULL);
}

void folder_make(char out[FOLDER_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");
    if (!base || !*base)
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    folder_make_in(out, base);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void folder_path(char out[FOLDER_PATH_SIZE], const char *folder, const char *name)
{
    require(snprintf(out, FOLDER_PATH_SIZE, "%s/%s", folder, name) < FOLDER_PATH_SIZE);
}

void file_copy(const char *from, const char *to)
{
    static _Thread_local char block[1 << 16];
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(source >= 0 && target >= 0);
    ssize_t count;
    while ((count = read(source, block, sizeof block)) > 0)
        require(write(target, block, (size_t)count) == count);
    require(count == 0);
    close(source);
    close(target);
}
