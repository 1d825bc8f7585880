/* samadctl(1), made from the table of commands; a test compares deploy/samadctl.1 with it. */
#include "node/cli/cli.h"

#include <stdio.h>
#include <string.h>

/* Text as roff wants it: hyphens that can be copied, `words` in bold, nothing that begins a request. */
static void put(const char *text)
{
    bool bold = false, line_begins = false;
    for (; *text; text++) {
        if (line_begins && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        line_begins = *text == '\n';
        if (*text == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", stdout);
        } else if (*text == '-' || *text == '\\') {
            printf("%s", *text == '-' ? "\\-" : "\\e");
        } else {
            putchar(*text);
        }
    }
}

static void put_line(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    put(text);
    putchar('\n');
}

static void put_options(const struct cli_option *options)
{
    for (; options && options->name; options++) {
        fputs(".TP\n\\fB", stdout);
        if (options->letter)
            printf("\\-%c\\fR, \\fB", options->letter);
        fputs("\\-\\-", stdout);
        put(options->name);
        fputs("\\fR", stdout);
        if (options->value) {
            fputs(" \\fI", stdout);
            put(options->value);
            fputs("\\fR", stdout);
        }
        putchar('\n');
        put_line(options->help);
    }
}

static void put_command(const struct cli_command *command)
{
    fputs(".TP\n\\fB", stdout);
    put(command->name);
    fputs("\\fR", stdout);
    if (*command->arguments) {
        fputs(" \\fI", stdout);
        put(command->arguments);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    put(command->summary);
    puts(".");
    if (command->details)
        put_line(command->details);
    if (!command->options)
        return;
    puts(".RS");
    put_options(command->options);
    puts(".RE");
}

void cli_man(void)
{
    puts(".\\\" Made by `samadctl help --man`.\n"
         ".TH SAMADCTL 1 \"\" samad \"Samad\"\n"
         ".SH NAME\n"
         "samadctl \\- operates a Samad node: its keys, its logs, its requests\n"
         ".SH SYNOPSIS\n"
         ".B samadctl\n"
         "[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n"
         ".SH DESCRIPTION\n"
         "A node is one \\fBsamadd\\fR(8) of a province or of a hub. Commands about requests and\n"
         "status ask its API; commands about logs and views read its stores, also while it runs.\n"
         ".SH COMMANDS");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        put_command(&CLI_COMMANDS[i]);
    puts(".SH OPTIONS");
    put_options(CLI_GLOBAL_OPTIONS);
    puts(".SH EXIT STATUS");
    put(CLI_EXIT_CODES);
    puts(".SH SEE ALSO\n.BR samadd (8)");
}
