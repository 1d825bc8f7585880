/* view rebuild --check: folds the logs again into a scratch folder and compares the content with
 * the stored views. Reads only; also while the daemon runs. */
#include "node/casework/fold.h"
#include "node/cli/commands.h"
#include "node/cli/local.h"
#include "node/cli/progress.h"
#include "node/cli/table.h"
#include "storage/views.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_MAX 5 /* the daemon may flush while the views are compared */

static enum err open_views(const struct local *local, struct fold_context *fold,
                           struct views **views)
{
    char path[4096];
    const struct config *config = local->config;
    local_path(local, "views", path);
    memcpy(fold->lookup_key.bytes, local->keyring.lookup, LOOKUP_KEY_SIZE);
    struct views_options options = {
        .path = path,
        .node = config->node,
        .audience = config->role == ROLE_HUB ? "all" : "hub",
        .rules = { .fold = fold_record, .context = fold, .version = FOLD_VERSION },
        .map_size = config->map_size,
        .memory_size_max = config->memory_size,
        .read_only = true,
    };
    return views_open(views, &options);
}

static void on_progress(void *context, uint64_t records)
{
    progress_show(context, records);
}

static void remove_scratch(const char *path)
{
    static const char *const names[] = { "data.mdb", "lock.mdb" };
    char file[4096 + 16];
    for (size_t i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        unlink(file);
    }
    rmdir(path);
}

static enum err check_node(struct views *views, struct log_store *logs, const char *node,
                           struct views_check *check)
{
    enum err err = ERR_CONFLICT;
    for (int i = 0; i < AGAIN_MAX && err == ERR_CONFLICT; i++) {
        const char *temporary = getenv("TMPDIR");
        char folder[4096];
        struct progress progress = progress_of("records folded", 0);
        snprintf(folder, sizeof folder, "%s/samad-view-XXXXXX", temporary ? temporary : "/tmp");
        if (!mkdtemp(folder))
            return ERR_IO;
        memset(check, 0, sizeof *check);
        err = views_check(views, logs, node, folder, on_progress, &progress, check);
        progress_end(&progress);
        remove_scratch(folder);
    }
    return err;
}

static uint64_t count_stored(const struct local *local, const char *node)
{
    uint64_t stored = 0;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    uint32_t count = log_count(local->logs, &txn);
    for (uint32_t number = 0; number < count; number++) {
        struct log_state state;
        if (log_state_get(local->logs, &txn, number, &state) == OK &&
            strcmp(state.id.node, node) == 0)
            stored += state.size;
    }
    store_abort(&txn);
    return stored;
}

static const char *result_of(enum err err, const struct views_check *check, uint64_t stored)
{
    if (err == OK)
        return check->records > 0 || stored == 0 ? "same" : "not compared yet";
    return err == ERR_CONFLICT ? "DIFFERENT" : err_text(err);
}

static void add_node(struct table *table, const char *node, enum err err,
                     const struct views_check *check, uint64_t stored)
{
    char held[17], rebuilt[17];
    hex_encode(held, bytes_of(check->held.bytes, 8));
    hex_encode(rebuilt, bytes_of(check->rebuilt.bytes, 8));
    table_row(table);
    table_text(table, node);
    table_number(table, stored);
    table_number(table, check->records);
    table_number(table, check->held_entries);
    table_number(table, check->rebuilt_entries);
    table_text(table, held);
    table_text(table, rebuilt);
    table_text(table, result_of(err, check, stored));
}

static void say_compared(uint64_t compared, uint64_t stored, bool json)
{
    FILE *stream = json ? stderr : stdout;
    fprintf(stream, "view: compared the views of %" PRIu64 " of %" PRIu64 " stored records\n", compared,
            stored);
    if (compared < stored)
        fprintf(stream, "  the others are not in the views on disk yet: a running samadd writes them "
                        "later, at the latest when it stops\n");
}

/* The worse of two: a difference or an error is not forgotten. */
static enum err worse(enum err a, enum err b)
{
    return a == OK || (a == ERR_CONFLICT && b != OK) ? b : a;
}

static enum cli_exit check_all(const struct local *local, struct views *views, bool json)
{
    const struct config *config = local->config;
    struct table *table = table_new("views", json);
    enum err worst = OK;
    uint64_t compared = 0, all = 0;
    table_column(table, "NODE", TABLE_TEXT);
    table_column(table, "STORED", TABLE_NUMBER);
    table_column(table, "COMPARED", TABLE_NUMBER);
    table_column(table, "ENTRIES", TABLE_NUMBER);
    table_column(table, "REBUILT_ENTRIES", TABLE_NUMBER);
    table_column(table, "DIGEST", TABLE_TEXT);
    table_column(table, "REBUILT_DIGEST", TABLE_TEXT);
    table_column(table, "RESULT", TABLE_TEXT);
    for (size_t i = 0; i < 1 + config->province_count + config->hub_count; i++) {
        struct views_check check;
        const char *node = i == 0 ? config->node
                           : i <= config->province_count
                               ? config->provinces[i - 1].name
                               : config->hubs[i - 1 - config->province_count].name;
        enum err err = check_node(views, local->logs, node, &check);
        uint64_t stored = count_stored(local, node);
        add_node(table, node, err, &check, stored);
        compared += check.records;
        all += stored;
        worst = worse(worst, err);
    }
    table_print(table);
    say_compared(compared, all, json);
    if (worst == ERR_CONFLICT)
        return CLI_NO;
    return worst == OK ? CLI_OK : cli_fail_err("the views", worst);
}

enum cli_exit cmd_view_rebuild(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct local local;
    struct fold_context fold;
    struct views *views = NULL;
    if (!cli_value(cli, "check"))
        return cli_fail(CLI_USAGE, "view rebuild", "only --check: samadd rebuilds views by itself",
                        "to have them rebuilt: stop samadd, delete the folder views/, start it");
    enum cli_exit result = local_open(&local, cli->config_path, LOCAL_KEYS_REQUIRED);
    if (result == CLI_OK) {
        enum err err = open_views(&local, &fold, &views);
        result = err == OK ? check_all(&local, views, cli->json) : cli_fail_err("views", err);
    }
    views_close(views);
    local_close(&local);
    return result;
}
