/* Rows of the views store. Integers are big-endian; every row but meta's ends with its check.
 *
 *   nodes    node                                    -> u32 generation | u32 next | u32 newest
 *                                                       | u32 heads of generation | u32 of next
 *                                                       | u8 rebuild
 *   heads    node 0x00 generation(u32) index(u32)    -> u64 size | root 32 | origin
 *   entries  node 0x00 generation(u32) key           -> value
 *   check    SipHash-2-4 of key size(u32) | key | value, under a fixed key: it finds bytes that
 *            changed, and is no defence against a person who can write the file */
#include "storage/views_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t CHECK_KEY[crypto_shorthash_KEYBYTES] = "samad views v1\0";

size_t views_prefix(char out[64], const char *node, uint32_t generation)
{
    size_t size = strlen(node) + 1;
    memcpy(out, node, size);
    put_u32((uint8_t *)out + size, generation);
    return size + 4;
}

static enum err check_large(struct buffer *scratch, struct bytes key, struct bytes value,
                            uint8_t check[VIEWS_CHECK_SIZE])
{
    buffer_clear(scratch);
    buffer_append_u32(scratch, (uint32_t)key.size);
    buffer_append_bytes(scratch, key);
    buffer_append_bytes(scratch, value);
    if (scratch->err != OK)
        return scratch->err;
    crypto_shorthash(check, scratch->data, scratch->size, CHECK_KEY);
    return OK;
}

/* Nearly all are small, and the scrub and each flush make one for every entry. */
enum err views_entry_check(struct buffer *scratch, struct bytes key, struct bytes value,
                           uint8_t check[VIEWS_CHECK_SIZE])
{
    _Static_assert(VIEWS_CHECK_SIZE == crypto_shorthash_BYTES, "the stored size of a check");
    uint8_t content[512];
    size_t size = 4 + key.size + value.size;
    if (size > sizeof content)
        return check_large(scratch, key, value, check);
    put_u32(content, (uint32_t)key.size);
    memcpy(content + 4, key.data, key.size);
    if (value.size > 0)
        memcpy(content + 4 + key.size, value.data, value.size);
    crypto_shorthash(check, content, size, CHECK_KEY);
    return OK;
}

void views_write_checked(struct store_txn *txn, struct buffer *scratch, struct bytes key,
                         struct bytes value, uint8_t *room)
{
    if (value.size > 0)
        memcpy(room, value.data, value.size);
    enum err err = views_entry_check(scratch, key, value, room + value.size);
    if (err != OK && txn->err == OK)
        txn->err = err;
}

void views_put_checked(struct store_txn *txn, struct buffer *scratch, unsigned table,
                       struct bytes key, struct bytes value)
{
    uint8_t *room = store_reserve(txn, table, key, value.size + VIEWS_CHECK_SIZE, false);
    if (room)
        views_write_checked(txn, scratch, key, value, room);
}

enum err views_take_checked(struct buffer *scratch, struct bytes key, struct bytes *value)
{
    uint8_t check[VIEWS_CHECK_SIZE];
    if (value->size < sizeof check)
        return ERR_CORRUPT;
    value->size -= sizeof check;
    enum err err = views_entry_check(scratch, key, *value, check);
    if (err != OK)
        return err;
    return memcmp(check, value->data + value->size, sizeof check) == 0 ? OK : ERR_CORRUPT;
}

/* ---- nodes ------------------------------------------------------------------------------------ */

/* The highest generation that has a key under this node in `table`; 0 when there is none. */
static uint32_t generation_highest(struct store_txn *txn, unsigned table, const char *node)
{
    char above[64];
    struct bytes key, value;
    size_t prefix_size = views_prefix(above, node, UINT32_MAX);
    struct store_cursor cursor = store_cursor_open(txn, table);
    uint32_t generation = 0;
    if (store_cursor_seek_before(&cursor, bytes_of(above, prefix_size), &key, &value) == OK &&
        key.size >= prefix_size && memcmp(key.data, above, prefix_size - 4) == 0)
        generation = get_u32(key.data + prefix_size - 4);
    store_cursor_close(&cursor);
    return generation;
}

static struct views_row row_above_everything(struct store_txn *txn, const char *node)
{
    uint32_t entries = generation_highest(txn, VIEWS_ENTRIES, node);
    uint32_t heads = generation_highest(txn, VIEWS_HEADS, node);
    uint32_t fresh = (entries > heads ? entries : heads) + 1;
    return (struct views_row){ .generation = fresh, .newest = fresh, .damaged = true };
}

enum err views_row_read(struct store_txn *txn, const char *node, struct views_row *row)
{
    *row = (struct views_row){ .generation = 1, .newest = 1 };
    struct bytes key = bytes_of_string(node), value;
    enum err err = store_get(txn, VIEWS_NODES, key, &value);
    if (err == ERR_NOT_FOUND) {
        struct views_row above = row_above_everything(txn, node);
        if (above.generation > 1)
            *row = above; /* nothing is ever without a row */
        return txn->err;
    }
    if (err != OK)
        return err;
    struct buffer scratch = { 0 };
    err = views_take_checked(&scratch, key, &value);
    buffer_close(&scratch);
    if (err == ERR_NOMEM)
        return err;
    struct reader reader = reader_of(value);
    row->generation = read_u32(&reader);
    row->next = read_u32(&reader);
    row->newest = read_u32(&reader);
    row->head_count = read_u32(&reader);
    row->next_head_count = read_u32(&reader);
    row->rebuild = read_u8(&reader) != 0;
    if (err == OK && reader.err == OK && reader_at_end(&reader) && row->generation > 0)
        return OK;
    *row = row_above_everything(txn, node);
    return txn->err;
}

void views_row_write(struct store_txn *txn, const char *node, const struct views_row *row)
{
    uint8_t raw[21];
    put_u32(raw, row->generation);
    put_u32(raw + 4, row->next);
    put_u32(raw + 8, row->newest);
    put_u32(raw + 12, row->head_count);
    put_u32(raw + 16, row->next_head_count);
    raw[20] = row->rebuild;
    struct buffer scratch = { 0 };
    views_put_checked(txn, &scratch, VIEWS_NODES, bytes_of_string(node), BYTES_OF_ARRAY(raw));
    buffer_close(&scratch);
}

/* ---- heads ------------------------------------------------------------------------------------ */

static struct bytes head_key(char out[64], const char *node, uint32_t generation, size_t index)
{
    size_t size = views_prefix(out, node, generation);
    put_u32((uint8_t *)out + size, (uint32_t)index);
    return bytes_of(out, size + 4);
}

static enum err head_decode(struct buffer *scratch, struct bytes key, struct bytes value,
                            struct log_head *head)
{
    enum err err = views_take_checked(scratch, key, &value);
    if (err != OK)
        return err;
    struct reader reader = reader_of(value);
    head->size = read_u64(&reader);
    read_into(&reader, head->root.bytes, HASH_SIZE);
    if (reader.err != OK)
        return ERR_CORRUPT;
    return log_id_from_origin(&head->log, reader.rest) == OK ? OK : ERR_CORRUPT;
}

void views_head_write(struct store_txn *txn, const char *node, uint32_t generation, size_t index,
                      const struct log_head *head)
{
    char key[64], origin[LOG_ORIGIN_SIZE_MAX + 1];
    struct buffer value = { 0 }, scratch = { 0 };
    log_id_origin(&head->log, origin);
    buffer_append_u64(&value, head->size);
    buffer_append(&value, head->root.bytes, HASH_SIZE);
    buffer_append_string(&value, origin);
    if (value.err != OK && txn->err == OK)
        txn->err = value.err;
    views_put_checked(txn, &scratch, VIEWS_HEADS, head_key(key, node, generation, index),
                      buffer_bytes(&value));
    buffer_close(&value);
    buffer_close(&scratch);
}

static enum err heads_append(struct log_head **heads, size_t *count, size_t *room,
                             const struct log_head *head)
{
    if (*count == *room) {
        size_t wanted = *room ? 2 * *room : 8;
        struct log_head *grown = realloc(*heads, wanted * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        *heads = grown;
        *room = wanted;
    }
    (*heads)[(*count)++] = *head;
    return OK;
}

enum err views_heads_read(struct store_txn *txn, const char *node, uint32_t generation,
                          size_t expected, struct log_head **heads, size_t *count)
{
    *heads = NULL;
    *count = 0;
    size_t room = 0;
    char wanted[64];
    struct bytes from = head_key(wanted, node, generation, 0), key, value;
    struct buffer scratch = { 0 };
    struct store_cursor cursor = store_cursor_open(txn, VIEWS_HEADS);
    enum err err = store_cursor_seek(&cursor, from, &key, &value);
    /* Indexes are dense: the first key that is not the expected one belongs to somebody else. */
    while (err == OK && bytes_equal(key, head_key(wanted, node, generation, *count))) {
        struct log_head head;
        err = head_decode(&scratch, key, value, &head);
        if (err == OK)
            err = heads_append(heads, count, &room, &head);
        if (err == OK)
            err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    buffer_close(&scratch);
    if (err == OK || err == ERR_END)
        err = *count == expected ? OK : ERR_CORRUPT;
    if (err == OK)
        return OK;
    free(*heads);
    *heads = NULL;
    *count = 0;
    return err;
}

enum err views_head_last(struct store_txn *txn, const char *node, uint32_t generation,
                         struct log_head *head, size_t *count)
{
    *count = 0;
    char wanted[64];
    struct bytes key, value, above = head_key(wanted, node, generation, UINT32_MAX);
    struct store_cursor cursor = store_cursor_open(txn, VIEWS_HEADS);
    struct buffer scratch = { 0 };
    enum err err = store_cursor_seek_before(&cursor, above, &key, &value);
    if (err == OK && key.size == above.size &&
        memcmp(key.data, above.data, above.size - 4) == 0) {
        *count = (size_t)get_u32(key.data + key.size - 4) + 1;
        err = head_decode(&scratch, key, value, head);
    }
    store_cursor_close(&cursor);
    buffer_close(&scratch);
    return err == ERR_END ? OK : err;
}
