/* Damage at rest to any file, as a device that dies slowly does it. */
#include "tests/sim/disk_private.h"

#include <stdio.h>
#include <string.h>

static int open_harmed(struct disk *disk, const char *name)
{
    char path[DISK_PATH_SIZE];
    disk_plug(disk, DISK_KEEP_ALL);
    if (snprintf(path, sizeof path, "%s/%s", disk->path, name) >= (int)sizeof path)
        return -1;
    return sys_open(path, O_RDWR | O_CLOEXEC, 0);
}

/* Up to the last byte that is not zero. */
static uint64_t used_size(int handle)
{
    static uint8_t piece[DISK_PAGE_SIZE];
    struct stat status;
    uint64_t end = sys_fstat(handle, &status) == 0 ? (uint64_t)status.st_size : 0;
    while (end > 0) {
        uint64_t from = end - 1 - (end - 1) % sizeof piece;
        ssize_t got = sys_pread(handle, piece, (size_t)(end - from), from);
        for (ssize_t i = got; i > 0; i--)
            if (piece[i - 1] != 0)
                return from + (uint64_t)i;
        end = from;
    }
    return 0;
}

bool disk_scribble(struct disk *disk, const char *name, unsigned times)
{
    int handle = open_harmed(disk, name);
    if (handle < 0)
        return false;
    uint64_t used = used_size(handle);
    for (unsigned i = 0; i < times && used > 0; i++) {
        uint8_t byte = 0;
        uint64_t at = random_below(&disk->random, (uint32_t)used);
        if (sys_pread(handle, &byte, 1, at) != 1)
            continue;
        byte ^= (uint8_t)(1 + random_below(&disk->random, 255));
        disk->counters.flips += sys_pwrite(handle, &byte, 1, at) == 1;
    }
    sys_close(handle);
    return used > 0;
}

bool disk_misplace(struct disk *disk, const char *name)
{
    static uint8_t piece[DISK_PAGE_SIZE];
    int handle = open_harmed(disk, name);
    if (handle < 0)
        return false;
    uint32_t sectors = (uint32_t)(used_size(handle) / DISK_SECTOR_SIZE);
    bool done = sectors > 1;
    if (done) {
        uint32_t most = DISK_PAGE_SIZE / DISK_SECTOR_SIZE;
        uint32_t count = 1 + random_below(&disk->random, sectors / 2 < most ? sectors / 2 : most);
        uint64_t from = random_below(&disk->random, sectors - count + 1);
        uint64_t to = random_below(&disk->random, sectors - count + 1);
        size_t size = (size_t)count * DISK_SECTOR_SIZE;
        done = from != to &&
               sys_pread(handle, piece, size, from * DISK_SECTOR_SIZE) == (ssize_t)size &&
               sys_pwrite(handle, piece, size, to * DISK_SECTOR_SIZE) == (ssize_t)size;
    }
    sys_close(handle);
    disk->counters.flips += done;
    return done;
}

bool disk_cut(struct disk *disk, const char *name)
{
    int handle = open_harmed(disk, name);
    if (handle < 0)
        return false;
    uint64_t used = used_size(handle);
    bool cut = used > 1 && sys_ftruncate(handle, random_below(&disk->random, (uint32_t)used)) == 0;
    sys_close(handle);
    disk_measure(disk);
    return cut;
}

bool disk_behead(struct disk *disk, const char *name, uint64_t size)
{
    static const uint8_t zeros[DISK_PAGE_SIZE];
    int handle = open_harmed(disk, name);
    if (handle < 0)
        return false;
    bool done = used_size(handle) > 0;
    for (uint64_t at = 0; done && at < size; at += sizeof zeros)
        done = sys_pwrite(handle, zeros, sizeof zeros, at) == sizeof zeros;
    sys_close(handle);
    return done;
}
