#include "proto/base/bytes.h"

#include <stdlib.h>
#include <string.h>

void buffer_close(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->err = OK;
}

void buffer_expect(struct buffer *buffer, size_t size)
{
    if (buffer->err != OK || buffer->size > 0 || buffer->capacity >= size)
        return;
    uint8_t *data = malloc(size);
    if (!data) {
        buffer->err = ERR_NOMEM;
        return;
    }
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = size;
}

static bool buffer_grow(struct buffer *buffer, size_t size)
{
    if (size > SIZE_MAX / 2 - buffer->size) {
        buffer->err = ERR_NOMEM;
        return false;
    }
    size_t needed = buffer->size + size;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->err = ERR_NOMEM;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->err != OK)
        return NULL;
    if (size > buffer->capacity - buffer->size && !buffer_grow(buffer, size))
        return NULL;
    /* Never NULL on success, also for size 0 on an empty buffer. */
    return buffer->data ? buffer->data + buffer->size : (uint8_t *)buffer;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return;
    uint8_t *room = buffer_reserve(buffer, size);
    if (!room)
        return;
    memcpy(room, data, size);
    buffer->size += size;
}

void buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void buffer_append_u8(struct buffer *buffer, uint8_t value)
{
    buffer_append(buffer, &value, 1);
}

void buffer_append_u16(struct buffer *buffer, uint16_t value)
{
    uint8_t raw[2];
    put_u16(raw, value);
    buffer_append(buffer, raw, sizeof raw);
}

void buffer_append_u32(struct buffer *buffer, uint32_t value)
{
    uint8_t raw[4];
    put_u32(raw, value);
    buffer_append(buffer, raw, sizeof raw);
}

void buffer_append_u64(struct buffer *buffer, uint64_t value)
{
    uint8_t raw[8];
    put_u64(raw, value);
    buffer_append(buffer, raw, sizeof raw);
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

struct reader reader_of(struct bytes input)
{
    return (struct reader){ .rest = input, .err = OK };
}

bool reader_at_end(const struct reader *reader)
{
    return reader->err != OK || reader->rest.size == 0;
}

struct bytes read_bytes(struct reader *reader, size_t size)
{
    if (reader->err != OK || size > reader->rest.size) {
        reader->err = reader->err != OK ? reader->err : ERR_MALFORMED;
        reader->rest.size = 0;
        return BYTES_NONE;
    }
    struct bytes taken = bytes_of(reader->rest.data, size);
    if (size > 0)
        reader->rest.data += size;
    reader->rest.size -= size;
    return taken;
}

void read_into(struct reader *reader, void *out, size_t size)
{
    struct bytes taken = read_bytes(reader, size);
    if (taken.size == size && size > 0)
        memcpy(out, taken.data, size);
    else
        memset(out, 0, size);
}

uint8_t read_u8(struct reader *reader)
{
    struct bytes raw = read_bytes(reader, 1);
    return raw.size ? raw.data[0] : 0;
}

uint16_t read_u16(struct reader *reader)
{
    struct bytes raw = read_bytes(reader, 2);
    return raw.size ? get_u16(raw.data) : 0;
}

uint32_t read_u32(struct reader *reader)
{
    struct bytes raw = read_bytes(reader, 4);
    return raw.size ? get_u32(raw.data) : 0;
}

uint64_t read_u64(struct reader *reader)
{
    struct bytes raw = read_bytes(reader, 8);
    return raw.size ? get_u64(raw.data) : 0;
}

void hex_encode(char *out, struct bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        out[2 * i] = digits[bytes.data[i] >> 4];
        out[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    out[2 * bytes.size] = '\0';
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

enum err hex_decode(uint8_t *out, size_t size, const char *hex, size_t hex_size)
{
    if (hex_size != 2 * size)
        return ERR_MALFORMED;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_MALFORMED;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return OK;
}
