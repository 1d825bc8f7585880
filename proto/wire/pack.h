/* msgpack in and out: the only place that knows msgpack-c.
 *
 * Writing: append one value after the other to a buffer (sticky error inside the buffer).
 * Reading: unpack_begin() skims, then unpacks; the reads walk the values in order and remember the
 * first error (ERR_MALFORMED), after which every read gives zero or an empty range. */
#ifndef PROTO_WIRE_PACK_H
#define PROTO_WIRE_PACK_H

#include "proto/base/bytes.h"

void pack_nil(struct buffer *out);
void pack_bool(struct buffer *out, bool value);
void pack_uint(struct buffer *out, uint64_t value);
void pack_int(struct buffer *out, int64_t value);
void pack_str(struct buffer *out, struct bytes value);
void pack_bin(struct buffer *out, struct bytes value);
void pack_array(struct buffer *out, size_t count);
void pack_map(struct buffer *out, size_t count);

/* A cursor over one skimmed value; strings and bins point into the input. Opaque: allocate on the
 * stack, end it with unpack_end() on every path. */
struct unpack {
    enum err err;
    void *state;
};

enum err unpack_begin(struct unpack *unpack, struct bytes input);
/* OK when every value was read and none was left over; the first error otherwise. Frees. */
enum err unpack_end(struct unpack *unpack);

uint64_t unpack_uint(struct unpack *unpack, uint64_t max);
int64_t unpack_int(struct unpack *unpack);
bool unpack_bool(struct unpack *unpack);
struct bytes unpack_str(struct unpack *unpack, size_t size_max);
struct bytes unpack_bin(struct unpack *unpack, size_t size_max);
void unpack_bin_into(struct unpack *unpack, void *out, size_t size);
/* Consumes a nil when one stands here. */
bool unpack_nil(struct unpack *unpack);
/* Enters; the values inside are read next, in order. */
size_t unpack_array(struct unpack *unpack, size_t min, size_t max);
size_t unpack_map(struct unpack *unpack, size_t max);
/* Passes over one value of any type (unknown map keys). */
void unpack_skip(struct unpack *unpack);
/* A rule of the caller about what was read: ERR_MALFORMED unless it holds. */
void unpack_expect(struct unpack *unpack, bool holds);

#endif
