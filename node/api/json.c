#include "node/api/json.h"
#include "node/http/problem.h"

#include <stdio.h>
#include <string.h>

struct bytes json_bytes(const json_t *string)
{
    return string ? bytes_of(json_string_value(string), json_string_length(string)) : BYTES_NONE;
}

json_t *json_fault(const char *field, const char *code, const char *message,
                   const char *message_fa)
{
    return json_pack("{s:s, s:s, s:s, s:s*}", "field", field, "code", code, "message", message,
                     "message_fa", message_fa);
}

void json_answer_faults(struct http_exchange *exchange, json_t *faults)
{
    http_answer_faults(exchange, "invalid-fields", "Some fields cannot be taken",
                       "Correct the fields named in \"errors\" and send the request again; "
                       "nothing was recorded.",
                       faults);
}

void json_answer_fault(struct http_exchange *exchange, const char *field, const char *code,
                       const char *message, const char *message_fa)
{
    json_t *faults = json_array();
    json_array_append_new(faults, json_fault(field, code, message, message_fa));
    json_answer_faults(exchange, faults);
}

static bool type_matches(const json_t *value, json_type type)
{
    return json_typeof(value) == type || (type == JSON_TRUE && json_is_boolean(value));
}

static const char *type_name(json_type type)
{
    return type == JSON_STRING ? "a string" : type == JSON_INTEGER ? "an integer" : "true or false";
}

static void check_members(json_t *object, struct json_member *members, size_t count,
                          json_t *faults)
{
    const char *name;
    json_t *value;
    char text[160];
    json_object_foreach (object, name, value) {
        struct json_member *found = NULL;
        for (size_t i = 0; i < count && !found; i++)
            if (strcmp(members[i].name, name) == 0)
                found = &members[i];
        if (!found) {
            snprintf(text, sizeof text, "There is no field of this name here.");
            json_array_append_new(faults, json_fault(name, "unknown_field", text,
                                                     "چنین فیلدی وجود ندارد."));
        } else if (json_is_null(value)) {
            found->value = NULL;
        } else if (!type_matches(value, found->type)) {
            snprintf(text, sizeof text, "This must be %s.", type_name(found->type));
            json_array_append_new(faults, json_fault(name, "wrong_type", text,
                                                     "نوع این فیلد درست نیست."));
        } else {
            found->value = value;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (members[i].required && !json_object_get(object, members[i].name))
            json_array_append_new(faults, json_fault(members[i].name, "required",
                                                     "This field is required.",
                                                     "این فیلد لازم است."));
}

json_t *json_body(struct http_exchange *exchange, struct json_member *members, size_t count)
{
    json_error_t error;
    char detail[256];
    struct bytes body = http_body(exchange);
    if (!http_is_json(exchange)) {
        http_answer_problem(exchange, 415, "not-json", "The body must be JSON",
                            "Send Content-Type: application/json.", NULL);
        return NULL;
    }
    json_t *object = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        if (object)
            snprintf(detail, sizeof detail, "The body is JSON, but not an object.");
        else if (body.size == 0)
            snprintf(detail, sizeof detail, "There is no body: send one JSON object.");
        else /* jansson's text may quote what stands there, which may be personal: not repeated */
            snprintf(detail, sizeof detail, "Not valid JSON at line %d, column %d.", error.line,
                     error.column);
        json_decref(object);
        http_answer_problem(exchange, 400, "malformed-json", "The body is not a JSON object",
                            detail, NULL);
        return NULL;
    }
    json_t *faults = json_array();
    check_members(object, members, count, faults);
    if (json_array_size(faults) > 0) {
        json_answer_faults(exchange, faults);
        json_decref(object);
        return NULL;
    }
    json_decref(faults);
    return object;
}
