/* Bit flips at rest, only inside stored values: LMDB trusts its own pages and would end the process.
 * Read from the file itself, page by page (LMDB 0.9, 64-bit, pages of 4 KiB):
 *
 *   page  u64 number, u16, u16 flags (2 leaf, 4 of a value's own), u16 lower, u16 upper, then u16 offsets of its nodes
 *   node  u16 + u16 size of the value, u16 flags (1 on pages of its own, 2 a table), u16 size of the
 *         key, key, value; or the number of the first of the value's pages, which has a header of 16 */
#include "tests/sim/disk_private.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_HEADER_SIZE = 16, NODE_HEADER_SIZE = 8, PAGE_LEAF = 2, PAGE_BIG = 4, NODE_BIG = 1, NODE_TABLE = 2 };

struct target {
    uint64_t offset;
    size_t size;
};

struct search {
    size_t key_size, size_min;
    uint64_t file_size;
    bool big; /* on pages of its own only */
};

static uint16_t u16_at(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t u64_at(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool node_target(const struct search *search, const uint8_t *page, uint64_t page_number,
                        size_t at, struct target *out)
{
    if (at < PAGE_HEADER_SIZE || at + NODE_HEADER_SIZE > DISK_PAGE_SIZE)
        return false;
    const uint8_t *node = page + at;
    size_t size = u16_at(node) | (size_t)u16_at(node + 2) << 16;
    unsigned flags = u16_at(node + 4);
    size_t value = at + NODE_HEADER_SIZE + u16_at(node + 6);
    if (u16_at(node + 6) != search->key_size || size < search->size_min || (flags & NODE_TABLE))
        return false;
    if (!(flags & NODE_BIG)) {
        if (search->big)
            return false;
        *out = (struct target){ page_number * DISK_PAGE_SIZE + value, size };
        return value + size <= DISK_PAGE_SIZE;
    }
    if (value + 8 > DISK_PAGE_SIZE)
        return false;
    *out = (struct target){ u64_at(page + value) * DISK_PAGE_SIZE + PAGE_HEADER_SIZE, size };
    return out->offset < search->file_size && size <= search->file_size - out->offset;
}

/* A value of this page, by chance; false when it has none that fits. */
static bool page_target(const struct search *search, const uint8_t *page, uint64_t number,
                        struct random *random, struct target *out)
{
    unsigned lower = u16_at(page + 12);
    if (u64_at(page) != number || u16_at(page + 10) != PAGE_LEAF || lower > DISK_PAGE_SIZE ||
        lower <= PAGE_HEADER_SIZE)
        return false;
    unsigned count = (lower - PAGE_HEADER_SIZE) / 2;
    unsigned first = count ? random_below(random, count) : 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned index = (first + i) % count;
        if (node_target(search, page, number, u16_at(page + PAGE_HEADER_SIZE + 2 * index), out))
            return true;
    }
    return false;
}

static bool find_target(int handle, const struct search *search, struct random *random,
                        struct target *out)
{
    uint8_t page[DISK_PAGE_SIZE];
    uint64_t pages = search->file_size / DISK_PAGE_SIZE;
    uint64_t first = pages > 2 ? random_below(random, (uint32_t)(pages - 2)) : 0;
    for (uint64_t i = 0; i + 2 < pages; i++) {
        uint64_t number = 2 + (first + i) % (pages - 2); /* after the two meta pages */
        if (sys_pread(handle, page, sizeof page, number * DISK_PAGE_SIZE) == sizeof page &&
            page_target(search, page, number, random, out))
            return true;
    }
    return false;
}

bool disk_flip(struct disk *disk, const char *name, size_t key_size, size_t size_min,
               uint64_t *offset)
{
    char path[DISK_PATH_SIZE];
    struct stat status;
    struct target target;
    snprintf(path, sizeof path, "%s/%s", disk->path, name);
    int handle = sys_open(path, O_RDWR | O_CLOEXEC, 0);
    if (handle < 0)
        return false;
    bool found = fstat(handle, &status) == 0;
    struct search search = { key_size, size_min, found ? (uint64_t)status.st_size : 0, false };
    found = found && find_target(handle, &search, &disk->random, &target);
    if (found) {
        uint8_t byte = 0;
        *offset = target.offset + random_below(&disk->random, (uint32_t)target.size);
        found = sys_pread(handle, &byte, 1, *offset) == 1;
        byte ^= (uint8_t)(1U << random_below(&disk->random, 8));
        found = found && sys_pwrite(handle, &byte, 1, *offset) == 1;
    }
    sys_close(handle);
    disk->counters.flips += found;
    return found;
}

/* The first page of some value that has pages of its own; 0: none was found. A page that is no longer
 * used may point to what is another one now: so its own header must say what it is. */
static uint64_t find_big_page(int handle, const struct search *search, struct random *random)
{
    uint8_t header[PAGE_HEADER_SIZE];
    for (int i = 0; i < 8; i++) {
        struct target target;
        if (!find_target(handle, search, random, &target))
            return 0;
        uint64_t number = target.offset / DISK_PAGE_SIZE;
        if (sys_pread(handle, header, sizeof header, number * DISK_PAGE_SIZE) == sizeof header &&
            u64_at(header) == number && u16_at(header + 10) == PAGE_BIG)
            return number;
    }
    return 0;
}

bool disk_misdirect(struct disk *disk, const char *name, size_t key_size, size_t size_min,
                    uint64_t *offset)
{
    static uint8_t piece[DISK_PAGE_SIZE - DISK_SECTOR_SIZE];
    char path[DISK_PATH_SIZE];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", disk->path, name);
    int handle = sys_open(path, O_RDWR | O_CLOEXEC, 0);
    if (handle < 0)
        return false;
    uint64_t size = fstat(handle, &status) == 0 ? (uint64_t)status.st_size : 0;
    struct search search = { key_size, size_min, size, true };
    uint64_t from = find_big_page(handle, &search, &disk->random);
    uint64_t to = find_big_page(handle, &search, &disk->random);
    *offset = to * DISK_PAGE_SIZE + DISK_SECTOR_SIZE;
    bool done = from != 0 && to != 0 && from != to &&
                sys_pread(handle, piece, sizeof piece, from * DISK_PAGE_SIZE + DISK_SECTOR_SIZE) ==
                    sizeof piece &&
                sys_pwrite(handle, piece, sizeof piece, *offset) == sizeof piece;
    sys_close(handle);
    disk->counters.flips += done;
    return done;
}
