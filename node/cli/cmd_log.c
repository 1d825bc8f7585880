/* log ls, cat, tail: the logs as they are stored, read while the daemon runs or not. */
#include "node/cli/commands.h"
#include "node/cli/local.h"
#include "node/cli/record_json.h"
#include "node/cli/table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define RECORDS_PER_TRANSACTION 1000 /* a reading transaction pins pages: never a long one */
#define TAIL_PAUSE_MS           300
#define TAIL_COUNT              10
#define ROOT_DIGITS_SHOWN       16 /* in a table; JSON has the whole root */

/* ---- ls -------------------------------------------------------------------------------------- */

/* 0: there is none. */
static uint64_t receipt_size(const struct local *local, struct store_txn *txn, uint32_t number,
                             const char *hub)
{
    struct buffer note = { 0 };
    uint64_t size = 0;
    enum err err = log_receipt_get(local->logs, txn, number, hub, &note, &size);
    buffer_close(&note);
    return err == OK ? size : 0;
}

/* The hubs' receipts for an own log as words, and how many of its records all of them, or as many as
 * `national` asks for, have signed for. */
static uint64_t receipts_of(const struct local *local, struct store_txn *txn, uint32_t number,
                            char out[512])
{
    const struct config *config = local->config;
    size_t used = 0;
    uint64_t national = 0;
    out[0] = '\0';
    for (size_t i = 0; i < config->hub_count; i++) {
        uint64_t size = receipt_size(local, txn, number, config->hubs[i].name);
        unsigned as_far = 0;
        for (size_t j = 0; j < config->hub_count; j++)
            as_far += receipt_size(local, txn, number, config->hubs[j].name) >= size;
        if (as_far >= config->national_receipts && size > national)
            national = size;
        if (size > 0 && used < 440)
            used += (size_t)snprintf(out + used, 512 - used, "%s%s:%llu", used ? " " : "",
                                     config->hubs[i].name, (unsigned long long)size);
    }
    return national;
}

/* What stands in a log's line about receipts. At a hub, logs of others are those it signs for; a
 * province signs for none. */
static void add_receipts(const struct local *local, struct store_txn *txn, uint32_t number,
                         const struct log_state *state, struct table *table)
{
    char receipts[512] = "";
    bool own = strcmp(state->id.node, local->config->node) == 0;
    uint64_t national = own ? receipts_of(local, txn, number, receipts) : 0;
    if (own && local->config->hub_count > 0)
        table_number(table, national);
    else if (!own && local->config->role == ROLE_HUB)
        table_number(table, state->cosigned_size);
    else
        table_none(table);
    table_text(table, receipts);
}

static enum err add_log(const struct local *local, struct store_txn *txn, uint32_t number,
                        struct table *table, bool json)
{
    struct log_state state;
    struct merkle_frontier frontier;
    struct hash root;
    char origin[LOG_ORIGIN_SIZE_MAX + 1], hex[2 * HASH_SIZE + 1];
    enum err err = log_state_get(local->logs, txn, number, &state);
    if (err == OK)
        err = log_frontier(local->logs, txn, number, &frontier);
    if (err != OK)
        return err;
    log_id_origin(&state.id, origin);
    merkle_frontier_root(&frontier, &root);
    hex_encode(hex, BYTES_OF_ARRAY(root.bytes));
    if (!json)
        hex[ROOT_DIGITS_SHOWN] = '\0';
    table_row(table);
    table_number(table, number);
    table_log(table, origin);
    table_number(table, state.size);
    table_text(table, hex);
    table_flag(table, strcmp(state.id.node, local->config->node) == 0);
    table_flag(table, state.frozen);
    add_receipts(local, txn, number, &state, table);
    return OK;
}

enum cli_exit cmd_log_ls(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct local local;
    enum cli_exit result = local_open(&local, cli->config_path, LOCAL_KEYS_IF_READABLE);
    if (result != CLI_OK)
        goto out;
    struct table *table = table_new("logs", cli->json);
    table_column(table, "NUMBER", TABLE_NUMBER);
    table_column(table, "LOG", TABLE_TEXT);
    table_column(table, "SIZE", TABLE_NUMBER);
    table_column(table, "ROOT", TABLE_TEXT);
    table_column(table, "OWN", TABLE_FLAG);
    table_column(table, "FROZEN", TABLE_FLAG);
    table_column(table, cli->json ? "RECEIPTED_SIZE" : "RECEIPTED", TABLE_NUMBER);
    table_column(table, "RECEIPTS", TABLE_TEXT);
    struct store_txn txn = store_begin_read(log_store_environment(local.logs));
    enum err err = txn.err;
    uint32_t logs = log_count(local.logs, &txn);
    for (uint32_t i = 0; i < logs && err == OK; i++)
        err = add_log(&local, &txn, i, table, cli->json);
    store_abort(&txn);
    table_print(table);
    if (err != OK)
        result = cli_fail_err("the logs cannot be listed", err);
out:
    local_close(&local);
    return result;
}

/* ---- cat and tail ---------------------------------------------------------------------------- */

struct print {
    bool json, with_person;
    uint64_t next; /* position */
};

static enum err print_record(void *context, uint64_t position, const struct record *record,
                             const struct record_header *header, const struct hash *leaf)
{
    struct print *print = context;
    json_t *json = record_json(record, header, leaf, print->with_person);
    if (!json)
        return ERR_NOMEM;
    if (print->json) {
        json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else {
        record_print(stdout, json);
    }
    json_decref(json);
    print->next = position + 1;
    return ferror(stdout) ? ERR_IO : OK;
}

/* Prints [print->next, end) as far as it is held, in short transactions. */
static enum cli_exit print_run(const struct local *local, uint32_t number, uint64_t end,
                               struct print *print)
{
    for (;;) {
        uint64_t first = print->next, count = end - first;
        char what[96];
        struct store_txn txn = store_begin_read(log_store_environment(local->logs));
        enum err err =
            txn.err != OK
                ? txn.err
                : log_scan(local->logs, &txn, number, first,
                           count < RECORDS_PER_TRANSACTION ? count : RECORDS_PER_TRANSACTION,
                           print->with_person, print_record, print);
        store_abort(&txn);
        if (err != OK) {
            snprintf(what, sizeof what, "record %llu", (unsigned long long)print->next);
            return cli_fail_err(what, err);
        }
        if (print->next == first || print->next >= end)
            return CLI_OK;
    }
}

static enum cli_exit log_size_of(const struct local *local, uint32_t number, uint64_t *size)
{
    struct log_state state;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = log_state_get(local->logs, &txn, number, &state);
    store_abort(&txn);
    *size = err == OK ? state.size : 0;
    return err == OK ? CLI_OK : cli_fail_err("the log", err);
}

static enum local_keys keys_wanted(const struct cli *cli)
{
    return cli_value(cli, "person") ? LOCAL_KEYS_REQUIRED : LOCAL_KEYS_IF_READABLE;
}

enum cli_exit cmd_log_cat(struct cli *cli, int count, char **arguments)
{
    (void)count;
    struct local local = { 0 };
    struct print print = { .json = cli->json, .with_person = cli_value(cli, "person") != NULL };
    uint64_t records;
    uint32_t number;
    if (!cli_number(cli, "from", 0, INT64_MAX, 0, &print.next) ||
        !cli_number(cli, "count", 1, INT64_MAX, INT64_MAX, &records))
        return CLI_USAGE;
    enum cli_exit result = local_open(&local, cli->config_path, keys_wanted(cli));
    if (result == CLI_OK)
        result = local_find_log(&local, arguments[0], &number);
    if (result == CLI_OK)
        result = print_run(&local, number, print.next + records, &print);
    local_close(&local);
    return result;
}

enum cli_exit cmd_log_tail(struct cli *cli, int count, char **arguments)
{
    (void)count;
    const struct timespec pause = { 0, TAIL_PAUSE_MS * 1000000L };
    struct local local = { 0 };
    struct print print = { .json = cli->json, .with_person = cli_value(cli, "person") != NULL };
    uint64_t records, size = 0;
    uint32_t number;
    bool follow = cli_value(cli, "follow") != NULL;
    if (!cli_number(cli, "count", 0, INT64_MAX, TAIL_COUNT, &records))
        return CLI_USAGE;
    enum cli_exit result = local_open(&local, cli->config_path, keys_wanted(cli));
    if (result == CLI_OK)
        result = local_find_log(&local, arguments[0], &number);
    if (result == CLI_OK)
        result = log_size_of(&local, number, &size);
    print.next = size > records ? size - records : 0;
    while (result == CLI_OK) {
        result = print_run(&local, number, INT64_MAX, &print);
        if (!follow || result != CLI_OK)
            break;
        fflush(stdout);
        nanosleep(&pause, NULL);
    }
    local_close(&local);
    return result;
}
