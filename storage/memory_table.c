#include "storage/memory_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* 4^10 leaves before the list gets slower than it should; a table is flushed long before. */
#define HEIGHT_MAX 10
#define BLOCK_ENTRY_MAX 32
#define CHUNK_SIZE_MIN ((size_t)32 * 1024)
#define CHUNK_SIZE_MAX ((size_t)4 * 1024 * 1024)
#define VALUE_SIZE_MAX ((size_t)1 << 30)

struct version {
    const struct version *older;
    uint64_t sequence;
    uint64_t group;
    uint32_t size;
    bool erased;
    uint8_t data[];
};

struct entry {
    _Atomic(const struct version *) newest;
    uint32_t key_size;
    uint8_t key[];
};

struct block {
    atomic_uint count;                  /* what lies beyond is not there yet */
    uint64_t prefixes[BLOCK_ENTRY_MAX]; /* of the keys: most comparisons need no more */
    struct entry *entries[BLOCK_ENTRY_MAX];
};

struct leaf {
    uint64_t prefix;
    const struct entry *low; /* NULL: of the first leaf, below every key */
    _Atomic(struct block *) block;
    _Atomic(struct leaf *) next[];
};

struct chunk {
    struct chunk *older;
    uint8_t data[];
};

struct arena {
    struct chunk *chunks;
    size_t chunk_size; /* of the newest */
    uint8_t *free;
    size_t free_size;
};

struct memory_table {
    atomic_uint holds;
    atomic_uint height; /* of the highest leaf but the first */
    atomic_size_t size, keys;
    uint32_t random;
    struct leaf *first;
    /* Leaves and blocks apart from the content, so that a search touches few pages. */
    struct arena leaves, blocks, content;
};

/* ---- arena ------------------------------------------------------------------------------------ */

/* Chunks double: an idle node holds little, a busy one does not ask often. */
static bool arena_grow(struct arena *arena, size_t size)
{
    size_t wanted = arena->chunk_size ? 2 * arena->chunk_size : CHUNK_SIZE_MIN;
    arena->chunk_size = wanted < CHUNK_SIZE_MAX ? wanted : CHUNK_SIZE_MAX;
    size_t chunk_size = size > arena->chunk_size ? size : arena->chunk_size;
    struct chunk *chunk = malloc(sizeof *chunk + chunk_size);
    if (!chunk)
        return false;
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    arena->free = chunk->data;
    arena->free_size = chunk_size;
    return true;
}

static void arena_close(struct arena *arena)
{
    for (struct chunk *chunk = arena->chunks; chunk;) {
        struct chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

static void *arena_take(struct memory_table *table, struct arena *arena, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > arena->free_size && !arena_grow(arena, size))
        return NULL;
    void *taken = arena->free;
    arena->free += size;
    arena->free_size -= size;
    atomic_store_explicit(&table->size,
                          atomic_load_explicit(&table->size, memory_order_relaxed) + size,
                          memory_order_relaxed);
    return taken;
}

static struct block *block_take(struct memory_table *table)
{
    struct block *block = arena_take(table, &table->blocks, sizeof *block);
    if (block)
        atomic_init(&block->count, 0);
    return block;
}

static struct leaf *leaf_take(struct memory_table *table, unsigned height)
{
    struct leaf *leaf = arena_take(table, &table->leaves,
                                   sizeof *leaf + height * sizeof leaf->next[0]);
    struct block *block = block_take(table);
    if (!leaf || !block)
        return NULL;
    leaf->prefix = 0;
    leaf->low = NULL;
    atomic_init(&leaf->block, block);
    for (unsigned level = 0; level < height; level++)
        atomic_init(&leaf->next[level], NULL);
    return leaf;
}

struct memory_table *memory_table_new(void)
{
    struct memory_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    atomic_init(&table->holds, 1);
    atomic_init(&table->height, 1);
    table->random = 0x9e3779b9;
    table->first = leaf_take(table, HEIGHT_MAX);
    if (!table->first) {
        memory_table_release(table);
        return NULL;
    }
    atomic_store(&table->size, 0); /* what an empty table needs does not count */
    return table;
}

void memory_table_hold(struct memory_table *table)
{
    atomic_fetch_add_explicit(&table->holds, 1, memory_order_relaxed);
}

void memory_table_release(struct memory_table *table)
{
    if (atomic_fetch_sub_explicit(&table->holds, 1, memory_order_acq_rel) != 1)
        return;
    arena_close(&table->leaves);
    arena_close(&table->blocks);
    arena_close(&table->content);
    free(table);
}

size_t memory_table_size(const struct memory_table *table)
{
    return atomic_load_explicit(&table->size, memory_order_relaxed);
}

size_t memory_table_keys(const struct memory_table *table)
{
    return atomic_load_explicit(&table->keys, memory_order_relaxed);
}

/* ---- keys ------------------------------------------------------------------------------------- */

struct probe {
    struct bytes key;
    uint64_t prefix; /* the first eight bytes, zeros behind a shorter key */
};

static struct probe probe_of(struct bytes key)
{
    uint8_t raw[8] = { 0 };
    if (key.size > 0)
        memcpy(raw, key.data, key.size < sizeof raw ? key.size : sizeof raw);
    return (struct probe){ key, get_u64(raw) };
}

static struct bytes entry_key(const struct entry *entry)
{
    return bytes_of(entry->key, entry->key_size);
}

static int compare(uint64_t prefix, const struct entry *entry, const struct probe *probe)
{
    if (prefix != probe->prefix)
        return prefix < probe->prefix ? -1 : 1;
    return bytes_compare(entry_key(entry), probe->key);
}

/* ---- finding the leaf ------------------------------------------------------------------------- */

/* Whether a key may lie in this leaf or behind it; `below`: whether a smaller one may. */
static bool leaf_begins(const struct leaf *leaf, const struct probe *probe, bool below)
{
    return compare(leaf->prefix, leaf->low, probe) < !below;
}

static struct leaf *leaf_next(const struct leaf *leaf, unsigned level)
{
    return atomic_load_explicit(&leaf->next[level], memory_order_acquire);
}

/* The last leaf that begins at or before the key; on each level when asked. */
static struct leaf *leaf_find(const struct memory_table *table, const struct probe *probe,
                              bool below, struct leaf **on_level)
{
    struct leaf *at = table->first;
    const struct leaf *behind = NULL; /* already compared on the level above */
    for (unsigned level = atomic_load_explicit(&table->height, memory_order_relaxed);
         level-- > 0;) {
        struct leaf *next = leaf_next(at, level);
        while (next && next != behind && leaf_begins(next, probe, below)) {
            at = next;
            next = leaf_next(at, level);
        }
        behind = next;
        if (on_level)
            on_level[level] = at;
    }
    return at;
}

/* Its block. A leaf that was divided since it was found has lost its upper half to a new leaf, which
 * was linked before the halves were parted: so look at the block first and then for that leaf. */
static const struct block *leaf_block(struct leaf **leaf, const struct probe *probe, bool below)
{
    for (;;) {
        const struct block *block = atomic_load_explicit(&(*leaf)->block, memory_order_acquire);
        struct leaf *next = leaf_next(*leaf, 0);
        if (!next || !leaf_begins(next, probe, below))
            return block;
        *leaf = next;
    }
}

static unsigned block_count(const struct block *block)
{
    return atomic_load_explicit(&block->count, memory_order_acquire);
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* The newest version that `sequence` may see. */
static bool entry_visible(const struct entry *entry, uint64_t sequence, struct memory_found *found)
{
    const struct version *version = atomic_load_explicit(&entry->newest, memory_order_acquire);
    while (version && version->sequence > sequence)
        version = version->older;
    if (!version)
        return false;
    found->key = entry_key(entry);
    found->value = version->erased ? BYTES_NONE : bytes_of(version->data, version->size);
    found->group = version->group;
    return true;
}

static struct entry *block_get(const struct block *block, const struct probe *probe)
{
    unsigned count = block_count(block);
    for (unsigned i = 0; i < count; i++)
        if (block->prefixes[i] == probe->prefix &&
            bytes_equal(entry_key(block->entries[i]), probe->key))
            return block->entries[i];
    return NULL;
}

bool memory_table_get(const struct memory_table *table, uint64_t sequence, struct bytes key,
                      struct memory_found *found)
{
    struct probe probe = probe_of(key);
    struct leaf *leaf = leaf_find(table, &probe, false, NULL);
    const struct entry *entry = block_get(leaf_block(&leaf, &probe, false), &probe);
    return entry && entry_visible(entry, sequence, found);
}

/* The least key above the probe, or at it unless `beyond`; or the greatest below it. */
static const struct entry *block_nearest(const struct block *block, const struct probe *probe,
                                         bool backward, bool beyond)
{
    unsigned count = block_count(block), best = BLOCK_ENTRY_MAX;
    for (unsigned i = 0; i < count; i++) {
        int order = compare(block->prefixes[i], block->entries[i], probe);
        if (backward ? order >= 0 : order < !!beyond)
            continue;
        if (best < BLOCK_ENTRY_MAX) {
            struct probe nearest = { entry_key(block->entries[best]), block->prefixes[best] };
            order = compare(block->prefixes[i], block->entries[i], &nearest);
            if (backward ? order < 0 : order > 0)
                continue;
        }
        best = i;
    }
    return best < BLOCK_ENTRY_MAX ? block->entries[best] : NULL;
}

static bool seek_forward(const struct memory_table *table, uint64_t sequence, struct probe probe,
                         struct memory_found *found)
{
    struct leaf *leaf = leaf_find(table, &probe, false, NULL);
    const struct block *block = leaf_block(&leaf, &probe, false);
    bool beyond = false;
    for (;;) {
        const struct entry *entry = block_nearest(block, &probe, false, beyond);
        if (entry && entry_visible(entry, sequence, found))
            return true;
        if (entry) { /* put after the reader's pin: as if it were not there */
            probe = probe_of(entry_key(entry));
            beyond = true;
            continue;
        }
        leaf = leaf_next(leaf, 0);
        if (!leaf)
            return false;
        block = atomic_load_explicit(&leaf->block, memory_order_acquire);
    }
}

static bool seek_backward(const struct memory_table *table, uint64_t sequence, struct probe probe,
                          struct memory_found *found)
{
    for (;;) {
        struct leaf *leaf = leaf_find(table, &probe, true, NULL);
        const struct block *block = leaf_block(&leaf, &probe, true);
        const struct entry *entry;
        while ((entry = block_nearest(block, &probe, true, false)) != NULL) {
            if (entry_visible(entry, sequence, found))
                return true;
            probe = probe_of(entry_key(entry));
        }
        if (!leaf->low)
            return false;
        probe = (struct probe){ entry_key(leaf->low), leaf->prefix };
    }
}

bool memory_table_seek(const struct memory_table *table, uint64_t sequence, struct bytes from,
                       bool backward, struct memory_found *found)
{
    return backward ? seek_backward(table, sequence, probe_of(from), found)
                    : seek_forward(table, sequence, probe_of(from), found);
}

/* Positions of a block's entries in order of their keys. */
static unsigned block_sort(const struct block *block, uint8_t order[BLOCK_ENTRY_MAX])
{
    unsigned count = block_count(block);
    for (unsigned i = 0; i < count; i++) {
        struct probe probe = { entry_key(block->entries[i]), block->prefixes[i] };
        unsigned at = i;
        for (; at > 0 && compare(block->prefixes[order[at - 1]], block->entries[order[at - 1]],
                                 &probe) > 0;
             at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
    return count;
}

enum err memory_table_scan(const struct memory_table *table, memory_table_on_found *on_found,
                           void *context)
{
    enum err err = OK;
    for (const struct leaf *leaf = table->first; leaf && err == OK; leaf = leaf_next(leaf, 0)) {
        const struct block *block = atomic_load_explicit(&leaf->block, memory_order_acquire);
        uint8_t order[BLOCK_ENTRY_MAX];
        unsigned count = block_sort(block, order);
        struct memory_found found;
        for (unsigned i = 0; i < count && err == OK; i++)
            if (entry_visible(block->entries[order[i]], MEMORY_SEQUENCE_NEWEST, &found))
                err = on_found(context, &found);
    }
    return err;
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* One in four leaves reaches the next level. */
static unsigned random_height(struct memory_table *table)
{
    table->random ^= table->random << 13;
    table->random ^= table->random >> 17;
    table->random ^= table->random << 5;
    unsigned height = 1;
    for (uint32_t bits = table->random; height < HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

static void block_add(struct block *block, uint64_t prefix, struct entry *entry)
{
    unsigned count = atomic_load_explicit(&block->count, memory_order_relaxed);
    block->prefixes[count] = prefix;
    block->entries[count] = entry;
    atomic_store_explicit(&block->count, count + 1, memory_order_release);
}

/* Links a leaf whose block is filled and whose low key is set. */
static void leaf_link(struct memory_table *table, struct leaf *leaf, unsigned height)
{
    struct leaf *before[HEIGHT_MAX];
    struct probe low = { entry_key(leaf->low), leaf->prefix };
    leaf_find(table, &low, false, before);
    unsigned highest = atomic_load_explicit(&table->height, memory_order_relaxed);
    for (unsigned level = highest; level < height; level++)
        before[level] = table->first;
    for (unsigned level = 0; level < height; level++)
        atomic_init(&leaf->next[level], leaf_next(before[level], level));
    /* From below, and whole before the first link: a reader meets it complete or not at all. */
    for (unsigned level = 0; level < height; level++)
        atomic_store_explicit(&before[level]->next[level], leaf, memory_order_release);
    if (height > highest)
        atomic_store_explicit(&table->height, height, memory_order_relaxed);
}

/* Parts a full leaf, so that the probe finds room in the leaf it belongs to. Half and half; but keys
 * that only ascend get a leaf of their own behind the full one. */
static enum err leaf_divide(struct memory_table *table, struct leaf *leaf,
                            const struct probe *probe, struct entry *entry)
{
    const struct block *full = atomic_load_explicit(&leaf->block, memory_order_relaxed);
    uint8_t order[BLOCK_ENTRY_MAX];
    unsigned count = block_sort(full, order);
    bool ascending = compare(full->prefixes[order[count - 1]], full->entries[order[count - 1]],
                             probe) < 0;
    unsigned half = ascending ? count : count / 2;
    unsigned height = random_height(table);
    struct leaf *upper = leaf_take(table, height);
    struct block *lower = ascending ? NULL : block_take(table);
    if (!upper || (!ascending && !lower))
        return ERR_NOMEM;
    struct block *upper_block = atomic_load_explicit(&upper->block, memory_order_relaxed);
    for (unsigned i = 0; i < count && !ascending; i++)
        block_add(i < half ? lower : upper_block, full->prefixes[order[i]],
                  full->entries[order[i]]);
    upper->prefix = ascending ? probe->prefix : full->prefixes[order[half]];
    upper->low = ascending ? entry : full->entries[order[half]];
    leaf_link(table, upper, height);
    if (lower)
        atomic_store_explicit(&leaf->block, lower, memory_order_release);
    return OK;
}

static struct version *version_take(struct memory_table *table, uint64_t sequence, uint64_t group,
                                    struct bytes value)
{
    struct version *version = arena_take(table, &table->content, sizeof *version + value.size);
    if (!version)
        return NULL;
    version->older = NULL;
    version->sequence = sequence;
    version->group = group;
    version->size = (uint32_t)value.size;
    version->erased = value.data == NULL;
    if (value.size > 0)
        memcpy(version->data, value.data, value.size);
    return version;
}

static enum err entry_insert(struct memory_table *table, struct leaf *leaf,
                             const struct probe *probe, const struct version *version)
{
    struct entry *entry = arena_take(table, &table->content, sizeof *entry + probe->key.size);
    if (!entry)
        return ERR_NOMEM;
    atomic_init(&entry->newest, version);
    entry->key_size = (uint32_t)probe->key.size;
    if (probe->key.size > 0)
        memcpy(entry->key, probe->key.data, probe->key.size);
    struct block *block = atomic_load_explicit(&leaf->block, memory_order_relaxed);
    if (block_count(block) == BLOCK_ENTRY_MAX) {
        enum err err = leaf_divide(table, leaf, probe, entry);
        if (err != OK)
            return err;
        leaf = leaf_find(table, probe, false, NULL);
        block = atomic_load_explicit(&leaf->block, memory_order_relaxed);
    }
    block_add(block, probe->prefix, entry);
    atomic_store_explicit(&table->keys, memory_table_keys(table) + 1, memory_order_relaxed);
    return OK;
}

enum err memory_table_put(struct memory_table *table, uint64_t sequence, uint64_t group,
                          struct bytes key, struct bytes value)
{
    if (key.size > UINT16_MAX || value.size > VALUE_SIZE_MAX)
        return ERR_TOO_LARGE;
    struct version *version = version_take(table, sequence, group, value);
    if (!version)
        return ERR_NOMEM;
    struct probe probe = probe_of(key);
    struct leaf *leaf = leaf_find(table, &probe, false, NULL);
    struct entry *entry =
        block_get(atomic_load_explicit(&leaf->block, memory_order_relaxed), &probe);
    if (!entry)
        return entry_insert(table, leaf, &probe, version);
    version->older = atomic_load_explicit(&entry->newest, memory_order_relaxed);
    atomic_store_explicit(&entry->newest, version, memory_order_release);
    return OK;
}
