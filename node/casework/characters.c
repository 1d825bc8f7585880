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
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}
