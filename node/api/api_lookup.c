/* Reading requests: POST /v1/lookups (code and second factor: what a citizen may ask), GET
 * /v1/requests/CODE (staff, with personal data), GET /v1/requests (the newest), GET /v1/directory.
 *
 * A second factor is personal data and stands in a body, never in a path that logs may keep. */
#include "node/api/request_json.h"

#include "node/casework/directory_entry.h"
#include "node/casework/find.h"
#include "node/casework/province.h"
#include "node/casework/tracking_code.h"
#include "node/http/problem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIST_MAX = 200, LIST_DEFAULT = 50, SAME_CODE_MAX = 8 };

/* `*missing`: what is not found may be a record that this node knows it lacks. */
static enum err begin(struct api *api, struct views_reader *reader, bool *missing)
{
    *missing = engine_missing(api->options.engine) > 0;
    return views_reader_begin(engine_views(api->options.engine), api->options.config->node, reader);
}

static void answer_unknown(struct http_exchange *exchange)
{
    http_answer_problem(exchange, 404, "no-such-request", "There is no such request",
                        "No request has this code together with this second factor here.", NULL);
}

static void refuse_unknown(struct api *api, struct http_exchange *exchange, uint64_t group,
                           bool missing)
{
    api_refuse_when_durable(api, exchange, group, missing ? api_answer_missing : answer_unknown);
}

/* A list, and whether it may lack something. */
static json_t *requests_json(json_t *list, bool missing)
{
    json_t *json = json_pack("{s:o}", "requests", list);
    if (missing)
        json_object_set_new(json, "incomplete", json_true());
    return json;
}

static void answer_code_fault(struct http_exchange *exchange)
{
    json_answer_fault(exchange, "code", "wrong_check",
                      "A digit of the code is wrong: it has fourteen digits and its check digits "
                      "do not fit.",
                      "کد رهگیری درست نیست؛ لطفاً چهارده رقم را دوباره بخوانید.");
}

static void answer_factor_fault(struct http_exchange *exchange)
{
    json_answer_fault(exchange, "factor", "malformed",
                      "Give the phone number of the request, or the last four digits of the "
                      "national ID.",
                      "شماره تلفن ثبت‌شده یا چهار رقم آخر کد ملی را بدهید.");
}

static const struct lookup_key *lookup_key_of(const struct api *api)
{
    return (const struct lookup_key *)(const void *)api->options.lookup_key;
}

static void answer_wait(struct http_exchange *exchange, unsigned seconds)
{
    char text[16];
    snprintf(text, sizeof text, "%u", seconds);
    http_answer_header(exchange, "Retry-After", text);
    http_answer_problem(exchange, 429, "too-many-guesses", "Too many wrong second factors",
                        "Wait as long as Retry-After says, then try again.", NULL);
}

/* Not the wall clock: set back by a year it would keep a citizen waiting for a year. */
static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Both of these where the own view has nothing: what waits for other records is told of all the
 * same. */
static enum err find_waiting(struct api *api, struct bytes code, struct bytes factor,
                             const char *area, struct request_entry *entry)
{
    struct waiting_reader reader;
    waiting_reader_begin(engine_waiting(api->options.engine), &reader);
    enum err err = request_find(&reader.view, lookup_key_of(api), code, factor, area, entry);
    waiting_reader_end(&reader);
    return err;
}

static enum err list_waiting(struct api *api, struct bytes code, struct request_entry *entries,
                             size_t *count)
{
    struct waiting_reader reader;
    waiting_reader_begin(engine_waiting(api->options.engine), &reader);
    enum err err = request_list_by_code(&reader.view, code, entries, SAME_CODE_MAX, count);
    waiting_reader_end(&reader);
    return err;
}

/* A guess counts against the code, and against the token, whatever codes it tries. */
static void look_up(struct api *api, struct http_exchange *exchange, struct bytes typed,
                    struct bytes factor)
{
    char code[TRACKING_CODE_DIGITS + 1];
    struct guess guess;
    struct views_reader reader;
    struct request_entry entry;
    bool missing;
    const char *area = api->options.province ? api->options.province->area_code : "";
    if (tracking_code_parse(code, typed) != TRACKING_CODE_VALID) {
        answer_code_fault(exchange);
        return;
    }
    unsigned wait_s = guess_begin(api->guesses, &guess, bytes_of_string(code),
                                  bytes_of_string(http_token(exchange)->id), monotonic_ms());
    if (wait_s > 0) {
        answer_wait(exchange, wait_s);
        return;
    }
    enum err err = begin(api, &reader, &missing);
    if (err != OK) {
        guess_withdraw(api->guesses, &guess);
        api_answer_err(exchange, err);
        return;
    }
    err = request_find(&reader.view, lookup_key_of(api), bytes_of_string(code), factor, area,
                       &entry);
    uint64_t group = reader.group;
    views_reader_end(&reader);
    if (err == ERR_NOT_FOUND && missing)
        err = find_waiting(api, bytes_of_string(code), factor, area, &entry);
    atomic_fetch_add(&api->lookups, 1);
    if (err == OK)
        guess_succeeded(api->guesses, &guess);
    else if (err != ERR_NOT_FOUND)
        guess_withdraw(api->guesses, &guess);
    if (err == ERR_INVALID) {
        answer_factor_fault(exchange);
    } else if (err == ERR_NOT_FOUND) {
        atomic_fetch_add(&api->lookups_refused, 1);
        refuse_unknown(api, exchange, group, missing);
    } else if (err != OK) {
        api_answer_err(exchange, err);
    } else {
        api_answer_when_durable(api, exchange, group, 200,
                                request_json(&entry, request_state_of(api, &entry)));
    }
}

void api_lookup(void *context, struct http_exchange *exchange)
{
    struct json_member members[] = { { "code", JSON_STRING, true, NULL },
                                     { "factor", JSON_STRING, true, NULL } };
    json_t *object = json_body(exchange, members, 2);
    if (!object)
        return;
    look_up(context, exchange, json_bytes(members[0].value), json_bytes(members[1].value));
    json_decref(object);
}

void api_show(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    char code[TRACKING_CODE_DIGITS + 1];
    struct views_reader reader;
    struct request_entry entries[SAME_CODE_MAX];
    size_t count = 0;
    bool missing;
    if (tracking_code_parse(code, bytes_of_string(http_parameter(exchange))) !=
        TRACKING_CODE_VALID) {
        answer_code_fault(exchange);
        return;
    }
    enum err err = begin(api, &reader, &missing);
    if (err == OK) {
        err = request_list_by_code(&reader.view, bytes_of_string(code), entries, SAME_CODE_MAX,
                                   &count);
        views_reader_end(&reader);
    }
    if (err == OK && count == 0 && missing)
        err = list_waiting(api, bytes_of_string(code), entries, &count);
    if (err != OK) {
        api_answer_err(exchange, err);
        return;
    }
    uint64_t group = reader.group;
    if (count == 0) {
        refuse_unknown(api, exchange, group, missing);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *json = request_json(&entries[i], request_state_of(api, &entries[i]));
        err = request_json_add_person(api, http_token(exchange), &entries[i], json);
        /* An uncommitted record is not readable yet: its answer waits for nothing else. */
        if (err != OK && err != ERR_ERASED)
            json_object_set_new(json, "person_unavailable", json_string(err_text(err)));
        json_array_append_new(list, json);
    }
    api_answer_when_durable(api, exchange, group, 200, requests_json(list, missing));
}

static size_t limit_of(struct http_exchange *exchange, bool *valid)
{
    const char *text = http_query(exchange, "limit");
    char *end = NULL;
    *valid = true;
    if (!text)
        return LIST_DEFAULT;
    long limit = strtol(text, &end, 10);
    *valid = *text && !*end && limit >= 1 && limit <= LIST_MAX;
    return (size_t)limit;
}

void api_list(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    struct views_reader reader;
    bool valid, missing;
    size_t count = 0, limit = limit_of(exchange, &valid);
    if (!valid) {
        json_answer_fault(exchange, "limit", "out_of_range", "limit is a number from 1 to 200.",
                          NULL);
        return;
    }
    struct request_entry *entries = calloc(limit, sizeof *entries);
    enum err err = entries ? begin(api, &reader, &missing) : ERR_NOMEM;
    if (err == OK) {
        err = request_list_recent(&reader.view, NULL, entries, limit, &count);
        views_reader_end(&reader);
    }
    if (err != OK) {
        free(entries);
        api_answer_err(exchange, err);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, request_json(&entries[i], request_state_of(api, &entries[i])));
    free(entries);
    api_answer_when_durable(api, exchange, reader.group, 200, requests_json(list, missing));
}

/* ---- the directory that the hubs announce -------------------------------------------------- */

static void add_entry(void *context, const struct directory_entry *entry)
{
    json_array_append_new(context,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "node", entry->node, "iso",
                                    entry->iso, "name_fa", entry->name_fa, "name_en",
                                    entry->name_en, "area_code", entry->area_code, "status",
                                    entry->status == 1 ? "active" : "retired"));
}

void api_directory(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    const struct config *config = api->options.config;
    struct views_reader reader;
    json_t *list = json_array();
    uint64_t group = 0;
    const char *hub = config->role == ROLE_HUB ? config->node
                                               : config->hub_count ? config->hubs[0].name : NULL;
    enum err err = hub ? views_reader_begin(engine_views(api->options.engine), hub, &reader)
                       : ERR_NOT_FOUND;
    if (err == OK) {
        err = directory_list(&reader.view, add_entry, list);
        group = reader.group;
        views_reader_end(&reader);
    }
    if (err != OK && err != ERR_NOT_FOUND) {
        json_decref(list);
        api_answer_err(exchange, err);
        return;
    }
    api_answer_when_durable(api, exchange, group, 200, json_pack("{s:o}", "provinces", list));
}
