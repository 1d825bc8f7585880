/* The structure of data.mdb, read without LMDB, which follows a page's number and flags without
 * looking: a page that was written to the wrong place, or one that is in use and said to be free,
 * ends the process or, worse, makes the next commits write over other pages.
 *
 * Pages of LMDB 0.9, 4,096 bytes, little-endian: u64 number, u16 unused, u16 kind, then u16 lower
 * and upper (the table of nodes ends, the nodes begin) or the u32 count of an overflow. */
#include "storage/store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE_SIZE = 4096,
    PAGE_HEADER_SIZE = 16,
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    PAGE_KINDS = 0x0f,
    NODE_HEADER_SIZE = 8, /* u32 size of the value, u16 flags, u16 size of the key */
    NODE_BIG = 0x01,      /* the value is the number of an overflow */
    NODE_TABLE = 0x02,    /* the value is a row of a table */
    ROW_SIZE = 48,        /* u32, u16 flags, u16 depth, 4 counts, u64 root */
    DEPTH_MAX = 32,
};
#define META_MAGIC   0xBEEFC0DEU
#define META_VERSION 1
#define NO_ROOT      UINT64_MAX

struct pages {
    const uint8_t *file;
    uint64_t count; /* of the file */
    uint64_t end;   /* one past the last page in use */
    uint8_t *seen;  /* a bit for each */
};

static uint64_t little(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size); /* as LMDB does; the store is not portable (storage/README.md) */
    return value;
}

/* ---- pages ------------------------------------------------------------------------------------- */

/* In a sound file no page belongs to two places. */
static bool pages_take(struct pages *pages, uint64_t number, uint64_t count)
{
    if (number < 2 || number >= pages->end || count > pages->end - number)
        return false;
    for (uint64_t i = number; i < number + count; i++) {
        uint8_t bit = (uint8_t)(1U << (i % 8));
        if (pages->seen[i / 8] & bit)
            return false;
        pages->seen[i / 8] |= bit;
    }
    return true;
}

static unsigned page_kind(const uint8_t *page)
{
    return (unsigned)little(page + 10, 2) & PAGE_KINDS;
}

/* It may have more pages than it needs. */
static bool overflow_value(struct pages *pages, uint64_t number, uint64_t size, struct bytes *value)
{
    if (number >= pages->end)
        return false;
    const uint8_t *page = pages->file + number * PAGE_SIZE;
    uint64_t count = little(page + 12, 4);
    *value = bytes_of(page + PAGE_HEADER_SIZE, (size_t)size);
    return little(page, 8) == number && page_kind(page) == PAGE_OVERFLOW &&
           PAGE_HEADER_SIZE + size <= count * PAGE_SIZE && pages_take(pages, number, count);
}

/* The value of a node of a leaf, wherever it stands. */
static bool leaf_value(struct pages *pages, const uint8_t *node, size_t room, struct bytes *value)
{
    uint64_t size = little(node, 4);
    size_t key_size = (size_t)little(node + 6, 2);
    const uint8_t *inside = node + NODE_HEADER_SIZE + key_size;
    room -= NODE_HEADER_SIZE + key_size;
    *value = bytes_of(inside, (size_t)size);
    if (!(little(node + 4, 2) & NODE_BIG))
        return size <= room;
    if (room < 8)
        return false;
    return overflow_value(pages, little(inside, 8), size, value);
}

/* ---- a tree ------------------------------------------------------------------------------------ */

typedef bool pages_on_value(struct pages *pages, unsigned flags, struct bytes value);

struct tree {
    struct pages *pages;
    unsigned depth; /* of its leaves, from 1 */
    pages_on_value *on_value;
};

static bool tree_walk(const struct tree *tree, uint64_t number, unsigned depth);

static bool tree_node(const struct tree *tree, const uint8_t *page, size_t index, unsigned depth)
{
    struct bytes value;
    size_t at = (size_t)little(page + PAGE_HEADER_SIZE + 2 * index, 2);
    if (at < PAGE_HEADER_SIZE || at + NODE_HEADER_SIZE > PAGE_SIZE)
        return false;
    const uint8_t *node = page + at;
    size_t room = PAGE_SIZE - at;
    if (NODE_HEADER_SIZE + little(node + 6, 2) > room)
        return false;
    if (page_kind(page) == PAGE_BRANCH)
        return tree_walk(tree, little(node, 6), depth + 1);
    return leaf_value(tree->pages, node, room, &value) &&
           tree->on_value(tree->pages, (unsigned)little(node + 4, 2), value);
}

static bool tree_walk(const struct tree *tree, uint64_t number, unsigned depth)
{
    if (depth > tree->depth || !pages_take(tree->pages, number, 1))
        return false;
    const uint8_t *page = tree->pages->file + number * PAGE_SIZE;
    size_t lower = (size_t)little(page + 12, 2), upper = (size_t)little(page + 14, 2);
    if (little(page, 8) != number ||
        page_kind(page) != (depth == tree->depth ? PAGE_LEAF : PAGE_BRANCH) ||
        lower < PAGE_HEADER_SIZE || lower > upper || upper > PAGE_SIZE)
        return false;
    for (size_t i = 0; i < (lower - PAGE_HEADER_SIZE) / 2; i++)
        if (!tree_node(tree, page, i, depth))
            return false;
    return true;
}

static bool table_walk(struct pages *pages, const uint8_t *row, pages_on_value *on_value)
{
    struct tree tree = { pages, (unsigned)little(row + 6, 2), on_value };
    uint64_t root = little(row + 40, 8);
    if (root == NO_ROOT || tree.depth == 0)
        return root == NO_ROOT && tree.depth == 0;
    return tree.depth <= DEPTH_MAX && tree_walk(&tree, root, 1);
}

/* ---- what the values are ----------------------------------------------------------------------- */

static bool on_entry(struct pages *pages, unsigned flags, struct bytes value)
{
    (void)pages, (void)value;
    return (flags & ~(unsigned)NODE_BIG) == 0;
}

static bool on_table(struct pages *pages, unsigned flags, struct bytes value)
{
    return flags == NODE_TABLE && value.size == ROW_SIZE && table_walk(pages, value.data, on_entry);
}

/* A list of pages that are free: their count, then their numbers. A page that is in use as well
 * would be written over. */
static bool on_free(struct pages *pages, unsigned flags, struct bytes value)
{
    uint64_t count = value.size >= 8 ? little(value.data, 8) : UINT64_MAX;
    if ((flags & ~(unsigned)NODE_BIG) != 0 || count > (value.size - 8) / 8)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!pages_take(pages, little(value.data + 8 + 8 * i, 8), 1))
            return false;
    return true;
}

/* ---- the file ---------------------------------------------------------------------------------- */

/* u32 magic, u32 version, u64 address, u64 size of the map, rows of the free list and of the table
 * of tables, u64 last page, u64 transaction. Another version is LMDB's to refuse. */
static const uint8_t *meta_newest(const uint8_t *file)
{
    const uint8_t *metas[2];
    for (uint64_t i = 0; i < 2; i++) {
        const uint8_t *page = file + i * PAGE_SIZE;
        metas[i] = page + PAGE_HEADER_SIZE;
        if (little(page, 8) != i || page_kind(page) != PAGE_META ||
            little(metas[i], 4) != META_MAGIC)
            return NULL;
    }
    if (little(metas[0] + 4, 4) != little(metas[1] + 4, 4))
        return NULL;
    size_t transaction = 24 + 2 * ROW_SIZE + 8;
    return metas[little(metas[1] + transaction, 8) > little(metas[0] + transaction, 8)];
}

static enum err pages_check(struct pages *pages)
{
    const uint8_t *meta = meta_newest(pages->file);
    if (!meta)
        return ERR_CORRUPT;
    if (little(meta + 4, 4) != META_VERSION)
        return OK;
    uint64_t last = little(meta + 24 + 2 * ROW_SIZE, 8);
    if (last >= pages->count)
        return ERR_CORRUPT;
    pages->end = last + 1;
    pages->seen = calloc(1, (size_t)(pages->end / 8) + 1);
    if (!pages->seen)
        return ERR_NOMEM;
    bool sound =
        table_walk(pages, meta + 24 + ROW_SIZE, on_table) && table_walk(pages, meta + 24, on_free);
    free(pages->seen);
    return sound ? OK : ERR_CORRUPT;
}

enum err store_check_pages(int file)
{
    struct stat status;
    if (sysconf(_SC_PAGESIZE) != PAGE_SIZE)
        return OK; /* LMDB makes its pages as large as the system's, and others are not known here */
    if (fstat(file, &status) != 0)
        return ERR_IO;
    if (status.st_size < 2 * PAGE_SIZE)
        return ERR_CORRUPT;
    size_t size = (size_t)status.st_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
    struct pages pages = { .file = map, .count = size / PAGE_SIZE };
    enum err err = pages_check(&pages);
    munmap(map, size);
    return err;
}
