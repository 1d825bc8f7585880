/* One msgpack value at a time from a read cursor: the only place that knows the encodings, and
 * which of them are the shortest. No tree, no allocation: the strict walk of skim.c and the fixed
 * shapes that are read a few hundred thousand times a second (headers, wire forms of records)
 * stand on it; everything else goes through pack.h.
 *
 * Every function keeps the cursor's sticky error: after ERR_MALFORMED each gives zero. */
#ifndef PROTO_WIRE_HEAD_H
#define PROTO_WIRE_HEAD_H

#include "proto/base/bytes.h"

enum head_type {
    HEAD_NONE, /* an error: no value, or one that is not allowed */
    HEAD_NIL,
    HEAD_FALSE,
    HEAD_TRUE,
    HEAD_UINT,
    HEAD_NEGATIVE,
    HEAD_STR,
    HEAD_BIN,
    HEAD_ARRAY,
    HEAD_MAP,
};

/* `value`: the integer (two's complement when negative), the size of a str or bin, the count of an
 * array, the pairs of a map. The bytes of a str or bin are next in the cursor. */
struct head {
    enum head_type type;
    uint64_t value;
};

/* Refuses floats, ext, the reserved byte, and whatever has a shorter form. */
struct head head_read(struct reader *reader);

/* The next value must be of this type; for an integer not above `max`, for an array of exactly
 * `count` values, for a str or bin of `min` to `max` bytes. A str is not checked for UTF-8: the
 * callers allow ASCII only, or have skimmed. */
uint64_t head_read_uint(struct reader *reader, uint64_t max);
void head_read_array(struct reader *reader, size_t count);
struct bytes head_read_str(struct reader *reader, size_t min, size_t max);
struct bytes head_read_bin(struct reader *reader, size_t min, size_t max);
void head_read_bin_into(struct reader *reader, void *out, size_t size);
/* Consumes the one-byte value (nil, false, true) when it stands here, and says so. */
bool head_read_is(struct reader *reader, enum head_type type);

#endif
