#include "storage/memory_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* 4^10 leaves before the list gets slower than it should; a table is flushed long before. */
#define HEIGHT_MAX 10
#define BLOCK_ENTRY_MAX 15
#define HALF            (BLOCK_ENTRY_MAX / 2)
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

/* `sorted`: the count in bits 0-3, then for each place in key order four bits that say where the entry
 * lies. What it does not name is not there yet. */
struct block {
    _Atomic uint64_t sorted;
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

/* Shortcuts of the writer, who alone uses them. Keys come in ascending order within a sort (their
 * first byte), or are few and put again and again. */
#define SORT_COUNT     32
#define HOT_COUNT      512
#define HOT_KEY_SIZE_MAX 16

struct shortcuts {
    struct leaf *last[SORT_COUNT];  /* where the last key of a sort was put */
    struct entry *hot[HOT_COUNT];   /* the last key put again, by its hash */
};

struct memory_table {
    atomic_uint holds;
    atomic_uint height; /* of the highest leaf but the first */
    atomic_size_t size, keys;
    uint32_t random;
    struct leaf *first;
    struct shortcuts shortcuts;
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
        atomic_init(&block->sorted, 0);
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

static struct leaf **last_of_sort(struct memory_table *table, const struct probe *probe)
{
    return &table->shortcuts.last[(probe->prefix >> 56) % SORT_COUNT];
}

/* leaf_find() for the writer. */
static struct leaf *writer_find(struct memory_table *table, const struct probe *probe)
{
    struct leaf *last = *last_of_sort(table, probe);
    if (last && last != table->first && leaf_begins(last, probe, false)) {
        const struct leaf *next = leaf_next(last, 0);
        if (!next || !leaf_begins(next, probe, false))
            return last;
    }
    return leaf_find(table, probe, false, NULL);
}

static struct entry **hot_of(struct memory_table *table, struct bytes key)
{
    uint64_t raw[HOT_KEY_SIZE_MAX / 8] = { 0 };
    if (key.size == 0 || key.size > HOT_KEY_SIZE_MAX)
        return NULL;
    memcpy(raw, key.data, key.size);
    uint64_t hash = (raw[0] ^ raw[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    return &table->shortcuts.hot[hash >> 55];
}

/* The entry of a key that was put more than once, or NULL: then it must be looked for. */
static struct entry *hot_entry(struct entry *const *hot, struct bytes key)
{
    return hot && *hot && bytes_equal(entry_key(*hot), key) ? *hot : NULL;
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

/* ---- blocks ----------------------------------------------------------------------------------- */

static uint64_t block_sorted(const struct block *block)
{
    return atomic_load_explicit(&block->sorted, memory_order_acquire);
}

static int sorted_count(uint64_t sorted)
{
    return (int)(sorted & 15);
}

static unsigned sorted_at(uint64_t sorted, int place)
{
    return (unsigned)(sorted >> (4 + 4 * place)) & 15;
}

/* The place of the first key >= the probe, or > with `beyond`; the count when there is none. */
static int block_bound(const struct block *block, uint64_t sorted, const struct probe *probe,
                       bool beyond)
{
    int low = 0, high = sorted_count(sorted);
    while (low < high) {
        int middle = (low + high) / 2;
        unsigned i = sorted_at(sorted, middle);
        if (compare(block->prefixes[i], block->entries[i], probe) < beyond)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The entry of the key, or NULL; `*place` is where it stands or would stand. */
static struct entry *block_get(const struct block *block, const struct probe *probe, int *place)
{
    uint64_t sorted = block_sorted(block);
    *place = block_bound(block, sorted, probe, false);
    if (*place == sorted_count(sorted))
        return NULL;
    struct entry *entry = block->entries[sorted_at(sorted, *place)];
    return bytes_equal(entry_key(entry), probe->key) ? entry : NULL;
}

/* There is room, and `place` is where block_bound() finds the key. */
static void block_add(struct block *block, int place, uint64_t prefix, struct entry *entry)
{
    uint64_t sorted = atomic_load_explicit(&block->sorted, memory_order_relaxed);
    unsigned count = (unsigned)sorted_count(sorted);
    int shift = 4 + 4 * place;
    uint64_t before = sorted & ((UINT64_C(1) << shift) - 1) & ~UINT64_C(15);
    uint64_t behind = sorted >> shift << shift;
    block->prefixes[count] = prefix;
    block->entries[count] = entry;
    /* Behind moves up by one place; there is no place beyond the last. */
    sorted = before | (uint64_t)count << shift | behind << 4 | (count + 1);
    atomic_store_explicit(&block->sorted, sorted, memory_order_release);
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

bool memory_table_get(const struct memory_table *table, uint64_t sequence, struct bytes key,
                      struct memory_found *found)
{
    struct probe probe = probe_of(key);
    struct leaf *leaf = leaf_find(table, &probe, false, NULL);
    int place;
    const struct entry *entry = block_get(leaf_block(&leaf, &probe, false), &probe, &place);
    return entry && entry_visible(entry, sequence, found);
}

bool memory_table_get_newest(struct memory_table *table, struct bytes key,
                             struct memory_found *found)
{
    const struct entry *entry = hot_entry(hot_of(table, key), key);
    if (!entry) {
        struct probe probe = probe_of(key);
        int place;
        const struct leaf *leaf = writer_find(table, &probe);
        entry = block_get(atomic_load_explicit(&leaf->block, memory_order_relaxed), &probe, &place);
    }
    return entry && entry_visible(entry, MEMORY_SEQUENCE_NEWEST, found);
}

/* ---- walking ---------------------------------------------------------------------------------- */

/* Stands before the probe's place in its leaf, in the walk's direction. */
static void walk_enter(struct memory_walk *walk, const struct probe *probe)
{
    walk->leaf = leaf_find(walk->table, probe, walk->backward, NULL);
    walk->block = leaf_block(&walk->leaf, probe, walk->backward);
    walk->sorted = block_sorted(walk->block);
    walk->at = block_bound(walk->block, walk->sorted, probe, false) - 1;
    if (walk->backward)
        walk->at++;
}

/* Into the next leaf. One that was divided a moment ago repeats what the walk has seen in the whole
 * block: it goes on above the last key of that. */
static bool walk_up(struct memory_walk *walk)
{
    const struct block *block = walk->block;
    uint64_t sorted = walk->sorted;
    int count = sorted_count(sorted);
    walk->leaf = leaf_next(walk->leaf, 0);
    if (!walk->leaf)
        return false;
    walk->block = atomic_load_explicit(&walk->leaf->block, memory_order_acquire);
    walk->sorted = block_sorted(walk->block);
    walk->at = -1;
    for (int i = 0; i < sorted_count(walk->sorted); i++)
        __builtin_prefetch(walk->block->entries[i]);
    if (count > 0) {
        unsigned last = sorted_at(sorted, count - 1);
        struct probe probe = { entry_key(block->entries[last]), block->prefixes[last] };
        walk->at = block_bound(walk->block, walk->sorted, &probe, true) - 1;
    }
    return true;
}

static bool walk_down(struct memory_walk *walk)
{
    if (!walk->leaf->low)
        return false;
    struct probe probe = { entry_key(walk->leaf->low), walk->leaf->prefix };
    walk_enter(walk, &probe);
    return true;
}

bool memory_walk_next(struct memory_walk *walk)
{
    for (;;) {
        walk->at += walk->backward ? -1 : 1;
        if (walk->at < 0 || walk->at >= sorted_count(walk->sorted)) {
            if (!(walk->backward ? walk_down(walk) : walk_up(walk)))
                return false;
            continue;
        }
        /* One that is not visible was put after the reader's pin: as if it were not there. */
        if (entry_visible(walk->block->entries[sorted_at(walk->sorted, walk->at)], walk->sequence,
                          &walk->found))
            return true;
    }
}

bool memory_walk_begin(struct memory_walk *walk, const struct memory_table *table,
                       uint64_t sequence, struct bytes from, bool backward)
{
    struct probe probe = probe_of(from);
    walk->table = table;
    walk->sequence = sequence;
    walk->backward = backward;
    walk_enter(walk, &probe);
    return memory_walk_next(walk);
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
                            const struct probe *probe, const struct entry *entry)
{
    const struct block *full = atomic_load_explicit(&leaf->block, memory_order_relaxed);
    uint64_t sorted = block_sorted(full);
    bool ascending = block_bound(full, sorted, probe, false) == BLOCK_ENTRY_MAX;
    unsigned height = random_height(table);
    struct leaf *upper = leaf_take(table, height);
    struct block *lower = ascending ? NULL : block_take(table);
    if (!upper || (!ascending && !lower))
        return ERR_NOMEM;
    struct block *block = atomic_load_explicit(&upper->block, memory_order_relaxed);
    for (int place = 0; place < BLOCK_ENTRY_MAX && !ascending; place++) {
        unsigned i = sorted_at(sorted, place);
        if (place < HALF)
            block_add(lower, place, full->prefixes[i], full->entries[i]);
        else
            block_add(block, place - HALF, full->prefixes[i], full->entries[i]);
    }
    upper->prefix = ascending ? probe->prefix : block->prefixes[0];
    upper->low = ascending ? entry : block->entries[0];
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

static enum err entry_insert(struct memory_table *table, struct leaf *leaf, int place,
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
    if (sorted_count(block_sorted(block)) == BLOCK_ENTRY_MAX) {
        enum err err = leaf_divide(table, leaf, probe, entry);
        if (err != OK)
            return err;
        leaf = leaf_find(table, probe, false, NULL);
        block = atomic_load_explicit(&leaf->block, memory_order_relaxed);
        place = block_bound(block, block_sorted(block), probe, false);
    }
    block_add(block, place, probe->prefix, entry);
    *last_of_sort(table, probe) = leaf;
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
    struct entry **hot = hot_of(table, key), *entry = hot_entry(hot, key);
    if (!entry) {
        struct probe probe = probe_of(key);
        struct leaf *leaf = writer_find(table, &probe);
        int place;
        entry = block_get(atomic_load_explicit(&leaf->block, memory_order_relaxed), &probe, &place);
        if (!entry)
            return entry_insert(table, leaf, place, &probe, version);
        if (hot)
            *hot = entry;
    }
    version->older = atomic_load_explicit(&entry->newest, memory_order_relaxed);
    atomic_store_explicit(&entry->newest, version, memory_order_release);
    return OK;
}
