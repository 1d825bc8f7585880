/* status and lag: what the node says of itself, through its API. */
#include "node/cli/answer.h"
#include "node/cli/api_client.h"
#include "node/cli/commands.h"
#include "node/cli/table.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static uint64_t number_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value < 0 ? 0 : (uint64_t)value;
}

static bool flag_of(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static enum cli_exit get_status(struct cli *cli, json_t **status)
{
    struct api_client client;
    *status = NULL;
    enum cli_exit result = api_open(&client, cli);
    if (result == CLI_OK)
        result = api_call(&client, "GET", "/v1/status", NULL, NULL, status);
    api_close(&client);
    if (result == CLI_OK && !*status)
        result = cli_fail(CLI_UNREACHABLE, "status", "the answer is not JSON",
                          "is this the address of a node's API?");
    return result;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void print_peers(const json_t *peers, bool json)
{
    const json_t *peer;
    size_t i;
    struct table *table = table_new("peers", json);
    table_column(table, "NODE", TABLE_TEXT);
    table_column(table, "ROLE", TABLE_TEXT);
    table_column(table, "CONNECTED", TABLE_FLAG);
    table_column(table, "LAG_RECORDS", TABLE_NUMBER);
    table_column(table, "LAG_SECONDS", TABLE_NUMBER);
    table_column(table, "SINCE", TABLE_TEXT);
    table_column(table, "LAST_ERROR", TABLE_TEXT);
    json_array_foreach(peers, i, peer)
    {
        table_row(table);
        table_text(table, text_of(peer, "node"));
        table_text(table, text_of(peer, "role"));
        table_flag(table, flag_of(peer, "connected"));
        table_number(table, number_of(peer, "lag_records"));
        table_decimal(table, json_number_value(json_object_get(peer, "lag_seconds")), 1);
        table_text(table, text_of(peer, "since"));
        table_text(table, text_of(peer, "last_error"));
    }
    table_print(table);
}

static void print_logs(const json_t *logs)
{
    const json_t *log;
    size_t i;
    struct table *table = table_new("logs", false);
    table_column(table, "LOG", TABLE_TEXT);
    table_column(table, "SIZE", TABLE_NUMBER);
    table_column(table, "NATIONAL", TABLE_NUMBER);
    table_column(table, "RECEIPTED", TABLE_NUMBER);
    table_column(table, "LIVE", TABLE_FLAG);
    table_column(table, "FROZEN", TABLE_FLAG);
    table_column(table, "ROOT", TABLE_TEXT);
    json_array_foreach(logs, i, log)
    {
        char root[17] = "";
        bool own = flag_of(log, "own");
        snprintf(root, sizeof root, "%.16s", text_of(log, "root") ? text_of(log, "root") : "");
        table_row(table);
        table_text(table, text_of(log, "log"));
        table_number(table, number_of(log, "size"));
        if (own)
            table_number(table, number_of(log, "national_size"));
        else
            table_text(table, "-");
        if (own)
            table_text(table, "-");
        else
            table_number(table, number_of(log, "receipted_size"));
        table_flag(table, flag_of(log, "live"));
        table_flag(table, flag_of(log, "frozen"));
        table_text(table, root);
    }
    table_print(table);
}

static void print_alarms(const json_t *alarms, bool json)
{
    const json_t *alarm;
    size_t i;
    struct table *table = table_new("alarms", json);
    table_column(table, "ALARM", TABLE_TEXT);
    table_column(table, "SUBJECT", TABLE_TEXT);
    table_column(table, "DETAIL", TABLE_TEXT);
    table_column(table, "SINCE", TABLE_TEXT);
    json_array_foreach(alarms, i, alarm)
    {
        table_row(table);
        table_text(table, text_of(alarm, "kind"));
        table_text(table, text_of(alarm, "subject"));
        table_text(table, text_of(alarm, "detail"));
        table_text(table, text_of(alarm, "since"));
    }
    table_print(table);
}

static void print_space(const json_t *space)
{
    const json_t *days = json_object_get(space, "autonomy_days");
    printf("disk      log %.1f MB, views %.1f MB, available %.1f GB",
           (double)number_of(space, "log_bytes") / 1e6,
           (double)number_of(space, "views_bytes") / 1e6,
           (double)number_of(space, "available_bytes") / 1e9);
    if (json_is_number(days))
        printf(", lasts %.0f days without a link", json_number_value(days));
    puts(flag_of(space, "intake_refused") ? "; NEW REQUESTS ARE REFUSED" : "");
}

static void print_status(const json_t *status)
{
    const json_t *alarms = json_object_get(status, "alarms");
    printf("node      %s, %s, %s\n", text_of(status, "node"), text_of(status, "role"),
           flag_of(status, "ready") ? "ready" : "not ready");
    printf("time      %s, started %s\n", text_of(status, "time"), text_of(status, "started"));
    printf("written   %llu records in %llu groups since its start, %llu commands waiting\n",
           (unsigned long long)number_of(status, "records"),
           (unsigned long long)number_of(status, "groups"),
           (unsigned long long)number_of(status, "queue"));
    print_space(json_object_get(status, "space"));
    puts("");
    print_logs(json_object_get(status, "logs"));
    puts("");
    print_peers(json_object_get(status, "peers"), false);
    if (json_array_size(alarms) > 0) {
        puts("");
        print_alarms(alarms, false);
    }
}

enum cli_exit cmd_status(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    json_t *status;
    enum cli_exit result = get_status(cli, &status);
    if (result != CLI_OK)
        return result;
    if (cli->json) {
        answer_json(json_incref(status));
    } else {
        print_status(status);
    }
    json_decref(status);
    return CLI_OK;
}

/* ---- lag: a check for monitoring ------------------------------------------------------------- */

static enum cli_exit lag_judge(const struct cli *cli, const json_t *peers, const json_t *alarms)
{
    const json_t *peer;
    size_t i, down = 0;
    uint64_t records = 0;
    json_array_foreach(peers, i, peer)
    {
        down += !flag_of(peer, "connected");
        records += number_of(peer, "lag_records");
    }
    fprintf(cli->json ? stderr : stdout,
            "lag: peers=%zu disconnected=%zu records=%llu alarms=%zu\n", json_array_size(peers),
            down, (unsigned long long)records, json_array_size(alarms));
    return down == 0 && json_array_size(alarms) == 0 ? CLI_OK : CLI_NO;
}

enum cli_exit cmd_lag(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    json_t *status;
    enum cli_exit result = get_status(cli, &status);
    if (result != CLI_OK)
        return result;
    json_t *peers = json_object_get(status, "peers"), *alarms = json_object_get(status, "alarms");
    if (cli->json) {
        json_t *answer = json_pack("{s:O, s:O}", "peers", peers, "alarms", alarms);
        answer_json(answer);
    } else {
        print_peers(peers, false);
        if (json_array_size(alarms) > 0)
            print_alarms(alarms, false);
    }
    result = lag_judge(cli, peers, alarms);
    json_decref(status);
    return result;
}
