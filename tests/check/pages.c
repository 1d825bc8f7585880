#include "tests/check/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    PAGE_HEADER = 16, /* u64 number, u16 unused, u16 flags, then u16 lower and upper or u32 pages */
    BRANCH = 0x01,
    LEAF = 0x02,
    OVERFLOW = 0x04,
    META = 0x08,
    NODE_HEADER = 8, /* u16 low, u16 high, u16 flags, u16 key size */
    NODE_BIG = 0x01,
    NODE_TABLE = 0x02,
    NODE_DUPLICATES = 0x04,
    TABLE_ROW = 48, /* u32, u16 flags, u16 depth, u64 branch, leaf, overflow pages, entries, root */
    DEPTH_MAX = 32,
};
#define META_MAGIC 0xBEEFC0DEu
#define NO_PAGE    UINT64_MAX

static uint64_t little(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static void complain(struct pages *pages, const char *what, uint64_t page)
{
    char text[120];
    snprintf(text, sizeof text, "page %llu: %s", (unsigned long long)page, what);
    pages->problem(pages->context, text);
}

/* ---- the root ------------------------------------------------------------------------------ */

/* magic u32, version u32, address u64, map size u64, two table rows, last page u64, transaction */
static bool meta_read(const uint8_t *page, uint64_t number, uint64_t *transaction,
                      uint64_t *main_root, uint64_t *last)
{
    const uint8_t *meta = page + PAGE_HEADER;
    if (little(page, 8) != number || (little(page + 10, 2) & META) == 0 ||
        little(meta, 4) != META_MAGIC || little(meta + 4, 4) != 1)
        return false;
    const uint8_t *main_row = meta + 24 + TABLE_ROW;
    *main_root = little(main_row + 40, 8);
    *last = little(main_row + TABLE_ROW, 8);
    *transaction = little(main_row + TABLE_ROW + 8, 8);
    return true;
}

static bool root_find(struct pages *pages)
{
    bool found = false;
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t transaction, main_root, last;
        if (!meta_read(pages->file + i * PAGE, i, &transaction, &main_root, &last)) {
            complain(pages, "it is no root", i);
            continue;
        }
        if (found && transaction <= pages->transaction)
            continue;
        found = true;
        pages->transaction = transaction;
        pages->main_root = main_root;
        pages->last = last;
    }
    return found;
}

bool pages_open(struct pages *pages, const char *path, const char **why)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        *why = strerror(errno);
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    pages->size = (size_t)status.st_size;
    void *file = pages->size >= 2 * PAGE
                     ? mmap(NULL, pages->size, PROT_READ, MAP_PRIVATE, descriptor, 0)
                     : MAP_FAILED;
    close(descriptor);
    if (file == MAP_FAILED) {
        *why = pages->size < 2 * PAGE ? "it is shorter than its roots" : strerror(errno);
        pages->size = 0;
        return false;
    }
    pages->file = file;
    pages->seen = calloc(pages->size / PAGE, 1);
    *why = !pages->seen ? "no memory" : "neither of its roots is one";
    if (!pages->seen || !root_find(pages)) {
        pages_close(pages);
        return false;
    }
    if (pages->last >= pages->size / PAGE)
        complain(pages, "the file ends before its last page", pages->last);
    return true;
}

void pages_close(struct pages *pages)
{
    if (pages->size)
        munmap((void *)(uintptr_t)pages->file, pages->size);
    free(pages->seen);
    pages->size = 0;
    pages->seen = NULL;
}

/* ---- pages and nodes ----------------------------------------------------------------------- */

/* `count` pages from `number` on, once only: in a sound file no page belongs to two places. */
static const uint8_t *page_take(struct pages *pages, uint64_t number, uint64_t count,
                                unsigned flag)
{
    uint64_t there = pages->size / PAGE;
    if (number < 2 || number > pages->last || number >= there || count > there - number) {
        complain(pages, "it is named and lies outside of the file", number);
        return NULL;
    }
    const uint8_t *page = pages->file + number * PAGE;
    if (little(page, 8) != number || (little(page + 10, 2) & 0x0f) != flag) {
        complain(pages, "another page, or none, stands in its place", number);
        return NULL;
    }
    for (uint64_t i = number; i < number + count; i++)
        if (pages->seen[i]++) {
            pages->seen[i] = 1;
            complain(pages, "it belongs to two places", i);
            return NULL;
        }
    return page;
}

static bool page_nodes(struct pages *pages, const uint8_t *page, size_t *count)
{
    size_t lower = (size_t)little(page + 12, 2), upper = (size_t)little(page + 14, 2);
    if (lower < PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > PAGE) {
        complain(pages, "its table of nodes is damaged", little(page, 8));
        return false;
    }
    *count = (lower - PAGE_HEADER) / 2;
    return true;
}

/* The node's key; `rest` is what is left of the page behind it. */
static bool node_at(struct pages *pages, const uint8_t *page, size_t index, const uint8_t **node,
                    struct span *key, struct span *rest)
{
    size_t offset = (size_t)little(page + PAGE_HEADER + 2 * index, 2);
    bool good = offset >= PAGE_HEADER && offset + NODE_HEADER <= PAGE;
    if (good) {
        *node = page + offset;
        *key = (struct span){ *node + NODE_HEADER, (size_t)little(*node + 6, 2) };
        good = offset + NODE_HEADER + key->size <= PAGE;
    }
    if (!good) {
        complain(pages, "a node lies outside of it", little(page, 8));
        return false;
    }
    *rest = (struct span){ key->data + key->size,
                           (size_t)(page + PAGE - (key->data + key->size)) };
    return true;
}

static bool leaf_value(struct pages *pages, const uint8_t *page, const uint8_t *node,
                       struct span rest, struct span *value)
{
    size_t size = (size_t)little(node, 4);
    unsigned flags = (unsigned)little(node + 4, 2);
    if ((flags & NODE_BIG) == 0) {
        *value = (struct span){ rest.data, size };
        if (size <= rest.size)
            return true;
    } else if (rest.size >= 8) {
        uint64_t first = little(rest.data, 8);
        uint64_t count = (PAGE_HEADER + (uint64_t)size + PAGE - 1) / PAGE;
        const uint8_t *big = page_take(pages, first, count, OVERFLOW);
        if (!big)
            return false;
        *value = (struct span){ big + PAGE_HEADER, size };
        if (little(big + 12, 4) >= count)
            return true;
    }
    complain(pages, "a value does not fit where it stands", little(page, 8));
    return false;
}

/* ---- the walk ------------------------------------------------------------------------------ */

struct walk {
    struct pages *pages;
    pages_entry *entry;
    void *context;
    struct span last; /* key */
    uint64_t count;
    bool rows; /* of the table of tables: values are rows of tables */
};

static bool key_ascends(struct walk *walk, struct span key)
{
    size_t common = key.size < walk->last.size ? key.size : walk->last.size;
    int order = walk->last.data ? memcmp(walk->last.data, key.data, common) : -1;
    bool first = !walk->last.data;
    bool good = first || order < 0 || (order == 0 && walk->last.size < key.size);
    walk->last = key;
    return good;
}

static void walk_leaf(struct walk *walk, const uint8_t *page, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *node;
        struct span key, rest, value;
        if (!node_at(walk->pages, page, i, &node, &key, &rest))
            continue;
        unsigned flags = (unsigned)little(node + 4, 2);
        if ((flags & NODE_DUPLICATES) || ((flags & NODE_TABLE) != 0) != walk->rows) {
            complain(walk->pages, "an entry has flags it cannot have", little(page, 8));
            continue;
        }
        walk->count++;
        if (!key_ascends(walk, key))
            complain(walk->pages, "its keys do not ascend", little(page, 8));
        if (leaf_value(walk->pages, page, node, rest, &value))
            walk->entry(walk->context, key, value);
    }
}

static void walk_page(struct walk *walk, uint64_t number, unsigned depth)
{
    struct pages *pages = walk->pages;
    if (number >= pages->size / PAGE || number > pages->last || depth > DEPTH_MAX) {
        complain(pages, "it is named and lies outside of the file", number);
        return;
    }
    unsigned flag = (unsigned)little(pages->file + number * PAGE + 10, 2) & 0x0f;
    const uint8_t *page = page_take(pages, number, 1, flag == BRANCH ? BRANCH : LEAF);
    size_t count;
    if (!page || !page_nodes(pages, page, &count))
        return;
    if (flag == LEAF) {
        walk_leaf(walk, page, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *node;
        struct span key, rest;
        if (node_at(pages, page, i, &node, &key, &rest))
            walk_page(walk, little(node, 6), depth + 1);
    }
}

void pages_walk(struct pages *pages, const struct pages_table *table, pages_entry *entry,
                void *context)
{
    struct walk walk = { .pages = pages, .entry = entry, .context = context };
    if (table->root != NO_PAGE)
        walk_page(&walk, table->root, 0);
    if (walk.count != table->entries) {
        char text[120];
        snprintf(text, sizeof text, "a table has %llu entries and says %llu",
                 (unsigned long long)walk.count, (unsigned long long)table->entries);
        pages->problem(pages->context, text);
    }
}

struct search {
    const char *name;
    struct pages_table *table;
    bool found;
};

static void search_entry(void *context, struct span key, struct span value)
{
    struct search *search = context;
    if (key.size != strlen(search->name) || memcmp(key.data, search->name, key.size) != 0 ||
        value.size != TABLE_ROW)
        return;
    search->table->entries = little(value.data + 32, 8);
    search->table->root = little(value.data + 40, 8);
    search->found = true;
}

bool pages_table(struct pages *pages, const char *name, struct pages_table *table)
{
    struct search search = { name, table, false };
    struct walk walk = {
        .pages = pages, .entry = search_entry, .context = &search, .rows = true
    };
    uint8_t *seen = pages->seen; /* the table of tables is walked once for each table */
    uint8_t *scratch = calloc(pages->size / PAGE, 1);
    if (!scratch)
        return false;
    pages->seen = scratch;
    if (pages->main_root != NO_PAGE)
        walk_page(&walk, pages->main_root, 0);
    pages->seen = seen;
    free(scratch);
    return search.found;
}
