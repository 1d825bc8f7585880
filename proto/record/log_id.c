#include "proto/record/log_id.h"

#include <string.h>

#define ORIGIN_PREFIX "samad/"

/* Members stand in the order of comparison and nothing pads them, so the whole struct compares
 * with one memcmp: names are zeroed after their terminators. */
_Static_assert(sizeof(struct log_id) == 2 * (NODE_NAME_SIZE_MAX + 1) + INCARNATION_SIZE, "");

bool node_name_is_valid(struct bytes name)
{
    if (name.size < 1 || name.size > NODE_NAME_SIZE_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = (char)name.data[i];
        bool letter = c >= 'a' && c <= 'z';
        bool digit_or_dash = (c >= '0' && c <= '9') || c == '-';
        if (!letter && (i == 0 || !digit_or_dash))
            return false;
    }
    return true;
}

enum err log_id_init(struct log_id *id, struct bytes node, struct bytes audience,
                     const uint8_t incarnation[INCARNATION_SIZE])
{
    if (!node_name_is_valid(node) || !node_name_is_valid(audience))
        return ERR_INVALID;
    struct log_id made = { 0 }; /* apart: the ranges may point into *id */
    memcpy(made.node, node.data, node.size);
    memcpy(made.audience, audience.data, audience.size);
    memcpy(made.incarnation, incarnation, INCARNATION_SIZE);
    *id = made;
    return OK;
}

bool log_id_equal(const struct log_id *a, const struct log_id *b)
{
    return log_id_compare(a, b) == 0;
}

int log_id_compare(const struct log_id *a, const struct log_id *b)
{
    return memcmp(a, b, sizeof *a);
}

static char *put_name(char *out, const char *name)
{
    size_t size = strnlen(name, NODE_NAME_SIZE_MAX);
    memcpy(out, name, size);
    out[size] = '/';
    return out + size + 1;
}

void log_id_origin(const struct log_id *id, char out[LOG_ORIGIN_SIZE_MAX + 1])
{
    size_t prefix_size = strlen(ORIGIN_PREFIX);
    memcpy(out, ORIGIN_PREFIX, prefix_size);
    char *end = put_name(out + prefix_size, id->node);
    end = put_name(end, id->audience);
    hex_encode(end, BYTES_OF_ARRAY(id->incarnation));
}

/* The range up to the next '/', which is passed over; empty without one. */
static struct bytes take_name(struct reader *reader)
{
    const uint8_t *slash =
        reader->rest.size ? memchr(reader->rest.data, '/', reader->rest.size) : NULL;
    if (!slash)
        return BYTES_NONE;
    struct bytes name = read_bytes(reader, (size_t)(slash - reader->rest.data));
    read_u8(reader);
    return name;
}

enum err log_id_from_origin(struct log_id *id, struct bytes origin)
{
    struct reader reader = reader_of(origin);
    struct bytes prefix = read_bytes(&reader, strlen(ORIGIN_PREFIX));
    if (!bytes_equal(prefix, bytes_of_string(ORIGIN_PREFIX)))
        return ERR_MALFORMED;
    struct bytes node = take_name(&reader);
    struct bytes audience = take_name(&reader);
    uint8_t incarnation[INCARNATION_SIZE];
    if (hex_decode(incarnation, sizeof incarnation, (const char *)reader.rest.data,
                   reader.rest.size) != OK)
        return ERR_MALFORMED;
    return log_id_init(id, node, audience, incarnation) == OK ? OK : ERR_MALFORMED;
}
