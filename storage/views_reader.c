/* The view of one node: a memory table, where there is one, over one generation of the store.
 *
 * Readers, the decider and the fold see the same thing through the same code; they differ in the
 * table they look through and in whether they may write to it. */
#include "storage/views_private.h"

#include <string.h>

static void reader_saw(struct views_reader *reader, uint64_t group)
{
    if (group > reader->group)
        reader->group = group;
}

static enum err reader_checked(struct views_reader *reader, struct bytes key, struct bytes *value)
{
    enum err err = views_take_checked(&reader->value, key, value);
    if (err == ERR_CORRUPT)
        views_note_damage(reader->views, reader->prefix,
                          get_u32((const uint8_t *)reader->prefix + reader->prefix_size - 4));
    return err;
}

/* The store's key for a key of the view; in reader->key until the next one. One byte more than a key
 * may have: scans go on from just above the last one. */
static enum err reader_key(struct views_reader *reader, struct bytes key, struct bytes *full)
{
    if (key.size > VIEW_KEY_SIZE_MAX + 1)
        return ERR_INVALID;
    buffer_clear(&reader->key);
    buffer_append(&reader->key, reader->prefix, reader->prefix_size);
    buffer_append_bytes(&reader->key, key);
    *full = buffer_bytes(&reader->key);
    return reader->key.err;
}

/* ---- absent keys ------------------------------------------------------------------------------ */

static struct views_absent *absent_find(struct views_reader *reader, struct bytes key)
{
    for (unsigned i = 0; i < VIEWS_ABSENT_COUNT; i++) {
        struct views_absent *absent = &reader->absent[i];
        if (absent->size == key.size && memcmp(absent->key, key.data, key.size) == 0)
            return absent;
    }
    return NULL;
}

static void absent_note(struct views_reader *reader, struct bytes key)
{
    if (!reader->memory || key.size > VIEWS_ABSENT_SIZE_MAX)
        return;
    struct views_absent *absent = &reader->absent[reader->absent_next++ % VIEWS_ABSENT_COUNT];
    absent->size = key.size;
    memcpy(absent->key, key.data, key.size);
}

static void absent_forget(struct views_reader *reader, struct bytes key)
{
    struct views_absent *absent;
    while (key.size > 0 && (absent = absent_find(reader, key)) != NULL)
        absent->size = 0;
}

/* ---- reading one key -------------------------------------------------------------------------- */

static enum err reader_get(void *context, struct bytes key, struct bytes *value)
{
    struct views_reader *reader = context;
    if (key.size > 0 && absent_find(reader, key))
        return ERR_NOT_FOUND;
    if (reader->has_memory) {
        uint64_t group;
        enum err err = memory_get(&reader->pin, key, value, &group);
        if (err != ERR_NOT_FOUND) {
            reader_saw(reader, group);
            return err == ERR_ERASED ? ERR_NOT_FOUND : err;
        }
    }
    struct bytes full;
    enum err err = reader_key(reader, key, &full);
    if (err == OK)
        err = store_get(&reader->txn, VIEWS_ENTRIES, full, value);
    if (err == OK)
        err = reader_checked(reader, full, value);
    else if (err == ERR_NOT_FOUND && (err = views_prove(reader, full, &full)) == OK)
        err = ERR_NOT_FOUND; /* V5 */
    if (err == ERR_NOT_FOUND)
        absent_note(reader, key);
    if (err != OK)
        *value = BYTES_NONE;
    return err;
}

/* ---- ordered scan ----------------------------------------------------------------------------- */

/* That there is nothing between the key asked for and the one found (V5). Gives `err` back. */
static enum err seek_proven(struct views_reader *reader, struct bytes full, bool backward,
                            const struct bytes *stored, enum err err)
{
    struct bytes prefix = bytes_of(reader->prefix, reader->prefix_size);
    enum err proven = backward
                          ? views_prove(reader, err == OK ? *stored : prefix, &full)
                          : views_prove(reader, full, err == OK ? stored : NULL);
    return proven == OK ? err : proven;
}

/* The nearest entry of the store; ERR_END outside of this generation. `stored` is its whole key. */
static enum err seek_store(struct views_reader *reader, struct bytes from, bool backward,
                           struct bytes *stored, struct bytes *value)
{
    struct bytes full;
    enum err err = reader_key(reader, from, &full);
    if (err != OK)
        return err;
    if (!reader->has_cursor) {
        reader->cursor = store_cursor_open(&reader->txn, VIEWS_ENTRIES);
        reader->has_cursor = true;
    }
    err = backward ? store_cursor_seek_before(&reader->cursor, full, stored, value)
                   : store_cursor_seek(&reader->cursor, full, stored, value);
    if (err == OK && (stored->size < reader->prefix_size ||
                      memcmp(stored->data, reader->prefix, reader->prefix_size) != 0))
        err = ERR_END;
    return err == OK || err == ERR_END ? seek_proven(reader, full, backward, stored, err) : err;
}

/* Beyond a tombstone the scan goes on from its key: going up, from the least key above it. */
static struct bytes beyond(struct bytes key, bool backward, uint8_t room[VIEW_KEY_SIZE_MAX + 1])
{
    if (backward)
        return key;
    if (key.size > 0)
        memcpy(room, key.data, key.size);
    room[key.size] = 0;
    return bytes_of(room, key.size + 1);
}

static enum err seek_memory(struct views_reader *reader, struct bytes from, bool backward,
                            const struct bytes *limit, struct bytes *key, struct bytes *value)
{
    uint64_t group;
    if (!reader->has_memory)
        return ERR_END;
    enum err err = memory_seek(&reader->pin, from, backward, limit, key, value, &group);
    reader_saw(reader, group);
    return err;
}

/* The nearer one of store and memory; the memory's on a tie. Tombstones before the store's key hide
 * nothing; one at the store's key hides it, and both scans go on from there. */
static enum err reader_seek(void *context, struct bytes from, bool backward, struct bytes *key,
                            struct bytes *value)
{
    struct views_reader *reader = context;
    uint8_t room[VIEW_KEY_SIZE_MAX + 1];
    for (;;) {
        struct bytes stored, stored_value, found = BYTES_NONE;
        enum err in_store = seek_store(reader, from, backward, &stored, &stored_value);
        if (in_store != OK && in_store != ERR_END)
            return in_store;
        if (in_store == OK)
            found = bytes_of(stored.data + reader->prefix_size,
                             stored.size - reader->prefix_size);
        enum err in_memory =
            seek_memory(reader, from, backward, in_store == OK ? &found : NULL, key, value);
        int order = in_store == OK && in_memory == OK ? bytes_compare(found, *key) : 0;
        if (in_store == OK && (in_memory != OK || (backward ? order > 0 : order < 0))) {
            *key = found;
            *value = stored_value;
            return reader_checked(reader, stored, value);
        }
        if (in_memory != OK || value->data)
            return in_memory;
        from = beyond(*key, backward, room);
    }
}

/* ---- changes ---------------------------------------------------------------------------------- */

static enum err reader_change(struct views_reader *reader, struct bytes key, struct bytes value)
{
    if (key.size > VIEW_KEY_SIZE_MAX)
        return ERR_INVALID;
    reader_saw(reader, reader->put_group);
    absent_forget(reader, key);
    return memory_put(reader->memory, reader->put_group, key, value);
}

static enum err reader_put(void *context, struct bytes key, struct bytes value)
{
    return reader_change(context, key, value.data ? value : bytes_of_string(""));
}

static enum err reader_del(void *context, struct bytes key)
{
    return reader_change(context, key, BYTES_NONE);
}

static enum err reader_may_not_put(void *context, struct bytes key, struct bytes value)
{
    (void)context, (void)key, (void)value;
    return ERR_INVALID;
}

static enum err reader_may_not_del(void *context, struct bytes key)
{
    (void)context, (void)key;
    return ERR_INVALID;
}

static const struct view_ops READING = { reader_get, reader_may_not_put, reader_may_not_del,
                                         reader_seek };
static const struct view_ops WRITING = { reader_get, reader_put, reader_del, reader_seek };

/* ---- begin and end ---------------------------------------------------------------------------- */

static void reader_init(struct views_reader *reader, struct views *views, const char *node,
                        const struct view_ops *ops)
{
    *reader = (struct views_reader){ .views = views };
    reader->view = (struct view){ .ops = ops, .context = reader };
    /* The name alone: the generation is known with the snapshot. */
    memcpy(reader->prefix, node, strlen(node) + 1);
}

/* The pin before the snapshot: what a flush drops in between is then in both, and what it has not
 * dropped is in the pin. A snapshot that holds more than the pin (the table was frozen, flushed and
 * followed by another in between) would mix two states: both are taken again. */
static void reader_snapshot(struct views_reader *reader, struct memory *memory,
                            void (*pin)(struct memory *, struct memory_pin *))
{
    for (;;) {
        if (memory)
            pin(memory, &reader->pin);
        reader->txn = store_begin_read(reader->views->store);
        reader->has_memory = memory != NULL;
        if (!memory || memory_pin_is_current(&reader->pin))
            return;
        store_abort(&reader->txn);
        memory_unpin(&reader->pin);
    }
}

/* 0: the current one. */
static enum err reader_generation(struct views_reader *reader, const char *node,
                                  uint32_t generation)
{
    enum err err = reader->txn.err;
    if (err == OK && generation == 0) {
        struct views_row row;
        err = views_row_read(&reader->txn, node, &row);
        if (err == OK && row.damaged)
            err = ERR_CORRUPT; /* not an empty view */
        generation = row.generation;
    }
    if (err == OK)
        reader->prefix_size = views_prefix(reader->prefix, node, generation);
    reader->view.err = err;
    return err;
}

static enum err reader_begin(struct views *views, const char *node, struct memory *memory,
                             uint32_t generation, struct views_reader *reader)
{
    if (!node_name_is_valid(bytes_of_string(node)))
        return ERR_INVALID;
    reader_init(reader, views, node, &READING);
    reader_snapshot(reader, memory, memory_pin);
    enum err err = reader_generation(reader, node, generation);
    if (err != OK)
        views_reader_end(reader);
    return err;
}

enum err views_reader_begin(struct views *views, const char *node, struct views_reader *reader)
{
    bool own = strcmp(node, views->node) == 0;
    for (;;) {
        unsigned before = atomic_load(&views->withheld);
        if (own && (before & 1))
            return ERR_BUSY;
        enum err err = reader_begin(views, node, own ? views->memory : NULL, 0, reader);
        if (err != OK || !own || atomic_load(&views->withheld) == before)
            return err;
        views_reader_end(reader); /* table and snapshot may be of before and after */
    }
}

enum err views_reader_begin_applied(struct views *views, const char *node,
                                    struct views_reader *reader)
{
    return reader_begin(views, node, NULL, 0, reader);
}

enum err views_reader_begin_fold(struct views *views, const char *node, uint32_t generation,
                                 struct views_reader *reader)
{
    reader_init(reader, views, node, &WRITING);
    reader_snapshot(reader, views->scratch, memory_pin_newest);
    reader->memory = views->scratch;
    enum err err = reader_generation(reader, node, generation);
    if (err != OK)
        views_reader_end(reader);
    return err;
}

void views_reader_end(struct views_reader *reader)
{
    if (reader->has_cursor)
        store_cursor_close(&reader->cursor);
    store_abort(&reader->txn);
    if (reader->has_memory)
        memory_unpin(&reader->pin);
    reader->has_cursor = reader->has_memory = false;
    buffer_close(&reader->key);
    buffer_close(&reader->value);
    buffer_close(&reader->proven_from);
    buffer_close(&reader->proven_to);
}

/* ---- the decider ------------------------------------------------------------------------------ */

struct view *views_decider_begin(struct views *views, uint64_t group)
{
    struct views_reader *decider = &views->decider;
    memory_publish(views->memory);
    /* The snapshot may be old, what was flushed since is still in the pin. It is renewed with each
     * freeze, so that it does not pin pages for long, and when the map is to grow. */
    if (views->decider_is_open &&
        (!memory_pin_is_current(&decider->pin) || atomic_load(&views->map_is_wanted)))
        views_decider_end(views);
    if (!views->decider_is_open) {
        reader_init(decider, views, views->node, &WRITING);
        reader_snapshot(decider, views->memory, memory_pin_newest);
        decider->memory = views->memory;
        reader_generation(decider, views->node, 0);
        views->decider_is_open = true;
    }
    decider->put_group = group;
    decider->group = 0;
    return &decider->view;
}

uint64_t views_decider_group(const struct views *views)
{
    return views->decider.group;
}

void views_decider_end(struct views *views)
{
    if (!views->decider_is_open)
        return;
    memory_publish(views->memory);
    views_reader_end(&views->decider);
    views->decider_is_open = false;
}
