/* request add, show, list, subjects, erase: single requests through the API. */
#include "node/casework/subject.h"
#include "node/casework/tracking_code.h"
#include "node/cli/answer.h"
#include "node/cli/api_client.h"
#include "node/cli/commands.h"
#include "node/cli/table.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NOT_UTF8_NEXT "type it in a terminal that speaks UTF-8 (`locale charmap`)"

/* Opens, calls, closes. */
static enum cli_exit call(struct cli *cli, const char *method, const char *path, const json_t *body,
                          const char *key, json_t **answer)
{
    struct api_client client;
    *answer = NULL;
    enum cli_exit result = api_open(&client, cli);
    if (result == CLI_OK)
        result = api_call(&client, method, path, body, key, answer);
    api_close(&client);
    return result;
}

/* ---- add ------------------------------------------------------------------------------------- */

static const struct {
    const char *option, *member;
} MEMBERS[] = {
    { "kind", "kind" },       { "channel", "channel" }, { "subject", "subject" },
    { "text", "text" },       { "name", "name" },       { "national-id", "national_id" },
    { "phone", "phone" },     { "place", "place" },     { "occurred-at", "occurred_at" },
    { "address", "address" },
};

/* A retry by hand needs the same key, so it is shown. */
static const char *key_of(const struct cli *cli, char made[33])
{
    uint8_t random[16];
    const char *key = cli_value(cli, "key");
    if (key)
        return key;
    randombytes_buf(random, sizeof random);
    hex_encode(made, BYTES_OF_ARRAY(random));
    return made;
}

enum cli_exit cmd_request_add(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    char made[33];
    json_t *answer, *body = json_object();
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        const char *value = cli_value(cli, MEMBERS[i].option);
        if (value && json_object_set_new(body, MEMBERS[i].member, json_string(value)) != 0) {
            json_decref(body);
            return cli_fail(CLI_USAGE, MEMBERS[i].option, "is not UTF-8 text", NOT_UTF8_NEXT);
        }
    }
    if (!json_object_get(body, "kind"))
        json_object_set_new(body, "kind", json_string("request"));
    if (!json_object_get(body, "channel"))
        json_object_set_new(body, "channel", json_string("desk"));
    const char *key = key_of(cli, made);
    enum cli_exit result = call(cli, "POST", "/v1/requests", body, key, &answer);
    json_decref(body);
    if (result == CLI_UNREACHABLE)
        fprintf(stderr,
                "  next: it is not known whether it was recorded; repeat it with --key %s\n", key);
    if (result != CLI_OK)
        return result;
    if (cli->json)
        answer_json(json_incref(answer));
    else
        printf("%s\n", json_string_value(json_object_get(answer, "code_text")));
    json_decref(answer);
    return CLI_OK;
}

/* ---- show and list --------------------------------------------------------------------------- */

static void print_request(const json_t *request)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)request, name, value)
    {
        if (json_is_string(value))
            printf("%-16s %s\n", name, json_string_value(value));
        else if (json_is_true(value))
            printf("%-16s yes\n", name);
    }
}

/* The fourteen digits, or false after saying why not. */
static bool read_code(const char *typed, char code[TRACKING_CODE_DIGITS + 1])
{
    if (tracking_code_parse(code, bytes_of_string(typed)) == TRACKING_CODE_VALID)
        return true;
    cli_fail(CLI_USAGE, typed, "is not a tracking code: fourteen digits with two check digits",
             "read it again from where it was written down");
    return false;
}

enum cli_exit cmd_request_show(struct cli *cli, int count, char **arguments)
{
    (void)count;
    char code[TRACKING_CODE_DIGITS + 1], path[64];
    const char *factor = cli_value(cli, "factor");
    json_t *answer, *request;
    enum cli_exit result;
    size_t i;
    if (!read_code(arguments[0], code))
        return CLI_USAGE;
    if (factor) {
        json_t *body = json_pack("{s:s, s:s}", "code", code, "factor", factor);
        if (!body)
            return cli_fail(CLI_USAGE, "--factor", "is not UTF-8 text", NOT_UTF8_NEXT);
        result = call(cli, "POST", "/v1/lookups", body, NULL, &answer);
        json_decref(body);
    } else {
        snprintf(path, sizeof path, "/v1/requests/%s", code);
        result = call(cli, "GET", path, NULL, NULL, &answer);
    }
    if (result != CLI_OK)
        return result;
    if (cli->json) {
        answer_json(json_incref(answer));
    } else if (factor) {
        print_request(answer);
    } else {
        json_array_foreach(json_object_get(answer, "requests"), i, request) print_request(request);
    }
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit cmd_request_list(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    static const char *const members[] = { "code_text", "registered_at", "state", "kind",
                                           "channel",   "subject",       "place" };
    static const char *const titles[] = { "CODE",    "REGISTERED_AT", "STATE", "KIND",
                                          "CHANNEL", "SUBJECT",       "PLACE" };
    char path[64];
    uint64_t limit;
    json_t *answer;
    const json_t *request;
    size_t i;
    if (!cli_number(cli, "limit", 1, 200, 20, &limit))
        return CLI_USAGE;
    snprintf(path, sizeof path, "/v1/requests?limit=%llu", (unsigned long long)limit);
    enum cli_exit result = call(cli, "GET", path, NULL, NULL, &answer);
    if (result != CLI_OK)
        return result;
    if (cli->json) {
        answer_json(json_incref(answer));
        json_decref(answer);
        return CLI_OK;
    }
    struct table *table = table_new("requests", false);
    for (size_t column = 0; column < sizeof titles / sizeof *titles; column++)
        table_column(table, titles[column], TABLE_TEXT);
    json_array_foreach(json_object_get(answer, "requests"), i, request)
    {
        table_row(table);
        for (size_t column = 0; column < sizeof members / sizeof *members; column++)
            table_text(table, json_string_value(json_object_get(request, members[column])));
    }
    table_print(table);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit cmd_request_subjects(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct table *table = table_new("subjects", cli->json);
    table_column(table, "SUBJECT", TABLE_TEXT);
    table_column(table, "NAME", TABLE_TEXT);
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        if (SUBJECTS[i].retired)
            continue;
        table_row(table);
        table_text(table, SUBJECTS[i].code);
        table_text(table, SUBJECTS[i].name_fa);
    }
    table_print(table);
    return CLI_OK;
}

enum cli_exit cmd_request_erase(struct cli *cli, int count, char **arguments)
{
    (void)count;
    char code[TRACKING_CODE_DIGITS + 1], path[64];
    const char *reason = cli_value(cli, "reason");
    json_t *answer;
    if (!reason)
        return cli_fail(CLI_USAGE, "--reason", "an erasure is recorded with its reason",
                        "--reason asked-by-citizen");
    if (!read_code(arguments[0], code))
        return CLI_USAGE;
    json_t *body = json_pack("{s:s}", "reason", reason);
    if (!body)
        return cli_fail(CLI_USAGE, "--reason", "is not UTF-8 text", NOT_UTF8_NEXT);
    snprintf(path, sizeof path, "/v1/requests/%s/erase", code);
    enum cli_exit result = call(cli, "POST", path, body, NULL, &answer);
    json_decref(body);
    if (result != CLI_OK)
        return result;
    if (cli->json)
        answer_json(json_incref(answer));
    else
        printf("erased the personal data of %s: %lld now, %lld before\n", code,
               (long long)json_integer_value(json_object_get(answer, "erased")),
               (long long)json_integer_value(json_object_get(answer, "erased_before")));
    json_decref(answer);
    return CLI_OK;
}
