#include "node/casework/view_keys.h"

#include "proto/base/require.h"

#include <string.h>

/* ---- building -------------------------------------------------------------------------------- */

struct bytes view_key_bytes(const struct view_key *key)
{
    return bytes_of(key->data, key->size);
}

static struct view_key key_begin(char table)
{
    struct view_key key; /* not cleared: a key is made a dozen times a record */
    key.data[0] = (uint8_t)table;
    key.size = 1;
    return key;
}

/* Every part is bounded by the record's limits, so a key that does not fit is a bug. */
static void key_append(struct view_key *key, const void *data, size_t size)
{
    require(size <= sizeof key->data - key->size);
    if (size > 0)
        memcpy(key->data + key->size, data, size);
    key->size += size;
}

static void key_append_u8(struct view_key *key, uint8_t value)
{
    key_append(key, &value, 1);
}

static void key_append_u64(struct view_key *key, uint64_t value)
{
    uint8_t raw[8];
    put_u64(raw, value);
    key_append(key, raw, sizeof raw);
}

static void key_append_id(struct view_key *key, const struct request_id *id)
{
    uint8_t raw[REQUEST_ID_SIZE];
    request_id_pack(raw, id);
    key_append(key, raw, sizeof raw);
}

static struct view_key key_of_record(char table, const struct record_ref *record)
{
    struct view_key key = key_begin(table);
    size_t size = strlen(record->audience);
    key_append_u8(&key, (uint8_t)size);
    key_append(&key, record->audience, size);
    key_append(&key, record->incarnation, INCARNATION_SIZE);
    key_append_u64(&key, record->position);
    return key;
}

/* ---- the tables ------------------------------------------------------------------------------ */

struct view_key key_of_request(const struct request_id *id)
{
    struct view_key key = key_begin('R');
    key_append_id(&key, id);
    return key;
}

struct view_key key_of_idempotency(struct bytes client, struct bytes idempotency_key)
{
    struct view_key key = key_begin('I');
    key_append_u8(&key, (uint8_t)client.size);
    key_append(&key, client.data, client.size);
    key_append(&key, idempotency_key.data, idempotency_key.size);
    return key;
}

struct view_key key_of_phone(const struct lookup_hash *phone, const struct request_id *id)
{
    struct view_key key = key_begin('P');
    key_append(&key, phone->bytes, LOOKUP_INDEX_SIZE);
    key_append_id(&key, id);
    return key;
}

struct view_key key_of_national_id(const struct lookup_hash *national_id,
                                   const struct request_id *id)
{
    struct view_key key = key_begin('N');
    key_append(&key, national_id->bytes, LOOKUP_INDEX_SIZE);
    key_append_id(&key, id);
    return key;
}

struct view_key key_of_entry(int64_t registered_at_ms, const struct request_id *id)
{
    struct view_key key = key_begin('T');
    key_append_u64(&key, (uint64_t)registered_at_ms);
    key_append_id(&key, id);
    return key;
}

struct view_key key_of_located(const struct record_ref *record)
{
    return key_of_record('L', record);
}

struct view_key key_of_erased(const struct record_ref *record)
{
    return key_of_record('E', record);
}

struct view_key key_of_parked(const struct record_ref *record)
{
    return key_of_record('X', record);
}

struct view_key key_of_directory(struct bytes node)
{
    struct view_key key = key_begin('D');
    key_append(&key, node.data, node.size);
    return key;
}

struct view_key key_of_counter(enum counter counter, struct bytes rest)
{
    struct view_key key = key_begin('C');
    key_append_u8(&key, (uint8_t)counter);
    key_append(&key, rest.data, rest.size);
    return key;
}

struct counter_rest counter_number(uint32_t number)
{
    struct counter_rest rest;
    put_u32(rest.data, number);
    return rest;
}

static const uint32_t DAY_BIAS = UINT32_C(1) << 31;

struct counter_rest counter_day(int32_t day)
{
    return counter_number((uint32_t)day + DAY_BIAS);
}

int32_t counter_rest_day(struct bytes rest)
{
    return rest.size == 4 ? (int32_t)((int64_t)get_u32(rest.data) - DAY_BIAS) : 0;
}

/* ---- parts of values ------------------------------------------------------------------------- */

struct request_id request_id_of(struct bytes code, uint8_t slot)
{
    struct request_id id = { .slot = slot };
    require(code.size == TRACKING_CODE_DIGITS);
    memcpy(id.code, code.data, TRACKING_CODE_DIGITS);
    return id;
}

bool request_id_equal(const struct request_id *a, const struct request_id *b)
{
    return a->slot == b->slot && memcmp(a->code, b->code, TRACKING_CODE_DIGITS) == 0;
}

void request_id_pack(uint8_t out[REQUEST_ID_SIZE], const struct request_id *id)
{
    uint64_t number = 0; /* below 10^14, so below 2^48 */
    for (size_t i = 0; i < TRACKING_CODE_DIGITS; i++)
        number = 10 * number + (uint64_t)(id->code[i] - '0');
    for (size_t i = REQUEST_ID_SIZE - 1; i-- > 0; number >>= 8)
        out[i] = (uint8_t)number;
    out[REQUEST_ID_SIZE - 1] = id->slot;
}

struct request_id request_id_read(struct reader *reader)
{
    struct request_id id = { .slot = 0 };
    uint8_t raw[REQUEST_ID_SIZE] = { 0 };
    uint64_t number = 0;
    read_into(reader, raw, sizeof raw);
    for (size_t i = 0; i + 1 < REQUEST_ID_SIZE; i++)
        number = number << 8 | raw[i];
    for (size_t i = TRACKING_CODE_DIGITS; i-- > 0; number /= 10)
        id.code[i] = (char)('0' + number % 10);
    if (number > 0)
        reader->err = ERR_MALFORMED;
    id.slot = raw[REQUEST_ID_SIZE - 1];
    return id;
}

struct record_ref record_ref_of(const struct log_id *log, uint64_t position)
{
    struct record_ref record = { .position = position };
    memcpy(record.audience, log->audience, sizeof record.audience);
    memcpy(record.incarnation, log->incarnation, INCARNATION_SIZE);
    return record;
}

void record_ref_write(struct buffer *out, const struct record_ref *record)
{
    size_t size = strlen(record->audience);
    buffer_append_u8(out, (uint8_t)size);
    buffer_append(out, record->audience, size);
    buffer_append(out, record->incarnation, INCARNATION_SIZE);
    buffer_append_u64(out, record->position);
}

struct record_ref record_ref_read(struct reader *reader)
{
    struct record_ref record = { .position = 0 };
    size_t size = read_u8(reader);
    if (size > NODE_NAME_SIZE_MAX)
        reader->err = ERR_MALFORMED;
    else
        read_into(reader, record.audience, size);
    read_into(reader, record.incarnation, INCARNATION_SIZE);
    record.position = read_u64(reader);
    return record;
}
