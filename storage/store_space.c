/* The data file and the room on its disk (design D10). */
#include "storage/store_private.h"

#include "proto/base/bug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXTEND_STEP_SIZE     ((uint64_t)8 << 20)
#define EXTEND_STEP_SIZE_MIN ((uint64_t)64 << 10)
#define CHARGE_PAGES_FIXED   64 /* roots, branches, the list of free pages */
#define ZERO_STEP_SIZE       ((uint64_t)256 << 10)
#define ZERO_GROWTH_MAX      ((uint64_t)128 << 10) /* in one transaction */
#define TRIM_GROWTH          ((uint64_t)64 << 20)

uint64_t store_charge_pages(const struct store *store, const struct store_charge *charge,
                            uint64_t leaf_pages, uint64_t branch_pages)
{
    uint64_t changed_leaves = charge->puts < leaf_pages ? charge->puts : leaf_pages;
    uint64_t changed_branches = 2 * charge->puts < branch_pages ? 2 * charge->puts : branch_pages;
    /* New leaves are at least half full after a split. */
    uint64_t new_leaves = charge->puts < 2 * charge->inline_bytes / store->page_size
                              ? charge->puts
                              : 2 * charge->inline_bytes / store->page_size;
    return charge->overflow_pages + changed_leaves + new_leaves + changed_branches +
           charge->puts / 16 + CHARGE_PAGES_FIXED;
}

/* In steps, halved when one does not fit: what there is of room is taken. */
enum err store_file_extend(struct store *store, uint64_t size)
{
    uint64_t at = atomic_load(&store->file_size);
    uint64_t step = EXTEND_STEP_SIZE;
    while (at < size) {
        uint64_t more = size - at < step ? size - at : step;
        int code = posix_fallocate(store->file, (off_t)at, (off_t)more);
        if (code == 0) {
            at += more;
            atomic_store(&store->file_size, at);
        } else if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
            if (more <= EXTEND_STEP_SIZE_MIN)
                return ERR_FULL;
            step = more / 2;
        } else if (code == EINVAL || code == EOPNOTSUPP) {
            return OK;
        } else if (code != EINTR) {
            return store_remember_failure(store, "extend", code, ERR_IO);
        }
    }
    return OK;
}

static uint64_t disk_free_size(const struct store *store)
{
    struct statvfs disk;
    if (fstatvfs(store->file, &disk) != 0)
        return UINT64_MAX;
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* Set as soon as the reserve is touched, cleared only when an eighth more than it is there, so
 * that it does not flicker. */
static void store_judge_reserve(struct store *store, uint64_t ahead, uint64_t disk_free)
{
    uint64_t reserve = store->reserve_size, eighth = reserve / 8;
    if (reserve == 0)
        return;
    if (ahead < reserve - eighth || disk_free < reserve)
        atomic_store(&store->reserve_reached, true);
    else if (disk_free >= reserve + eighth && !SAMAD_BUG(FULL_FOR_EVER))
        atomic_store(&store->reserve_reached, false);
}

static uint64_t store_ahead(struct store *store)
{
    uint64_t used = store_used_size(store), file = atomic_load(&store->file_size);
    return file > used ? file - used : 0;
}

bool store_touches_reserve(struct store *store)
{
    uint64_t reserve = store->reserve_size;
    return reserve > 0 && !atomic_load(&store->reserve_reached) &&
           store_ahead(store) < reserve - reserve / 8;
}

enum err store_extend(struct store *store)
{
    uint64_t reserve = store->reserve_size;
    if (reserve == 0 || (!atomic_load(&store->reserve_reached) && !store_touches_reserve(store)))
        return OK;
    enum err err = store_file_extend(store, store_used_size(store) + reserve);
    store_judge_reserve(store, store_ahead(store), disk_free_size(store));
    return err;
}

/* Nothing is lost to a disk without room, or to one that took less: the zeros are only a help. */
static enum err store_write_zeros(struct store *store, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[ZERO_STEP_SIZE];
    while (from < to) {
        uint64_t left = to - from;
        size_t size = left < sizeof zeros ? (size_t)left : sizeof zeros;
        ssize_t written = pwrite(store->file, zeros, size, (off_t)from);
        if (written > 0)
            from += (uint64_t)written;
        else if (written == 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
            break;
        else if (errno != EINTR)
            return store_remember_failure(store, "write ahead", errno, ERR_IO);
    }
    store->zeros_end = to; /* also when it broke off: the next step is tried, not this one again */
    return OK;
}

enum err store_zero_ahead(struct store *store)
{
    if (store->read_only || atomic_load(&store->poisoned))
        return OK;
    uint64_t used = store_used_size(store), file = atomic_load(&store->file_size);
    uint64_t grown = used - store->zeros_seen;
    store->zeros_seen = used;
    if (grown == 0 || grown > ZERO_GROWTH_MAX || store->zeros_end >= used + ZERO_STEP_SIZE / 4)
        return OK;
    /* Beyond the last page of the newest commit and no transaction open: nothing is there that
     * anybody reads. */
    uint64_t from = store->zeros_end > used ? store->zeros_end : used;
    uint64_t to = from + ZERO_STEP_SIZE < file ? from + ZERO_STEP_SIZE : file;
    return from < to ? store_write_zeros(store, from, to) : OK;
}

enum err store_space_update(struct store *store, struct store_space *out)
{
    struct stat status;
    if (atomic_load(&store->poisoned))
        return ERR_IO; /* a reader found it: whoever asks regularly stops the process */
    if (fstat(store->file, &status) != 0)
        return store_remember_failure(store, "fstat", errno, ERR_IO);
    uint64_t file_size = (uint64_t)status.st_size, used = store_used_size(store);
    if (file_size > atomic_load(&store->file_size))
        atomic_store(&store->file_size, file_size);
    uint64_t ahead = file_size > used ? file_size - used : 0;
    uint64_t free_size = store_free_size(store), disk_free = disk_free_size(store);
    store_judge_reserve(store, ahead, disk_free);
    *out = (struct store_space){
        .file_size = file_size,
        .used_size = used - free_size,
        .map_size = atomic_load(&store->map_size),
        .available_size = free_size + ahead + disk_free,
        .reserve_reached = atomic_load(&store->reserve_reached),
    };
    return OK;
}

/* ---- resident memory ------------------------------------------------------------------------- */

/* LMDB does not tell where its map lies: the kernel does, by the file's device and inode. */
void store_trim(struct store *store)
{
    struct stat data;
    char line[512];
    FILE *maps = fstat(store->file, &data) == 0 ? fopen("/proc/self/maps", "re") : NULL;
    if (maps == NULL)
        return;
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, end, inode;
        unsigned major_number, minor_number;
        if (sscanf(line, "%lx-%lx %*4s %*x %x:%x %lu", &begin, &end, &major_number, &minor_number,
                   &inode) == 5 &&
            inode == data.st_ino && major_number == major(data.st_dev) &&
            minor_number == minor(data.st_dev))
            madvise((void *)begin, end - begin, MADV_DONTNEED); /* shared, never written: no loss */
    }
    fclose(maps);
}

void store_trim_growth(struct store *store)
{
    uint64_t used = store_used_size(store);
    if (used < store->trimmed_size + TRIM_GROWTH)
        return;
    store->trimmed_size = used;
    store_trim(store);
}
