#include "storage/memory.h"

#include "proto/base/require.h"
#include "storage/memory_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct memory {
    pthread_mutex_t mutex; /* guards which tables there are, never what is in them */
    struct memory_table *active, *frozen;
    uint64_t frozen_group;
    size_t size_max;
    _Atomic uint64_t published; /* the newest visible sequence */
};

/* A hold on the mutex for functions that only look. */
static void memory_lock(const struct memory *memory)
{
    pthread_mutex_lock((pthread_mutex_t *)&memory->mutex);
}

static void memory_unlock(const struct memory *memory)
{
    pthread_mutex_unlock((pthread_mutex_t *)&memory->mutex);
}

enum err memory_new(struct memory **out, size_t size_max)
{
    *out = NULL;
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return ERR_NOMEM;
    memory->active = memory_table_new();
    if (!memory->active) {
        free(memory);
        return ERR_NOMEM;
    }
    pthread_mutex_init(&memory->mutex, NULL);
    memory->size_max = size_max;
    *out = memory;
    return OK;
}

void memory_free(struct memory *memory)
{
    if (!memory)
        return;
    memory_table_release(memory->active);
    if (memory->frozen)
        memory_table_release(memory->frozen);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

/* ---- the writer ------------------------------------------------------------------------------- */

enum err memory_put(struct memory *memory, uint64_t group, struct bytes key, struct bytes value)
{
    uint64_t next = atomic_load_explicit(&memory->published, memory_order_relaxed) + 1;
    return memory_table_put(memory->active, next, group, key, value);
}

void memory_publish(struct memory *memory)
{
    uint64_t next = atomic_load_explicit(&memory->published, memory_order_relaxed) + 1;
    atomic_store_explicit(&memory->published, next, memory_order_release);
}

static size_t table_size(const struct memory_table *table)
{
    return table ? memory_table_size(table) : 0;
}

size_t memory_active_size(const struct memory *memory)
{
    memory_lock(memory);
    size_t size = table_size(memory->active);
    memory_unlock(memory);
    return size;
}

size_t memory_size(const struct memory *memory)
{
    memory_lock(memory);
    size_t size = table_size(memory->active) + table_size(memory->frozen);
    memory_unlock(memory);
    return size;
}

bool memory_is_full(const struct memory *memory)
{
    memory_lock(memory);
    bool full = table_size(memory->active) + table_size(memory->frozen) >= memory->size_max ||
                (memory->frozen && memory_table_keys(memory->active) >= MEMORY_FLUSH_KEYS_MAX);
    memory_unlock(memory);
    return full;
}

bool memory_wants_freeze(const struct memory *memory)
{
    memory_lock(memory);
    /* Half of the room, so that intake goes on while the other half is written; and early enough
     * that the groups under way do not carry it over the keys of one flush. */
    bool wants = !memory->frozen &&
                 (table_size(memory->active) >= memory->size_max / 2 ||
                  memory_table_keys(memory->active) >= MEMORY_FLUSH_KEYS_MAX / 4 * 3);
    memory_unlock(memory);
    return wants;
}

enum err memory_freeze(struct memory *memory, uint64_t last_group)
{
    struct memory_table *fresh = memory_table_new();
    if (!fresh)
        return ERR_NOMEM;
    memory_publish(memory);
    memory_lock(memory);
    bool busy = memory->frozen != NULL;
    if (!busy) {
        memory->frozen = memory->active;
        memory->frozen_group = last_group;
        memory->active = fresh;
    }
    memory_unlock(memory);
    if (busy)
        memory_table_release(fresh);
    return busy ? ERR_BUSY : OK;
}

enum err memory_clear(struct memory *memory)
{
    struct memory_table *fresh = memory_table_new();
    if (!fresh)
        return ERR_NOMEM;
    memory_lock(memory);
    struct memory_table *active = memory->active, *frozen = memory->frozen;
    memory->active = fresh;
    memory->frozen = NULL;
    memory->frozen_group = 0;
    memory_unlock(memory);
    memory_table_release(active);
    if (frozen)
        memory_table_release(frozen);
    return OK;
}

/* ---- readers ---------------------------------------------------------------------------------- */

void memory_pin(struct memory *memory, struct memory_pin *pin)
{
    pin->memory = memory;
    memory_lock(memory);
    pin->tables[0] = memory->active;
    pin->tables[1] = memory->frozen;
    memory_table_hold(pin->tables[0]);
    if (pin->tables[1])
        memory_table_hold(pin->tables[1]);
    pin->sequence = atomic_load_explicit(&memory->published, memory_order_acquire);
    memory_unlock(memory);
}

void memory_pin_newest(struct memory *memory, struct memory_pin *pin)
{
    memory_pin(memory, pin);
    pin->sequence = MEMORY_SEQUENCE_NEWEST;
}

void memory_unpin(struct memory_pin *pin)
{
    for (int i = 0; i < 2; i++) {
        if (pin->tables[i])
            memory_table_release(pin->tables[i]);
        pin->tables[i] = NULL;
    }
}

bool memory_pin_is_current(const struct memory_pin *pin)
{
    memory_lock(pin->memory);
    bool current = pin->tables[0] == pin->memory->active;
    memory_unlock(pin->memory);
    return current;
}

static bool pinned_get(const struct memory_pin *pin, struct memory_table *table, struct bytes key,
                       struct memory_found *found)
{
    return pin->sequence == MEMORY_SEQUENCE_NEWEST
               ? memory_table_get_newest(table, key, found)
               : memory_table_get(table, pin->sequence, key, found);
}

enum err memory_get(const struct memory_pin *pin, struct bytes key, struct bytes *value,
                    uint64_t *group)
{
    *value = BYTES_NONE;
    for (int i = 0; i < 2 && pin->tables[i]; i++) {
        struct memory_found found;
        if (!pinned_get(pin, pin->tables[i], key, &found))
            continue;
        *value = found.value;
        *group = found.group;
        return found.value.data ? OK : ERR_ERASED;
    }
    return ERR_NOT_FOUND;
}

/* The walk that stands nearest in its direction; on a tie that of the newer table, which is first. */
static struct memory_walk *nearest(struct memory_walk walks[2], const bool stands[2])
{
    if (!stands[0] || !stands[1])
        return stands[0] ? &walks[0] : stands[1] ? &walks[1] : NULL;
    int order = bytes_compare(walks[1].found.key, walks[0].found.key);
    if (walks[0].backward)
        order = -order;
    return order < 0 ? &walks[1] : &walks[0];
}

/* Whether the scan has come to `limit`, or beyond it. */
static bool reached(struct bytes key, struct bytes limit, bool backward)
{
    int order = bytes_compare(key, limit);
    return backward ? order <= 0 : order >= 0;
}

enum err memory_seek(const struct memory_pin *pin, struct bytes from, bool backward,
                     const struct bytes *limit, struct bytes *key, struct bytes *value,
                     uint64_t *group)
{
    struct memory_walk walks[2], *at;
    bool stands[2];
    *group = 0;
    for (int i = 0; i < 2; i++)
        stands[i] = pin->tables[i] &&
                    memory_walk_begin(&walks[i], pin->tables[i], pin->sequence, from, backward);
    while ((at = nearest(walks, stands)) != NULL) {
        const struct memory_found found = at->found;
        *group = found.group > *group ? found.group : *group;
        if (found.value.data || (limit && reached(found.key, *limit, backward))) {
            *key = found.key;
            *value = found.value;
            return OK;
        }
        for (int i = 0; i < 2; i++) /* both, when the tombstone hides the other's value */
            if (stands[i] && bytes_equal(walks[i].found.key, found.key))
                stands[i] = memory_walk_next(&walks[i]);
    }
    return ERR_END;
}

/* ---- the flusher ------------------------------------------------------------------------------ */

bool memory_has_frozen(const struct memory *memory)
{
    memory_lock(memory);
    bool has = memory->frozen != NULL;
    memory_unlock(memory);
    return has;
}

uint64_t memory_frozen_group(const struct memory *memory)
{
    memory_lock(memory);
    uint64_t group = memory->frozen_group;
    memory_unlock(memory);
    return group;
}

size_t memory_frozen_size(const struct memory *memory)
{
    memory_lock(memory);
    size_t size = table_size(memory->frozen);
    memory_unlock(memory);
    return size;
}

size_t memory_frozen_keys(const struct memory *memory)
{
    memory_lock(memory);
    size_t keys = memory->frozen ? memory_table_keys(memory->frozen) : 0;
    memory_unlock(memory);
    return keys;
}

enum err memory_frozen_scan(struct memory *memory, memory_on_entry *on_entry, void *context)
{
    memory_lock(memory);
    struct memory_table *frozen = memory->frozen;
    if (frozen)
        memory_table_hold(frozen);
    memory_unlock(memory);
    if (!frozen)
        return OK;
    struct memory_walk walk;
    enum err err = OK;
    bool stands = memory_walk_begin(&walk, frozen, MEMORY_SEQUENCE_NEWEST, BYTES_NONE, false);
    for (; stands && err == OK; stands = memory_walk_next(&walk))
        err = on_entry(context, walk.found.key, walk.found.value);
    memory_table_release(frozen);
    return err;
}

void memory_frozen_drop(struct memory *memory)
{
    memory_lock(memory);
    struct memory_table *frozen = memory->frozen;
    memory->frozen = NULL;
    memory->frozen_group = 0;
    memory_unlock(memory);
    if (frozen)
        memory_table_release(frozen);
}
