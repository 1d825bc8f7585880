#include "node/cli/commands.h"

#include <string.h>

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, NULL, NULL                                                                        \
    }

static const struct cli_option HELP[] = {
    { "reference", 0, NULL, "the reference of all commands, as Markdown" },
    { "man", 0, NULL, "the same as a manual page" },
    END
};
static const struct cli_option TOKEN_CREATE[] = {
    { "scope", 's', "LIST", "of register, read, person, admin" },
    { "label", 'l', "TEXT", "whose it is" },
    { "expires", 'e', "30d", "days or hours it is valid; without it, for ever" },
    END
};
static const struct cli_option LOG_CAT[] = { { "from", 0, "N", "first position (0)" },
                                             { "count", 'n', "N", "how many records (all)" },
                                             { "person", 0, NULL,
                                               "with personal data; needs the node's keys" },
                                             END };
static const struct cli_option LOG_TAIL[] = {
    { "count", 'n', "N", "how many of the last records (10)" },
    { "follow", 'f', NULL, "go on as records come" },
    { "person", 0, NULL, "with personal data; needs the node's keys" },
    END
};
static const struct cli_option REQUEST_ADD[] = {
    { "kind", 0, "WORD",
      "complaint, suggestion, criticism, problem, idea, request (default), question, report, "
      "thanks" },
    { "channel", 0, "WORD", "phone, walk_in, letter, desk (default), web, sms, import" },
    { "subject", 0, "CODE", "required: one of `samadctl request subjects`" },
    { "text", 0, "TEXT", "required: what the citizen says" },
    { "name", 0, "NAME", "required: who says it" },
    { "national-id", 0, "DIGITS", "ten digits; this or a phone number is required" },
    { "phone", 0, "NUMBER", "mobile or landline" },
    { "place", 0, "PLACE", "\"IR-24\", or a place in the node's province" },
    { "address", 0, "TEXT", "street and number" },
    { "occurred-at", 0, "TIME", "ISO 8601 with offset (now)" },
    { "key", 'k', "KEY", "idempotency key; a repeat with the same key records nothing twice" },
    END
};
static const struct cli_option REQUEST_SHOW[] = {
    { "factor", 'f', "FACTOR", "phone number, or the last four digits of the national ID" }, END
};
static const struct cli_option REQUEST_LIST[] = { { "limit", 'n', "N", "how many, 1 to 200 (20)" },
                                                  END };
static const struct cli_option REQUEST_ERASE[] = {
    { "reason", 'r', "TEXT", "recorded for ever; no personal data in it" }, END
};
static const struct cli_option REQUEST_IMPORT[] = {
    { "parallel", 'p', "N", "requests under way at once, 1 to 256 (16)" },
    { "rate", 0, "N", "at most so many requests a second" },
    { "codes", 0, "OUT", "write «line<TAB>code» for each registered line, in the file's order" },
    { "resume", 0, NULL, "go on where FILE.imported says that the last run ended" },
    { "retry", 0, "SECONDS", "how long to try again while the node does not answer (5)" },
    END
};
static const struct cli_option RECEIPT_EXPORT[] = {
    { "file", 'f', "FILE", "write it there instead of stdout" }, END
};
static const struct cli_option RECEIPT_VERIFY[] = {
    { "log-key", 0, "HEX", "the node's log key, known from elsewhere" },
    { "hub", 0, "NAME", "the hub that must hold it" },
    { "hub-key", 0, "HEX", "its receipt key, known from elsewhere" },
    END
};
static const struct cli_option FORK_SHOW[] = {
    { "file", 'f', "FILE", "write the proof of LOG's first fork there" }, END
};
static const struct cli_option VIEW_REBUILD[] = {
    { "check", 0, NULL, "compare only, change nothing" }, END
};
static const struct cli_option AUDIT[] = {
    { "hub", 0, "HUB.conf", "the hub's configuration" },
    { "snapshot", 0, "FILE", "only write the sizes of the logs that --hub's store holds" },
    { "held-before", 0, "FILE", "a snapshot of the hub, made earlier" },
    { "cut-from", 0, "FILE", "a snapshot of a province: what it held when the link was cut" },
    { "cut-to", 0, "FILE", "a snapshot of it before the link healed" },
    END
};

const struct cli_command CLI_COMMANDS[] = {
    { "init", "", 0, 0, "make the data folder that the configuration names",
      "Checks the configuration first. Safe to repeat.", NULL, cmd_init },
    { "keygen", "", 0, 0, "make the node's keys and print the public ones",
      "Never overwrites a key. Prints the sections that the other side puts into its "
      "configuration.",
      NULL, cmd_keygen },
    { "config check", "", 0, 0, "check configuration, keys and tokens", NULL, NULL,
      cmd_config_check },
    { "token create", "--scope LIST --label TEXT", 0, 0, "make a bearer token for the API",
      "The token is printed once; only its hash is stored.", TOKEN_CREATE, cmd_token_create },
    { "token list", "", 0, 0, "the tokens that may use the API", NULL, NULL, cmd_token_list },
    { "token revoke", "ID", 1, 1, "make a token invalid", NULL, NULL, cmd_token_revoke },
    { "status", "", 0, 0, "logs, peers, disk and alarms of a running node", NULL, NULL,
      cmd_status },
    { "lag", "", 0, 0, "how far the peers are behind",
      "Exit status 1 when a peer is not connected or an alarm stands: for monitoring.", NULL,
      cmd_lag },
    { "log ls", "", 0, 0, "the logs that are stored here",
      "Reads the store, also while samadd runs. RECEIPTED is, of an own log, how many of its records\n"
      "have the receipts that make them national, and at a hub, of a log it follows, how many it has\n"
      "signed for. Names and roots are shortened; -o json has them whole.", NULL, cmd_log_ls },
    { "log cat", "LOG", 1, 1, "the records of a log",
      "LOG is a number or name of `log ls`, an origin, or a piece of one that no other log has.\n"
      "With -o json one object a line.",
      LOG_CAT, cmd_log_cat },
    { "log tail", "LOG", 1, 1, "the last records of a log", NULL, LOG_TAIL, cmd_log_tail },
    { "log verify", "[LOG]", 0, 1, "recompute everything that is stored",
      "Every record against its leaf and commitments, every leaf into the tree, every checkpoint "
      "and\n"
      "receipt against the root at its size, and who signed. Exit status 1 when anything is wrong.",
      NULL, cmd_log_verify },
    { "log export", "DIR LOG", 2, 2, "write a log as C2SP tlog-tiles",
      "checkpoint, tile/, tile/entries/ and vkey, so that tools of others can check it. Entries "
      "are\n"
      "headers: no personal data leaves the store.",
      NULL, cmd_log_export },
    { "request add", "--subject CODE --text TEXT --name NAME ...", 0, 0, "register a request",
      "Prints the tracking code.", REQUEST_ADD, cmd_request_add },
    { "request show", "CODE [--factor FACTOR]", 1, 1, "one request",
      "With the second factor what the citizen may know; without it everything, for tokens with "
      "the\n"
      "scope person.",
      REQUEST_SHOW, cmd_request_show },
    { "request list", "", 0, 0, "the newest requests", NULL, REQUEST_LIST, cmd_request_list },
    { "request subjects", "", 0, 0, "the codes that say what a request is about", NULL, NULL,
      cmd_request_subjects },
    { "request erase", "CODE --reason TEXT", 1, 1, "erase the personal data of a request",
      "Facts and counts stay; the erasure is a record of its own and reaches every holder.",
      REQUEST_ERASE, cmd_request_erase },
    { "request import", "FILE.jsonl", 1, 1, "register requests from a file",
      "One JSON object a line: the members of POST /v1/requests and idempotency_key.\n"
      "Required: idempotency_key (1 to 64 printable ASCII characters, another one for each line),\n"
      "kind (complaint, suggestion, criticism, problem, idea, request, question,\n"
      "report, thanks), channel (phone, walk_in, letter, desk, web, sms, import),\n"
      "subject (`samadctl request subjects` lists the codes), text, name, and phone or national_id.\n"
      "May be there: place, address, occurred_at (ISO 8601 with offset).\n"
      "A bad line is reported and the rest goes on; lines that were registered before count as\n"
      "duplicates. Exit status 1 when lines were refused.",
      REQUEST_IMPORT, cmd_request_import },
    { "receipt export", "CODE", 1, 1, "the proof that a request is recorded, as a file",
      "It proves itself and holds no personal data.", RECEIPT_EXPORT, cmd_receipt_export },
    { "receipt verify", "FILE", 1, 1, "check such a proof, offline",
      "Needs nothing but the file. Without the options the keys are those in the file: the answer\n"
      "then says which they are.",
      RECEIPT_VERIFY, cmd_receipt_verify },
    { "fork show", "[LOG]", 0, 1, "logs of which two histories were signed",
      "Exit status 1 when there are any.", FORK_SHOW, cmd_fork_show },
    { "view rebuild", "--check", 0, 0, "prove that the views are what the logs say",
      "Folds the logs again into a temporary folder and compares. Of the records that are STORED,\n"
      "those are COMPARED that the views on disk are made of: a running node keeps the view of\n"
      "newer ones in memory and writes it later, at the latest when it stops. Exit status 1 when\n"
      "they differ.",
      VIEW_REBUILD, cmd_view_rebuild },
    { "audit", "--hub HUB.conf PROVINCE.conf ...", 0, CLI_ANY,
      "compare the stores of provinces with that of a hub",
      "Reads the stores themselves, with their keys, and recomputes every hash and signature "
      "without\n"
      "the replication's code. Exit status 1 unless the hub holds exactly what the provinces "
      "recorded.",
      AUDIT, cmd_audit },
    { "completion", "bash", 1, 1, "a completion script for the shell",
      "For example in ~/.bashrc: source <(samadctl completion bash)", NULL, cmd_completion },
    { "help", "[COMMAND]", 0, 2, "this list, or one command", NULL, HELP, cmd_help },
};
const size_t CLI_COMMAND_COUNT = sizeof CLI_COMMANDS / sizeof *CLI_COMMANDS;

/* Of one command, or of all that begin with the first word. */
static enum cli_exit help_of(int count, char **arguments)
{
    bool found = false;
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const char *name = CLI_COMMANDS[i].name;
        size_t size = strlen(arguments[0]);
        bool group =
            strncmp(name, arguments[0], size) == 0 && (name[size] == ' ' || name[size] == '\0');
        if (!group ||
            (count > 1 && (name[size] == '\0' || strcmp(name + size + 1, arguments[1]) != 0)))
            continue;
        cli_help_command(&CLI_COMMANDS[i]);
        found = true;
    }
    return found ? CLI_OK
                 : cli_unknown_command(arguments[0], count > 1 ? arguments[1] : NULL);
}

enum cli_exit cmd_help(struct cli *cli, int count, char **arguments)
{
    if (cli_value(cli, "reference"))
        cli_reference();
    else if (cli_value(cli, "man"))
        cli_man();
    else if (count == 0)
        cli_help();
    else
        return help_of(count, arguments);
    return CLI_OK;
}

enum cli_exit cmd_completion(struct cli *cli, int count, char **arguments)
{
    (void)cli;
    (void)count;
    if (strcmp(arguments[0], "bash") != 0)
        return cli_fail(CLI_USAGE, arguments[0], "only bash is known",
                        "samadctl completion bash");
    cli_completion();
    return CLI_OK;
}
