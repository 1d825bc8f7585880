/* audit: opens the stores of a hub and of provinces and compares them (audit.h). */
#include "node/cli/answer.h"
#include "node/cli/audit.h"
#include "node/cli/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROBLEMS_SHOWN 20

static struct table *logs_table(void)
{
    struct table *table = table_new("logs", false);
    table_column(table, "LOG", TABLE_TEXT);
    table_column(table, "RECORDS", TABLE_NUMBER);
    table_column(table, "AT_HUB", TABLE_NUMBER);
    table_column(table, "REQUESTS", TABLE_NUMBER);
    table_column(table, "HELD", TABLE_NUMBER);
    table_column(table, "MISSING", TABLE_NUMBER);
    table_column(table, "ALTERED", TABLE_NUMBER);
    table_column(table, "EXTRA", TABLE_NUMBER);
    return table;
}

static void print_json(const struct audit *audit)
{
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:O}", "registered",
                  (json_int_t)audit->registered, "hub_holds", (json_int_t)audit->hub_holds,
                  "missing", (json_int_t)audit->missing, "altered", (json_int_t)audit->altered,
                  "duplicated", (json_int_t)audit->duplicated, "extra", (json_int_t)audit->extra,
                  "receipts", audit_receipts(audit), "checkpoints", (json_int_t)audit->checkpoints,
                  "receipt_count", (json_int_t)audit->receipts, "problems", audit->problems);
    if (audit->cut_from) {
        json_object_set_new(json, "while_cut", json_integer((json_int_t)audit->while_cut));
        json_object_set_new(json, "held_while_cut",
                            json_integer((json_int_t)audit->held_while_cut));
    }
    answer_json(json);
}

static void print_words(const struct audit *audit)
{
    size_t count = json_array_size(audit->problems);
    for (size_t i = 0; i < count && i < PROBLEMS_SHOWN; i++)
        printf("%s\n", json_string_value(json_array_get(audit->problems, i)));
    if (count > PROBLEMS_SHOWN)
        printf("... and %zu more (-o json lists them)\n", count - PROBLEMS_SHOWN);
    printf("checked %" PRIu64 " checkpoints and %" PRIu64 " receipts\n", audit->checkpoints,
           audit->receipts);
    if (audit->cut_from)
        printf("while_cut=%" PRIu64 " held_while_cut=%" PRIu64 "\n", audit->while_cut,
               audit->held_while_cut);
    printf("audit: registered=%" PRIu64 " hub_holds=%" PRIu64 " missing=%" PRIu64
           " altered=%" PRIu64 " duplicated=%" PRIu64 " receipts=%s",
           audit->registered, audit->hub_holds, audit->missing, audit->altered, audit->duplicated,
           audit_receipts(audit));
    if (audit->extra > 0)
        printf(" extra=%" PRIu64, audit->extra);
    putchar('\n');
}

static enum cli_exit run_audit(struct audit *audit, int count, char **paths)
{
    enum cli_exit result = CLI_OK;
    for (int i = 0; i < count && result == CLI_OK; i++) {
        struct local province;
        result = local_open_as(&province, paths[i], "audit --hub HUB.conf PROVINCE.conf ...",
                               LOCAL_KEYS_REQUIRED);
        if (result == CLI_OK && province.config->role != ROLE_PROVINCE)
            result = cli_fail(CLI_USAGE, paths[i], "is the configuration of a hub",
                              "samadctl audit --hub HUB.conf PROVINCE.conf ...");
        if (result == CLI_OK)
            audit_province(audit, &province);
        local_close(&province);
    }
    audit_finish(audit);
    if (result == CLI_OK && audit->err != OK)
        result = cli_fail_err("the audit could not read everything", audit->err);
    return result;
}

/* The three snapshots of --cut-from, --cut-to and --held-before; all or none. */
static enum cli_exit read_snapshots(const struct cli *cli, struct audit *audit,
                                    struct snapshot snapshots[3])
{
    static const char *const options[3] = { "cut-from", "cut-to", "held-before" };
    enum cli_exit result = CLI_OK;
    size_t given = 0;
    for (size_t i = 0; i < 3; i++)
        given += cli_value(cli, options[i]) != NULL;
    if (given == 0)
        return CLI_OK;
    if (given < 3)
        return cli_fail(CLI_USAGE, "audit", "--cut-from, --cut-to and --held-before go together",
                        "`samadctl audit --help` says what each of the three is");
    for (size_t i = 0; i < 3 && result == CLI_OK; i++)
        result = snapshot_read(&snapshots[i], cli_value(cli, options[i]));
    audit->cut_from = &snapshots[0];
    audit->cut_to = &snapshots[1];
    audit->held_before = &snapshots[2];
    return result;
}

enum cli_exit cmd_audit(struct cli *cli, int count, char **arguments)
{
    const char *hub_path = cli_value(cli, "hub"), *snapshot = cli_value(cli, "snapshot");
    struct snapshot snapshots[3] = { { 0 } };
    struct local hub;
    if (!hub_path || (count == 0 && !snapshot))
        return cli_fail(CLI_USAGE, "audit", "a hub and at least one province are compared",
                        "samadctl audit --hub HUB.conf PROVINCE.conf ...");
    enum cli_exit result =
        local_open_as(&hub, hub_path, "--hub FILE",
                      snapshot ? LOCAL_KEYS_IF_READABLE : LOCAL_KEYS_REQUIRED);
    if (result != CLI_OK || snapshot) {
        if (result == CLI_OK)
            result = snapshot_write(&hub, snapshot);
        local_close(&hub);
        return result;
    }
    struct audit audit = { .hub = &hub, .problems = json_array() };
    result = read_snapshots(cli, &audit, snapshots);
    if (result == CLI_OK) {
        audit.table = cli->json ? NULL : logs_table();
        result = run_audit(&audit, count, arguments);
        if (audit.table)
            table_print(audit.table);
        if (cli->json)
            print_json(&audit);
        else
            print_words(&audit);
        if (result == CLI_OK && !audit_is_good(&audit))
            result = CLI_NO;
    }
    audit_close(&audit);
    json_decref(audit.problems);
    for (size_t i = 0; i < 3; i++)
        snapshot_close(&snapshots[i]);
    local_close(&hub);
    return result;
}
