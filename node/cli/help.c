/* What people and shells learn about the commands, made from their table. */
#include "node/cli/cli.h"

#include <stdio.h>
#include <string.h>

const char CLI_EXIT_CODES[] =
    "Exit status: 0 ok; 1 the answer is «no», or a problem was found; 2 arguments, configuration or\n"
    "keys need correction; 3 the node does not answer; 4 the node refuses; 5 a store or file cannot\n"
    "be read or written.\n";

static void print_options(const struct cli_option *options)
{
    for (; options && options->name; options++) {
        char left[64], letter[8] = "    ";
        if (options->letter)
            snprintf(letter, sizeof letter, "-%c, ", options->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        printf("  %-30s %s\n", left, options->help);
    }
}

void cli_help(void)
{
    puts("samadctl operates a Samad node: its keys, its logs, its requests.\n\n"
         "usage: samadctl [-c FILE] [-o json|table] [--api URL] [--token TOKEN|@FILE] COMMAND "
         "...\n");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        printf("  %-20s %s\n", CLI_COMMANDS[i].name, CLI_COMMANDS[i].summary);
    puts("");
    print_options(CLI_GLOBAL_OPTIONS);
    printf("\n%s`samadctl COMMAND --help` tells more.\n", CLI_EXIT_CODES);
}

void cli_help_command(const struct cli_command *command)
{
    printf("usage: samadctl %s%s%s\n\n%s.\n", command->name, *command->arguments ? " " : "",
           command->arguments, command->summary);
    if (command->details)
        printf("%s\n", command->details);
    puts("");
    print_options(command->options);
    print_options(CLI_GLOBAL_OPTIONS);
}

void cli_reference(void)
{
    printf("# samadctl\n\nMade by `samadctl help --reference`.\n\n%s", CLI_EXIT_CODES);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const struct cli_command *command = &CLI_COMMANDS[i];
        printf("\n## samadctl %s%s%s\n\n%s.\n", command->name, *command->arguments ? " " : "",
               command->arguments, command->summary);
        if (command->details)
            printf("%s\n", command->details);
        const struct cli_option *option = command->options;
        if (option)
            puts("\n| option | |\n|---|---|");
        for (; option && option->name; option++)
            printf("| `--%s%s%s` | %s |\n", option->name, option->value ? " " : "",
                   option->value ? option->value : "", option->help);
    }
    puts("\n## Options of every command\n\n| option | |\n|---|---|");
    for (const struct cli_option *option = CLI_GLOBAL_OPTIONS; option->name; option++)
        printf("| `--%s%s%s` | %s |\n", option->name, option->value ? " " : "",
               option->value ? option->value : "", option->help);
}

static void print_long_options(const struct cli_option *options)
{
    for (; options && options->name; options++)
        printf(" --%s", options->name);
}

/* Words are completed by what was typed before them: a name of one or two words, then options. */
void cli_completion(void)
{
    puts("# bash completion of samadctl, made by `samadctl completion bash`\n"
         "_samadctl() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} words=() i\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in\n"
         "        -c|--config|-o|--output|--api|--token) ((i++)) ;;\n"
         "        -*) ;;\n"
         "        *) words+=(\"${COMP_WORDS[i]}\") ;;\n"
         "        esac\n"
         "    done\n"
         "    local choices=\n"
         "    case \"${words[0]} ${words[1]}\" in");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const struct cli_command *command = &CLI_COMMANDS[i];
        const char *space = strchr(command->name, ' ');
        printf("    \"%s%s\"*) choices=\"", command->name, space ? "" : " ");
        print_long_options(command->options);
        print_long_options(CLI_GLOBAL_OPTIONS);
        puts("\" ;;");
    }
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const char *name = CLI_COMMANDS[i].name, *space = strchr(name, ' ');
        if (space)
            printf("    \"%.*s \") choices+=\" %s\" ;;&\n", (int)(space - name), name, space + 1);
    }
    printf("    \" \") choices=\"");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const char *name = CLI_COMMANDS[i].name;
        size_t size = strcspn(name, " ");
        if (i == 0 || strncmp(name, CLI_COMMANDS[i - 1].name, size + 1) != 0)
            printf(" %.*s", (int)size, name);
    }
    puts("\" ;;\n"
         "    esac\n"
         "    if [[ -n $choices ]]; then mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- "
         "\"$word\"); fi\n"
         "}\n"
         "complete -o default -F _samadctl samadctl");
}
