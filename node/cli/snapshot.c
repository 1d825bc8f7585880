#include "node/cli/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum cli_exit snapshot_write(const struct local *local, const char *path)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    struct log_state state;
    FILE *file = fopen(path, "w");
    if (!file)
        return cli_fail_file(path, errno, NULL);
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = txn.err;
    uint32_t count = log_count(local->logs, &txn);
    for (uint32_t i = 0; i < count && err == OK; i++) {
        err = log_state_get(local->logs, &txn, i, &state);
        if (err != OK)
            break;
        log_id_origin(&state.id, origin);
        fprintf(file, "%s %" PRIu64 "\n", origin, state.size);
    }
    store_abort(&txn);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return cli_fail_file(path, errno, NULL);
    return err == OK ? CLI_OK : cli_fail_err("the logs", err);
}

static bool read_line(struct snapshot *snapshot, char *line)
{
    char *space = strchr(line, ' '), *end;
    struct log_id id;
    if (!space || log_id_from_origin(&id, bytes_of(line, (size_t)(space - line))) != OK)
        return false;
    unsigned long long size = strtoull(space + 1, &end, 10);
    struct snapshot_log *logs =
        realloc(snapshot->logs, (snapshot->count + 1) * sizeof *snapshot->logs);
    if (!logs || end == space + 1 || *end != '\n') {
        snapshot->logs = logs ? logs : snapshot->logs;
        return false;
    }
    snapshot->logs = logs;
    snapshot->logs[snapshot->count++] = (struct snapshot_log){ id, size };
    return true;
}

#define SNAPSHOT_FROM "`samadctl audit --hub NODE.conf --snapshot FILE` makes one"

enum cli_exit snapshot_read(struct snapshot *snapshot, const char *path)
{
    char line[LOG_ORIGIN_SIZE_MAX + 32];
    bool good = true;
    memset(snapshot, 0, sizeof *snapshot);
    FILE *file = fopen(path, "r");
    if (!file)
        return cli_fail_file(path, errno, SNAPSHOT_FROM);
    while (good && fgets(line, sizeof line, file))
        good = read_line(snapshot, line);
    fclose(file);
    return good ? CLI_OK : cli_fail(CLI_USAGE, path, "is not a snapshot of log sizes", SNAPSHOT_FROM);
}

void snapshot_close(struct snapshot *snapshot)
{
    free(snapshot->logs);
}

uint64_t snapshot_size(const struct snapshot *snapshot, const struct log_id *id)
{
    for (size_t i = 0; i < snapshot->count; i++)
        if (log_id_equal(&snapshot->logs[i].id, id))
            return snapshot->logs[i].size;
    return 0;
}
