/* What the codecs of all parts share: a part is a map with small ascending keys, in which a field
 * that is empty is left out. A kind of record adds two functions to these: one that says whether
 * its struct is within its limits, which serves both directions, and one that reads a field. */
#ifndef PROTO_RECORD_PART_H
#define PROTO_RECORD_PART_H

#include "proto/record/record.h"
#include "proto/record/rules.h"
#include "proto/wire/pack.h"
#include "proto/wire/pack_types.h"

/* ---- encoding: part_end(out, start) after the fields, `start` = out->size before the map ----- */

void part_put_uint(struct buffer *out, uint64_t key, uint64_t value);
/* Nothing for an empty text; part_count_texts() counts what will be written. */
void part_put_text(struct buffer *out, uint64_t key, struct bytes text);
size_t part_count_texts(const struct bytes *const texts[], size_t count);
/* Checks the written part as a reader will (size, UTF-8), and takes it back when it is refused:
 * ERR_INVALID, or the buffer's own error. */
enum err part_end(struct buffer *out, size_t start);

/* ---- decoding: unpack_end() on every path ---------------------------------------------------- */

/* Begins and enters the map; the number of its fields, 0 after an error. */
size_t part_begin(struct unpack *unpack, struct bytes part);
int64_t part_read_time_ms(struct unpack *unpack);
uint32_t part_read_u32(struct unpack *unpack);

static inline bool size_is_within(struct bytes text, size_t min, size_t max)
{
    return text.size >= min && text.size <= max;
}

#endif
