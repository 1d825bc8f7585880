/* init, keygen, config check: before a node starts for the first time. */
#include "node/cli/answer.h"
#include "node/cli/commands.h"
#include "node/keyring.h"
#include "node/site.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum cli_exit make_folder(const char *path, mode_t mode, bool *made)
{
    struct stat status;
    *made = mkdir(path, mode) == 0;
    if (*made || (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)))
        return CLI_OK;
    return cli_fail(CLI_STORE, path, errno == EEXIST ? "is not a folder" : strerror(errno),
                    "make its parent, or change `data` in the configuration");
}

static const char *role_of(const struct config *config)
{
    return config->role == ROLE_HUB ? "hub" : "province";
}

enum cli_exit cmd_init(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct config *config = cli_config(cli);
    if (!config)
        return CLI_USAGE;
    bool made;
    const char *role = role_of(config);
    enum cli_exit result = make_folder(config->data, 0700, &made);
    if (result == CLI_OK && cli->json)
        answer_json(json_pack("{s:s, s:s, s:s, s:b}", "node", config->node, "role", role, "data",
                              config->data, "made", made));
    else if (result == CLI_OK)
        printf("%s %s\n%s: node %s, role %s; `samadctl keygen` makes its keys, then start samadd\n",
               config->data, made ? "is made" : "is there", cli->config_path, config->node, role);
    config_free(config);
    return result;
}

static void hex_of(char out[2 * KEY_SIZE + 1], const uint8_t key[KEY_SIZE])
{
    hex_encode(out, bytes_of(key, KEY_SIZE));
}

/* What the other side writes into its configuration. */
static void print_snippets(const struct config *config, const char *link, const char *log,
                           const char *receipt)
{
    if (config->role == ROLE_HUB)
        printf("For the configuration of each province of this hub, and of each other hub:\n\n"
               "hub \"%s\" {\n"
               "    address = \"%s\"   # as they reach it\n"
               "    link_key = \"%s\"\n"
               "    log_key = \"%s\"\n"
               "    receipt_key = \"%s\"\n}\n",
               config->node, config->replication_listen ? config->replication_listen : "HOST:PORT",
               link, log, receipt);
    else
        printf("For the configuration of each hub of this province:\n\n"
               "province \"%s\" {\n"
               "    link_key = \"%s\"\n"
               "    log_key = \"%s\"\n}\n",
               config->node, link, log);
}

static void print_keys(const struct cli *cli, const struct config *config,
                       const struct keyring *keyring)
{
    char link[2 * KEY_SIZE + 1], log[2 * KEY_SIZE + 1], receipt[2 * KEY_SIZE + 1];
    hex_of(link, keyring->link.public.bytes);
    hex_of(log, keyring->log.public.bytes);
    hex_of(receipt, keyring->receipt.public.bytes);
    if (!cli->json) {
        print_snippets(config, link, log, receipt);
        return;
    }
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "node", config->node, "role", role_of(config),
                  "link_key", link, "log_key", log, "receipt_key", receipt);
    answer_json(json);
}

enum cli_exit cmd_keygen(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct keyring keyring;
    struct buffer problem = { 0 };
    struct config *config = cli_config(cli);
    if (!config)
        return CLI_USAGE;
    enum cli_exit result = CLI_OK;
    enum err err = keyring_create(config->keys, &problem);
    if (err == OK)
        err = keyring_load(&keyring, config->keys, &problem);
    if (err == OK) {
        print_keys(cli, config, &keyring);
        keyring_close(&keyring);
    } else {
        buffer_append_u8(&problem, '\0');
        result = cli_fail(CLI_STORE, "the keys cannot be made",
                          problem.size > 1 ? (const char *)problem.data : err_text(err),
                          "run it as the user that runs samadd, or correct `keys` in the "
                          "configuration");
    }
    buffer_close(&problem);
    config_free(config);
    return result;
}

enum cli_exit cmd_config_check(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct buffer problems = { 0 };
    struct config *config = cli_config(cli);
    if (!config)
        return CLI_USAGE;
    enum cli_exit result = CLI_OK;
    if (site_check(config, &problems) != OK) {
        buffer_append_u8(&problems, '\0');
        result = cli_fail(CLI_USAGE, cli->config_path, (const char *)problems.data,
                          "correct what is named, then check again");
    } else if (cli->json) {
        answer_json(json_pack("{s:s, s:b}", "config", cli->config_path, "ok", 1));
    } else {
        printf("%s: ok\n", cli->config_path);
    }
    buffer_close(&problems);
    config_free(config);
    return result;
}
