/* openat, renameat and unlinkat: as the calls with whole paths (disk_calls.c), by way of the path of the
 * folder that is open. */
#undef _FORTIFY_SOURCE /* its inline functions have the names that are defined here */
#include "tests/sim/disk_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* False: it does not fit, or the descriptor is none. */
static bool path_at(char out[DISK_PATH_SIZE], int folder, const char *name)
{
    char link[64], path[DISK_PATH_SIZE];
    if (folder == AT_FDCWD || name[0] == '/')
        return snprintf(out, DISK_PATH_SIZE, "%s", name) < DISK_PATH_SIZE;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) {
        errno = EBADF;
        return false;
    }
    return snprintf(out, DISK_PATH_SIZE, "%.*s/%s", (int)size, path, name) < DISK_PATH_SIZE;
}

int openat(int folder, const char *name, int flags, ...)
{
    char path[DISK_PATH_SIZE];
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list list;
        va_start(list, flags);
        mode = (mode_t)va_arg(list, int);
        va_end(list);
    }
    return path_at(path, folder, name) ? open(path, flags, mode) : -1;
}

int renameat(int folder, const char *from, int folder_to, const char *to)
{
    char old[DISK_PATH_SIZE], new[DISK_PATH_SIZE];
    return path_at(old, folder, from) && path_at(new, folder_to, to) ? rename(old, new) : -1;
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[DISK_PATH_SIZE];
    if (!path_at(path, folder, name))
        return -1;
    return flags & AT_REMOVEDIR ? rmdir(path) : unlink(path);
}
