/* log verify: recomputes everything that is stored from the records' bytes (storage/verify.h), and
 * checks who signed it: the newest checkpoint of each log and the receipts of the configured hubs.
 */
#include "node/cli/answer.h"
#include "node/cli/commands.h"
#include "node/cli/local.h"
#include "node/cli/progress.h"
#include "node/cli/table.h"
#include "storage/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STEP_SIZE ((size_t)8 << 20) /* bytes in one reading transaction */

static bool key_of(void *context, const struct log_id *id, struct sign_public *key)
{
    return local_log_key(context, id->node, key);
}

/* Number of the log to stop before, and where to begin. */
struct range {
    uint32_t first, end;
};

static enum err run_verify(struct verify *verify, const struct local *local, struct range range)
{
    struct progress progress = progress_of("records verified", 0);
    enum err err;
    verify->number = range.first;
    do {
        struct store_txn txn = store_begin_read(log_store_environment(local->logs));
        err = txn.err != OK ? txn.err : verify_step(verify, &txn, STEP_SIZE);
        store_abort(&txn);
        progress_show(&progress, verify->report.records);
    } while (err == OK && verify->number < range.end);
    progress_end(&progress);
    return err == ERR_END ? OK : err;
}

/* ---- signatures ------------------------------------------------------------------------------ */

struct signatures {
    json_t *faults;
    uint64_t verified, unknown, wrong;
};

static void add_fault(json_t *faults, uint32_t number, const char *what, uint64_t position,
                      uint64_t records)
{
    json_array_append_new(faults, json_pack("{s:I, s:s, s:I, s:I}", "log", (json_int_t)number,
                                            "fault", what, "position", (json_int_t)position,
                                            "records", (json_int_t)records));
}

static void count_signature(struct signatures *signatures, uint32_t number, uint64_t size,
                            const char *what, enum err err)
{
    if (err == OK) {
        signatures->verified++;
        return;
    }
    signatures->wrong++;
    add_fault(signatures->faults, number, what, size, 0);
}

static enum err check_receipts(const struct local *local, struct store_txn *txn,
                               const struct log_state *state, const struct sign_public *log_key,
                               struct signatures *signatures)
{
    for (size_t i = 0; i < local->config->hub_count; i++) {
        const struct config_hub *hub = &local->config->hubs[i];
        struct buffer note = { 0 };
        struct checkpoint checkpoint;
        char name[NOTE_NAME_SIZE_MAX + 1];
        uint64_t size;
        int64_t time_s;
        enum err err = log_receipt_get(local->logs, txn, state->number, hub->name, &note, &size);
        if (err == OK) {
            receipt_key_name(name, hub->name);
            err = receipt_open(buffer_bytes(&note), bytes_of_string(name), &hub->receipt_key,
                               &time_s);
            if (err == OK && log_key)
                err = checkpoint_open(&checkpoint, buffer_bytes(&note), log_key);
            if (err == OK && log_key && checkpoint.size != size)
                err = ERR_CORRUPT;
            count_signature(signatures, state->number, size, "receipt", err);
            err = OK;
        }
        buffer_close(&note);
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
    }
    return OK;
}

static enum err check_signatures(const struct local *local, uint32_t number,
                                 struct signatures *signatures)
{
    struct log_state state;
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    struct sign_public key;
    uint64_t size;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = log_state_get(local->logs, &txn, number, &state);
    bool known = err == OK && local_log_key(local, state.id.node, &key);
    if (err == OK)
        err = log_note(local->logs, &txn, number, 1, UINT64_MAX, &note, &size);
    if (err == OK && !known)
        signatures->unknown++;
    else if (err == OK)
        count_signature(signatures, number, size, "signature",
                        checkpoint_open(&checkpoint, buffer_bytes(&note), &key));
    if (err == ERR_NOT_FOUND)
        err = OK;
    if (err == OK)
        err = check_receipts(local, &txn, &state, known ? &key : NULL, signatures);
    store_abort(&txn);
    buffer_close(&note);
    return err;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void print_faults(const json_t *faults)
{
    const json_t *fault;
    size_t i;
    struct table *table = table_new("faults", false);
    table_column(table, "LOG", TABLE_NUMBER);
    table_column(table, "FAULT", TABLE_TEXT);
    table_column(table, "POSITION", TABLE_NUMBER);
    table_column(table, "RECORDS", TABLE_NUMBER);
    json_array_foreach(faults, i, fault)
    {
        table_row(table);
        table_number(table, (uint64_t)json_integer_value(json_object_get(fault, "log")));
        table_text(table, json_string_value(json_object_get(fault, "fault")));
        table_number(table, (uint64_t)json_integer_value(json_object_get(fault, "position")));
        table_number(table, (uint64_t)json_integer_value(json_object_get(fault, "records")));
    }
    table_print(table);
}

/* Faults of the range: verify_step() may have gone on into the next log. */
static uint64_t count_faults(const struct verify_report *report, struct range range, json_t *faults)
{
    uint64_t count = report->failures - report->list_count;
    for (size_t i = 0; i < report->list_count; i++) {
        const struct verify_failure *failure = &report->list[i];
        if (failure->number < range.first || failure->number >= range.end)
            continue;
        add_fault(faults, failure->number, verify_fault_name(failure->fault), failure->position,
                  failure->count);
        count++;
    }
    return count;
}

static enum cli_exit answer(const struct cli *cli, const struct verify_report *report,
                            struct range range, struct signatures *signatures)
{
    uint64_t faults = signatures->wrong + count_faults(report, range, signatures->faults);
    if (cli->json) {
        answer_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:O}", "logs",
                              (json_int_t)(range.end - range.first), "records",
                              (json_int_t)report->records, "erased", (json_int_t)report->absent,
                              "signatures", (json_int_t)signatures->verified, "unknown_keys",
                              (json_int_t)signatures->unknown, "faults", signatures->faults));
    } else {
        print_faults(signatures->faults);
        printf("verify: logs=%" PRIu32 " records=%" PRIu64 " erased=%" PRIu64 " signatures=%" PRIu64
               " unknown_keys=%" PRIu64 " faults=%" PRIu64 "\n",
               range.end - range.first, report->records, report->absent, signatures->verified,
               signatures->unknown, faults);
    }
    return faults == 0 ? CLI_OK : CLI_NO;
}

static struct range all_logs(const struct local *local)
{
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    struct range range = { 0, log_count(local->logs, &txn) };
    store_abort(&txn);
    return range;
}

enum cli_exit cmd_log_verify(struct cli *cli, int count, char **arguments)
{
    struct local local;
    struct verify verify = { 0 };
    struct range range;
    enum cli_exit result = local_open(&local, cli->config_path, LOCAL_KEYS_REQUIRED);
    if (result == CLI_OK && count > 0) {
        result = local_find_log(&local, arguments[0], &range.first);
        range.end = range.first + 1;
    } else if (result == CLI_OK) {
        range = all_logs(&local);
    }
    if (result != CLI_OK) {
        local_close(&local);
        return result;
    }
    struct signatures signatures = { .faults = json_array() };
    enum err err = verify_open(&verify, local.logs, key_of, &local);
    if (err == OK)
        err = run_verify(&verify, &local, range);
    for (uint32_t i = range.first; i < range.end && err == OK; i++)
        err = check_signatures(&local, i, &signatures);
    result = answer(cli, &verify.report, range, &signatures);
    if (err != OK)
        result = cli_fail_err("verification could not go on", err);
    json_decref(signatures.faults);
    verify_close(&verify);
    local_close(&local);
    return result;
}
