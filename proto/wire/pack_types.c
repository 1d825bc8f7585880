#include "proto/wire/pack_types.h"

#include <string.h>

void pack_log_id(struct buffer *out, const struct log_id *id)
{
    pack_array(out, LOG_ID_FIELDS);
    pack_str(out, bytes_of_string(id->node));
    pack_str(out, bytes_of_string(id->audience));
    pack_bin(out, BYTES_OF_ARRAY(id->incarnation));
}

void unpack_log_id(struct unpack *unpack, struct log_id *id)
{
    uint8_t incarnation[INCARNATION_SIZE];
    unpack_array(unpack, LOG_ID_FIELDS, LOG_ID_FIELDS);
    struct bytes node = unpack_str(unpack, NODE_NAME_SIZE_MAX);
    struct bytes audience = unpack_str(unpack, NODE_NAME_SIZE_MAX);
    unpack_bin_into(unpack, incarnation, sizeof incarnation);
    if (unpack->err == OK)
        unpack_expect(unpack, log_id_init(id, node, audience, incarnation) == OK);
}

struct bytes unpack_text(struct unpack *unpack, size_t size_max)
{
    struct bytes text = unpack_str(unpack, size_max);
    unpack_expect(unpack, text.size > 0);
    return text;
}

void unpack_node_name(struct unpack *unpack, char out[NODE_NAME_SIZE_MAX + 1])
{
    struct bytes name = unpack_str(unpack, NODE_NAME_SIZE_MAX);
    unpack_expect(unpack, node_name_is_valid(name));
    memset(out, 0, NODE_NAME_SIZE_MAX + 1);
    if (unpack->err == OK)
        memcpy(out, name.data, name.size);
}
