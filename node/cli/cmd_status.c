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

struct title {
    const char *text;
    enum table_type type;
};

/* One row for each of the status's list `name`, made by `add`; titles end with NULL. */
static void print_rows(const json_t *status, const char *name, const struct title *titles,
                       void (*add)(struct table *table, const json_t *status, const json_t *row))
{
    const json_t *row;
    size_t i;
    struct table *table = table_new(name, false);
    for (; titles->text; titles++)
        table_column(table, titles->text, titles->type);
    json_array_foreach(json_object_get(status, name), i, row)
    {
        table_row(table);
        add(table, status, row);
    }
    table_print(table);
}

/* An error that a connection has overcome is history: the log has it, and -o json. */
static void add_peer(struct table *table, const json_t *status, const json_t *peer)
{
    (void)status;
    bool connected = flag_of(peer, "connected");
    table_text(table, text_of(peer, "node"));
    table_text(table, text_of(peer, "role"));
    table_flag(table, connected);
    table_number(table, number_of(peer, "lag_records"));
    table_decimal(table, json_number_value(json_object_get(peer, "lag_seconds")), 1);
    table_text(table, text_of(peer, "since"));
    table_text(table, connected ? NULL : text_of(peer, "last_error"));
}

static void print_peers(const json_t *status)
{
    static const struct title TITLES[] = {
        { "NODE", TABLE_TEXT },          { "ROLE", TABLE_TEXT },          { "CONNECTED", TABLE_FLAG },
        { "LAG_RECORDS", TABLE_NUMBER }, { "LAG_SECONDS", TABLE_NUMBER }, { "SINCE", TABLE_TEXT },
        { "ERROR", TABLE_TEXT },         { NULL, TABLE_TEXT }
    };
    print_rows(status, "peers", TITLES, add_peer);
}

/* Hubs sign for what they follow: for an own log when this node has a hub. */
static bool gives_receipts(const json_t *status, bool own)
{
    const json_t *peer;
    size_t i;
    const char *role = text_of(status, "role");
    if (!own)
        return role && strcmp(role, "hub") == 0;
    json_array_foreach(json_object_get(status, "peers"), i, peer)
    {
        role = text_of(peer, "role");
        if (role && strcmp(role, "hub") == 0)
            return true;
    }
    return false;
}

/* As in `log ls`: of an own log what is national, of another what this node has signed for. */
static void add_log(struct table *table, const json_t *status, const json_t *log)
{
    char root[17] = "";
    bool own = flag_of(log, "own");
    uint64_t receipted = number_of(log, own ? "national_size" : "receipted_size");
    snprintf(root, sizeof root, "%.16s", text_of(log, "root") ? text_of(log, "root") : "");
    table_log(table, text_of(log, "log"));
    table_number(table, number_of(log, "size"));
    if (receipted > 0 || gives_receipts(status, own))
        table_number(table, receipted);
    else
        table_none(table);
    table_flag(table, own);
    table_flag(table, flag_of(log, "live"));
    table_flag(table, flag_of(log, "frozen"));
    table_text(table, root);
}

static void print_logs(const json_t *status)
{
    static const struct title TITLES[] = {
        { "LOG", TABLE_TEXT },  { "SIZE", TABLE_NUMBER }, { "RECEIPTED", TABLE_NUMBER },
        { "OWN", TABLE_FLAG },  { "LIVE", TABLE_FLAG },   { "FROZEN", TABLE_FLAG },
        { "ROOT", TABLE_TEXT }, { NULL, TABLE_TEXT }
    };
    print_rows(status, "logs", TITLES, add_log);
}

static void add_alarm(struct table *table, const json_t *status, const json_t *alarm)
{
    (void)status;
    table_text(table, text_of(alarm, "kind"));
    table_log(table, text_of(alarm, "subject"));
    table_text(table, text_of(alarm, "since"));
    table_text(table, text_of(alarm, "detail"));
}

static void print_alarms(const json_t *status)
{
    static const struct title TITLES[] = { { "ALARM", TABLE_TEXT },
                                           { "SUBJECT", TABLE_TEXT },
                                           { "SINCE", TABLE_TEXT },
                                           { "DETAIL", TABLE_TEXT },
                                           { NULL, TABLE_TEXT } };
    print_rows(status, "alarms", TITLES, add_alarm);
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

static void print_journal(const json_t *journal)
{
    if (!json_is_object(journal))
        return;
    bool lost = strcmp(text_of(journal, "state"), "good") != 0;
    printf("journal   %s, %.1f MB in %llu segments: %s%s", text_of(journal, "path"),
           (double)number_of(journal, "bytes") / 1e6,
           (unsigned long long)number_of(journal, "segments"),
           lost ? "LOST, recording goes on without it: " : "good",
           lost ? text_of(journal, "problem") : "");
    if (flag_of(journal, "same_device"))
        printf("; ON THE SAME DEVICE AS THE DATA");
    if (number_of(journal, "waiting") > 0)
        printf("; %llu records wait in it", (unsigned long long)number_of(journal, "waiting"));
    puts("");
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
    if (number_of(status, "missing") > 0)
        printf(
            "missing   AT LEAST %llu RECORDS OF THIS NODE are not here: what is not found may be "
            "among them\n",
            (unsigned long long)number_of(status, "missing"));
    print_space(json_object_get(status, "space"));
    print_journal(json_object_get(status, "journal"));
    puts("");
    print_logs(status);
    puts("");
    print_peers(status);
    if (json_array_size(alarms) > 0) {
        puts("");
        print_alarms(status);
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
        print_peers(status);
        if (json_array_size(alarms) > 0)
            print_alarms(status);
    }
    result = lag_judge(cli, peers, alarms);
    json_decref(status);
    return result;
}
