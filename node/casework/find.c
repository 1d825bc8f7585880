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

/* The id that the present key ends with. */
static struct request_id scanned_id(const struct view_scan *scan)
{
    struct bytes key = view_key_bytes(&scan->key);
    struct reader reader = reader_of(
        bytes_of(key.data + key.size - REQUEST_ID_SIZE, REQUEST_ID_SIZE));
    struct request_id id = request_id_read(&reader);
    if (reader.err != OK)
        scan->view->err = ERR_CORRUPT;
    return id;
}

/* Reads the entry of what a scan of an index has found. */
static enum err read_scanned(const struct view_scan *scan, struct request_entry *entry)
{
    struct request_id id = scanned_id(scan);
    if (scan->view->err != OK)
        return scan->view->err;
    enum err err = request_entry_get(scan->view, &id, entry);
    return err == ERR_NOT_FOUND ? (scan->view->err = ERR_CORRUPT) : err;
}

static const struct request_id NO_ID = { .code = "00000000000000" };

/* A prefix of the key without the id at its end. */
static void scan_begin(struct view_scan *scan, struct view *view, struct view_key key)
{
    view_scan_begin(scan, view, bytes_of(key.data, key.size - REQUEST_ID_SIZE));
}

enum err request_list_by_code(struct view *view, struct bytes code, struct request_entry *entries,
                              size_t max, size_t *count)
{
    struct request_id id = request_id_of(code, 0);
    struct view_key key = key_of_request(&id);
    struct view_scan scan;
    *count = 0;
    view_scan_begin(&scan, view, bytes_of(key.data, key.size - 1));
    while (*count < max && view_scan_next(&scan)) {
        enum err err = read_scanned(&scan, &entries[*count]);
        if (err != OK)
            return err;
        *count += 1;
    }
    return view->err;
}

/* The index holds half of the hash, the entry the whole. */
static enum err list_by_hash(struct view_scan *scan, const struct lookup_hash *hash, bool is_phone,
                             struct request_entry *entries, size_t max, size_t *count)
{
    *count = 0;
    while (*count < max && view_scan_next(scan)) {
        struct request_entry *entry = &entries[*count];
        enum err err = read_scanned(scan, entry);
        if (err != OK)
            return err;
        *count += lookup_hash_equal(is_phone ? &entry->phone : &entry->national_id, hash);
    }
    return scan->view->err;
}

enum err request_list_by_phone(struct view *view, const struct lookup_key *lookup_key,
                               struct bytes phone, struct request_entry *entries, size_t max,
                               size_t *count)
{
    struct lookup_hash hash = lookup_phone(lookup_key, phone);
    struct view_scan scan;
    scan_begin(&scan, view, key_of_phone(&hash, &NO_ID));
    return list_by_hash(&scan, &hash, true, entries, max, count);
}

enum err request_list_by_national_id(struct view *view, const struct lookup_key *lookup_key,
                                     struct bytes national_id, struct request_entry *entries,
                                     size_t max, size_t *count)
{
    struct lookup_hash hash = lookup_national_id(lookup_key, national_id);
    struct view_scan scan;
    scan_begin(&scan, view, key_of_national_id(&hash, &NO_ID));
    return list_by_hash(&scan, &hash, false, entries, max, count);
}

/* One case with two codes is listed by the code that came first. */
enum err request_list_recent(struct view *view, const struct request_entry *before,
                             struct request_entry *entries, size_t max, size_t *count)
{
    struct view_key table = key_of_entry(0, &NO_ID);
    struct view_scan scan;
    *count = 0;
    view_scan_begin(&scan, view, bytes_of(table.data, 1));
    if (before) {
        struct view_key key = key_of_entry(before->registered_at_ms, &before->id);
        view_scan_before(&scan, view_key_bytes(&key));
    }
    while (*count < max && view_scan_previous(&scan)) {
        struct request_entry *entry = &entries[*count];
        enum err err = request_entry_read(view, view_key_bytes(&scan.key), scan.value, entry);
        if (err != OK)
            return err;
        *count += (entry->flags & REQUEST_MERGED) == 0;
    }
    return view->err;
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
