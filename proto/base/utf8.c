/* The table of well-formed sequences is Unicode 15, table 3-7. */
#include "proto/base/utf8.h"

#include <string.h>

/* The bytes of the character that begins at `at`, 0 when it is not one. */
static size_t utf8_character_size(const uint8_t *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || left < 2)
        return 0;
    if (at[0] < 0xe0)
        return (at[1] & 0xc0) == 0x80 ? 2 : 0;
    size_t size = at[0] < 0xf0 ? 3 : 4;
    if (at[0] > 0xf4 || left < size)
        return 0;
    /* Only the second byte is narrower than 80..bf: against overlong forms, surrogates and what
     * lies above U+10FFFF. */
    uint8_t least = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t most = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < least || at[1] > most || (at[2] & 0xc0) != 0x80)
        return 0;
    return size == 3 || (at[3] & 0xc0) == 0x80 ? size : 0;
}

/* How many bytes at `at` are ASCII for sure: eight or none, tried where long runs are likely. */
static size_t ascii_run_size(const uint8_t *at, size_t left)
{
    uint64_t eight;
    if (left < sizeof eight)
        return 0;
    memcpy(&eight, at, sizeof eight);
    return eight & UINT64_C(0x8080808080808080) ? 0 : sizeof eight;
}

bool utf8_is_valid(struct bytes text)
{
    const uint8_t *at = text.data;
    const uint8_t *end = text.size > 0 ? at + text.size : at;
    while (at < end) {
        /* Persian is letters of two bytes with spaces between them: the shortest path is theirs. */
        while (end - at >= 2 && at[0] >= 0xc2 && at[0] < 0xe0 && (at[1] & 0xc0) == 0x80)
            at += 2;
        if (at == end)
            return true;
        size_t size = ascii_run_size(at, (size_t)(end - at));
        if (size == 0)
            size = utf8_character_size(at, (size_t)(end - at));
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

bool utf8_take(struct bytes *rest, uint32_t *code_point)
{
    size_t size = rest->size ? utf8_character_size(rest->data, rest->size) : 0;
    if (size == 0)
        return false;
    uint32_t value = size == 1 ? rest->data[0] : rest->data[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        value = value << 6 | (rest->data[i] & 0x3f);
    *code_point = value;
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}
