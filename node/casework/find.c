#include "node/casework/find.h"

#include "node/casework/digits.h"
#include "node/casework/phone.h"
#include "node/casework/tracking_code.h"
#include "node/casework/view_scan.h"
#include "proto/base/bug.h"

#include <string.h>

/* ---- by code and second factor --------------------------------------------------------------- */

struct factor {
    bool is_phone;
    struct lookup_hash hash;
};

static enum err factor_read(struct factor *factor, const struct lookup_key *lookup_key,
                            struct bytes code, struct bytes typed, const char *area_code)
{
    char digits[LAST_DIGITS + 1];
    char phone[PHONE_SIZE_MAX + 1];
    if (digits_read(digits, LAST_DIGITS, typed, false) == OK && strlen(digits) == LAST_DIGITS) {
        factor->is_phone = false;
        factor->hash = lookup_last_digits(lookup_key, code, bytes_of_string(digits));
        return OK;
    }
    if (phone_normalise(phone, typed, area_code) != PHONE_VALID)
        return ERR_INVALID;
    factor->is_phone = true;
    factor->hash = lookup_phone(lookup_key, bytes_of_string(phone));
    return OK;
}

static bool factor_fits(const struct factor *factor, const struct request_entry *entry)
{
    bool has_phone = (entry->flags & REQUEST_HAS_PHONE) != 0;
    bool has_national_id = (entry->flags & REQUEST_HAS_NATIONAL_ID) != 0;
    if (factor->is_phone)
        return lookup_hash_equal(&factor->hash, &entry->phone) && has_phone;
    return lookup_hash_equal(&factor->hash, &entry->last_digits) && has_national_id && !has_phone;
}

enum err request_find(struct view *view, const struct lookup_key *lookup_key, struct bytes code,
                      struct bytes factor, const char *area_code, struct request_entry *entry)
{
    struct request_id id = { .slot = 0 };
    struct factor known;
    if (tracking_code_parse(id.code, code) != TRACKING_CODE_VALID)
        return ERR_MALFORMED;
    struct bytes digits = bytes_of(id.code, TRACKING_CODE_DIGITS);
    enum err err = factor_read(&known, lookup_key, digits, factor, area_code);
    if (err != OK)
        return err;
    for (unsigned slot = 0; slot <= UINT8_MAX; slot++) {
        id.slot = (uint8_t)slot;
        err = request_entry_get(view, &id, entry);
        if (err != OK)
            return err;
        if (SAMAD_BUG(FACTOR_IGNORED) || factor_fits(&known, entry))
            return OK;
    }
    return ERR_NOT_FOUND;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Reads the requests that a scan's keys end with. */
static enum err list_scanned(struct view *view, struct view_scan *scan,
                             bool step(struct view_scan *), struct request_entry *entries,
                             size_t max, size_t *count)
{
    *count = 0;
    while (*count < max && step(scan)) {
        struct bytes key = view_key_bytes(&scan->key);
        if (key.size < REQUEST_ID_SIZE)
            return view->err = ERR_CORRUPT;
        struct reader reader =
            reader_of(bytes_of(key.data + key.size - REQUEST_ID_SIZE, REQUEST_ID_SIZE));
        struct request_id id = request_id_read(&reader);
        enum err err = request_entry_get(view, &id, &entries[*count]);
        if (err == ERR_NOT_FOUND)
            return view->err = ERR_CORRUPT;
        if (err != OK)
            return err;
        *count += 1;
    }
    return view->err;
}

static enum err list_prefix(struct view *view, struct view_key key, size_t prefix_size,
                            struct request_entry *entries, size_t max, size_t *count)
{
    struct view_scan scan;
    view_scan_begin(&scan, view, bytes_of(key.data, prefix_size));
    return list_scanned(view, &scan, view_scan_next, entries, max, count);
}

static const struct request_id NO_ID = { .slot = 0 };

enum err request_list_by_code(struct view *view, struct bytes code, struct request_entry *entries,
                              size_t max, size_t *count)
{
    struct request_id id = request_id_of(code, 0);
    struct view_key key = key_of_request(&id);
    return list_prefix(view, key, key.size - 1, entries, max, count);
}

enum err request_list_by_phone(struct view *view, const struct lookup_key *lookup_key,
                               struct bytes phone, struct request_entry *entries, size_t max,
                               size_t *count)
{
    struct lookup_hash hash = lookup_phone(lookup_key, phone);
    struct view_key key = key_of_phone(&hash, &NO_ID);
    return list_prefix(view, key, key.size - REQUEST_ID_SIZE, entries, max, count);
}

enum err request_list_by_national_id(struct view *view, const struct lookup_key *lookup_key,
                                     struct bytes national_id, struct request_entry *entries,
                                     size_t max, size_t *count)
{
    struct lookup_hash hash = lookup_national_id(lookup_key, national_id);
    struct view_key key = key_of_national_id(&hash, &NO_ID);
    return list_prefix(view, key, key.size - REQUEST_ID_SIZE, entries, max, count);
}

enum err request_list_recent(struct view *view, const struct request_entry *before,
                             struct request_entry *entries, size_t max, size_t *count)
{
    struct view_key table = key_of_recent(0, &NO_ID);
    struct view_scan scan;
    view_scan_begin(&scan, view, bytes_of(table.data, 1));
    if (before) {
        struct view_key key = key_of_recent(before->registered_at_ms, &before->id);
        view_scan_before(&scan, view_key_bytes(&key));
    }
    return list_scanned(view, &scan, view_scan_previous, entries, max, count);
}

enum err parked_list(struct view *view, const struct parked *after, struct parked *items,
                     size_t max, size_t *count)
{
    struct record_ref nowhere = { .position = 0 };
    struct view_key key = key_of_parked(after ? &after->record : &nowhere);
    struct view_scan scan;
    *count = 0;
    view_scan_begin(&scan, view, bytes_of(key.data, 1));
    if (after) {
        scan.key = key;
        scan.begun = true;
    }
    while (*count < max && view_scan_next(&scan)) {
        struct reader record = reader_of(view_scan_rest(&scan));
        struct reader value = reader_of(scan.value);
        struct parked *item = &items[(*count)++];
        item->record = record_ref_read(&record);
        item->reason = read_u8(&value);
        item->kind = read_u32(&value);
        if (record.err != OK || value.err != OK)
            return view->err = ERR_CORRUPT;
    }
    return view->err;
}
