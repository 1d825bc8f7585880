#include "node/casework/characters.h"

#include "proto/base/utf8.h"

int32_t character_next(struct bytes *rest)
{
    uint32_t code;
    if (utf8_take(rest, &code))
        return (int32_t)code;
    *rest = bytes_of(rest->data + 1, rest->size - 1);
    return -1;
}

void character_append(struct buffer *out, int32_t code)
{
    uint8_t *room = buffer_reserve(out, 4);
    if (!room)
        return;
    if (code < 0x80) {
        room[0] = (uint8_t)code;
        out->size += 1;
    } else if (code < 0x800) {
        room[0] = (uint8_t)(0xC0 | code >> 6);
        room[1] = (uint8_t)(0x80 | (code & 0x3F));
        out->size += 2;
    } else if (code < 0x10000) {
        room[0] = (uint8_t)(0xE0 | code >> 12);
        room[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        room[2] = (uint8_t)(0x80 | (code & 0x3F));
        out->size += 3;
    } else {
        room[0] = (uint8_t)(0xF0 | code >> 18);
        room[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
        room[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        room[3] = (uint8_t)(0x80 | (code & 0x3F));
        out->size += 4;
    }
}

size_t characters_count(struct bytes text)
{
    const uint64_t highest = UINT64_C(0x8080808080808080), ones = UINT64_C(0x0101010101010101);
    size_t follows = 0, i = 0; /* bytes that begin no character */
    for (; i + 8 <= text.size; i += 8) {
        uint64_t eight = get_u64(text.data + i);
        uint64_t found = eight & ~(eight << 1) & highest;
        follows += ((found >> 7) * ones) >> 56;
    }
    for (; i < text.size; i++)
        follows += (text.data[i] & 0xC0) == 0x80;
    return text.size - follows;
}
