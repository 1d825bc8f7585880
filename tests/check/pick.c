#include "tests/check/pick.h"

#include <string.h>

enum { DEPTH_MAX = 8 };

/* A value's head: what it is and its number, size or count. */
enum what { NIL, FALSE_, TRUE_, UINT, NEGATIVE, STR, BIN, ARRAY, MAP, WRONG };

struct head {
    enum what what;
    uint64_t number;
};

struct pick pick_of(struct span input)
{
    return (struct pick){ .at = input.data, .end = input.data + input.size };
}

bool pick_at_end(const struct pick *pick)
{
    return !pick->bad && pick->at == pick->end;
}

static size_t left(const struct pick *pick)
{
    return (size_t)(pick->end - pick->at);
}

/* `size` big-endian bytes; at least `least`, or a shorter form was to be used. */
static uint64_t number_of(struct pick *pick, unsigned size, uint64_t least)
{
    uint64_t number = 0;
    if (left(pick) < size) {
        pick->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        number = number << 8 | *pick->at++;
    if (number < least)
        pick->bad = true;
    return number;
}

/* d0 to d3 are only right for numbers below zero that have no shorter form. */
static struct head negative_of(struct pick *pick, unsigned size)
{
    uint64_t number = number_of(pick, size, 0);
    uint64_t sign = UINT64_C(1) << (8 * size - 1);
    uint64_t below = size == 1 ? 32 : UINT64_C(1) << (4 * size - 1); /* magnitudes of shorter forms */
    uint64_t magnitude = (~number & (sign | (sign - 1))) + 1;
    if ((number & sign) == 0 || magnitude <= below)
        pick->bad = true;
    return (struct head){ NEGATIVE, magnitude };
}

static struct head head_of(struct pick *pick)
{
    if (pick->bad || left(pick) == 0) {
        pick->bad = true;
        return (struct head){ WRONG, 0 };
    }
    uint8_t first = *pick->at++;
    if (first < 0x80)
        return (struct head){ UINT, first };
    if (first < 0x90)
        return (struct head){ MAP, first & 0x0f };
    if (first < 0xa0)
        return (struct head){ ARRAY, first & 0x0f };
    if (first < 0xc0)
        return (struct head){ STR, first & 0x1f };
    if (first >= 0xe0)
        return (struct head){ NEGATIVE, 256u - first };
    switch (first) {
    case 0xc0:
        return (struct head){ NIL, 0 };
    case 0xc2:
        return (struct head){ FALSE_, 0 };
    case 0xc3:
        return (struct head){ TRUE_, 0 };
    case 0xc4:
        return (struct head){ BIN, number_of(pick, 1, 0) };
    case 0xc5:
        return (struct head){ BIN, number_of(pick, 2, 0x100) };
    case 0xc6:
        return (struct head){ BIN, number_of(pick, 4, 0x10000) };
    case 0xcc:
        return (struct head){ UINT, number_of(pick, 1, 0x80) };
    case 0xcd:
        return (struct head){ UINT, number_of(pick, 2, 0x100) };
    case 0xce:
        return (struct head){ UINT, number_of(pick, 4, 0x10000) };
    case 0xcf:
        return (struct head){ UINT, number_of(pick, 8, UINT64_C(0x100000000)) };
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return negative_of(pick, 1u << (first - 0xd0));
    case 0xd9:
        return (struct head){ STR, number_of(pick, 1, 32) };
    case 0xda:
        return (struct head){ STR, number_of(pick, 2, 0x100) };
    case 0xdb:
        return (struct head){ STR, number_of(pick, 4, 0x10000) };
    case 0xdc:
        return (struct head){ ARRAY, number_of(pick, 2, 16) };
    case 0xdd:
        return (struct head){ ARRAY, number_of(pick, 4, 0x10000) };
    case 0xde:
        return (struct head){ MAP, number_of(pick, 2, 16) };
    case 0xdf:
        return (struct head){ MAP, number_of(pick, 4, 0x10000) };
    default:
        pick->bad = true;
        return (struct head){ WRONG, 0 };
    }
}

static uint64_t number_as(struct pick *pick, enum what what)
{
    struct head head = head_of(pick);
    if (head.what != what)
        pick->bad = true;
    return pick->bad ? 0 : head.number;
}

static struct span range_as(struct pick *pick, enum what what)
{
    uint64_t size = number_as(pick, what);
    if (pick->bad || size > left(pick)) {
        pick->bad = true;
        return (struct span){ (const uint8_t *)"", 0 };
    }
    struct span range = { pick->at, (size_t)size };
    pick->at += size;
    return range;
}

static size_t count_as(struct pick *pick, enum what what, unsigned least_size)
{
    uint64_t count = number_as(pick, what);
    if (count > left(pick) / least_size)
        pick->bad = true;
    return pick->bad ? 0 : (size_t)count;
}

bool pick_nil(struct pick *pick)
{
    if (pick->bad || left(pick) == 0 || *pick->at != 0xc0)
        return false;
    pick->at++;
    return true;
}

bool pick_bool(struct pick *pick)
{
    struct head head = head_of(pick);
    if (head.what != TRUE_ && head.what != FALSE_)
        pick->bad = true;
    return head.what == TRUE_;
}

uint64_t pick_uint(struct pick *pick)
{
    return number_as(pick, UINT);
}

struct span pick_str(struct pick *pick)
{
    struct span text = range_as(pick, STR);
    if (!text_is_utf8(text))
        pick->bad = true;
    return text;
}

struct span pick_bin(struct pick *pick)
{
    return range_as(pick, BIN);
}

void pick_bin_of(struct pick *pick, size_t size, uint8_t *out)
{
    struct span bytes = pick_bin(pick);
    memset(out, 0, size);
    if (bytes.size != size)
        pick->bad = true;
    else
        memcpy(out, bytes.data, size);
}

size_t pick_array(struct pick *pick)
{
    return count_as(pick, ARRAY, 1);
}

void pick_array_of(struct pick *pick, size_t count)
{
    if (pick_array(pick) != count)
        pick->bad = true;
}

size_t pick_map(struct pick *pick)
{
    return count_as(pick, MAP, 2);
}

static void skip_at(struct pick *pick, unsigned depth)
{
    const uint8_t *start = pick->at;
    struct head head = head_of(pick);
    if (head.what == STR || head.what == BIN) {
        pick->at = start;
        (void)(head.what == STR ? pick_str(pick) : pick_bin(pick));
    } else if (head.what == ARRAY || head.what == MAP) {
        uint64_t count = head.what == MAP ? 2 * head.number : head.number;
        if (depth == DEPTH_MAX || count > left(pick))
            pick->bad = true;
        for (uint64_t i = 0, last = 0; i < count && !pick->bad; i++) {
            if (head.what == MAP && i % 2 == 0) {
                uint64_t key = pick_uint(pick);
                if (i > 0 && key <= last)
                    pick->bad = true;
                last = key;
            } else {
                skip_at(pick, depth + 1);
            }
        }
    }
}

void pick_skip(struct pick *pick)
{
    skip_at(pick, 0);
}

bool text_is_utf8(struct span text)
{
    for (size_t i = 0; i < text.size;) {
        uint8_t first = text.data[i];
        size_t more = first < 0x80 ? 0 : first < 0xc2 ? 9 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if (more == 9 || first > 0xf4 || text.size - i <= more)
            return false;
        uint32_t point = more == 0 ? first : first & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((text.data[i + k] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (text.data[i + k] & 0x3f);
        }
        if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10ffff)) ||
            (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += more + 1;
    }
    return true;
}
