#include "node/cli/local.h"

#include "node/store_problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum cli_exit load_keys(struct local *local, enum local_keys keys)
{
    struct buffer problem = { 0 };
    enum cli_exit result = CLI_OK;
    enum err err = keyring_load(&local->keyring, local->config->keys, &problem);
    local->has_keys = err == OK;
    if (err != OK && keys == LOCAL_KEYS_REQUIRED) {
        buffer_append_u8(&problem, '\0');
        result = cli_fail(CLI_USAGE, "this needs the node's keys", (const char *)problem.data,
                          "run it as the user that runs samadd");
    }
    buffer_close(&problem);
    return result;
}

void local_path(const struct local *local, const char *name, char out[4096])
{
    snprintf(out, 4096, "%s/%s", local->config->data, name);
}

static enum cli_exit fail_store(const char *data, enum err err)
{
    struct buffer what = { 0 }, next = { 0 };
    store_problem(data, err, true, &what, &next);
    buffer_append_u8(&what, '\0');
    buffer_append_u8(&next, '\0');
    cli_fail(CLI_STORE, "the store cannot be read", (const char *)what.data,
             next.size > 1 ? (const char *)next.data : "keep the disk, and look into samadd's log");
    buffer_close(&what);
    buffer_close(&next);
    return CLI_STORE;
}

enum cli_exit local_open(struct local *local, const char *config_path, enum local_keys keys)
{
    return local_open_as(local, config_path, "-c FILE", keys);
}

enum cli_exit local_open_as(struct local *local, const char *config_path, const char *named_by,
                            enum local_keys keys)
{
    char path[4096];
    memset(local, 0, sizeof *local);
    local->config = cli_config_of(config_path, named_by);
    if (!local->config)
        return CLI_USAGE;
    enum cli_exit result = load_keys(local, keys);
    if (result != CLI_OK)
        return result;
    local_path(local, "log", path);
    struct log_store_options options = { .path = path,
                                         .node = local->config->node,
                                         .data_key = local->keyring.data,
                                         .map_size = local->config->map_size,
                                         .read_only = true };
    enum err err = log_store_open(&local->logs, &options);
    return err == OK ? CLI_OK : fail_store(local->config->data, err);
}

void local_close(struct local *local)
{
    log_store_close(local->logs);
    if (local->has_keys)
        keyring_close(&local->keyring);
    config_free(local->config);
    memset(local, 0, sizeof *local);
}

bool local_log_key(const struct local *local, const char *node, struct sign_public *key)
{
    const struct config *config = local->config;
    if (local->has_keys && strcmp(node, config->node) == 0) {
        *key = local->keyring.log.public;
        return true;
    }
    for (size_t i = 0; i < config->hub_count; i++)
        if (strcmp(node, config->hubs[i].name) == 0) {
            *key = config->hubs[i].log_key;
            return true;
        }
    for (size_t i = 0; i < config->province_count; i++)
        if (strcmp(node, config->provinces[i].name) == 0) {
            *key = config->provinces[i].log_key;
            return true;
        }
    return false;
}

enum cli_exit local_find_log(const struct local *local, const char *text, uint32_t *number)
{
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    uint32_t count = log_count(local->logs, &txn), found = 0;
    char *end, origin[LOG_ORIGIN_SIZE_MAX + 1], why[64];
    unsigned long typed = strtoul(text, &end, 10);
    /* Longer digits may be a piece of an incarnation. */
    bool is_number = *text >= '0' && *text <= '9' && *end == '\0' && strlen(text) < 6;
    for (uint32_t i = 0; i < count; i++) {
        struct log_state state;
        if (log_state_get(local->logs, &txn, i, &state) != OK)
            continue;
        log_id_origin(&state.id, origin);
        if (is_number ? i == typed : strstr(origin, text) != NULL) {
            *number = i;
            found++;
        }
    }
    store_abort(&txn);
    if (found == 1)
        return CLI_OK;
    if (found)
        snprintf(why, sizeof why, "%u logs have this in their name", found);
    else
        snprintf(why, sizeof why, "no log has this %s", is_number ? "number" : "name");
    return cli_fail(CLI_NO, text, why, "`samadctl log ls` lists numbers and names");
}
