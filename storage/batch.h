/* A batch: the stored form of a run of consecutive records of one log, written as one value.
 *
 * A group commit or a received package becomes one batch, so a group costs one B-tree key however
 * many records it has, and keys only ascend. All integers big-endian:
 *
 *   u8 format (1) | u8 flags (0) | u16 frontier count f | u32 record count n
 *   u32 note size s | u32 reserved (0)
 *   n x { u32 header size | u32 facts size | u32 person size, 0xffffffff = absent }
 *   n x 32   leaf hashes
 *   f x 32   frontier of the log after the last record
 *   s        the signed checkpoint note after the last record (own logs; 0 for followed ones)
 *   n x { header | facts (salt || part) | person (sealed: salt || part, +16) }
 */
#ifndef STORAGE_BATCH_H
#define STORAGE_BATCH_H

#include "proto/record/record.h"
#include "proto/secure/merkle.h"
#include "proto/secure/note.h"
#include "storage/seal.h"

#define BATCH_RECORD_MAX 1024
#define BATCH_NODE_MAX 32

/* Builds a batch away from the store, on any thread. */
struct batch_builder {
    uint64_t first; /* position of its first record */
    uint32_t count;
    bool detached; /* the frontier is not known yet */
    struct merkle_frontier frontier; /* after the last added record */
    struct buffer lengths, leaves, records;
    /* Perfect subtrees of level >= MERKLE_BLOCK_LEVEL that the batch completed. */
    size_t node_count;
    struct batch_node {
        unsigned level;
        uint64_t index;
        struct hash hash;
    } nodes[BATCH_NODE_MAX];
    enum err err; /* sticky: ERR_NOMEM, ERR_TOO_LARGE (BATCH_RECORD_MAX) */
};

/* `batch` may be uninitialised; batch_close() gives its memory back. */
void batch_begin(struct batch_builder *batch, const struct merkle_frontier *at);
/* The same without the tree, for records whose predecessors may not be stored yet; the frontier
 * comes with batch_attach() (once, after the last batch_add). */
void batch_begin_detached(struct batch_builder *batch, uint64_t first);
void batch_attach(struct batch_builder *batch, const struct merkle_frontier *at);
/* The record is copied, its person part sealed. The caller has verified it. */
void batch_add(struct batch_builder *batch, const struct record *record, const struct hash *leaf,
               const struct seal_key *key);
/* Bytes of the value that batch_write() will write with a note of `note_size`. */
size_t batch_size(const struct batch_builder *batch, size_t note_size);
void batch_write(const struct batch_builder *batch, struct bytes note, uint8_t *out);
void batch_close(struct batch_builder *batch);

/* Reads a stored batch; every size is checked against the value before it is used. */
struct batch_view {
    uint32_t count;
    uint16_t frontier_count;
    struct bytes note;
    const uint8_t *lengths, *leaves, *frontier;
    struct bytes records;
};
enum err batch_open(struct batch_view *view, struct bytes value); /* ERR_CORRUPT, ERR_VERSION */
/* Record `index` of the batch as stored (person still sealed): ranges into the value. Walks the
 * lengths. ERR_INVALID beyond the end. */
enum err batch_record(const struct batch_view *view, uint32_t index, struct record *sealed,
                      struct hash *leaf);
/* The same in order. */
struct batch_walk {
    const struct batch_view *view;
    uint32_t index; /* of the next record */
    size_t offset;  /* its place in view->records */
};
struct batch_walk batch_walk(const struct batch_view *view);
enum err batch_next(struct batch_walk *walk, struct record *sealed, struct hash *leaf); /* ERR_END */
void batch_skip(struct batch_walk *walk, uint32_t count);
/* The frontier after the batch, which ends at `size` records. ERR_CORRUPT when it has another
 * number of roots than a tree of that size. */
enum err batch_frontier(const struct batch_view *view, uint64_t size,
                        struct merkle_frontier *frontier);
/* Appends to `out` the value of the records from `index` on, as they are, damaged or not: what was one
 * batch becomes two. ERR_INVALID beyond the end. */
enum err batch_tail(const struct batch_view *view, uint32_t index, struct buffer *out);
/* Appends to `out` the value without the person part of one record, all else as it was.
 * ERR_NOT_FOUND when it has none. */
enum err batch_without_person(const struct batch_view *view, struct bytes value, uint32_t index,
                              struct buffer *out);

#endif
