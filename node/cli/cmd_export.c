/* log export: a log as C2SP tlog-tiles (tiles.h). */
#include "node/cli/answer.h"
#include "node/cli/commands.h"
#include "node/cli/local.h"
#include "node/cli/progress.h"
#include "node/cli/tiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_PER_TRANSACTION 10000

struct export
{
    struct tiles tiles;
    struct merkle_frontier frontier; /* of what was written */
};

static enum err add_record(void *context, uint64_t position, const struct record *record,
                           const struct record_header *header, const struct hash *leaf)
{
    struct export *export = context;
    (void)position;
    (void)header;
    tiles_add(&export->tiles, record->header, leaf);
    merkle_frontier_append(&export->frontier, leaf, NULL, NULL);
    return export->tiles.err;
}

/* The newest note that covers only what is held. */
static enum err newest_note(const struct local *local, uint32_t number, struct buffer *note,
                            struct checkpoint *checkpoint)
{
    struct log_state state;
    uint64_t size;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = log_state_get(local->logs, &txn, number, &state);
    if (err == OK)
        err = log_note(local->logs, &txn, number, 1, state.size, note, &size);
    store_abort(&txn);
    return err == OK ? checkpoint_parse(checkpoint, buffer_bytes(note)) : err;
}

static enum err write_records(const struct local *local, uint32_t number, uint64_t size,
                              struct export *export)
{
    struct progress progress = progress_of("records written", size);
    enum err err = OK;
    while (err == OK && export->tiles.size < size) {
        uint64_t left = size - export->tiles.size, before = export->tiles.size;
        struct store_txn txn = store_begin_read(log_store_environment(local->logs));
        err = txn.err != OK
                  ? txn.err
                  : log_scan(local->logs, &txn, number, before,
                             left < RECORDS_PER_TRANSACTION ? left : RECORDS_PER_TRANSACTION, false,
                             add_record, export);
        store_abort(&txn);
        if (err == OK && export->tiles.size == before)
            err = ERR_CORRUPT; /* the note covers more than is held */
        progress_show(&progress, export->tiles.size);
    }
    progress_end(&progress);
    return err;
}

/* Tiles of two logs in one folder would prove neither. */
static bool holds_another_log(const char *folder, const char *origin)
{
    char path[4096], line[LOG_ORIGIN_SIZE_MAX + 2] = "";
    snprintf(path, sizeof path, "%.4000s/checkpoint", folder);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return !read || strcmp(line, origin) != 0;
}

static enum cli_exit export_log(const struct cli *cli, const struct local *local, uint32_t number,
                                const char *folder)
{
    struct export *export = calloc(1, sizeof *export);
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    struct sign_public key;
    struct hash root;
    char origin[LOG_ORIGIN_SIZE_MAX + 1], vkey[VKEY_SIZE_MAX + 1];
    enum cli_exit result = CLI_OK;
    if (!export)
        return cli_fail_err("export", ERR_NOMEM);
    tiles_begin(&export->tiles, folder);
    enum err err = newest_note(local, number, &note, &checkpoint);
    if (err != OK) {
        result = err == ERR_NOT_FOUND
                     ? cli_fail(CLI_NO, "export", "no checkpoint covers this log yet",
                                "try again when it has got its first records")
                     : cli_fail_err("the newest checkpoint", err);
        goto out;
    }
    log_id_origin(&checkpoint.log, origin);
    if (holds_another_log(folder, origin)) {
        result = cli_fail(CLI_USAGE, folder, "holds the export of another log",
                          "name another folder: one for each log");
        goto out;
    }
    if (!local_log_key(local, checkpoint.log.node, &key)) {
        result = cli_fail(CLI_USAGE, origin, "the key that signs this log is not known here",
                          "run as the user that runs samadd, or add the node to the configuration");
        goto out;
    }
    note_vkey(vkey, bytes_of_string(origin), NOTE_KEY_ED25519, &key);
    err = write_records(local, number, checkpoint.size, export);
    merkle_frontier_root(&export->frontier, &root);
    if (err == OK && !hash_equal(&root, &checkpoint.root))
        err = ERR_PROOF;
    if (err == OK)
        err = tiles_end(&export->tiles, buffer_bytes(&note), vkey);
    if (err != OK)
        result = cli_fail(CLI_STORE, "export",
                          export->tiles.failure[0] ? export->tiles.failure : err_text(err),
                          export->tiles.failure[0] ? "name a folder on a disk with room that this user "
                                                    "may write"
                                                  : "`samadctl log verify` says more");
    else if (cli->json)
        answer_json(json_pack("{s:s, s:I, s:s}", "log", origin, "size", (json_int_t)checkpoint.size,
                              "folder", folder));
    else
        printf("exported %llu records of %s to %s\n", (unsigned long long)checkpoint.size, origin,
               folder);
out:
    tiles_close(&export->tiles);
    buffer_close(&note);
    free(export);
    return result;
}

enum cli_exit cmd_log_export(struct cli *cli, int count, char **arguments)
{
    (void)count;
    struct local local;
    uint32_t number;
    enum cli_exit result = local_open(&local, cli->config_path, LOCAL_KEYS_IF_READABLE);
    if (result == CLI_OK)
        result = local_find_log(&local, arguments[1], &number);
    if (result == CLI_OK)
        result = export_log(cli, &local, number, arguments[0]);
    local_close(&local);
    return result;
}
