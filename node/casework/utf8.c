#include "node/casework/utf8.h"

static int32_t advance(struct bytes *rest, size_t size, int32_t code)
{
    rest->data += size;
    rest->size -= size;
    return code;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

int32_t utf8_next(struct bytes *rest)
{
    const uint8_t *in = rest->data;
    if (in[0] < 0x80)
        return advance(rest, 1, in[0]);
    if (in[0] >= 0xC2 && in[0] <= 0xDF && rest->size >= 2 && is_continuation(in[1]))
        return advance(rest, 2, (in[0] & 0x1F) << 6 | (in[1] & 0x3F));
    if ((in[0] & 0xF0) == 0xE0 && rest->size >= 3 && is_continuation(in[1]) &&
        is_continuation(in[2])) {
        int32_t code = (in[0] & 0x0F) << 12 | (in[1] & 0x3F) << 6 | (in[2] & 0x3F);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        return code >= 0x800 && !surrogate ? advance(rest, 3, code) : advance(rest, 1, -1);
    }
    if ((in[0] & 0xF8) == 0xF0 && rest->size >= 4 && is_continuation(in[1]) &&
        is_continuation(in[2]) && is_continuation(in[3])) {
        int32_t code =
            (in[0] & 0x07) << 18 | (in[1] & 0x3F) << 12 | (in[2] & 0x3F) << 6 | (in[3] & 0x3F);
        return code >= 0x10000 && code <= 0x10FFFF ? advance(rest, 4, code) : advance(rest, 1, -1);
    }
    return advance(rest, 1, -1);
}

void utf8_append(struct buffer *out, int32_t code)
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

bool utf8_is_valid(struct bytes text)
{
    while (text.size > 0)
        if (utf8_next(&text) < 0)
            return false;
    return true;
}

size_t utf8_length(struct bytes text)
{
    size_t length = 0;
    for (; text.size > 0; length++)
        utf8_next(&text);
    return length;
}
