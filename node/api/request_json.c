#include "node/api/request_json.h"

#include "node/casework/instant.h"
#include "node/casework/request_words.h"
#include "node/casework/subject.h"
#include "node/casework/tracking_code.h"
#include "node/runtime/log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct log_id log_of(const struct api *api, const struct request_entry *entry)
{
    struct log_id log;
    /* The view is this node's own, and its names were checked when the record was stored. */
    (void)log_id_init(&log, bytes_of_string(api->options.config->node),
                      bytes_of_string(entry->record.audience), entry->record.incarnation);
    return log;
}

const char *request_state_of(struct api *api, const struct request_entry *entry)
{
    struct log_id log = log_of(api, entry);
    uint64_t national_size = api->options.national_size(api->options.context, &log);
    return entry->record.position < national_size ? "national" : "recorded";
}

json_t *request_json(const struct request_entry *entry, const char *state)
{
    char text[TRACKING_CODE_TEXT_SIZE + 1], case_id[2 * CASE_ID_SIZE + 1];
    char occurred[INSTANT_TEXT_SIZE + 1], registered[INSTANT_TEXT_SIZE + 1];
    const struct subject *subject = subject_by_code(bytes_of_string(entry->subject));
    tracking_code_format(text, entry->id.code);
    hex_encode(case_id, BYTES_OF_ARRAY(entry->case_id));
    instant_format(occurred, entry->occurred_at_ms);
    instant_format(registered, entry->registered_at_ms);
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:s, s:s, s:s}", "code", entry->id.code,
        "code_text", text, "case", case_id, "state", state, "kind", request_kind_word(entry->kind),
        "channel", request_channel_word(entry->channel), "subject", entry->subject, "subject_fa",
        subject ? subject->name_fa : NULL, "place", entry->place, "occurred_at", occurred,
        "registered_at", registered);
    if (json && (entry->flags & REQUEST_MERGED))
        json_object_set_new(json, "same_as", json_string(entry->same_as.code));
    return json;
}

enum err request_record(struct api *api, struct store_txn *txn, const struct request_entry *entry,
                        uint32_t *number, struct buffer *scratch, struct record *record,
                        struct record_header *header, struct hash *leaf)
{
    struct log_store *logs = engine_logs(api->options.engine);
    struct log_id log = log_of(api, entry);
    enum err err = log_find(logs, txn, &log, number);
    if (err == OK)
        err = log_read(logs, txn, *number, entry->record.position, scratch, record, header, leaf);
    return err;
}

static void add_text(json_t *json, const char *name, struct bytes value)
{
    if (value.size > 0)
        json_object_set_new(json, name,
                            json_stringn((const char *)value.data, value.size));
}

enum err request_json_add_person(struct api *api, const struct token_info *reader,
                                 const struct request_entry *entry, json_t *json)
{
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct request_person person;
    struct hash leaf;
    uint32_t number;
    if (!(reader->scopes & SCOPE_PERSON))
        return ERR_AUTH;
    struct store_txn txn = store_begin_read(log_store_environment(engine_logs(api->options.engine)));
    enum err err = request_record(api, &txn, entry, &number, &scratch, &record, &header, &leaf);
    store_abort(&txn);
    if (err == OK && record.person_absent)
        err = ERR_ERASED;
    if (err == OK && record.person.size <= SALT_SIZE)
        err = ERR_NOT_FOUND;
    if (err == OK)
        err = request_person_decode(&person, record_unsalted(record.person));
    if (err == OK) {
        add_text(json, "name", person.name);
        add_text(json, "national_id", person.national_id);
        add_text(json, "phone", person.phone);
        add_text(json, "text", person.text);
        add_text(json, "address", person.address);
    }
    if (err == ERR_ERASED)
        json_object_set_new(json, "erased", json_true());
    log_event(LOG_EVENT_INFO, "person.read", "token", reader->id, "code", entry->id.code, "result",
              err_name(err), NULL);
    if (scratch.data)
        sodium_memzero(scratch.data, scratch.capacity);
    buffer_close(&scratch);
    return err;
}
