/* The memory table: view changes of the own node's records that are not yet flushed into the views
 * store (design D12). Absolute values and tombstones under ordered keys.
 *
 * A stack of tables: one active, at most one frozen that is being flushed. Each value carries the
 * number of the group that wrote it. One thread (the decider) writes; any thread reads through a
 * pin. Bounded: memory_is_full() slows intake. Entries keep their older values while the
 * table lives, so a reader never blocks the writer and sees a state between two commands, not the
 * half of one: what is put becomes visible with memory_publish(). */
#ifndef STORAGE_MEMORY_H
#define STORAGE_MEMORY_H

#include "proto/base/bytes.h"

struct memory;
struct memory_table;

/* The most keys of one flush, each possibly in a page of its own. LMDB keeps 131,071 changed pages in
 * memory and writes some of them ahead when there are more; a flush goes through the keys in order,
 * so that such a page is not needed again. Tried with this many pages (tests/bench/views_raw_main.c
 * has the cost: larger flushes are cheaper a record). */
#define MEMORY_FLUSH_KEYS_MAX 400000

enum err memory_new(struct memory **out, size_t size_max);
void memory_free(struct memory *memory);

/* The writer's side. `value.data` NULL is a tombstone. Key and value are copied. */
enum err memory_put(struct memory *memory, uint64_t group, struct bytes key, struct bytes value);
/* Everything put so far becomes visible to later pins, at once: called between commands. */
void memory_publish(struct memory *memory);
/* Bytes held by the active table. */
size_t memory_active_size(const struct memory *memory);
/* Bytes held by active and frozen table together. */
size_t memory_size(const struct memory *memory);
/* Active and frozen together have reached size_max, or the active one has reached the keys of one
 * flush while the frozen one is still being written: no further command until a flush is done. */
bool memory_is_full(const struct memory *memory);
/* The active table has grown to what a flush should write, and none is frozen. To be asked when a
 * group is done and when a flush is done. */
bool memory_wants_freeze(const struct memory *memory);
/* Publishes, makes the active table the frozen one and starts a new one, to be called between
 * groups; `last_group` is the newest group in it. ERR_BUSY while a frozen one exists. */
enum err memory_freeze(struct memory *memory, uint64_t last_group);
/* Forgets everything (a failed group: the views are folded again from the log). Not while a flush is
 * under way. ERR_NOMEM: nothing is forgotten. */
enum err memory_clear(struct memory *memory);

/* A reader's hold on the tables, taken before it begins its snapshot of the views store: what is
 * dropped after that is in the snapshot, what is not is here. */
struct memory_pin {
    struct memory *memory;
    struct memory_table *tables[2]; /* newest first; the second may be NULL */
    uint64_t sequence;              /* what is published later is not seen */
};
void memory_pin(struct memory *memory, struct memory_pin *pin);
/* The writer's own pin: sees also what is not yet published. */
void memory_pin_newest(struct memory *memory, struct memory_pin *pin);
void memory_unpin(struct memory_pin *pin);
/* False when the active table was frozen or cleared since: a snapshot begun after the pin may then
 * hold more than the pin, and both are to be taken again. */
bool memory_pin_is_current(const struct memory_pin *pin);
/* OK; ERR_ERASED for a tombstone; ERR_NOT_FOUND when the views store decides. Valid while pinned.
 * `*group` is set unless ERR_NOT_FOUND. */
enum err memory_get(const struct memory_pin *pin, struct bytes key, struct bytes *value,
                    uint64_t *group);
/* First key >= from, or last key < from when backward. Tombstones are passed over as long as they lie
 * before `limit` (where the views store goes on), and found at it or beyond it (value NULL); without
 * a limit (NULL) they are never found. `*group` is the newest of all that was looked at. ERR_END
 * when there is nothing; `*group` is then set too, 0 when nothing was looked at. */
enum err memory_seek(const struct memory_pin *pin, struct bytes from, bool backward,
                     const struct bytes *limit, struct bytes *key, struct bytes *value,
                     uint64_t *group);

/* The flusher's side: the frozen table in key order, and its release after the commit. */
bool memory_has_frozen(const struct memory *memory);
uint64_t memory_frozen_group(const struct memory *memory);
size_t memory_frozen_size(const struct memory *memory);
size_t memory_frozen_keys(const struct memory *memory);
/* Each key once with its newest value, NULL for a tombstone. Stops at the first error and returns
 * it. OK and nothing called when there is no frozen table. */
typedef enum err memory_on_entry(void *context, struct bytes key, struct bytes value);
enum err memory_frozen_scan(struct memory *memory, memory_on_entry *on_entry, void *context);
void memory_frozen_drop(struct memory *memory);

#endif
