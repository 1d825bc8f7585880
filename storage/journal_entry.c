#include "storage/journal_entry.h"

#include "proto/base/require.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE     64
#define HEAD_HASHED   32 /* the checksum stands behind it */
#define TRAILER_SIZE  16
#define ITEM_SIZE     24
#define MARK_BEGIN    UINT32_C(0x534a4531) /* SJE1 */
#define MARK_END      UINT32_C(0x31454a53)
#define CHECKSUM_SIZE 32

_Static_assert(HEAD_SIZE + 7 + TRAILER_SIZE <= JOURNAL_ENTRY_OVERHEAD, "overhead");

/* ---- the parts of a batch that the checksum leaves out ---------------------------------------- */

typedef void on_person(void *context, struct bytes sealed);

static enum err each_person(struct bytes value, on_person *on, void *context)
{
    struct batch_view view;
    struct record sealed;
    struct hash leaf;
    enum err err = batch_open(&view, value);
    if (err != OK)
        return err;
    struct batch_walk walk = batch_walk(&view);
    while (batch_next(&walk, &sealed, &leaf) == OK)
        if (sealed.person.size > 0)
            on(context, sealed.person);
    return OK;
}

static void person_mark(uint8_t mark[JOURNAL_MARK_SIZE], struct bytes sealed)
{
    crypto_generichash(mark, JOURNAL_MARK_SIZE, sealed.data, sealed.size, NULL, 0);
}

/* ---- building -------------------------------------------------------------------------------- */

void journal_entry_clear(struct journal_entry *entry)
{
    buffer_clear(&entry->bytes);
    entry->count = 0;
    entry->erase_count = 0;
    entry->err = OK;
}

void journal_entry_close(struct journal_entry *entry)
{
    buffer_close(&entry->bytes);
    free(entry->erases);
    *entry = (struct journal_entry){ 0 };
}

static void append_mark(void *context, struct bytes sealed)
{
    struct journal_entry *entry = context;
    uint8_t mark[JOURNAL_MARK_SIZE];
    person_mark(mark, sealed);
    buffer_append(&entry->bytes, mark, sizeof mark);
}

static void count_mark(void *context, struct bytes sealed)
{
    (void)sealed;
    *(uint32_t *)context += JOURNAL_MARK_SIZE;
}

static void append_item(struct journal_entry *entry, const struct journal_item *item)
{
    static const uint8_t head[HEAD_SIZE];
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint32_t marks_size = 0;
    if (entry->err == OK && item->kind == JOURNAL_BATCH)
        entry->err = each_person(item->payload, count_mark, &marks_size);
    if (entry->err != OK)
        return;
    log_id_origin(&item->log, origin);
    struct buffer *out = &entry->bytes;
    if (entry->count == 0)
        buffer_append(out, head, sizeof head);
    buffer_append_u8(out, (uint8_t)item->kind);
    buffer_append_u8(out, 0);
    buffer_append_u16(out, (uint16_t)strlen(origin));
    buffer_append_u16(out, (uint16_t)strlen(item->hub));
    buffer_append_u16(out, 0);
    buffer_append_u64(out, item->position);
    buffer_append_u32(out, (uint32_t)item->payload.size);
    buffer_append_u32(out, marks_size);
    buffer_append_string(out, origin);
    buffer_append_string(out, item->hub);
    buffer_append_bytes(out, item->payload);
    if (item->kind == JOURNAL_BATCH)
        each_person(item->payload, append_mark, entry);
    entry->count++;
    entry->err = out->err;
}

void journal_entry_batch(struct journal_entry *entry, const struct log_id *log, uint64_t first,
                         struct bytes value)
{
    append_item(entry, &(struct journal_item){ .kind = JOURNAL_BATCH, .log = *log,
                                               .position = first, .payload = value });
}

void journal_entry_note(struct journal_entry *entry, const struct log_id *log, uint64_t size,
                        struct bytes note)
{
    append_item(entry, &(struct journal_item){ .kind = JOURNAL_NOTE, .log = *log,
                                               .position = size, .payload = note });
}

void journal_entry_receipt(struct journal_entry *entry, const struct log_id *log, const char *hub,
                           uint64_t size, struct bytes receipt)
{
    struct journal_item item = { .kind = JOURNAL_RECEIPT, .log = *log, .position = size,
                                 .payload = receipt };
    require(strlen(hub) <= NODE_NAME_SIZE_MAX);
    strcpy(item.hub, hub);
    append_item(entry, &item);
}

void journal_entry_base(struct journal_entry *entry, const struct log_id *log, uint64_t position)
{
    append_item(entry, &(struct journal_item){ .kind = JOURNAL_BASE, .log = *log,
                                               .position = position });
}

void journal_entry_erase(struct journal_entry *entry, const struct log_id *log, uint64_t position)
{
    if (entry->erase_count == entry->erase_room) {
        size_t room = entry->erase_room ? 2 * entry->erase_room : 4;
        struct journal_erase *grown = realloc(entry->erases, room * sizeof *grown);
        if (!grown) {
            entry->err = ERR_NOMEM;
            return;
        }
        entry->erases = grown;
        entry->erase_room = room;
    }
    entry->erases[entry->erase_count++] = (struct journal_erase){ *log, position };
}

static size_t sealed_size(size_t end_of_items)
{
    return (end_of_items + 7) / 8 * 8 + TRAILER_SIZE;
}

size_t journal_entry_size(const struct journal_entry *entry)
{
    return entry->count == 0 ? 0 : sealed_size(entry->bytes.size);
}

/* ---- the checksum ----------------------------------------------------------------------------- */

struct sum {
    crypto_generichash_state state;
    const uint8_t *at; /* everything before has been hashed or left out */
    struct bytes marks;
    struct journal_view *view; /* NULL while building */
    bool is_short;             /* fewer marks than person parts */
};

static bool is_zero(struct bytes bytes)
{
    uint8_t any = 0;
    for (size_t i = 0; i < bytes.size; i++)
        any |= bytes.data[i];
    return any == 0;
}

static enum journal_person state_of(struct bytes sealed, const uint8_t *stored_mark)
{
    uint8_t mark[JOURNAL_MARK_SIZE];
    person_mark(mark, sealed);
    if (memcmp(mark, stored_mark, sizeof mark) == 0)
        return JOURNAL_PERSON_WHOLE;
    return is_zero(sealed) ? JOURNAL_PERSON_ERASED : JOURNAL_PERSON_DAMAGED;
}

enum journal_person journal_person_state(const struct journal_item *item, uint32_t index,
                                         struct bytes sealed)
{
    if ((size_t)index * JOURNAL_MARK_SIZE + JOURNAL_MARK_SIZE > item->marks.size)
        return JOURNAL_PERSON_DAMAGED;
    return state_of(sealed, item->marks.data + (size_t)index * JOURNAL_MARK_SIZE);
}

static void sum_person(void *context, struct bytes sealed)
{
    struct sum *sum = context;
    crypto_generichash_update(&sum->state, sum->at, (size_t)(sealed.data - sum->at));
    sum->at = sealed.data + sealed.size;
    if (sum->marks.size < JOURNAL_MARK_SIZE) {
        sum->is_short = true;
        return;
    }
    if (sum->view) {
        enum journal_person state = state_of(sealed, sum->marks.data);
        sum->view->persons_erased += state == JOURNAL_PERSON_ERASED;
        sum->view->persons_damaged += state == JOURNAL_PERSON_DAMAGED;
    }
    sum->marks = bytes_of(sum->marks.data + JOURNAL_MARK_SIZE, sum->marks.size - JOURNAL_MARK_SIZE);
}

/* Of a whole entry whose items are `body`. ERR_CORRUPT when these cannot be read. */
static enum err checksum(uint8_t out[CHECKSUM_SIZE], struct bytes whole, struct bytes body,
                         uint32_t count, const uint8_t *key, struct journal_view *view)
{
    struct sum sum = { .view = view, .at = whole.data + HEAD_SIZE };
    struct journal_item item;
    struct bytes walk = body;
    crypto_generichash_init(&sum.state, key, JOURNAL_KEY_SIZE, CHECKSUM_SIZE);
    crypto_generichash_update(&sum.state, whole.data, HEAD_HASHED);
    enum err err = OK;
    while ((err = journal_item_next(&walk, &item)) == OK) {
        sum.marks = item.marks;
        if (item.kind == JOURNAL_BATCH)
            err = each_person(item.payload, sum_person, &sum);
        if (err != OK || sum.is_short || (item.kind == JOURNAL_BATCH && sum.marks.size > 0))
            return ERR_CORRUPT;
        if (count-- == 0)
            return ERR_CORRUPT;
    }
    if (err != ERR_END || count != 0)
        return ERR_CORRUPT;
    crypto_generichash_update(&sum.state, sum.at, (size_t)(whole.data + whole.size - sum.at));
    crypto_generichash_final(&sum.state, out, CHECKSUM_SIZE);
    return OK;
}

enum err journal_entry_seal(struct journal_entry *entry, const uint8_t key[JOURNAL_KEY_SIZE],
                            uint64_t sequence)
{
    static const uint8_t padding[8];
    struct buffer *bytes = &entry->bytes;
    require(entry->count > 0);
    if (entry->err != OK)
        return entry->err;
    size_t end = bytes->size, size = sealed_size(end);
    if (size > JOURNAL_ENTRY_SIZE_MAX)
        return ERR_TOO_LARGE;
    buffer_append(bytes, padding, size - TRAILER_SIZE - end);
    buffer_append_u64(bytes, sequence);
    buffer_append_u32(bytes, (uint32_t)size);
    buffer_append_u32(bytes, MARK_END);
    if (bytes->err != OK)
        return entry->err = bytes->err;
    uint8_t *head = bytes->data;
    memset(head, 0, HEAD_SIZE);
    put_u32(head, MARK_BEGIN);
    put_u32(head + 4, entry->count);
    put_u64(head + 8, sequence);
    put_u32(head + 16, (uint32_t)(end - HEAD_SIZE));
    entry->body = bytes_of(head + HEAD_SIZE, end - HEAD_SIZE);
    return checksum(head + HEAD_HASHED, buffer_bytes(bytes), entry->body, entry->count, key, NULL);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static enum err item_of(struct reader *reader, struct journal_item *item)
{
    uint8_t kind = read_u8(reader), flags = read_u8(reader);
    uint16_t origin_size = read_u16(reader), hub_size = read_u16(reader);
    uint16_t reserved = read_u16(reader);
    item->kind = (enum journal_kind)kind;
    item->position = read_u64(reader);
    uint32_t payload_size = read_u32(reader), marks_size = read_u32(reader);
    struct bytes origin = read_bytes(reader, origin_size);
    struct bytes hub = read_bytes(reader, hub_size);
    item->payload = read_bytes(reader, payload_size);
    item->marks = read_bytes(reader, marks_size);
    memset(item->hub, 0, sizeof item->hub);
    bool is_receipt = kind == JOURNAL_RECEIPT;
    if (reader->err != OK || kind < JOURNAL_BATCH || kind > JOURNAL_BASE || flags != 0 ||
        reserved != 0 || hub_size > NODE_NAME_SIZE_MAX || is_receipt != (hub_size > 0) ||
        (kind != JOURNAL_BATCH && marks_size > 0) || log_id_from_origin(&item->log, origin) != OK)
        return ERR_CORRUPT;
    if (is_receipt) {
        if (!node_name_is_valid(hub))
            return ERR_CORRUPT;
        memcpy(item->hub, hub.data, hub.size);
    }
    return OK;
}

enum err journal_item_next(struct bytes *walk, struct journal_item *item)
{
    if (walk->size == 0)
        return ERR_END;
    struct reader reader = reader_of(*walk);
    enum err err = item_of(&reader, item);
    *walk = reader.rest;
    return err;
}

enum err journal_view_open(struct journal_view *view, struct bytes bytes,
                           const uint8_t key[JOURNAL_KEY_SIZE])
{
    uint8_t sum[CHECKSUM_SIZE];
    *view = (struct journal_view){ 0 };
    if (bytes.size < HEAD_SIZE)
        return is_zero(bytes) ? ERR_END : ERR_CORRUPT;
    const uint8_t *head = bytes.data;
    if (get_u32(head) != MARK_BEGIN)
        return is_zero(bytes_of(head, HEAD_SIZE)) ? ERR_END : ERR_CORRUPT;
    view->count = get_u32(head + 4);
    view->sequence = get_u64(head + 8);
    size_t end = HEAD_SIZE + (size_t)get_u32(head + 16);
    view->size = sealed_size(end);
    if (view->size > bytes.size || view->size > JOURNAL_ENTRY_SIZE_MAX)
        return ERR_CORRUPT;
    view->body = bytes_of(head + HEAD_SIZE, end - HEAD_SIZE);
    const uint8_t *trailer = head + view->size - TRAILER_SIZE;
    if (get_u64(trailer) != view->sequence || get_u32(trailer + 8) != view->size ||
        get_u32(trailer + 12) != MARK_END)
        return ERR_CORRUPT;
    enum err err =
        checksum(sum, bytes_of(head, view->size), view->body, view->count, key, view);
    if (err == OK && memcmp(sum, head + HEAD_HASHED, CHECKSUM_SIZE) != 0)
        err = ERR_CORRUPT;
    return err;
}
