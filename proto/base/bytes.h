/* Byte ranges, a growable buffer, and a read cursor with a sticky error. */
#ifndef PROTO_BASE_BYTES_H
#define PROTO_BASE_BYTES_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A range that somebody else owns; it is valid as long as the owner says. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

#define BYTES_NONE ((struct bytes){ NULL, 0 })
#define BYTES_OF_ARRAY(array) ((struct bytes){ (const uint8_t *)(array), sizeof(array) })

/* The smallest functions are written here: a registration calls them some thousand times. */
static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){ (const uint8_t *)data, size };
}

static inline struct bytes bytes_of_string(const char *string)
{
    return bytes_of(string, strlen(string));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* memcmp order, a shorter prefix first: the order of LMDB's default comparison. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

/* A growable buffer. The first failed growth is remembered in `err` (ERR_NOMEM) and every later
 * append does nothing, so a writer is asked once. All zero is an empty buffer. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    enum err err;
};

void buffer_close(struct buffer *buffer);
/* Keeps the memory, forgets content and error. */
void buffer_clear(struct buffer *buffer);
/* Gives an empty buffer room for exactly `size` bytes, where the size is known beforehand and growing
 * by doubling would waste memory. */
void buffer_expect(struct buffer *buffer, size_t size);
/* Room for `size` more bytes at data + size, or NULL; the caller adds to `size` what it wrote. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_bytes(struct buffer *buffer, struct bytes bytes);
void buffer_append_string(struct buffer *buffer, const char *string);
/* Big-endian integers: stored formats and wire headers of our own are all big-endian. */
void buffer_append_u8(struct buffer *buffer, uint8_t value);
void buffer_append_u16(struct buffer *buffer, uint16_t value);
void buffer_append_u32(struct buffer *buffer, uint32_t value);
void buffer_append_u64(struct buffer *buffer, uint64_t value);
struct bytes buffer_bytes(const struct buffer *buffer);

/* A read cursor. After the first error (ERR_MALFORMED) every read gives zero or an empty range. */
struct reader {
    struct bytes rest;
    enum err err;
};

struct reader reader_of(struct bytes input);
bool reader_at_end(const struct reader *reader);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
struct bytes read_bytes(struct reader *reader, size_t size);
/* Copies exactly `size` bytes to `out`; zeros after an error. */
void read_into(struct reader *reader, void *out, size_t size);

static inline void put_u16(uint8_t out[2], uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static inline void put_u32(uint8_t out[4], uint32_t value)
{
    put_u16(out, (uint16_t)(value >> 16));
    put_u16(out + 2, (uint16_t)value);
}

static inline void put_u64(uint8_t out[8], uint64_t value)
{
    put_u32(out, (uint32_t)(value >> 32));
    put_u32(out + 4, (uint32_t)value);
}

static inline uint16_t get_u16(const uint8_t in[2])
{
    return (uint16_t)((unsigned)in[0] << 8 | in[1]);
}

static inline uint32_t get_u32(const uint8_t in[4])
{
    return (uint32_t)get_u16(in) << 16 | get_u16(in + 2);
}

static inline uint64_t get_u64(const uint8_t in[8])
{
    return (uint64_t)get_u32(in) << 32 | get_u32(in + 4);
}

/* Lower-case hexadecimal. `out` has 2 * size + 1 bytes and is terminated. */
void hex_encode(char *out, struct bytes bytes);
/* Exactly 2 * size lower-case digits; ERR_MALFORMED otherwise. */
enum err hex_decode(uint8_t *out, size_t size, const char *hex, size_t hex_size);

#endif
