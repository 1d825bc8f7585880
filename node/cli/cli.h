/* samadctl: one table of commands makes routing, help, usage, completion and the reference.
 *
 * Exit codes, the same for every command: see enum cli_exit. Errors say what failed, why, and what
 * to do next, on stderr; answers go to stdout as tables for people or as JSON for programs. */
#ifndef NODE_CLI_CLI_H
#define NODE_CLI_CLI_H

#include "node/config.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1,          /* the answer is «no», or a problem was found */
    CLI_USAGE = 2,       /* arguments, configuration or keys need correction */
    CLI_UNREACHABLE = 3, /* the node does not answer */
    CLI_REFUSED = 4,     /* the node answers, and refuses */
    CLI_STORE = 5        /* a store or a file cannot be read or written */
};

/* `value` names what follows the option; NULL for a flag. A list ends with name NULL. */
struct cli_option {
    const char *name;
    char letter; /* 0: none */
    const char *value;
    const char *help;
};

#define CLI_OPTION_MAX 16
#define CLI_ANY        (-1) /* any number of arguments */

struct cli;
typedef enum cli_exit cli_run_command(struct cli *cli, int count, char **arguments);

struct cli_command {
    const char *name;      /* "log cat" */
    const char *arguments; /* as usage shows them: "LOG", or "" */
    int argument_min, argument_max;
    const char *summary;              /* one line */
    const char *details;              /* sentences for the command's own help, or NULL */
    const struct cli_option *options; /* or NULL */
    cli_run_command *run;
};

extern const struct cli_command CLI_COMMANDS[];
extern const size_t CLI_COMMAND_COUNT;
extern const struct cli_option CLI_GLOBAL_OPTIONS[];

struct cli {
    const char *config_path;
    const char *api;   /* NULL: from the configuration */
    const char *token; /* NULL: none given */
    bool json;
    const struct cli_command *command;
    const char *values[CLI_OPTION_MAX]; /* beside command->options */
};

/* The whole program but for argv's owner. */
enum cli_exit cli_main(int count, char **arguments);

/* The value of an option of this command; "" for a flag that is there; NULL when it is not. */
const char *cli_value(const struct cli *cli, const char *option);
/* The same as a number of min..max; `fallback` when absent. False after saying what is wrong. */
bool cli_number(const struct cli *cli, const char *option, uint64_t min, uint64_t max,
                uint64_t fallback, uint64_t *number);

/* Says a failure: "samadctl: WHAT: WHY" and "  next: NEXT"; there is always something that can be done
 * next. Returns `code`. */
enum cli_exit cli_fail(enum cli_exit code, const char *what, const char *why, const char *next)
    __attribute__((nonnull));
/* The same for an error of a store. */
enum cli_exit cli_fail_err(const char *what, enum err err);
/* The same for a file that cannot be read or written, by its errno. `made_by` says where such a file
 * comes from ("`samadctl …` makes one"), for one that should be there; NULL for one to be written. */
enum cli_exit cli_fail_file(const char *path, int code, const char *made_by);

/* Says that there is no such command, and lists those that begin with `word`. `second` may be NULL. */
enum cli_exit cli_unknown_command(const char *word, const char *second);

/* The configuration that -c names; NULL after saying every problem. */
struct config *cli_config(const struct cli *cli);
/* Another one; `named_by` is what names it, for who did not mean it: "-c FILE". */
struct config *cli_config_of(const char *path, const char *named_by);

/* Help and completion, made from the table. */
extern const char CLI_EXIT_CODES[];
void cli_help(void);
void cli_help_command(const struct cli_command *command);
void cli_reference(void);  /* Markdown */
void cli_man(void);        /* samadctl(1) */
void cli_completion(void); /* for bash */

#endif
