/* fork show: logs of which two histories were signed, and the proof of it. */
#include "node/cli/commands.h"
#include "node/cli/local.h"
#include "node/cli/table.h"
#include "replication/core/fork.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Evidence as it is stored: size(1) name of the peer that showed the other branch || transferable
 * proof, or nothing where there is none yet. */
struct evidence {
    char peer[NODE_NAME_SIZE_MAX + 1];
    struct bytes proof; /* points into what was parsed */
};

static bool evidence_parse(struct evidence *evidence, struct bytes stored)
{
    struct reader reader = reader_of(stored);
    struct bytes peer = read_bytes(&reader, read_u8(&reader));
    memset(evidence, 0, sizeof *evidence);
    if (reader.err != OK || peer.size > NODE_NAME_SIZE_MAX)
        return false;
    if (peer.size > 0)
        memcpy(evidence->peer, peer.data, peer.size);
    evidence->proof = reader.rest;
    return true;
}

/* What the proof says, and whether it verifies with the key known here. */
static const char *judge(const struct local *local, const struct log_state *state,
                         struct bytes stored, struct fork_proof *proof)
{
    struct sign_public key;
    struct log_id log;
    memset(proof, 0, sizeof *proof);
    if (stored.size == 0)
        return "no proof yet";
    if (fork_proof_decode(proof, stored) != OK)
        return "unreadable";
    if (!local_log_key(local, state->id.node, &key))
        return "key unknown";
    return fork_proof_verify(stored, &key, &log) == OK && log_id_equal(&log, &state->id)
               ? "proven"
               : "not proven";
}

static enum err add_fork(const struct local *local, const struct log_state *state,
                         uint32_t sequence, struct bytes stored, struct table *table)
{
    struct evidence evidence;
    struct fork_proof *proof = malloc(sizeof *proof);
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    if (!proof)
        return ERR_NOMEM;
    bool readable = evidence_parse(&evidence, stored);
    const char *verdict = readable ? judge(local, state, evidence.proof, proof) : "unreadable";
    log_id_origin(&state->id, origin);
    table_row(table);
    table_log(table, origin);
    table_number(table, sequence);
    table_text(table, evidence.peer);
    if (readable && evidence.proof.size > 0 && proof->has_position)
        table_number(table, proof->position);
    else
        table_text(table, NULL);
    table_number(table, evidence.proof.size);
    table_text(table, verdict);
    free(proof);
    return OK;
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
            err = add_fork(local, &state, sequence, buffer_bytes(&evidence), table);
            ++*forks;
        }
    }
    buffer_close(&evidence);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* The first evidence of a log that has a proof. ERR_NOT_FOUND. */
static enum err find_proof(const struct local *local, uint32_t number, struct buffer *stored,
                           struct evidence *evidence)
{
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = OK;
    memset(evidence, 0, sizeof *evidence);
    for (uint32_t sequence = 0; err == OK && evidence->proof.size == 0; sequence++) {
        buffer_clear(stored);
        err = log_fork_get(local->logs, &txn, number, sequence, stored);
        if (err == OK && !evidence_parse(evidence, buffer_bytes(stored)))
            err = ERR_CORRUPT;
    }
    store_abort(&txn);
    return err;
}

/* The proof as a file that can be handed to others. */
static enum cli_exit write_proof(const struct local *local, uint32_t number, const char *path)
{
    struct buffer stored = { 0 };
    struct evidence evidence;
    enum cli_exit result = CLI_OK;
    enum err err = find_proof(local, number, &stored, &evidence);
    if (err == ERR_NOT_FOUND) {
        result = cli_fail(CLI_NO, "fork show", "there is no proof of a fork of this log",
                          "`samadctl fork show` lists the logs that have one");
    } else if (err != OK) {
        result = cli_fail_err("the fork's proof", err);
    } else {
        FILE *file = fopen(path, "wb");
        bool written = file && fwrite(evidence.proof.data, 1, evidence.proof.size, file) ==
                                   evidence.proof.size;
        if (!file || fclose(file) != 0 || !written)
            result = cli_fail_file(path, errno, NULL);
    }
    buffer_close(&stored);
    return result;
}

/* Of one log, or of all when `only` is NULL. */
static enum cli_exit show_forks(const struct local *local, const uint32_t *only, bool json)
{
    uint64_t forks = 0;
    struct table *table = table_new("forks", json);
    table_column(table, "LOG", TABLE_TEXT);
    table_column(table, "FORK", TABLE_NUMBER);
    table_column(table, "SHOWN_BY", TABLE_TEXT);
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
    if (forks == 0 && !json)
        puts(only ? "this log has no fork" : "no log has a fork");
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
