/* The header's fixed shape. It is read and written for every record that passes through a node or
 * a hub, so it is decoded straight from its bytes and allocates nothing. */
#include "proto/record/record.h"
#include "proto/record/rules.h"
#include "proto/wire/head.h"
#include "proto/wire/pack.h"
#include "proto/wire/pack_types.h"

#include <string.h>

#define HEADER_FIELDS 11
#define CAUSE_FIELDS 3
#define RECEIPT_FIELDS 4

/* ---- encoding -------------------------------------------------------------------------------- */

static bool cause_is_valid(const struct record_cause *cause)
{
    return log_id_is_valid(&cause->log) && cause->position <= POSITION_MAX;
}

static bool receipt_is_valid(const struct record_receipt *receipt)
{
    return name_field_is_valid(receipt->hub) && receipt->size <= POSITION_MAX &&
           receipt->time_s >= 0;
}

static bool header_is_valid(const struct record_header *header)
{
    size_t actor_size = strnlen(header->actor, sizeof header->actor);
    return header->kind >= 1 && log_id_is_valid(&header->log) && header->position <= POSITION_MAX &&
           time_ms_is_valid(header->time_ms) && actor_size <= RECORD_ACTOR_SIZE_MAX &&
           ascii_is_printable(bytes_of(header->actor, actor_size)) &&
           (!header->has_cause || cause_is_valid(&header->cause)) &&
           (!header->has_receipt || receipt_is_valid(&header->receipt));
}

static void pack_cause(struct buffer *out, const struct record_cause *cause)
{
    pack_array(out, CAUSE_FIELDS);
    pack_log_id(out, &cause->log);
    pack_uint(out, cause->position);
    pack_bin(out, BYTES_OF_ARRAY(cause->leaf.bytes));
}

static void pack_receipt(struct buffer *out, const struct record_receipt *receipt)
{
    pack_array(out, RECEIPT_FIELDS);
    pack_str(out, bytes_of_string(receipt->hub));
    pack_bin(out, BYTES_OF_ARRAY(receipt->incarnation));
    pack_uint(out, receipt->size);
    pack_uint(out, (uint64_t)receipt->time_s);
}

enum err record_header_encode(struct buffer *out, const struct record_header *header)
{
    if (!header_is_valid(header))
        return ERR_INVALID;
    pack_array(out, HEADER_FIELDS);
    pack_uint(out, RECORD_FORMAT);
    pack_uint(out, header->kind);
    pack_log_id(out, &header->log);
    pack_uint(out, header->position);
    pack_uint(out, (uint64_t)header->time_ms);
    pack_str(out, bytes_of_string(header->actor));
    if (header->has_case)
        pack_bin(out, BYTES_OF_ARRAY(header->case_id));
    else
        pack_nil(out);
    if (header->has_cause)
        pack_cause(out, &header->cause);
    else
        pack_nil(out);
    if (header->has_receipt)
        pack_receipt(out, &header->receipt);
    else
        pack_nil(out);
    pack_bin(out, BYTES_OF_ARRAY(header->facts.bytes));
    if (header->has_person)
        pack_bin(out, BYTES_OF_ARRAY(header->person.bytes));
    else
        pack_nil(out);
    return out->err;
}

/* ---- decoding -------------------------------------------------------------------------------- */

static void expect(struct reader *reader, bool holds)
{
    if (!holds && reader->err == OK)
        reader->err = ERR_MALFORMED;
}

static void read_log_id(struct reader *reader, struct log_id *log)
{
    uint8_t incarnation[INCARNATION_SIZE];
    head_read_array(reader, LOG_ID_FIELDS);
    struct bytes node = head_read_str(reader, 1, NODE_NAME_SIZE_MAX);
    struct bytes audience = head_read_str(reader, 1, NODE_NAME_SIZE_MAX);
    head_read_bin_into(reader, incarnation, sizeof incarnation);
    expect(reader, reader->err == OK && log_id_init(log, node, audience, incarnation) == OK);
}

static void read_actor(struct reader *reader, struct record_header *header)
{
    struct bytes actor = head_read_str(reader, 0, RECORD_ACTOR_SIZE_MAX);
    expect(reader, ascii_is_printable(actor));
    if (actor.size > 0)
        memcpy(header->actor, actor.data, actor.size);
}

static void read_cause(struct reader *reader, struct record_cause *cause)
{
    head_read_array(reader, CAUSE_FIELDS);
    read_log_id(reader, &cause->log);
    cause->position = head_read_uint(reader, POSITION_MAX);
    head_read_bin_into(reader, cause->leaf.bytes, HASH_SIZE);
}

static void read_receipt(struct reader *reader, struct record_receipt *receipt)
{
    head_read_array(reader, RECEIPT_FIELDS);
    struct bytes hub = head_read_str(reader, 1, NODE_NAME_SIZE_MAX);
    expect(reader, node_name_is_valid(hub));
    if (hub.size > 0)
        memcpy(receipt->hub, hub.data, hub.size);
    head_read_bin_into(reader, receipt->incarnation, INCARNATION_SIZE);
    receipt->size = head_read_uint(reader, POSITION_MAX);
    receipt->time_s = (int64_t)head_read_uint(reader, INT64_MAX);
}

/* Whether a value, and not nil, stands here. */
static bool read_present(struct reader *reader)
{
    return !head_read_is(reader, HEAD_NIL);
}

static void read_fields(struct reader *reader, struct record_header *out)
{
    out->kind = (uint32_t)head_read_uint(reader, UINT32_MAX);
    expect(reader, out->kind >= 1);
    read_log_id(reader, &out->log);
    out->position = head_read_uint(reader, POSITION_MAX);
    out->time_ms = (int64_t)head_read_uint(reader, TIME_MS_MAX);
    read_actor(reader, out);
    out->has_case = read_present(reader);
    if (out->has_case)
        head_read_bin_into(reader, out->case_id, CASE_ID_SIZE);
    out->has_cause = read_present(reader);
    if (out->has_cause)
        read_cause(reader, &out->cause);
    out->has_receipt = read_present(reader);
    if (out->has_receipt)
        read_receipt(reader, &out->receipt);
    head_read_bin_into(reader, out->facts.bytes, HASH_SIZE);
    out->has_person = read_present(reader);
    if (out->has_person)
        head_read_bin_into(reader, out->person.bytes, HASH_SIZE);
}

enum err record_header_decode(struct record_header *out, struct bytes header)
{
    struct reader reader = reader_of(header);
    *out = (struct record_header){ 0 };

    /* A later format may have more fields: the number alone decides what can be said about it. */
    struct head array = head_read(&reader);
    uint64_t format = head_read_uint(&reader, UINT64_MAX);
    if (reader.err != OK || array.type != HEAD_ARRAY)
        return ERR_MALFORMED;
    if (format != RECORD_FORMAT)
        return ERR_VERSION;
    if (array.value != HEADER_FIELDS || header.size > RECORD_HEADER_SIZE_MAX)
        return ERR_MALFORMED;
    read_fields(&reader, out);
    return reader.err == OK && reader.rest.size != 0 ? ERR_MALFORMED : reader.err;
}
