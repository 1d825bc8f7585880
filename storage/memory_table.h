/* One table of the memory table's stack: an ordered map in an arena, with one writer and lock-free
 * readers.
 *
 *   skip list of leaves   each covers the keys from its low key up to the next leaf's
 *     -> block            up to 15 entries in order of arrival, with the first bytes of their keys,
 *                         and one 64-bit word that says how they are sorted (as in Masstree)
 *       -> entry          a key
 *         -> version      its newest value -> the one before -> ...
 *
 * A plain skip list of entries takes a cache miss for each of some twenty keys it compares; here the
 * list is so short that it stays in the cache, and a block is one piece. One store of that word makes
 * an entry visible in its place.
 *
 * Nothing is ever moved or freed while the table lives: a put of a known key hangs a new version in
 * front of the older ones, a full block is replaced by copies. Versions carry the sequence of the
 * publication that shows them; a reader passes the newest sequence it may see and every version
 * above it is as if it were not there.
 *
 * Used by storage/memory.c only. */
#ifndef STORAGE_MEMORY_TABLE_H
#define STORAGE_MEMORY_TABLE_H

#include "proto/base/bytes.h"

#define MEMORY_SEQUENCE_NEWEST UINT64_MAX

struct memory_table;

/* Born with one hold; freed with the last. NULL: out of memory. */
struct memory_table *memory_table_new(void);
void memory_table_hold(struct memory_table *table);
void memory_table_release(struct memory_table *table);

/* The writer. `value.data` NULL is a tombstone. ERR_NOMEM, ERR_TOO_LARGE. */
enum err memory_table_put(struct memory_table *table, uint64_t sequence, uint64_t group,
                          struct bytes key, struct bytes value);

/* Bytes used in the arena, and distinct keys. Any thread. */
size_t memory_table_size(const struct memory_table *table);
size_t memory_table_keys(const struct memory_table *table);

struct memory_found {
    struct bytes key;
    struct bytes value; /* data NULL: a tombstone */
    uint64_t group;
};
bool memory_table_get(const struct memory_table *table, uint64_t sequence, struct bytes key,
                      struct memory_found *found);
/* The same for the writer: the newest version of all, by its shortcuts. */
bool memory_table_get_newest(struct memory_table *table, struct bytes key,
                             struct memory_found *found);
/* A walk in key order over what `sequence` may see, tombstones included: from the first key >= from
 * upwards, or from the last key < from downwards. `found` is where it stands. */
struct memory_walk {
    const struct memory_table *table;
    uint64_t sequence;
    bool backward;
    struct memory_found found;
    /* the table's */
    struct leaf *leaf;
    const struct block *block;
    uint64_t sorted;
    int at;
};
/* False: there is nothing, or nothing further. */
bool memory_walk_begin(struct memory_walk *walk, const struct memory_table *table,
                       uint64_t sequence, struct bytes from, bool backward);
bool memory_walk_next(struct memory_walk *walk);

#endif
