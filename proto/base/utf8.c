/* The table of well-formed sequences is Unicode 15, table 3-7. */
#include "proto/base/utf8.h"

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

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* How many of the next eight bytes are whole characters of one or two bytes, which nearly all of a
 * Persian text is: eight, or seven when the last one begins a character; 0 when there is another
 * sort of byte among them or something wrong, or fewer than eight are left. */
static size_t short_run_size(const uint8_t *at, size_t left)
{
    if (left < 8)
        return 0;
    uint64_t eight = get_u64(at); /* the first byte is the highest */
    uint64_t high = eight & EACH_BYTE(0x80);
    if (high == 0)
        return 8;
    uint64_t leads = high & eight << 1, follows = high & ~(eight << 1);
    uint64_t longer = leads & eight << 2;
    uint64_t not_overlong = (eight & EACH_BYTE(0x1e)) + EACH_BYTE(0x7e); /* c0 and c1 are */
    if (longer || (leads & ~not_overlong))
        return 0;
    size_t size = leads & 0x80 ? 7 : 8;
    return follows == leads >> 8 ? size : 0;
}

bool utf8_is_valid(struct bytes text)
{
    const uint8_t *at = text.data;
    const uint8_t *end = text.size > 0 ? at + text.size : at;
    while (at < end) {
        size_t size = short_run_size(at, (size_t)(end - at));
        if (size == 0) {
            while (end - at >= 2 && at[0] >= 0xc2 && at[0] < 0xe0 && (at[1] & 0xc0) == 0x80)
                at += 2;
            if (at == end)
                return true;
            size = utf8_character_size(at, (size_t)(end - at));
        }
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
