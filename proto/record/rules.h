/* Small rules that several formats share: what a number or a short text may be. */
#ifndef PROTO_RECORD_RULES_H
#define PROTO_RECORD_RULES_H

#include "proto/record/log_id.h"

/* Positions and sizes of logs are below 2^63, as in the Merkle tree and signed 64-bit integers of
 * whoever reads an export. */
#define POSITION_MAX (UINT64_MAX >> 1)
/* Milliseconds since 1970 UTC: the integers that a JSON number carries exactly. */
#define TIME_MS_MAX (UINT64_C(1) << 53)

bool time_ms_is_valid(int64_t time_ms);
/* A valid name, terminated within its field. */
bool name_field_is_valid(const char name[NODE_NAME_SIZE_MAX + 1]);
/* Both names valid and terminated. */
bool log_id_is_valid(const struct log_id *id);
/* Only the bytes 0x20..0x7e; true for nothing at all. */
bool ascii_is_printable(struct bytes text);
/* Only 0..9; true for nothing at all. */
bool ascii_is_digits(struct bytes text);

#endif
