/* The memory table: view changes of the own node's records that are not yet flushed into the views
 * store (design D12). Absolute values and tombstones under ordered keys.
 *
 * A stack of tables: one active, at most one frozen that is being flushed. Each entry carries the
 * number of the newest group that wrote it. One thread (the decider) writes; any thread reads
 * through a pin. Bounded: memory_is_full() slows intake. Inside a table: an arena skip list; a
 * reader never blocks the writer. */
#ifndef STORAGE_MEMORY_H
#define STORAGE_MEMORY_H

#include "proto/base/bytes.h"

struct memory;

enum err memory_new(struct memory **out, size_t size_max);
void memory_free(struct memory *memory);

/* The writer's side. `value.data` NULL is a tombstone. */
enum err memory_put(struct memory *memory, uint64_t group, struct bytes key, struct bytes value);
/* Bytes held by the active table. */
size_t memory_active_size(const struct memory *memory);
/* Active and frozen together have reached size_max: no further command until a flush is done. */
bool memory_is_full(const struct memory *memory);
/* Makes the active table the frozen one and starts a new one, to be called between groups;
 * `last_group` is the newest group in it. ERR_BUSY while a frozen one exists. */
enum err memory_freeze(struct memory *memory, uint64_t last_group);
/* Forgets everything (a failed group: the views are folded again from the log). */
void memory_clear(struct memory *memory);

/* A reader's hold on the tables, taken before it begins its snapshot of the views store: what is
 * dropped after that is in the snapshot, what is not is here. */
struct memory_pin {
    struct memory *memory;
    const void *tables[2]; /* newest first */
};
void memory_pin(struct memory *memory, struct memory_pin *pin);
void memory_unpin(struct memory_pin *pin);
/* OK; ERR_ERASED for a tombstone; ERR_NOT_FOUND when the views store decides. Valid while pinned. */
enum err memory_get(const struct memory_pin *pin, struct bytes key, struct bytes *value,
                    uint64_t *group);
/* First key >= from, or last key < from when backward; tombstones are found too (value NULL). */
enum err memory_seek(const struct memory_pin *pin, struct bytes from, bool backward,
                     struct bytes *key, struct bytes *value, uint64_t *group);

/* The flusher's side: the frozen table in key order, and its release after the commit. */
bool memory_has_frozen(const struct memory *memory);
uint64_t memory_frozen_group(const struct memory *memory);
typedef enum err memory_on_entry(void *context, struct bytes key, struct bytes value);
enum err memory_frozen_scan(struct memory *memory, memory_on_entry *on_entry, void *context);
void memory_frozen_drop(struct memory *memory);

#endif
