/* token create, list, revoke: who may use the API. */
#include "node/cli/answer.h"
#include "node/cli/commands.h"
#include "node/cli/table.h"
#include "node/tokens.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *next_of(enum err err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        return "`samadctl token list` shows the ids";
    case ERR_INVALID:
        return "`samadctl token create --help` says what may be given";
    case ERR_MALFORMED:
        return "correct or remove that line; until then a running samadd goes on with the tokens "
               "that it read before: what is revoked now stays in force";
    default:
        return "`samadctl keygen` makes the folder; run this as the user that runs samadd";
    }
}

static enum cli_exit fail_tokens(const char *what, enum err err, struct buffer *problem)
{
    buffer_append_u8(problem, '\0');
    return cli_fail(err == ERR_NOT_FOUND ? CLI_NO
                    : err == ERR_INVALID ? CLI_USAGE
                                         : CLI_STORE,
                    what, problem->size > 1 ? (const char *)problem->data : err_text(err),
                    next_of(err));
}

/* "30d", "12h"; 0 seconds when it is nothing of the sort. */
static time_t seconds_of(const char *text)
{
    char *unit;
    long number = strtol(text, &unit, 10);
    if (number <= 0 || number > 36500 || unit[0] == '\0' || unit[1] != '\0')
        return 0;
    return *unit == 'd' ? number * 86400 : *unit == 'h' ? number * 3600 : 0;
}

static void print_token(const struct cli *cli, const char *token, unsigned scopes)
{
    char words[48];
    token_scopes_format(scopes, words);
    if (!cli->json) {
        printf("%s\n", token);
        fprintf(stderr, "It may %s, and is shown only now.\n", words);
        return;
    }
    json_t *json = json_pack("{s:s, s:s}", "token", token, "scopes", words);
    answer_json(json);
}

enum cli_exit cmd_token_create(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    char token[TOKEN_SIZE_MAX + 1];
    struct buffer problem = { 0 };
    unsigned scopes;
    time_t expires = 0;
    const char *scope = cli_value(cli, "scope"), *life = cli_value(cli, "expires");
    const char *label = cli_value(cli, "label");
    if (!scope || token_scopes_parse(scope, &scopes) != OK)
        return cli_fail(CLI_USAGE, "--scope", "is a list of register, read, person, admin",
                        "--scope register,read");
    if (life && (expires = seconds_of(life)) == 0)
        return cli_fail(CLI_USAGE, "--expires", "is a number of days or hours", "--expires 30d");
    struct config *config = cli_config(cli);
    if (!config)
        return CLI_USAGE;
    enum cli_exit result = CLI_OK;
    enum err err = tokens_add(config->keys, scopes, expires ? time(NULL) + expires : 0,
                              label ? label : "", token, &problem);
    if (err == OK)
        print_token(cli, token, scopes);
    else
        result = fail_tokens("the token cannot be made", err, &problem);
    buffer_close(&problem);
    config_free(config);
    return result;
}

static const char *date_of(time_t time, char out[32])
{
    struct tm utc;
    if (time == 0)
        return NULL;
    strftime(out, 32, "%Y-%m-%d %H:%MZ", gmtime_r(&time, &utc));
    return out;
}

static void add_token(void *context, const struct token_info *info)
{
    struct table *table = context;
    char scopes[48], date[32];
    token_scopes_format(info->scopes, scopes);
    table_row(table);
    table_text(table, info->id);
    table_text(table, scopes);
    table_text(table, date_of(info->created, date));
    table_text(table, date_of(info->expires, date));
    table_text(table, info->label);
}

enum cli_exit cmd_token_list(struct cli *cli, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct buffer problem = { 0 };
    struct config *config = cli_config(cli);
    if (!config)
        return CLI_USAGE;
    struct table *table = table_new("tokens", cli->json);
    table_column(table, "ID", TABLE_TEXT);
    table_column(table, "SCOPES", TABLE_TEXT);
    table_column(table, "CREATED", TABLE_TEXT);
    table_column(table, "EXPIRES", TABLE_TEXT);
    table_column(table, "LABEL", TABLE_TEXT);
    enum err err = tokens_list(config->keys, add_token, table, &problem);
    enum cli_exit result = CLI_OK;
    if (err == OK)
        table_print(table);
    else {
        table_drop(table);
        result = fail_tokens("the tokens cannot be read", err, &problem);
    }
    buffer_close(&problem);
    config_free(config);
    return result;
}

enum cli_exit cmd_token_revoke(struct cli *cli, int count, char **arguments)
{
    (void)count;
    struct buffer problem = { 0 };
    struct config *config = cli_config(cli);
    if (!config)
        return CLI_USAGE;
    enum err err = tokens_revoke(config->keys, arguments[0], &problem);
    enum cli_exit result = err == OK ? CLI_OK : fail_tokens(arguments[0], err, &problem);
    if (err == OK && cli->json)
        answer_json(json_pack("{s:s}", "revoked", arguments[0]));
    else if (err == OK)
        printf("revoked %s; the daemon notices within a second\n", arguments[0]);
    buffer_close(&problem);
    config_free(config);
    return result;
}
