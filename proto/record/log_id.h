/* A log's identity: (node, audience, incarnation), and its origin in ASCII (design D2).
 *
 *   origin = key name = "samad/" node "/" audience "/" incarnation
 *   node, audience: 1..32 of a-z 0-9 '-', beginning with a letter
 *   incarnation:    16 random bytes, written as 32 lower-case hexadecimal digits
 *
 * Audience of a province's log is "hub" (all hubs); of a hub's broadcast log "all"; of a hub's
 * log for one province that province's node name. */
#ifndef PROTO_RECORD_LOG_ID_H
#define PROTO_RECORD_LOG_ID_H

#include "proto/base/bytes.h"

#define NODE_NAME_SIZE_MAX 32
#define INCARNATION_SIZE 16
#define LOG_ORIGIN_SIZE_MAX (6 + NODE_NAME_SIZE_MAX + 1 + NODE_NAME_SIZE_MAX + 1 + 32)

struct log_id {
    char node[NODE_NAME_SIZE_MAX + 1];
    char audience[NODE_NAME_SIZE_MAX + 1];
    uint8_t incarnation[INCARNATION_SIZE];
};

/* True for a name that may stand as node or audience. */
bool node_name_is_valid(struct bytes name);

/* ERR_INVALID unless both names are valid. Bytes after the terminators are zeroed, so that two
 * equal ids are equal under memcmp. */
enum err log_id_init(struct log_id *id, struct bytes node, struct bytes audience,
                     const uint8_t incarnation[INCARNATION_SIZE]);

bool log_id_equal(const struct log_id *a, const struct log_id *b);
/* By node, then audience, then incarnation: the tie order of the fold (design D1). */
int log_id_compare(const struct log_id *a, const struct log_id *b);

/* Writes the terminated origin. */
void log_id_origin(const struct log_id *id, char out[LOG_ORIGIN_SIZE_MAX + 1]);
/* ERR_MALFORMED for anything but an exact origin. */
enum err log_id_from_origin(struct log_id *id, struct bytes origin);

#endif
