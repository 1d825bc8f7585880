/* POST /v1/requests: checks the fields on an HTTP thread, decides on the decider, answers when the
 * group is durable. */
#include "node/api/api_private.h"

#include "node/casework/instant.h"
#include "node/casework/province.h"
#include "node/casework/register.h"
#include "node/casework/request_input.h"
#include "node/http/problem.h"

#include <stdlib.h>
#include <string.h>

struct registration {
    struct command command;
    struct api *api;
    struct http_exchange *exchange;
    struct buffer strings; /* what facts and person point to */
    struct request_facts facts;
    struct request_person person;
    struct register_decision decision;
    char client[TOKEN_ID_SIZE + 1];
    char key[IDEMPOTENCY_KEY_SIZE_MAX + 1];
};

static void registration_free(struct registration *registration)
{
    buffer_close(&registration->strings);
    free(registration);
}

/* What is not in the node's own view may be among its records that wait for others (I4). */
static enum err find_waiting(struct registration *registration,
                             const struct register_setting *setting)
{
    struct register_decision known;
    struct waiting_reader reader;
    waiting_reader_begin(engine_waiting(registration->api->options.engine), &reader);
    enum err err =
        register_find(&reader.view, setting, &registration->facts, &registration->person, &known);
    waiting_reader_end(&reader);
    if (err == OK || err == ERR_CONFLICT)
        registration->decision = known;
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err registration_decide(struct command *command, struct writer *writer, int64_t now_ms)
{
    struct registration *registration = (struct registration *)command;
    struct register_setting setting = { 0 };
    struct lookup_key key;
    struct buffer facts = { 0 }, person = { 0 };
    uint8_t entropy[REGISTER_ENTROPY_SIZE];
    uint64_t position;
    enum err err;
    (void)now_ms;
    memcpy(key.bytes, registration->api->options.lookup_key, LOOKUP_KEY_SIZE);
    setting.province_number = registration->api->options.province->number;
    setting.lookup_key = &key;
    do {
        buffer_clear(&facts);
        buffer_clear(&person);
        writer_entropy(writer, entropy, sizeof entropy);
        err = register_decide(writer_view(writer), &setting, &registration->facts,
                              &registration->person, entropy, &registration->decision, &facts,
                              &person);
    } while (err == ERR_BUSY);
    if (err == OK && registration->decision.is_new)
        err = find_waiting(registration, &setting);
    if (err == OK && registration->decision.is_new)
        err = writer_propose(writer,
                             &(struct proposal){ .kind = RECORD_REQUEST,
                                                 .actor = bytes_of_string(registration->client),
                                                 .case_id = registration->decision.case_id,
                                                 .facts = buffer_bytes(&facts),
                                                 .person = buffer_bytes(&person) },
                             &position);
    buffer_close(&facts);
    buffer_close(&person);
    return err;
}

static void answer_registered(struct registration *registration)
{
    const struct register_decision *decision = &registration->decision;
    char text[TRACKING_CODE_TEXT_SIZE + 1], case_id[2 * CASE_ID_SIZE + 1], body[256];
    tracking_code_format(text, decision->id.code);
    hex_encode(case_id, BYTES_OF_ARRAY(decision->case_id));
    int size = snprintf(body, sizeof body,
                        "{\"code\":\"%s\",\"code_text\":\"%s\",\"case\":\"%s\","
                        "\"state\":\"recorded\",\"duplicate\":%s}",
                        decision->id.code, text, case_id, decision->is_new ? "false" : "true");
    http_answer(registration->exchange, decision->is_new ? 201 : 200, "application/json",
                bytes_of(body, (size_t)size));
    atomic_fetch_add(decision->is_new ? &registration->api->registered
                                      : &registration->api->duplicates,
                     1);
}

static void registration_done(struct command *command, enum err err)
{
    struct registration *registration = (struct registration *)command;
    if (err == OK) {
        answer_registered(registration);
    } else if (err == ERR_CONFLICT) {
        atomic_fetch_add(&registration->api->refused, 1);
        http_answer_problem(registration->exchange, 422, "idempotency-key-reused",
                            "This Idempotency-Key was used for another request",
                            "Nothing was recorded. Use a new key for a new request; repeat a key "
                            "only with the same content.",
                            "\"errors\":[{\"field\":\"Idempotency-Key\",\"code\":\"reused\","
                            "\"message\":\"This key belongs to another request.\"}]");
    } else {
        api_answer_err(registration->exchange, err);
    }
    registration_free(registration);
}

/* ---- reading the request ------------------------------------------------------------------- */

static bool key_is_valid(const char *key)
{
    size_t size = strlen(key);
    for (const char *p = key; *p; p++)
        if (*p < '!' || *p > '~')
            return false;
    return size >= 1 && size <= IDEMPOTENCY_KEY_SIZE_MAX;
}

static void answer_key(struct http_exchange *exchange, bool missing)
{
    if (missing)
        json_answer_fault(exchange, "Idempotency-Key", "required",
                          "Send the header Idempotency-Key, a new one for each request (a UUIDv7 "
                          "is best) and the same one for each retry.",
                          NULL);
    else
        json_answer_fault(exchange, "Idempotency-Key", "malformed",
                          "The key has 1 to 64 printable ASCII characters without spaces.", NULL);
}

static void answer_faults(struct http_exchange *exchange, const struct request_faults *faults)
{
    json_t *list = json_array();
    for (size_t i = 0; i < faults->count; i++)
        json_array_append_new(list, json_fault(request_field_name(faults->items[i].field),
                                               faults->items[i].code, faults->items[i].message,
                                               faults->items[i].message_fa));
    json_answer_faults(exchange, list);
}

enum { MEMBER_COUNT = 10 };

/* Reads the members into an input, checks it, and keeps what the record will hold. */
static enum err read_request(struct registration *registration, struct http_exchange *exchange)
{
    /* None is required here: request_input_check() says what is missing, with all other faults. */
    struct json_member members[MEMBER_COUNT] = {
        { "kind", JSON_STRING, false, NULL },      { "channel", JSON_STRING, false, NULL },
        { "subject", JSON_STRING, false, NULL },   { "text", JSON_STRING, false, NULL },
        { "name", JSON_STRING, false, NULL },      { "national_id", JSON_STRING, false, NULL },
        { "phone", JSON_STRING, false, NULL },     { "place", JSON_STRING, false, NULL },
        { "occurred_at", JSON_STRING, false, NULL }, { "address", JSON_STRING, false, NULL },
    };
    struct request_faults faults;
    json_t *object = json_body(exchange, members, MEMBER_COUNT);
    if (!object)
        return ERR_REFUSED; /* answered */
    struct request_input input = { .kind = json_bytes(members[0].value),
                                   .channel = json_bytes(members[1].value),
                                   .subject = json_bytes(members[2].value),
                                   .text = json_bytes(members[3].value),
                                   .name = json_bytes(members[4].value),
                                   .national_id = json_bytes(members[5].value),
                                   .phone = json_bytes(members[6].value),
                                   .place = json_bytes(members[7].value),
                                   .occurred_at = json_bytes(members[8].value),
                                   .address = json_bytes(members[9].value) };
    struct request_setting setting = { .province = registration->api->options.province,
                                       .now_ms = wall_ms() };
    enum err err = request_input_check(&input, &setting, &registration->strings,
                                       &registration->facts, &registration->person, &faults);
    json_decref(object);
    if (err == ERR_REFUSED)
        answer_faults(exchange, &faults);
    else if (err != OK)
        api_answer_err(exchange, err);
    return err;
}

static void answer_no_province(struct http_exchange *exchange)
{
    http_answer_problem(exchange, 409, "not-a-province", "This node registers no requests",
                        "It is a hub. Send the request to the node of the citizen's province.",
                        NULL);
}

void api_register(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    const char *key = http_header(exchange, "Idempotency-Key");
    if (!api->options.province) {
        answer_no_province(exchange);
        return;
    }
    if (!key || !key_is_valid(key)) {
        atomic_fetch_add(&api->refused, 1);
        answer_key(exchange, !key);
        return;
    }
    struct registration *registration = calloc(1, sizeof *registration);
    if (!registration) {
        api_answer_err(exchange, ERR_NOMEM);
        return;
    }
    registration->command = (struct command){ .decide = registration_decide,
                                              .done = registration_done,
                                              .intake = true };
    registration->api = api;
    registration->exchange = exchange;
    if (read_request(registration, exchange) != OK) {
        atomic_fetch_add(&api->refused, 1);
        registration_free(registration);
        return;
    }
    memcpy(registration->client, http_token(exchange)->id, sizeof registration->client);
    memcpy(registration->key, key, strlen(key) + 1);
    registration->facts.client = bytes_of_string(registration->client);
    registration->facts.idempotency_key = bytes_of_string(registration->key);
    enum err err = engine_submit(api->options.engine, &registration->command);
    if (err != OK) {
        if (err == ERR_FULL)
            atomic_fetch_add(&api->refused_full, 1);
        api_answer_err(exchange, err);
        registration_free(registration);
    }
}
