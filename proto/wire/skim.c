#include "proto/wire/skim.h"

#include "proto/wire/head.h"

#include <string.h>

/* ---- UTF-8 (Unicode 15, table 3-7) ------------------------------------------------------------ */

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

bool utf8_is_valid(struct bytes text)
{
    static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);
    const uint8_t *at = text.data;
    for (size_t left = text.size; left > 0;) {
        uint64_t eight;
        if (left >= sizeof eight && (memcpy(&eight, at, sizeof eight), !(eight & HIGH_BITS))) {
            at += sizeof eight;
            left -= sizeof eight;
            continue;
        }
        size_t size = utf8_character_size(at, left);
        if (size == 0)
            return false;
        at += size;
        left -= size;
    }
    return true;
}

/* ---- the walk --------------------------------------------------------------------------------- */

struct level {
    uint64_t left; /* values still to come: a pair of a map counts as two */
    bool map;
    bool has_key;
    uint64_t key; /* the last one */
};

struct walk {
    struct reader reader;
    struct level levels[SKIM_DEPTH_MAX + 1]; /* [0] holds the one value that is asked for */
    size_t depth;
    size_t values;
};

static void refuse(struct walk *walk)
{
    walk->reader.err = ERR_MALFORMED;
}

static void enter(struct walk *walk, const struct head *head)
{
    bool map = head->type == HEAD_MAP;
    uint64_t per_entry = map ? 2 : 1;
    /* Each value takes at least a byte. The count has at most 32 bits, so this does not wrap. */
    if (walk->depth == SKIM_DEPTH_MAX || head->value * per_entry > walk->reader.rest.size) {
        refuse(walk);
        return;
    }
    walk->levels[++walk->depth] = (struct level){ .left = head->value * per_entry, .map = map };
}

static void check_key(struct walk *walk, struct level *level, const struct head *head)
{
    if (head->type != HEAD_UINT || (level->has_key && head->value <= level->key))
        refuse(walk);
    level->has_key = true;
    level->key = head->value;
}

static void walk_value(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth];
    bool is_key = level->map && level->left % 2 == 0;
    level->left--;
    if (++walk->values > SKIM_VALUE_MAX)
        refuse(walk);

    struct head head = head_read(&walk->reader);
    if (is_key)
        check_key(walk, level, &head);
    if (head.type == HEAD_ARRAY || head.type == HEAD_MAP)
        enter(walk, &head);
    else if (head.type == HEAD_BIN)
        read_bytes(&walk->reader, (size_t)head.value);
    else if (head.type == HEAD_STR && !utf8_is_valid(read_bytes(&walk->reader, (size_t)head.value)))
        refuse(walk);
}

enum err skim_value(struct bytes input, size_t *used)
{
    struct walk walk = { .reader = reader_of(input), .levels[0].left = 1 };
    while (walk.reader.err == OK) {
        if (walk.levels[walk.depth].left > 0)
            walk_value(&walk);
        else if (walk.depth > 0)
            walk.depth--;
        else
            break;
    }
    *used = walk.reader.err == OK ? input.size - walk.reader.rest.size : 0;
    return walk.reader.err;
}

enum err skim_whole(struct bytes input)
{
    size_t used;
    enum err err = skim_value(input, &used);
    return err == OK && used != input.size ? ERR_MALFORMED : err;
}
