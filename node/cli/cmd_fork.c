/* fork show: logs of which two histories were signed, and the proof of it. */
#include "node/cli/commands.h"
#include "node/cli/local.h"
#include "node/cli/table.h"
#include "replication/core/fork.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the evidence says, and whether it verifies with the key known here. */
static void add_fork(const struct local *local, const struct log_state *state, uint32_t sequence,
                     struct bytes evidence, struct table *table)
{
    struct fork_proof proof;
    struct sign_public key;
    struct log_id log;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    const char *verdict = "key unknown";
    enum err err = fork_proof_decode(&proof, evidence);
    if (err != OK)
        verdict = "unreadable";
    else if (local_log_key(local, state->id.node, &key))
        verdict = fork_proof_verify(evidence, &key, &log) == OK ? "proven" : "not proven";
    log_id_origin(&state->id, origin);
    table_row(table);
    table_text(table, origin);
    table_number(table, sequence);
    if (err == OK && proof.has_position)
        table_number(table, proof.position);
    else
        table_text(table, NULL);
    table_number(table, evidence.size);
    table_text(table, verdict);
}

static enum err add_forks(const struct local *local, struct store_txn *txn, uint32_t number,
                          struct table *table, uint64_t *forks)
{
    struct log_state state;
    struct buffer evidence = { 0 };
    enum err err = log_state_get(local->logs, txn, number, &state);
    for (uint32_t sequence = 0; err == OK; sequence++) {
        buffer_clear(&evidence);
        err = log_fork_get(local->logs, txn, number, sequence, &evidence);
        if (err == OK) {
            add_fork(local, &state, sequence, buffer_bytes(&evidence), table);
            ++*forks;
        }
    }
    buffer_close(&evidence);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* The proof as a file that can be handed to others. */
static enum cli_exit write_proof(const struct local *local, uint32_t number, const char *path)
{
    struct buffer evidence = { 0 };
    enum cli_exit result = CLI_OK;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = log_fork_get(local->logs, &txn, number, 0, &evidence);
    store_abort(&txn);
    if (err == ERR_NOT_FOUND) {
        result = cli_fail(CLI_NO, "fork show", "this log has no fork", NULL);
    } else if (err != OK) {
        result = cli_fail_err("the fork's proof", err);
    } else {
        FILE *file = fopen(path, "wb");
        bool written = file && fwrite(evidence.data, 1, evidence.size, file) == evidence.size;
        if (!file || fclose(file) != 0 || !written)
            result = cli_fail(CLI_STORE, path, strerror(errno), NULL);
    }
    buffer_close(&evidence);
    return result;
}

/* Of one log, or of all when `only` is NULL. */
static enum cli_exit show_forks(const struct local *local, const uint32_t *only, bool json)
{
    uint64_t forks = 0;
    struct table *table = table_new("forks", json);
    table_column(table, "LOG", TABLE_TEXT);
    table_column(table, "FORK", TABLE_NUMBER);
    table_column(table, "POSITION", TABLE_NUMBER);
    table_column(table, "PROOF_BYTES", TABLE_NUMBER);
    table_column(table, "VERDICT", TABLE_TEXT);
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = txn.err;
    uint32_t count = log_count(local->logs, &txn);
    for (uint32_t i = 0; i < count && err == OK; i++)
        if (!only || *only == i)
            err = add_forks(local, &txn, i, table, &forks);
    store_abort(&txn);
    table_print(table);
    if (err != OK)
        return cli_fail_err("the forks", err);
    return forks == 0 ? CLI_OK : CLI_NO;
}

enum cli_exit cmd_fork_show(struct cli *cli, int count, char **arguments)
{
    struct local local;
    uint32_t number;
    const char *file = cli_value(cli, "file");
    if (file && count == 0)
        return cli_fail(CLI_USAGE, "--file", "which log's proof?",
                        "samadctl fork show LOG -f FILE");
    enum cli_exit result = local_open(&local, cli->config_path, LOCAL_KEYS_IF_READABLE);
    if (result == CLI_OK && count > 0)
        result = local_find_log(&local, arguments[0], &number);
    if (result == CLI_OK && file)
        result = write_proof(&local, number, file);
    else if (result == CLI_OK)
        result = show_forks(&local, count > 0 ? &number : NULL, cli->json);
    local_close(&local);
    return result;
}
