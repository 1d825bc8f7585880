#include "node/cli/record_json.h"

#include "node/casework/instant.h"
#include "node/casework/request_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *record_kind_word(uint32_t kind, char memory[24])
{
    switch (kind) {
    case RECORD_INCARNATION:
        return "incarnation";
    case RECORD_REQUEST:
        return "request";
    case RECORD_ERASE:
        return "erase";
    case RECORD_DIRECTORY:
        return "directory";
    default:
        snprintf(memory, 24, "kind-%" PRIu32, kind);
        return memory;
    }
}

static json_t *text_json(struct bytes text)
{
    return json_stringn((const char *)text.data, text.size);
}

static json_t *hex_json(struct bytes bytes)
{
    char *hex = malloc(2 * bytes.size + 1);
    if (!hex)
        return json_null();
    hex_encode(hex, bytes);
    json_t *json = json_string(hex);
    free(hex);
    return json;
}

static json_t *time_json(int64_t ms)
{
    char text[INSTANT_TEXT_SIZE + 1];
    instant_format(text, ms);
    return json_string(text);
}

static json_t *origin_json(const struct log_id *log)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(log, origin);
    return json_string(origin);
}

static void put_text(json_t *json, const char *name, struct bytes text)
{
    if (text.size > 0)
        json_object_set_new(json, name, text_json(text));
}

/* ---- parts, without their salts; NULL when they do not decode -------------------------------- */

static json_t *request_facts_json(struct bytes part)
{
    struct request_facts facts;
    if (request_facts_decode(&facts, part) != OK)
        return NULL;
    json_t *json = json_object();
    put_text(json, "code", facts.code);
    json_object_set_new(json, "kind", json_string(request_kind_word(facts.kind)));
    json_object_set_new(json, "channel", json_string(request_channel_word(facts.channel)));
    put_text(json, "subject", facts.subject);
    put_text(json, "place", facts.place);
    json_object_set_new(json, "occurred_at", time_json(facts.occurred_at_ms));
    put_text(json, "client", facts.client);
    put_text(json, "idempotency_key", facts.idempotency_key);
    return json;
}

static json_t *erase_facts_json(struct bytes part)
{
    struct erase_facts facts;
    if (erase_facts_decode(&facts, part) != OK)
        return NULL;
    json_t *json =
        json_pack("{s:o, s:I, s:o}", "log", origin_json(&facts.log), "position",
                  (json_int_t)facts.position, "occurred_at", time_json(facts.occurred_at_ms));
    put_text(json, "reason", facts.reason);
    return json;
}

static json_t *directory_facts_json(struct bytes part)
{
    struct directory_facts facts;
    if (directory_facts_decode(&facts, part) != OK)
        return NULL;
    json_t *json = json_object();
    put_text(json, "node", facts.node);
    put_text(json, "iso", facts.iso);
    put_text(json, "name_fa", facts.name_fa);
    put_text(json, "name_en", facts.name_en);
    put_text(json, "area_code", facts.area_code);
    json_object_set_new(json, "status", json_string(facts.status == 1 ? "active" : "retired"));
    return json;
}

static json_t *incarnation_facts_json(struct bytes part)
{
    struct incarnation_facts facts = { .parents =
                                           calloc(INCARNATION_PARENT_MAX, sizeof *facts.parents) };
    json_t *json = NULL;
    if (facts.parents && incarnation_facts_decode(&facts, part) == OK) {
        json_t *parents = json_array();
        for (size_t i = 0; i < facts.parent_count; i++)
            json_array_append_new(
                parents, json_pack("{s:o, s:I, s:o}", "log", origin_json(&facts.parents[i].log),
                                   "size", (json_int_t)facts.parents[i].size, "root",
                                   hex_json(BYTES_OF_ARRAY(facts.parents[i].root.bytes))));
        json = json_pack("{s:o, s:I, s:o}", "occurred_at", time_json(facts.occurred_at_ms), "flags",
                         (json_int_t)facts.flags, "parents", parents);
    }
    free(facts.parents);
    return json;
}

static json_t *facts_json(uint32_t kind, struct bytes part)
{
    json_t *json = kind == RECORD_REQUEST       ? request_facts_json(part)
                   : kind == RECORD_ERASE       ? erase_facts_json(part)
                   : kind == RECORD_DIRECTORY   ? directory_facts_json(part)
                   : kind == RECORD_INCARNATION ? incarnation_facts_json(part)
                                                : NULL;
    return json ? json : json_pack("{s:o}", "hex", hex_json(part));
}

static json_t *person_json(uint32_t kind, struct bytes part)
{
    struct request_person person;
    if (kind != RECORD_REQUEST || request_person_decode(&person, part) != OK)
        return json_pack("{s:o}", "hex", hex_json(part));
    json_t *json = json_object();
    put_text(json, "name", person.name);
    put_text(json, "national_id", person.national_id);
    put_text(json, "phone", person.phone);
    put_text(json, "text", person.text);
    put_text(json, "address", person.address);
    return json;
}

/* ---- whole records --------------------------------------------------------------------------- */

static void put_links(json_t *json, const struct record_header *header)
{
    if (header->has_case)
        json_object_set_new(json, "case", hex_json(BYTES_OF_ARRAY(header->case_id)));
    if (header->has_cause)
        json_object_set_new(json, "cause",
                            json_pack("{s:o, s:I, s:o}", "log", origin_json(&header->cause.log),
                                      "position", (json_int_t)header->cause.position, "leaf",
                                      hex_json(BYTES_OF_ARRAY(header->cause.leaf.bytes))));
    if (header->has_receipt)
        json_object_set_new(json, "receipt",
                            json_pack("{s:s, s:I, s:o}", "hub", header->receipt.hub, "size",
                                      (json_int_t)header->receipt.size, "time",
                                      time_json(header->receipt.time_s * 1000)));
}

json_t *record_json(const struct record *record, const struct record_header *header,
                    const struct hash *leaf, bool with_person)
{
    char memory[24];
    json_t *json =
        json_pack("{s:o, s:I, s:s, s:o, s:s}", "log", origin_json(&header->log), "position",
                  (json_int_t)header->position, "kind", record_kind_word(header->kind, memory),
                  "time", time_json(header->time_ms), "actor", header->actor);
    put_links(json, header);
    json_object_set_new(json, "facts", facts_json(header->kind, record_unsalted(record->facts)));
    json_object_set_new(json, "leaf", hex_json(BYTES_OF_ARRAY(leaf->bytes)));
    if (record->person_absent)
        json_object_set_new(json, "erased", json_true());
    if (with_person && record->person.size >= SALT_SIZE)
        json_object_set_new(json, "person",
                            person_json(header->kind, record_unsalted(record->person)));
    return json;
}

static void print_fields(FILE *out, const json_t *part)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)part, name, value)
    {
        if (json_is_string(value)) {
            fprintf(out, "  %s=%s", name, json_string_value(value));
        } else {
            char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
            fprintf(out, "  %s=%s", name, text ? text : "?");
            free(text);
        }
    }
}

void record_print(FILE *out, const json_t *record)
{
    fprintf(out, "%" JSON_INTEGER_FORMAT "  %s  %s",
            json_integer_value(json_object_get(record, "position")),
            json_string_value(json_object_get(record, "time")),
            json_string_value(json_object_get(record, "kind")));
    print_fields(out, json_object_get(record, "facts"));
    print_fields(out, json_object_get(record, "person"));
    if (json_object_get(record, "erased"))
        fputs("  (person erased)", out);
    fputc('\n', out);
}
