#include "proto/wire/pack.h"

#include "proto/base/require.h"
#include "proto/wire/skim.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

static int append(void *out, const char *data, size_t size)
{
    buffer_append(out, data, size);
    return 0; /* the buffer remembers its error */
}

static msgpack_packer packer_of(struct buffer *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    return packer;
}

void pack_nil(struct buffer *out)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_nil(&packer);
}

void pack_bool(struct buffer *out, bool value)
{
    msgpack_packer packer = packer_of(out);
    if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void pack_uint(struct buffer *out, uint64_t value)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_uint64(&packer, value);
}

void pack_int(struct buffer *out, int64_t value)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_int64(&packer, value);
}

void pack_str(struct buffer *out, struct bytes value)
{
    require(value.size <= UINT32_MAX);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_str(&packer, value.size);
    buffer_append_bytes(out, value);
}

void pack_bin(struct buffer *out, struct bytes value)
{
    require(value.size <= UINT32_MAX);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_bin(&packer, value.size);
    buffer_append_bytes(out, value);
}

void pack_array(struct buffer *out, size_t count)
{
    require(count <= UINT32_MAX);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_array(&packer, count);
}

void pack_map(struct buffer *out, size_t count)
{
    require(count <= UINT32_MAX);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_map(&packer, count);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* msgpack-c's tree of a small part (a request's facts are 17 values) fits one chunk. */
#define ZONE_CHUNK_SIZE 1024

/* A container that was entered, or the root as an array of one. */
struct level {
    const msgpack_object *values; /* of an array */
    const msgpack_object_kv *pairs; /* of a map; its values are key, value, key, value ... */
    size_t index, count;
};

struct state {
    msgpack_zone zone;
    msgpack_object root;
    size_t depth;
    struct level levels[SKIM_DEPTH_MAX + 1];
};

static enum err unpack_tree(struct state *state, struct bytes input)
{
    size_t offset = 0;
    msgpack_unpack_return result = msgpack_unpack((const char *)input.data, input.size, &offset,
                                                  &state->zone, &state->root);
    if (result == MSGPACK_UNPACK_SUCCESS)
        return OK;
    return result == MSGPACK_UNPACK_NOMEM_ERROR ? ERR_NOMEM : ERR_MALFORMED;
}

enum err unpack_begin(struct unpack *unpack, struct bytes input)
{
    *unpack = (struct unpack){ .err = skim_whole(input) };
    if (unpack->err != OK)
        return unpack->err;

    struct state *state = malloc(sizeof *state);
    if (!state || !msgpack_zone_init(&state->zone, ZONE_CHUNK_SIZE)) {
        free(state);
        return unpack->err = ERR_NOMEM;
    }
    unpack->state = state;
    state->depth = 0;
    state->levels[0] = (struct level){ .values = &state->root, .count = 1 };
    return unpack->err = unpack_tree(state, input);
}

static void leave_finished_levels(struct state *state)
{
    while (state->depth > 0 && state->levels[state->depth].index ==
                                   state->levels[state->depth].count)
        state->depth--;
}

enum err unpack_end(struct unpack *unpack)
{
    struct state *state = unpack->state;
    if (state) {
        leave_finished_levels(state);
        unpack_expect(unpack, state->depth == 0 && state->levels[0].index == 1);
        msgpack_zone_destroy(&state->zone);
        free(state);
        unpack->state = NULL;
    }
    return unpack->err;
}

void unpack_expect(struct unpack *unpack, bool holds)
{
    if (!holds && unpack->err == OK)
        unpack->err = ERR_MALFORMED;
}

/* The next value without passing it; NULL after an error or when none is left. */
static const msgpack_object *peek(struct unpack *unpack)
{
    struct state *state = unpack->state;
    if (unpack->err != OK || !state)
        return NULL;
    leave_finished_levels(state);
    const struct level *level = &state->levels[state->depth];
    if (level->index == level->count)
        return NULL;
    if (!level->pairs)
        return &level->values[level->index];
    const msgpack_object_kv *pair = &level->pairs[level->index / 2];
    return level->index % 2 == 0 ? &pair->key : &pair->val;
}

static void pass(struct unpack *unpack)
{
    struct state *state = unpack->state;
    state->levels[state->depth].index++;
}

/* The next value when it is of this type, passed; NULL and an error otherwise. */
static const msgpack_object *take(struct unpack *unpack, msgpack_object_type type)
{
    const msgpack_object *value = peek(unpack);
    if (!value || value->type != type) {
        unpack_expect(unpack, false);
        return NULL;
    }
    pass(unpack);
    return value;
}

uint64_t unpack_uint(struct unpack *unpack, uint64_t max)
{
    const msgpack_object *value = take(unpack, MSGPACK_OBJECT_POSITIVE_INTEGER);
    unpack_expect(unpack, value && value->via.u64 <= max);
    return unpack->err == OK ? value->via.u64 : 0;
}

int64_t unpack_int(struct unpack *unpack)
{
    const msgpack_object *value = peek(unpack);
    if (!value || value->type != MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return (int64_t)unpack_uint(unpack, INT64_MAX);
    pass(unpack);
    return value->via.i64;
}

bool unpack_bool(struct unpack *unpack)
{
    const msgpack_object *value = take(unpack, MSGPACK_OBJECT_BOOLEAN);
    return value && value->via.boolean;
}

struct bytes unpack_str(struct unpack *unpack, size_t size_max)
{
    const msgpack_object *value = take(unpack, MSGPACK_OBJECT_STR);
    unpack_expect(unpack, value && value->via.str.size <= size_max);
    return unpack->err == OK ? bytes_of(value->via.str.ptr, value->via.str.size) : BYTES_NONE;
}

struct bytes unpack_bin(struct unpack *unpack, size_t size_max)
{
    const msgpack_object *value = take(unpack, MSGPACK_OBJECT_BIN);
    unpack_expect(unpack, value && value->via.bin.size <= size_max);
    return unpack->err == OK ? bytes_of(value->via.bin.ptr, value->via.bin.size) : BYTES_NONE;
}

void unpack_bin_into(struct unpack *unpack, void *out, size_t size)
{
    struct bytes value = unpack_bin(unpack, size);
    unpack_expect(unpack, value.size == size);
    if (size == 0)
        return;
    if (unpack->err == OK)
        memcpy(out, value.data, size);
    else
        memset(out, 0, size);
}

bool unpack_nil(struct unpack *unpack)
{
    const msgpack_object *value = peek(unpack);
    if (!value || value->type != MSGPACK_OBJECT_NIL)
        return false;
    pass(unpack);
    return true;
}

static void enter(struct unpack *unpack, struct level level)
{
    struct state *state = unpack->state;
    require(state->depth < SKIM_DEPTH_MAX); /* skimmed */
    state->levels[++state->depth] = level;
}

size_t unpack_array(struct unpack *unpack, size_t min, size_t max)
{
    const msgpack_object *value = take(unpack, MSGPACK_OBJECT_ARRAY);
    unpack_expect(unpack, value && value->via.array.size >= min && value->via.array.size <= max);
    if (unpack->err != OK)
        return 0;
    enter(unpack, (struct level){ .values = value->via.array.ptr, .count = value->via.array.size });
    return value->via.array.size;
}

size_t unpack_map(struct unpack *unpack, size_t max)
{
    const msgpack_object *value = take(unpack, MSGPACK_OBJECT_MAP);
    unpack_expect(unpack, value && value->via.map.size <= max);
    if (unpack->err != OK)
        return 0;
    enter(unpack, (struct level){ .pairs = value->via.map.ptr,
                                  .count = (size_t)value->via.map.size * 2 });
    return value->via.map.size;
}

void unpack_skip(struct unpack *unpack)
{
    if (peek(unpack))
        pass(unpack);
    else
        unpack_expect(unpack, false);
}
