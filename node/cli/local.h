/* The stores and keys of a node on this machine, opened read-only: also while its daemon runs. */
#ifndef NODE_CLI_LOCAL_H
#define NODE_CLI_LOCAL_H

#include "node/cli/cli.h"
#include "node/keyring.h"
#include "storage/log.h"

struct local {
    struct config *config;
    struct log_store *logs;
    struct keyring keyring;
    bool has_keys;
};

enum local_keys {
    LOCAL_KEYS_IF_READABLE, /* public keys are then known, and person parts can be opened */
    LOCAL_KEYS_REQUIRED
};

/* Says the problem itself. local_close() also after a failure. */
enum cli_exit local_open(struct local *local, const char *config_path, enum local_keys keys);
/* The same of a configuration that something else than -c names ("--hub FILE"). */
enum cli_exit local_open_as(struct local *local, const char *config_path, const char *named_by,
                            enum local_keys keys);
void local_close(struct local *local);

/* The key that signs logs of `node`; false when neither keys nor configuration know it. */
bool local_log_key(const struct local *local, const char *node, struct sign_public *key);
/* Terminated "<data>/<name>". */
void local_path(const struct local *local, const char *name, char out[4096]);

/* Finds a log by number, origin, node name, or a piece of its origin that no other has. Says the
 * problem itself. */
enum cli_exit local_find_log(const struct local *local, const char *text, uint32_t *number);

#endif
