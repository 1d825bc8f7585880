#include "proto/wire/skim.h"

#include "proto/wire/head.h"

/* ---- the walk -------------------------------------------------------------------------------- */

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
