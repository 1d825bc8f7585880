#include "storage/paced_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* At most 256 pages under way: some milliseconds. Pieces of 256 KiB did no better. */
#define PIECE_SIZE ((off_t)1 << 20)

static _Thread_local bool is_paced;

int __real_fdatasync(int file); /* the linker's names */
int __wrap_fdatasync(int file);

void paced_sync_begin(void)
{
    is_paced = true;
}

void paced_sync_end(void)
{
    is_paced = false;
}

/* False with errno when pages could not be written. It must be told: the kernel reports such an
 * error once, so the sync after this would not. */
static bool write_back(int file)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return false;
    for (off_t at = 0; at < status.st_size; at += PIECE_SIZE)
        if (sync_file_range(file, at, PIECE_SIZE,
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                SYNC_FILE_RANGE_WAIT_AFTER) != 0)
            return errno == ENOSYS || errno == EINVAL || errno == ESPIPE; /* not on this file */
    return true;
}

int __wrap_fdatasync(int file)
{
    if (is_paced && !write_back(file))
        return -1;
    return __real_fdatasync(file);
}
