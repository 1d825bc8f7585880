#include "node/cli/cli.h"

#include "node/version.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_ONLY 256 /* getopt's value of option i without a letter is LONG_ONLY + i */
#define GLOBAL    512 /* of global option i */

const struct cli_option CLI_GLOBAL_OPTIONS[] = {
    { "config", 'c', "FILE", "the configuration file (/etc/samad/samad.conf)" },
    { "output", 'o', "json|table", "how to answer (table)" },
    { "api", 0, "URL", "where the node's API is (environment SAMAD_API, or the configuration)" },
    { "token", 0, "TOKEN|@FILE", "the API's bearer token (environment SAMAD_TOKEN)" },
    { "help", 'h', NULL, "what this command does" },
    { "version", 'V', NULL, "which version this is" },
    { NULL, 0, NULL, NULL },
};
enum global { GLOBAL_CONFIG, GLOBAL_OUTPUT, GLOBAL_API, GLOBAL_TOKEN, GLOBAL_HELP, GLOBAL_VERSION };

/* ---- saying failures ------------------------------------------------------------------------- */

enum cli_exit cli_fail(enum cli_exit code, const char *what, const char *why, const char *next)
{
    size_t size = strlen(why);
    while (size > 0 && why[size - 1] == '\n')
        size--;
    fprintf(stderr, "samadctl: %s: %.*s\n  next: %s\n", what, (int)size, why, next);
    return code;
}

static const char *next_of(enum err err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        return "check the path in the configuration; `samadd` makes the store at its first start";
    case ERR_CORRUPT:
        return "keep the disk; `samadctl log verify` says what is damaged, if the store opens";
    case ERR_CONFLICT:
        return "compare `node` and `data` in the configuration: the store is another node's";
    case ERR_VERSION:
        return "it was written by another version of this program; use that one";
    case ERR_NOMEM:
        return "end other programs, or run it on a machine with more memory";
    case ERR_IO:
        return "look for the cause of the disk's or file system's error (dmesg)";
    case ERR_FULL:
        return "free space on the disk";
    default:
        return "keep the disk; `samadctl log verify` says more";
    }
}

enum cli_exit cli_fail_err(const char *what, enum err err)
{
    return cli_fail(CLI_STORE, what, err_text(err), next_of(err));
}

static const char *next_of_file(int code, bool writes)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return writes ? "make the folder first, or name another file" : "check the path";
    case EACCES:
    case EPERM:
    case EROFS:
        return writes ? "name a file that this user may write, or run it as a user that may"
                      : "let this user read it, or run it as a user that may";
    case EISDIR:
        return "name a file, this is a folder";
    case ENOSPC:
    case EDQUOT:
        return "free space on that disk, or name a file on another one";
    default:
        return "check the path, and the disk that it is on (dmesg)";
    }
}

enum cli_exit cli_fail_file(const char *path, int code, const char *made_by)
{
    const char *next = next_of_file(code, made_by == NULL);
    return cli_fail(CLI_STORE, path, strerror(code),
                    made_by && code == ENOENT ? made_by : next);
}

/* ---- configuration --------------------------------------------------------------------------- */

struct config *cli_config_of(const char *path, const char *named_by)
{
    char next[160];
    struct config *config = NULL;
    struct buffer problems = { 0 };
    enum err err = config_load(&config, path, &problems);
    if (err != OK) {
        buffer_append_u8(&problems, '\0');
        snprintf(next, sizeof next,
                 err == ERR_NOT_FOUND ? "name the node's configuration with %s"
                                      : "correct it, or name another file with %s",
                 named_by);
        cli_fail(CLI_USAGE, "the configuration cannot be used",
                 problems.size > 1 ? (const char *)problems.data : err_text(err), next);
    }
    buffer_close(&problems);
    return config;
}

struct config *cli_config(const struct cli *cli)
{
    return cli_config_of(cli->config_path, "-c FILE");
}

/* ---- options --------------------------------------------------------------------------------- */

static size_t option_count(const struct cli_option *options)
{
    size_t count = 0;
    while (options && options[count].name)
        count++;
    return count;
}

const char *cli_value(const struct cli *cli, const char *option)
{
    const struct cli_option *options = cli->command->options;
    for (size_t i = 0; i < option_count(options); i++)
        if (strcmp(options[i].name, option) == 0)
            return cli->values[i];
    return NULL;
}

bool cli_number(const struct cli *cli, const char *option, uint64_t min, uint64_t max,
                uint64_t fallback, uint64_t *number)
{
    const char *text = cli_value(cli, option);
    char *end, what[48], why[96], next[96];
    *number = fallback;
    if (!text)
        return true;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < min || value > max) {
        snprintf(why, sizeof why, "'%.24s' is not a number from %llu to %llu", text,
                 (unsigned long long)min, (unsigned long long)max);
        snprintf(what, sizeof what, "--%s", option);
        snprintf(next, sizeof next, "`samadctl %s --help` says what it is for", cli->command->name);
        cli_fail(CLI_USAGE, what, why, next);
        return false;
    }
    *number = value;
    return true;
}

/* Instead of what the command does. */
enum asked { ASKED_NOTHING, ASKED_HELP, ASKED_VERSION };

/* What getopt wants, from the two tables. */
struct parser {
    struct option longs[2 * CLI_OPTION_MAX + 1];
    char shorts[4 * CLI_OPTION_MAX + 3];
};

static void parser_add(struct parser *parser, const struct cli_option *options, int base)
{
    size_t at = 0;
    while (parser->longs[at].name)
        at++;
    for (size_t i = 0; i < option_count(options); i++, at++) {
        char letter[3] = { options[i].letter, options[i].value ? ':' : '\0', '\0' };
        parser->longs[at] =
            (struct option){ .name = options[i].name,
                             .has_arg = options[i].value ? required_argument : no_argument,
                             .val = base + (int)i };
        if (options[i].letter)
            strcat(parser->shorts, letter);
    }
}

/* The option's value as getopt gives it: its letter, or base + index. */
static int option_index(const struct cli_option *options, int base, int value)
{
    for (size_t i = 0; i < option_count(options); i++)
        if (value == base + (int)i || (options[i].letter && value == options[i].letter))
            return (int)i;
    return -1;
}

static bool take_global(struct cli *cli, int index, enum asked *asked)
{
    switch ((enum global)index) {
    case GLOBAL_CONFIG:
        cli->config_path = optarg;
        return true;
    case GLOBAL_OUTPUT:
        cli->json = strcmp(optarg, "json") == 0;
        if (cli->json || strcmp(optarg, "table") == 0)
            return true;
        cli_fail(CLI_USAGE, "--output", "is json or table", "-o json for programs, -o table for "
                                                            "people");
        return false;
    case GLOBAL_API:
        cli->api = optarg;
        return true;
    case GLOBAL_TOKEN:
        cli->token = optarg;
        return true;
    case GLOBAL_HELP:
        *asked = ASKED_HELP;
        return true;
    case GLOBAL_VERSION:
        *asked = ASKED_VERSION;
        return true;
    }
    return false;
}

/* What getopt refused: `kind` is ':' for a value that is missing, '?' for anything else. */
static bool refuse_option(const struct cli *cli, int kind, const char *word)
{
    char letter[3] = { '-', (char)optopt, '\0' }, next[96];
    const char *why = kind == ':' ? "needs a value" : "there is no such option";
    bool is_long = strncmp(word, "--", 2) == 0;
    if (kind == '?' && optopt >= LONG_ONLY)
        why = "takes no value";
    if (cli->command)
        snprintf(next, sizeof next, "`samadctl %s --help` lists the options", cli->command->name);
    else
        snprintf(next, sizeof next, "`samadctl help` lists the options");
    cli_fail(CLI_USAGE, is_long ? word : letter, why, next);
    return false;
}

/* Takes options until the first word (`stop_early`) or everywhere. `arguments[0]` is passed over.
 */
static bool parse(struct cli *cli, int count, char **arguments, bool stop_early,
                  enum asked *asked)
{
    struct parser parser = { .shorts = "" };
    const struct cli_option *own = cli->command ? cli->command->options : NULL;
    int value;
    strcat(parser.shorts, stop_early ? "+:" : ":");
    parser_add(&parser, own, LONG_ONLY);
    parser_add(&parser, CLI_GLOBAL_OPTIONS, GLOBAL);
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while ((value = getopt_long(count, arguments, parser.shorts, parser.longs, NULL)) != -1) {
        if (value == '?' || value == ':')
            return refuse_option(cli, value, arguments[optind - 1]);
        int index = option_index(own, LONG_ONLY, value);
        if (index >= 0)
            cli->values[index] = optarg ? optarg : "";
        else if ((index = option_index(CLI_GLOBAL_OPTIONS, GLOBAL, value)) < 0 ||
                 !take_global(cli, index, asked))
            return false;
    }
    return true;
}

/* ---- routing --------------------------------------------------------------------------------- */

/* How many words of `words` are the command's name; 0 when they are not. */
static int name_matches(const char *name, int count, char **words)
{
    int used = 0;
    while (*name) {
        size_t size = strcspn(name, " ");
        if (used == count || strlen(words[used]) != size || memcmp(words[used], name, size) != 0)
            return 0;
        used++;
        name += size + (name[size] == ' ');
    }
    return used;
}

static const struct cli_command *find_command(int count, char **words, int *used)
{
    const struct cli_command *found = NULL;
    *used = 0;
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        int matched = name_matches(CLI_COMMANDS[i].name, count, words);
        if (matched > *used) {
            *used = matched;
            found = &CLI_COMMANDS[i];
        }
    }
    return found;
}

static bool is_of_group(const struct cli_command *command, const char *word)
{
    size_t size = strlen(word);
    return strncmp(command->name, word, size) == 0 && command->name[size] == ' ';
}

enum cli_exit cli_unknown_command(const char *word, const char *second)
{
    char what[96];
    bool is_group = false;
    for (size_t i = 0; i < CLI_COMMAND_COUNT && !is_group; i++)
        is_group = is_of_group(&CLI_COMMANDS[i], word);
    if (!is_group)
        return cli_fail(CLI_USAGE, word, "there is no such command", "`samadctl help` lists them");
    snprintf(what, sizeof what, "%.40s%s%.40s", word, second ? " " : "", second ? second : "");
    cli_fail(CLI_USAGE, what, second ? "there is no such command" : "which one?", "one of these");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (is_of_group(&CLI_COMMANDS[i], word))
            fprintf(stderr, "  %-18s %s\n", CLI_COMMANDS[i].name, CLI_COMMANDS[i].summary);
    return CLI_USAGE;
}

/* An @FILE holds the token, so that it stands in no list of processes. */
static bool read_token(struct cli *cli, char *memory, size_t size)
{
    if (!cli->token)
        cli->token = getenv("SAMAD_TOKEN");
    if (cli->token && cli->token[0] == '\0')
        cli->token = NULL;
    if (!cli->token || cli->token[0] != '@')
        return true;
    errno = 0;
    FILE *file = fopen(cli->token + 1, "r");
    bool read = file && fgets(memory, (int)size, file);
    char why[160];
    snprintf(why, sizeof why, "the token cannot be read from this file: %s",
             errno ? strerror(errno) : "it is empty");
    if (file)
        fclose(file);
    if (!read) {
        cli_fail(CLI_USAGE, cli->token + 1, why,
                 "name the file that holds it with --token @FILE; `samadctl token create` makes one");
        return false;
    }
    memory[strcspn(memory, "\r\n ")] = '\0';
    cli->token = memory;
    return true;
}

static enum cli_exit refuse_arguments(const struct cli_command *command, int count,
                                      char **arguments)
{
    char next[160];
    const char *space = *command->arguments ? " " : "";
    snprintf(next, sizeof next, "samadctl %s%s%s", command->name, space, command->arguments);
    return count < command->argument_min
               ? cli_fail(CLI_USAGE, command->name, "an argument is missing", next)
               : cli_fail(CLI_USAGE, arguments[command->argument_max], "one argument too many",
                          next);
}

static enum cli_exit answer_asked(enum asked asked, const struct cli_command *command)
{
    if (asked == ASKED_VERSION)
        printf("samadctl %s\n", VERSION_NUMBER);
    else if (command)
        cli_help_command(command);
    else
        cli_help();
    return CLI_OK;
}

static enum cli_exit run(struct cli *cli, int count, char **arguments)
{
    char token[128];
    enum asked asked = ASKED_NOTHING;
    if (!parse(cli, count, arguments, false, &asked))
        return CLI_USAGE;
    count -= optind;
    arguments += optind;
    if (asked != ASKED_NOTHING)
        return answer_asked(asked, cli->command);
    if (count < cli->command->argument_min ||
        (cli->command->argument_max != CLI_ANY && count > cli->command->argument_max)) {
        return refuse_arguments(cli->command, count, arguments);
    }
    return read_token(cli, token, sizeof token) ? cli->command->run(cli, count, arguments)
                                                : CLI_USAGE;
}

enum cli_exit cli_main(int count, char **arguments)
{
    struct cli cli = { .config_path = "/etc/samad/samad.conf" };
    enum asked asked = ASKED_NOTHING;
    int used;
    if (!parse(&cli, count, arguments, true, &asked))
        return CLI_USAGE;
    if (asked != ASKED_NOTHING)
        return answer_asked(asked, NULL);
    int first = optind;
    if (first >= count) {
        cli_help();
        return CLI_USAGE;
    }
    cli.command = find_command(count - first, arguments + first, &used);
    if (!cli.command)
        return cli_unknown_command(arguments[first],
                                   first + 1 < count && arguments[first + 1][0] != '-'
                                       ? arguments[first + 1]
                                       : NULL);
    /* The last word of the name stands where getopt expects a program's. */
    first += used - 1;
    return run(&cli, count - first, arguments + first);
}
