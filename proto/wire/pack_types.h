/* The project's own values in msgpack, shared by parts and messages. */
#ifndef PROTO_WIRE_PACK_TYPES_H
#define PROTO_WIRE_PACK_TYPES_H

#include "proto/record/log_id.h"
#include "proto/wire/pack.h"

#define LOG_ID_FIELDS 3

/* [ node str, audience str, incarnation bin 16 ] */
void pack_log_id(struct buffer *out, const struct log_id *id);
void unpack_log_id(struct unpack *unpack, struct log_id *id);

/* A str of 1 to `size_max` bytes. */
struct bytes unpack_text(struct unpack *unpack, size_t size_max);

/* A node's name into a terminated string. */
void unpack_node_name(struct unpack *unpack, char out[NODE_NAME_SIZE_MAX + 1]);

#endif
