#include "node/casework/fold.h"

#include "node/casework/counters.h"
#include "node/casework/directory_entry.h"
#include "node/casework/instant.h"
#include "node/casework/request_entry.h"

#include <string.h>

struct fold {
    const struct fold_context *context;
    struct view *view;
    const struct record_header *header;
    struct record_ref record;
    struct bytes facts;
    struct bytes person;
    bool person_absent;
};

const char *parked_reason_word(uint32_t reason)
{
    static const char *const WORDS[] = {
        [0] = "unknown",
        [PARKED_FACTS_UNREADABLE] = "facts_unreadable",
        [PARKED_PERSON_UNREADABLE] = "person_unreadable",
        [PARKED_CASE_MISSING] = "case_missing",
        [PARKED_KEY_REUSED] = "key_reused",
        [PARKED_CODE_SHARED] = "code_shared",
        [PARKED_CODE_FULL] = "code_full",
        [PARKED_ERASE_UNKNOWN] = "erase_unknown",
        [PARKED_ERASE_FOREIGN] = "erase_foreign",
    };
    return WORDS[reason < sizeof WORDS / sizeof *WORDS ? reason : 0];
}

/* ---- small things ---------------------------------------------------------------------------- */

static const uint8_t PRESENT[] = { 1 }; /* the value of a key that says everything itself */

static void put_present(struct view *view, struct view_key key)
{
    view_put(view, view_key_bytes(&key), BYTES_OF_ARRAY(PRESENT));
}

static bool key_exists(struct view *view, struct view_key key)
{
    struct bytes value;
    return view_get(view, view_key_bytes(&key), &value) == OK;
}

static void delete_key(struct view *view, struct view_key key)
{
    view_del(view, view_key_bytes(&key));
}

/* The view contradicts itself: it must be folded again, not patched. */
static void fold_is_corrupt(struct fold *fold)
{
    if (fold->view->err == OK)
        fold->view->err = ERR_CORRUPT;
}

/* A record that is parked for two reasons keeps the later finding, and counts once. */
static void park(struct fold *fold, enum parked_reason reason)
{
    struct view_key key = key_of_parked(&fold->record);
    uint8_t value[5] = { (uint8_t)reason };
    put_u32(value + 1, fold->header->kind);
    if (!key_exists(fold->view, key))
        counter_add(fold->view, COUNTER_PARKED, BYTES_NONE, 1);
    view_put(fold->view, view_key_bytes(&key), BYTES_OF_ARRAY(value));
}

/* Whether a part could be decoded; parks the record when it cannot be, ever. Lack of memory says
 * nothing of the record: the fold fails, or it would not give the same view next time (F1). */
static bool is_decoded(struct fold *fold, enum err err, enum parked_reason reason)
{
    if (err == ERR_NOMEM && fold->view->err == OK)
        fold->view->err = err;
    else if (err != OK)
        park(fold, reason);
    return err == OK;
}

/* Takes `record` out of the parked ones if it is there for just this reason. */
static void unpark(struct fold *fold, const struct record_ref *record, enum parked_reason reason)
{
    struct view_key key = key_of_parked(record);
    struct bytes value;
    if (view_get(fold->view, view_key_bytes(&key), &value) != OK)
        return;
    if (value.size < 1 || value.data[0] != reason)
        return;
    delete_key(fold->view, key);
    counter_add(fold->view, COUNTER_PARKED, BYTES_NONE, -1);
}

/* ---- the idempotency entry ------------------------------------------------------------------- */

struct idempotency_entry {
    struct request_id id;
    struct lookup_hash fingerprint;
};

static bool idempotency_get(struct fold *fold, struct view_key key, struct idempotency_entry *entry)
{
    struct bytes value;
    if (view_get(fold->view, view_key_bytes(&key), &value) != OK)
        return false;
    struct reader reader = reader_of(value);
    entry->id = request_id_read(&reader);
    read_into(&reader, entry->fingerprint.bytes, LOOKUP_HASH_SIZE);
    if (reader.err != OK)
        fold_is_corrupt(fold);
    return reader.err == OK;
}

static void idempotency_put(struct fold *fold, struct view_key key,
                            const struct idempotency_entry *entry)
{
    uint8_t value[REQUEST_ID_SIZE + LOOKUP_HASH_SIZE];
    request_id_pack(value, &entry->id);
    memcpy(value + REQUEST_ID_SIZE, entry->fingerprint.bytes, LOOKUP_HASH_SIZE);
    view_put(fold->view, view_key_bytes(&key), BYTES_OF_ARRAY(value));
}

/* ---- a request ------------------------------------------------------------------------------- */

static void copy_string(char *out, struct bytes range)
{
    if (range.size > 0)
        memcpy(out, range.data, range.size);
    out[range.size] = '\0';
}

/* The decoder has checked every size against the limits of the entry's strings. */
static void entry_init(struct request_entry *entry, const struct fold *fold,
                       const struct request_facts *facts)
{
    *entry = (struct request_entry){
        .record = fold->record,
        .state = REQUEST_REGISTERED,
        .kind = facts->kind,
        .channel = facts->channel,
        .occurred_at_ms = facts->occurred_at_ms,
        .registered_at_ms = fold->header->time_ms,
    };
    memcpy(entry->case_id, fold->header->case_id, CASE_ID_SIZE);
    copy_string(entry->subject, facts->subject);
    copy_string(entry->place, facts->place);
    copy_string(entry->client, facts->client);
    copy_string(entry->idempotency_key, facts->idempotency_key);
}

/* Takes the first free slot of the code. */
static bool entry_take_slot(struct fold *fold, struct request_entry *entry, struct bytes code)
{
    for (unsigned slot = 0; slot <= UINT8_MAX; slot++) {
        entry->id = request_id_of(code, (uint8_t)slot);
        if (!key_exists(fold->view, key_of_request(&entry->id))) {
            entry->flags |= slot > 0 ? REQUEST_CODE_SHARED : 0;
            return true;
        }
    }
    return false;
}

static void index_phone(struct fold *fold, struct request_entry *entry, struct bytes phone)
{
    if (phone.size == 0)
        return;
    entry->flags |= REQUEST_HAS_PHONE;
    entry->phone = lookup_phone(&fold->context->lookup_key, phone);
    put_present(fold->view, key_of_phone(&entry->phone, &entry->id));
}

static void index_national_id(struct fold *fold, struct request_entry *entry,
                              struct bytes national_id)
{
    if (national_id.size < LAST_DIGITS)
        return;
    struct bytes last = bytes_of(national_id.data + national_id.size - LAST_DIGITS, LAST_DIGITS);
    struct bytes code = bytes_of(entry->id.code, TRACKING_CODE_DIGITS);
    entry->flags |= REQUEST_HAS_NATIONAL_ID;
    entry->national_id = lookup_national_id(&fold->context->lookup_key, national_id);
    entry->last_digits = lookup_last_digits(&fold->context->lookup_key, code, last);
    put_present(fold->view, key_of_national_id(&entry->national_id, &entry->id));
}

/* Everything that derives from the person part; gives the fingerprint, zero when it is not known.
 */
static struct lookup_hash fold_person(struct fold *fold, struct request_entry *entry,
                                      const struct request_facts *facts)
{
    struct lookup_hash fingerprint = { { 0 } };
    struct request_person person;
    if (fold->person_absent || fold->person.size == 0) {
        entry->flags |= REQUEST_PERSON_UNKNOWN;
    } else if (!is_decoded(fold, request_person_decode(&person, fold->person),
                           PARKED_PERSON_UNREADABLE)) {
        entry->flags |= REQUEST_PERSON_UNKNOWN;
    } else {
        index_phone(fold, entry, person.phone);
        index_national_id(fold, entry, person.national_id);
        fingerprint = lookup_fingerprint(&fold->context->lookup_key, facts, &person);
    }
    return fingerprint;
}

/* An erasure that came first, from an incarnation whose order could not know better. */
static bool fold_early_erasure(struct fold *fold, struct request_entry *entry)
{
    struct view_key key = key_of_erased(&fold->record);
    struct bytes value;
    if (view_get(fold->view, view_key_bytes(&key), &value) != OK)
        return false;
    struct reader reader = reader_of(value);
    struct record_ref erasing = record_ref_read(&reader);
    unpark(fold, &erasing, PARKED_ERASE_UNKNOWN);
    entry->flags |= REQUEST_ERASED;
    return true;
}

static void count_request(struct fold *fold, const struct request_facts *facts)
{
    struct counter_rest kind = counter_number(facts->kind);
    struct counter_rest channel = counter_number(facts->channel);
    struct counter_rest day = counter_day(instant_iran_day(facts->occurred_at_ms));
    counter_add(fold->view, COUNTER_REQUESTS, BYTES_NONE, 1);
    counter_add(fold->view, COUNTER_KIND, BYTES_OF_ARRAY(kind.data), 1);
    counter_add(fold->view, COUNTER_CHANNEL, BYTES_OF_ARRAY(channel.data), 1);
    counter_add(fold->view, COUNTER_SUBJECT, facts->subject, 1);
    counter_add(fold->view, COUNTER_DAY, BYTES_OF_ARRAY(day.data), 1);
}

/* F5: the case of the request that came first is the case of both. */
static void merge(struct fold *fold, struct request_entry *entry, const struct request_id *first_id)
{
    struct request_entry first;
    if (request_entry_get(fold->view, first_id, &first) != OK) {
        fold_is_corrupt(fold);
        return;
    }
    entry->flags |= REQUEST_MERGED;
    entry->same_as = *first_id;
    memcpy(entry->case_id, first.case_id, CASE_ID_SIZE);
    counter_add(fold->view, COUNTER_MERGED, BYTES_NONE, 1);
    if (first.kind != entry->kind || strcmp(first.subject, entry->subject) != 0 ||
        strcmp(first.place, entry->place) != 0)
        park(fold, PARKED_KEY_REUSED);
}

static void fold_request(struct fold *fold)
{
    struct request_facts facts;
    struct request_entry entry;
    struct lookup_hash fingerprint = { { 0 } };
    if (!is_decoded(fold, request_facts_decode(&facts, fold->facts), PARKED_FACTS_UNREADABLE))
        return;
    if (!fold->header->has_case) {
        park(fold, PARKED_CASE_MISSING);
        return;
    }
    entry_init(&entry, fold, &facts);
    if (!entry_take_slot(fold, &entry, facts.code)) {
        park(fold, PARKED_CODE_FULL);
        return;
    }
    if (!fold_early_erasure(fold, &entry))
        fingerprint = fold_person(fold, &entry, &facts);

    struct view_key key = key_of_idempotency(facts.client, facts.idempotency_key);
    struct idempotency_entry first;
    if (idempotency_get(fold, key, &first)) {
        merge(fold, &entry, &first.id);
    } else {
        idempotency_put(fold, key, &(struct idempotency_entry){ entry.id, fingerprint });
        count_request(fold, &facts);
    }
    if (entry.flags & REQUEST_CODE_SHARED)
        park(fold, PARKED_CODE_SHARED);

    uint8_t id[REQUEST_ID_SIZE];
    request_id_pack(id, &entry.id);
    struct view_key located = key_of_located(&fold->record);
    view_put(fold->view, view_key_bytes(&located), BYTES_OF_ARRAY(id));
    request_entry_put(fold->view, &entry);
}

/* ---- an erasure ------------------------------------------------------------------------------ */

static void erase_fingerprint(struct fold *fold, const struct request_entry *entry)
{
    struct view_key key =
        key_of_idempotency(bytes_of_string(entry->client), bytes_of_string(entry->idempotency_key));
    struct idempotency_entry idempotency;
    if (!idempotency_get(fold, key, &idempotency) || !request_id_equal(&idempotency.id, &entry->id))
        return;
    idempotency.fingerprint = (struct lookup_hash){ { 0 } };
    idempotency_put(fold, key, &idempotency);
}

static void erase_request(struct fold *fold, const struct request_id *id)
{
    struct request_entry entry;
    if (request_entry_get(fold->view, id, &entry) != OK) {
        fold_is_corrupt(fold);
        return;
    }
    if (entry.flags & REQUEST_HAS_PHONE)
        delete_key(fold->view, key_of_phone(&entry.phone, id));
    if (entry.flags & REQUEST_HAS_NATIONAL_ID)
        delete_key(fold->view, key_of_national_id(&entry.national_id, id));
    unpark(fold, &entry.record, PARKED_PERSON_UNREADABLE);
    erase_fingerprint(fold, &entry);
    entry.flags &=
        ~(uint32_t)(REQUEST_HAS_PHONE | REQUEST_HAS_NATIONAL_ID | REQUEST_PERSON_UNKNOWN);
    entry.flags |= REQUEST_ERASED;
    entry.phone = entry.national_id = entry.last_digits = (struct lookup_hash){ { 0 } };
    request_entry_put(fold->view, &entry);
}

static void put_erased(struct fold *fold, const struct record_ref *target)
{
    struct view_key key = key_of_erased(target);
    struct buffer value = { 0 };
    record_ref_write(&value, &fold->record);
    if (value.err == OK)
        view_put(fold->view, view_key_bytes(&key), buffer_bytes(&value));
    else if (fold->view->err == OK)
        fold->view->err = value.err;
    buffer_close(&value);
    counter_add(fold->view, COUNTER_ERASED, BYTES_NONE, 1);
}

static void fold_erase(struct fold *fold)
{
    struct erase_facts facts;
    if (!is_decoded(fold, erase_facts_decode(&facts, fold->facts), PARKED_FACTS_UNREADABLE))
        return;
    if (strcmp(facts.log.node, fold->header->log.node) != 0) {
        park(fold, PARKED_ERASE_FOREIGN);
        return;
    }
    struct record_ref target = record_ref_of(&facts.log, facts.position);
    if (key_exists(fold->view, key_of_erased(&target)))
        return; /* erased already: nothing more can vanish */
    put_erased(fold, &target);

    struct view_key located = key_of_located(&target);
    struct bytes value;
    if (view_get(fold->view, view_key_bytes(&located), &value) != OK) {
        park(fold, PARKED_ERASE_UNKNOWN);
        return;
    }
    struct reader reader = reader_of(value);
    struct request_id id = request_id_read(&reader);
    erase_request(fold, &id);
}

/* ---- a directory entry ----------------------------------------------------------------------- */

static void fold_directory(struct fold *fold)
{
    struct directory_facts facts;
    struct directory_entry known;
    if (!is_decoded(fold, directory_facts_decode(&facts, fold->facts), PARKED_FACTS_UNREADABLE))
        return;
    if (directory_entry_get(fold->view, facts.node, &known) == OK &&
        known.occurred_at_ms > facts.occurred_at_ms)
        return; /* an older one that arrives late */
    directory_entry_put(fold->view, &facts);
}

/* ---- one record ------------------------------------------------------------------------------ */

enum err fold_record(void *context, struct view *view, const struct record_header *header,
                     struct bytes facts, struct bytes person, bool person_absent)
{
    struct fold fold = { .context = context,
                         .view = view,
                         .header = header,
                         .record = record_ref_of(&header->log, header->position),
                         .facts = facts,
                         .person = person,
                         .person_absent = person_absent };
    switch (header->kind) {
    case RECORD_REQUEST:
        fold_request(&fold);
        break;
    case RECORD_ERASE:
        fold_erase(&fold);
        break;
    case RECORD_DIRECTORY:
        fold_directory(&fold);
        break;
    default:
        break; /* F3 */
    }
    return view->err;
}
