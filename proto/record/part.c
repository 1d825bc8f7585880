#include "proto/record/part.h"

#include "proto/wire/skim.h"

#define PART_SIZE_MAX (RECORD_PART_SIZE_MAX - SALT_SIZE)

void part_put_uint(struct buffer *out, uint64_t key, uint64_t value)
{
    pack_uint(out, key);
    pack_uint(out, value);
}

void part_put_text(struct buffer *out, uint64_t key, struct bytes text)
{
    if (text.size == 0)
        return;
    pack_uint(out, key);
    pack_str(out, text);
}

size_t part_count_texts(const struct bytes *const texts[], size_t count)
{
    size_t present = 0;
    for (size_t i = 0; i < count; i++)
        present += texts[i]->size > 0;
    return present;
}

enum err part_end(struct buffer *out, size_t start)
{
    if (out->err != OK)
        return out->err;
    struct bytes part = bytes_of(out->data + start, out->size - start);
    if (part.size <= PART_SIZE_MAX && skim_whole(part) == OK)
        return OK;
    out->size = start;
    return ERR_INVALID;
}

size_t part_begin(struct unpack *unpack, struct bytes part)
{
    unpack_begin(unpack, part);
    unpack_expect(unpack, part.size <= PART_SIZE_MAX);
    return unpack_map(unpack, SIZE_MAX);
}

int64_t part_read_time_ms(struct unpack *unpack)
{
    return (int64_t)unpack_uint(unpack, TIME_MS_MAX);
}

uint32_t part_read_u32(struct unpack *unpack)
{
    return (uint32_t)unpack_uint(unpack, UINT32_MAX);
}
