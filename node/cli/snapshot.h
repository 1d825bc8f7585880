/* The sizes of all logs in a store at one moment, kept in a file: "<origin> <size>" a line. */
#ifndef NODE_CLI_SNAPSHOT_H
#define NODE_CLI_SNAPSHOT_H

#include "node/cli/local.h"

struct snapshot {
    size_t count;
    struct snapshot_log {
        struct log_id id;
        uint64_t size;
    } * logs;
};

/* Says the problem itself. */
enum cli_exit snapshot_write(const struct local *local, const char *path);
enum cli_exit snapshot_read(struct snapshot *snapshot, const char *path);
void snapshot_close(struct snapshot *snapshot);
/* 0 for a log that it does not have. */
uint64_t snapshot_size(const struct snapshot *snapshot, const struct log_id *id);

#endif
