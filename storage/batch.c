#include "storage/batch.h"

#include "proto/base/require.h"

#include <string.h>

#define BATCH_FORMAT       1
#define BATCH_HEAD_SIZE    16
#define BATCH_LENGTHS_SIZE 12 /* of one record */
#define BATCH_ABSENT       UINT32_C(0xffffffff)

/* ---- building -------------------------------------------------------------------------------- */

void batch_begin(struct batch_builder *batch, const struct merkle_frontier *at)
{
    memset(batch, 0, sizeof *batch);
    batch->first = at->size;
    batch->frontier = *at;
}

void batch_begin_detached(struct batch_builder *batch, uint64_t first)
{
    memset(batch, 0, sizeof *batch);
    batch->first = first;
    batch->detached = true;
}

void batch_close(struct batch_builder *batch)
{
    buffer_close(&batch->lengths);
    buffer_close(&batch->leaves);
    buffer_close(&batch->records);
}

static void batch_on_node(void *context, unsigned level, uint64_t index, const struct hash *hash)
{
    struct batch_builder *batch = context;
    if (level < MERKLE_BLOCK_LEVEL)
        return;
    if (batch->node_count == BATCH_NODE_MAX) {
        batch->err = ERR_TOO_LARGE; /* beyond 2^35 records */
        return;
    }
    batch->nodes[batch->node_count++] =
        (struct batch_node){ .level = level, .index = index, .hash = *hash };
}

static uint32_t batch_add_person(struct batch_builder *batch, const struct record *record,
                                 const struct hash *leaf, const struct seal_key *key)
{
    if (record->person_absent)
        return BATCH_ABSENT;
    if (record->person.size == 0)
        return 0;
    size_t size = record->person.size + SEAL_OVERHEAD;
    uint8_t *room = buffer_reserve(&batch->records, size);
    if (room) {
        seal(key, leaf, record->person, room);
        batch->records.size += size;
    }
    return (uint32_t)size;
}

static bool record_fits(const struct record *record)
{
    return record->header.size <= RECORD_HEADER_SIZE_MAX &&
           record->facts.size <= RECORD_PART_SIZE_MAX &&
           record->person.size <= RECORD_PART_SIZE_MAX;
}

void batch_add(struct batch_builder *batch, const struct record *record, const struct hash *leaf,
               const struct seal_key *key)
{
    if (batch->err == OK && (batch->count == BATCH_RECORD_MAX || !record_fits(record)))
        batch->err = ERR_TOO_LARGE;
    if (batch->err != OK)
        return;
    buffer_append_bytes(&batch->records, record->header);
    buffer_append_bytes(&batch->records, record->facts);
    uint32_t person_size = batch_add_person(batch, record, leaf, key);
    buffer_append_u32(&batch->lengths, (uint32_t)record->header.size);
    buffer_append_u32(&batch->lengths, (uint32_t)record->facts.size);
    buffer_append_u32(&batch->lengths, person_size);
    buffer_append(&batch->leaves, leaf->bytes, HASH_SIZE);
    if (batch->records.err != OK || batch->lengths.err != OK || batch->leaves.err != OK) {
        batch->err = ERR_NOMEM;
        return;
    }
    if (!batch->detached)
        merkle_frontier_append(&batch->frontier, leaf, batch_on_node, batch);
    batch->count++;
}

void batch_attach(struct batch_builder *batch, const struct merkle_frontier *at)
{
    struct hash leaf;
    require(batch->detached && at->size == batch->first);
    batch->detached = false;
    batch->frontier = *at;
    for (uint32_t i = 0; i < batch->count; i++) {
        memcpy(leaf.bytes, batch->leaves.data + (size_t)i * HASH_SIZE, HASH_SIZE);
        merkle_frontier_append(&batch->frontier, &leaf, batch_on_node, batch);
    }
}

size_t batch_size(const struct batch_builder *batch, size_t note_size)
{
    return BATCH_HEAD_SIZE + batch->lengths.size + batch->leaves.size +
           HASH_SIZE * merkle_frontier_count(batch->frontier.size) + note_size +
           batch->records.size;
}

static uint8_t *write_bytes(uint8_t *out, const void *data, size_t size)
{
    if (size > 0)
        memcpy(out, data, size);
    return out + size;
}

static uint8_t *write_head(uint8_t *out, unsigned frontier_count, uint32_t count, size_t note_size)
{
    out[0] = BATCH_FORMAT;
    out[1] = 0;
    put_u16(out + 2, (uint16_t)frontier_count);
    put_u32(out + 4, count);
    put_u32(out + 8, (uint32_t)note_size);
    put_u32(out + 12, 0);
    return out + BATCH_HEAD_SIZE;
}

void batch_write(const struct batch_builder *batch, struct bytes note, uint8_t *out)
{
    require(batch->err == OK && batch->count > 0 && !batch->detached);
    unsigned frontier_count = merkle_frontier_count(batch->frontier.size);
    out = write_head(out, frontier_count, batch->count, note.size);
    out = write_bytes(out, batch->lengths.data, batch->lengths.size);
    out = write_bytes(out, batch->leaves.data, batch->leaves.size);
    out = write_bytes(out, batch->frontier.roots, HASH_SIZE * frontier_count);
    out = write_bytes(out, note.data, note.size);
    write_bytes(out, batch->records.data, batch->records.size);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct lengths {
    uint32_t header, facts, person;
    bool person_absent;
};

static struct lengths lengths_at(const struct batch_view *view, uint32_t index)
{
    const uint8_t *at = view->lengths + (size_t)index * BATCH_LENGTHS_SIZE;
    struct lengths lengths = { get_u32(at), get_u32(at + 4), get_u32(at + 8), false };
    if (lengths.person == BATCH_ABSENT) {
        lengths.person = 0;
        lengths.person_absent = true;
    }
    return lengths;
}

static bool lengths_are_possible(const struct lengths *lengths)
{
    return lengths->header <= RECORD_HEADER_SIZE_MAX && lengths->facts <= RECORD_PART_SIZE_MAX &&
           lengths->person <= RECORD_PART_SIZE_MAX + SEAL_OVERHEAD;
}

/* The sizes of all records must fill the rest of the value exactly. */
static enum err batch_check_lengths(const struct batch_view *view)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        struct lengths lengths = lengths_at(view, i);
        if (!lengths_are_possible(&lengths))
            return ERR_CORRUPT;
        total += (uint64_t)lengths.header + lengths.facts + lengths.person;
    }
    return total == view->records.size ? OK : ERR_CORRUPT;
}

enum err batch_open(struct batch_view *view, struct bytes value)
{
    struct reader reader = reader_of(value);
    uint8_t format = read_u8(&reader);
    uint8_t flags = read_u8(&reader);
    view->frontier_count = read_u16(&reader);
    view->count = read_u32(&reader);
    uint32_t note_size = read_u32(&reader);
    uint32_t reserved = read_u32(&reader);
    if (reader.err != OK)
        return ERR_CORRUPT;
    if (format != BATCH_FORMAT)
        return format > BATCH_FORMAT ? ERR_VERSION : ERR_CORRUPT;
    if (flags != 0 || reserved != 0 || view->count == 0 || view->count > BATCH_RECORD_MAX ||
        view->frontier_count > MERKLE_LEVEL_MAX + 1 || note_size > NOTE_SIZE_MAX)
        return ERR_CORRUPT;
    view->lengths = read_bytes(&reader, (size_t)view->count * BATCH_LENGTHS_SIZE).data;
    view->leaves = read_bytes(&reader, (size_t)view->count * HASH_SIZE).data;
    view->frontier = read_bytes(&reader, (size_t)view->frontier_count * HASH_SIZE).data;
    view->note = read_bytes(&reader, note_size);
    view->records = reader.rest;
    return reader.err == OK ? batch_check_lengths(view) : ERR_CORRUPT;
}

struct batch_walk batch_walk(const struct batch_view *view)
{
    return (struct batch_walk){ .view = view };
}

enum err batch_next(struct batch_walk *walk, struct record *sealed, struct hash *leaf)
{
    const struct batch_view *view = walk->view;
    if (walk->index == view->count)
        return ERR_END;
    struct lengths lengths = lengths_at(view, walk->index);
    const uint8_t *at = view->records.data + walk->offset;
    sealed->header = bytes_of(at, lengths.header);
    sealed->facts = bytes_of(at + lengths.header, lengths.facts);
    sealed->person = bytes_of(at + lengths.header + lengths.facts, lengths.person);
    sealed->person_absent = lengths.person_absent;
    memcpy(leaf->bytes, view->leaves + (size_t)walk->index * HASH_SIZE, HASH_SIZE);
    walk->offset += (size_t)lengths.header + lengths.facts + lengths.person;
    walk->index++;
    return OK;
}

void batch_skip(struct batch_walk *walk, uint32_t count)
{
    for (; count > 0 && walk->index < walk->view->count; count--) {
        struct lengths lengths = lengths_at(walk->view, walk->index++);
        walk->offset += (size_t)lengths.header + lengths.facts + lengths.person;
    }
}

enum err batch_record(const struct batch_view *view, uint32_t index, struct record *sealed,
                      struct hash *leaf)
{
    struct batch_walk walk = batch_walk(view);
    batch_skip(&walk, index);
    return batch_next(&walk, sealed, leaf) == OK ? OK : ERR_INVALID;
}

enum err batch_frontier(const struct batch_view *view, uint64_t size,
                        struct merkle_frontier *frontier)
{
    memset(frontier, 0, sizeof *frontier);
    if (merkle_frontier_count(size) != view->frontier_count)
        return ERR_CORRUPT;
    frontier->size = size;
    memcpy(frontier->roots, view->frontier, (size_t)view->frontier_count * HASH_SIZE);
    return OK;
}

/* ---- dividing ------------------------------------------------------------------------------- */

enum err batch_tail(const struct batch_view *view, uint32_t index, struct buffer *out)
{
    uint8_t head[BATCH_HEAD_SIZE];
    if (index >= view->count)
        return ERR_INVALID;
    uint32_t count = view->count - index;
    struct batch_walk walk = batch_walk(view);
    batch_skip(&walk, index);
    write_head(head, view->frontier_count, count, view->note.size);
    buffer_append(out, head, sizeof head);
    buffer_append(out, view->lengths + (size_t)index * BATCH_LENGTHS_SIZE,
                  (size_t)count * BATCH_LENGTHS_SIZE);
    buffer_append(out, view->leaves + (size_t)index * HASH_SIZE, (size_t)count * HASH_SIZE);
    buffer_append(out, view->frontier, (size_t)view->frontier_count * HASH_SIZE);
    buffer_append_bytes(out, view->note);
    buffer_append(out, view->records.data + walk.offset, view->records.size - walk.offset);
    return out->err;
}

/* ---- erasing --------------------------------------------------------------------------------- */

enum err batch_without_person(const struct batch_view *view, struct bytes value, uint32_t index,
                              struct buffer *out)
{
    struct record sealed;
    struct hash leaf;
    if (batch_record(view, index, &sealed, &leaf) != OK)
        return ERR_INVALID;
    if (sealed.person.size == 0)
        return ERR_NOT_FOUND;
    size_t before = (size_t)(sealed.person.data - value.data);
    size_t after = before + sealed.person.size;
    size_t length_at =
        (size_t)(view->lengths - value.data) + (size_t)index * BATCH_LENGTHS_SIZE + 8;
    size_t start = out->size;
    buffer_append(out, value.data, before);
    buffer_append(out, value.data + after, value.size - after);
    if (out->err != OK)
        return out->err;
    put_u32(out->data + start + length_at, BATCH_ABSENT);
    return OK;
}
