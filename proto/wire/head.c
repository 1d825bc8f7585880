#include "proto/wire/head.h"

#include <string.h>

/* First bytes 0xc0..0xdf: what follows, in how many bytes, and between which bounds its number
 * must lie so that no shorter form exists. Rows of zeros are refused: the reserved byte, ext and
 * floats. */
static const struct wide {
    enum head_type type;
    unsigned width;
    uint64_t least, most;
} WIDE[32] = {
    [0x00] = { HEAD_NIL, 0, 0, 0 },
    [0x02] = { HEAD_FALSE, 0, 0, 0 },
    [0x03] = { HEAD_TRUE, 0, 0, 0 },
    [0x04] = { HEAD_BIN, 1, 0, UINT8_MAX },
    [0x05] = { HEAD_BIN, 2, 0x100, UINT16_MAX },
    [0x06] = { HEAD_BIN, 4, 0x10000, UINT32_MAX },
    [0x0c] = { HEAD_UINT, 1, 0x80, UINT8_MAX },
    [0x0d] = { HEAD_UINT, 2, 0x100, UINT16_MAX },
    [0x0e] = { HEAD_UINT, 4, 0x10000, UINT32_MAX },
    [0x0f] = { HEAD_UINT, 8, UINT64_C(0x100000000), UINT64_MAX },
    [0x10] = { HEAD_NEGATIVE, 1, 0x80, 0xdf },
    [0x11] = { HEAD_NEGATIVE, 2, 0x8000, 0xff7f },
    [0x12] = { HEAD_NEGATIVE, 4, 0x80000000, 0xffff7fff },
    [0x13] = { HEAD_NEGATIVE, 8, UINT64_C(0x8000000000000000), UINT64_C(0xffffffff7fffffff) },
    [0x19] = { HEAD_STR, 1, 32, UINT8_MAX },
    [0x1a] = { HEAD_STR, 2, 0x100, UINT16_MAX },
    [0x1b] = { HEAD_STR, 4, 0x10000, UINT32_MAX },
    [0x1c] = { HEAD_ARRAY, 2, 16, UINT16_MAX },
    [0x1d] = { HEAD_ARRAY, 4, 0x10000, UINT32_MAX },
    [0x1e] = { HEAD_MAP, 2, 16, UINT16_MAX },
    [0x1f] = { HEAD_MAP, 4, 0x10000, UINT32_MAX },
};

static void fail(struct reader *reader)
{
    if (reader->err == OK)
        reader->err = ERR_MALFORMED;
    reader->rest.size = 0;
}

static uint64_t sign_extend(uint64_t value, unsigned width)
{
    return width == 8 ? value : value | UINT64_MAX << (8 * width);
}

static struct head read_wide(struct reader *reader, const struct wide *wide)
{
    uint64_t value = 0;
    struct bytes raw = read_bytes(reader, wide->width);
    for (size_t i = 0; i < raw.size; i++)
        value = value << 8 | raw.data[i];
    if (reader->err != OK || wide->type == HEAD_NONE || value < wide->least ||
        value > wide->most) {
        fail(reader);
        return (struct head){ HEAD_NONE, 0 };
    }
    if (wide->type == HEAD_NEGATIVE)
        value = sign_extend(value, wide->width);
    return (struct head){ wide->type, value };
}

struct head head_read(struct reader *reader)
{
    if (reader->err != OK || reader->rest.size == 0) {
        fail(reader);
        return (struct head){ HEAD_NONE, 0 };
    }
    uint8_t first = *reader->rest.data++;
    reader->rest.size--;
    if (first < 0x80)
        return (struct head){ HEAD_UINT, first };
    if (first < 0x90)
        return (struct head){ HEAD_MAP, first & 0x0f };
    if (first < 0xa0)
        return (struct head){ HEAD_ARRAY, first & 0x0f };
    if (first < 0xc0)
        return (struct head){ HEAD_STR, first & 0x1f };
    if (first >= 0xe0)
        return (struct head){ HEAD_NEGATIVE, sign_extend(first, 1) };
    return read_wide(reader, &WIDE[first - 0xc0]);
}

static uint64_t read_number(struct reader *reader, enum head_type type, uint64_t min, uint64_t max)
{
    struct head head = head_read(reader);
    if (head.type == type && head.value >= min && head.value <= max)
        return head.value;
    fail(reader);
    return 0;
}

uint64_t head_read_uint(struct reader *reader, uint64_t max)
{
    return read_number(reader, HEAD_UINT, 0, max);
}

void head_read_array(struct reader *reader, size_t count)
{
    read_number(reader, HEAD_ARRAY, count, count);
}

struct bytes head_read_str(struct reader *reader, size_t min, size_t max)
{
    return read_bytes(reader, (size_t)read_number(reader, HEAD_STR, min, max));
}

struct bytes head_read_bin(struct reader *reader, size_t min, size_t max)
{
    return read_bytes(reader, (size_t)read_number(reader, HEAD_BIN, min, max));
}

void head_read_bin_into(struct reader *reader, void *out, size_t size)
{
    struct bytes value = head_read_bin(reader, size, size);
    if (value.size == size && size > 0)
        memcpy(out, value.data, size);
    else
        memset(out, 0, size);
}

bool head_read_is(struct reader *reader, enum head_type type)
{
    struct reader ahead = *reader;
    if (reader->err != OK || ahead.rest.size == 0 || head_read(&ahead).type != type)
        return false;
    *reader = ahead;
    return true;
}
