#include "node/casework/request_entry.h"

#include <string.h>

enum { ENTRY_FORMAT = 2 };

/* A value is: format(1), record, case id, flags, state, kind, channel (4 each), occurred at (8); what the flags
 * say that there is: id of same_as, hash of the phone, hashes of the national ID and of its last digits; then
 * four strings, each after its size(1). */

static void write_string(struct buffer *out, const char *string)
{
    size_t size = strlen(string);
    buffer_append_u8(out, (uint8_t)size);
    buffer_append(out, string, size);
}

static void write_hash(struct buffer *out, const struct lookup_hash *hash)
{
    buffer_append(out, hash->bytes, LOOKUP_HASH_SIZE);
}

static void write_known(struct buffer *out, const struct request_entry *entry)
{
    uint8_t same_as[REQUEST_ID_SIZE];
    if (entry->flags & REQUEST_MERGED) {
        request_id_pack(same_as, &entry->same_as);
        buffer_append(out, same_as, sizeof same_as);
    }
    if (entry->flags & REQUEST_HAS_PHONE)
        write_hash(out, &entry->phone);
    if (entry->flags & REQUEST_HAS_NATIONAL_ID) {
        write_hash(out, &entry->national_id);
        write_hash(out, &entry->last_digits);
    }
}

void request_entry_put(struct view *view, const struct request_entry *entry)
{
    struct view_key key = key_of_request(&entry->id);
    struct view_key place = key_of_entry(entry->registered_at_ms, &entry->id);
    struct buffer out = { 0 };
    uint8_t registered_at[8];
    put_u64(registered_at, (uint64_t)entry->registered_at_ms);
    view_put(view, view_key_bytes(&key), BYTES_OF_ARRAY(registered_at));
    buffer_append_u8(&out, ENTRY_FORMAT);
    record_ref_write(&out, &entry->record);
    buffer_append(&out, entry->case_id, CASE_ID_SIZE);
    buffer_append_u32(&out, entry->flags);
    buffer_append_u32(&out, entry->state);
    buffer_append_u32(&out, entry->kind);
    buffer_append_u32(&out, entry->channel);
    buffer_append_u64(&out, (uint64_t)entry->occurred_at_ms);
    write_known(&out, entry);
    write_string(&out, entry->subject);
    write_string(&out, entry->place);
    write_string(&out, entry->client);
    write_string(&out, entry->idempotency_key);
    if (out.err == OK)
        view_put(view, view_key_bytes(&place), buffer_bytes(&out));
    else if (view->err == OK)
        view->err = out.err;
    buffer_close(&out);
}

static void read_string(struct reader *reader, char *out, size_t size_max)
{
    size_t size = read_u8(reader);
    if (size > size_max)
        reader->err = ERR_MALFORMED;
    else
        read_into(reader, out, size);
}

static void read_hash(struct reader *reader, struct lookup_hash *hash)
{
    read_into(reader, hash->bytes, LOOKUP_HASH_SIZE);
}

static void read_known(struct reader *reader, struct request_entry *entry)
{
    if (entry->flags & REQUEST_MERGED)
        entry->same_as = request_id_read(reader);
    if (entry->flags & REQUEST_HAS_PHONE)
        read_hash(reader, &entry->phone);
    if (entry->flags & REQUEST_HAS_NATIONAL_ID) {
        read_hash(reader, &entry->national_id);
        read_hash(reader, &entry->last_digits);
    }
}

static void read_value(struct reader *reader, struct request_entry *entry)
{
    if (read_u8(reader) != ENTRY_FORMAT)
        reader->err = ERR_VERSION;
    entry->record = record_ref_read(reader);
    read_into(reader, entry->case_id, CASE_ID_SIZE);
    entry->flags = read_u32(reader);
    entry->state = read_u32(reader);
    entry->kind = read_u32(reader);
    entry->channel = read_u32(reader);
    entry->occurred_at_ms = (int64_t)read_u64(reader);
    read_known(reader, entry);
    read_string(reader, entry->subject, SUBJECT_SIZE_MAX);
    read_string(reader, entry->place, PLACE_SIZE_MAX);
    read_string(reader, entry->client, CLIENT_SIZE_MAX);
    read_string(reader, entry->idempotency_key, IDEMPOTENCY_KEY_SIZE_MAX);
}

enum err request_entry_read(struct view *view, struct bytes key, struct bytes value,
                            struct request_entry *entry)
{
    struct reader place = reader_of(key), reader = reader_of(value);
    *entry = (struct request_entry){ .flags = 0 };
    (void)read_u8(&place); /* the table */
    entry->registered_at_ms = (int64_t)read_u64(&place);
    entry->id = request_id_read(&place);
    read_value(&reader, entry);
    if (place.err != OK || place.rest.size > 0 || reader.err != OK || reader.rest.size > 0)
        view->err = ERR_CORRUPT;
    return view->err;
}

enum err request_entry_get(struct view *view, const struct request_id *id,
                           struct request_entry *entry)
{
    struct view_key key = key_of_request(id);
    struct bytes value;
    enum err err = view_get(view, view_key_bytes(&key), &value);
    if (err != OK)
        return err;
    if (value.size != 8)
        return view->err = ERR_CORRUPT;
    struct view_key place = key_of_entry((int64_t)get_u64(value.data), id);
    err = view_get(view, view_key_bytes(&place), &value);
    if (err == ERR_NOT_FOUND)
        view->err = err = ERR_CORRUPT;
    return err != OK ? err : request_entry_read(view, view_key_bytes(&place), value, entry);
}
