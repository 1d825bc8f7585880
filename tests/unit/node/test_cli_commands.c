#include "node/casework/request_words.h"
#include "node/casework/subject.h"
#include "tests/support/folder.h"
#include "tests/unit/node/cli_capture.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *text(const struct buffer *buffer)
{
    return (const char *)buffer->data;
}

Test(cli, help_names_every_command_of_the_table)
{
    struct buffer out = { 0 };
    cr_assert_eq(CLI(&out, "help"), CLI_OK);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        cr_expect(strstr(text(&out), CLI_COMMANDS[i].name), "%s", CLI_COMMANDS[i].name);
        cr_expect(strstr(text(&out), CLI_COMMANDS[i].summary), "%s", CLI_COMMANDS[i].name);
    }
    buffer_close(&out);
}

Test(cli, every_command_explains_itself_with_its_options)
{
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const struct cli_command *command = &CLI_COMMANDS[i];
        struct buffer out = { 0 };
        char name[64], *second;
        snprintf(name, sizeof name, "%s", command->name);
        second = strchr(name, ' ');
        if (second)
            *second++ = '\0';
        cr_assert_eq(second ? CLI(&out, name, second, "--help") : CLI(&out, name, "--help"),
                     CLI_OK);
        for (const struct cli_option *option = command->options; option && option->name; option++)
            cr_expect(strstr(text(&out), option->help), "%s --%s", command->name, option->name);
        buffer_close(&out);
    }
}

Test(cli, what_registers_requests_names_every_kind_and_channel)
{
    static const char *const NAMES[] = { "add", "import" };
    for (size_t name = 0; name < 2; name++) {
        struct buffer out = { 0 };
        cr_assert_eq(CLI(&out, "request", NAMES[name], "--help"), CLI_OK);
        for (size_t i = 0; i < REQUEST_KIND_COUNT; i++)
            cr_expect(strstr(text(&out), REQUEST_KINDS[i].word), "%s", REQUEST_KINDS[i].word);
        for (size_t i = 0; i < REQUEST_CHANNEL_COUNT; i++)
            cr_expect(strstr(text(&out), REQUEST_CHANNELS[i].word), "%s", REQUEST_CHANNELS[i].word);
        buffer_close(&out);
    }
}

Test(cli, the_subjects_that_are_in_use_are_listed)
{
    struct buffer out = { 0 };
    cr_assert_eq(CLI(&out, "-o", "json", "request", "subjects"), CLI_OK);
    for (size_t i = 0; i < SUBJECT_COUNT; i++)
        cr_expect_eq(strstr(text(&out), SUBJECTS[i].code) != NULL, SUBJECTS[i].retired == 0, "%s",
                     SUBJECTS[i].code);
    buffer_close(&out);
}

/* The file in deploy/ is what `samadctl help --OPTION` prints. */
static void expect_made(const char *path, const char *option)
{
    struct buffer out = { 0 }, file = { 0 };
    char block[4096];
    size_t size;
    FILE *stream = fopen(path, "r");
    cr_assert(stream);
    while ((size = fread(block, 1, sizeof block, stream)) > 0)
        buffer_append(&file, block, size);
    fclose(stream);
    cr_assert_eq(CLI(&out, "help", option), CLI_OK);
    cr_expect(bytes_equal(buffer_bytes(&out), buffer_bytes(&file)), "run `samadctl help %s > %s`",
              option, path);
    buffer_close(&out);
    buffer_close(&file);
}

Test(cli, the_reference_and_the_manual_page_in_deploy_are_those_that_the_table_makes)
{
    expect_made(SAMAD_SOURCE_DIR "/deploy/samadctl.md", "--reference");
    expect_made(SAMAD_SOURCE_DIR "/deploy/samadctl.1", "--man");
}

Test(cli, what_is_no_command_or_option_is_refused_with_what_to_do_next)
{
    struct buffer err = { 0 };
    cr_expect_eq(CLI_BOTH(NULL, &err, "nonsense"), CLI_USAGE);
    cr_expect(strstr(text(&err), "samadctl help"));
    buffer_clear(&err);
    cr_expect_eq(CLI_BOTH(NULL, &err, "log"), CLI_USAGE);
    cr_expect(strstr(text(&err), "log cat"), "a group lists its commands");
    buffer_clear(&err);
    cr_expect_eq(CLI_BOTH(NULL, &err, "log", "cat"), CLI_USAGE);
    cr_expect(strstr(text(&err), "an argument is missing\n  next: samadctl log cat LOG\n"));
    buffer_clear(&err);
    cr_expect_eq(CLI_BOTH(NULL, &err, "log", "ls", "more"), CLI_USAGE);
    cr_expect(strstr(text(&err), "samadctl: more: one argument too many"));
    buffer_clear(&err);
    cr_expect_eq(CLI_BOTH(NULL, &err, "log", "ls", "--nonsense"), CLI_USAGE);
    cr_expect(strstr(text(&err), "samadctl: --nonsense: there is no such option"));
    cr_expect(strstr(text(&err), "samadctl log ls --help"));
    buffer_clear(&err);
    cr_expect_eq(CLI_BOTH(NULL, &err, "log", "tail", "0", "-n"), CLI_USAGE);
    cr_expect(strstr(text(&err), "samadctl: -n: needs a value"));
    buffer_clear(&err);
    cr_expect_eq(CLI_BOTH(NULL, &err, "status", "--help=yes"), CLI_USAGE);
    cr_expect(strstr(text(&err), "takes no value"));
    cr_expect_eq(CLI(NULL, "-o", "xml", "log", "ls"), CLI_USAGE);
    cr_expect_eq(CLI(NULL, "log", "cat", "0", "--count", "many"), CLI_USAGE);
    cr_expect_eq(CLI(NULL, "log", "cat", "0", "--count", "0"), CLI_USAGE);
    cr_expect_eq(CLI(NULL, "-c", "/nonexistent/samad.conf", "log", "ls"), CLI_USAGE);
    buffer_close(&err);
}

Test(cli, global_options_may_stand_before_and_behind_the_command)
{
    struct buffer before = { 0 }, behind = { 0 };
    cr_expect_eq(CLI_BOTH(NULL, &before, "-c", "/nonexistent/one", "log", "ls"), CLI_USAGE);
    cr_expect_eq(CLI_BOTH(NULL, &behind, "log", "ls", "--config", "/nonexistent/one"), CLI_USAGE);
    cr_expect(strstr(text(&before), "/nonexistent/one"));
    cr_expect_str_eq(text(&before), text(&behind));
    buffer_close(&before);
    buffer_close(&behind);
}

/* A configuration in a folder of its own. */
static void make_site(char folder[FOLDER_PATH_SIZE], char conf[FOLDER_PATH_SIZE], const char *role)
{
    folder_make(folder);
    folder_path(conf, folder, "samad.conf");
    FILE *file = fopen(conf, "w");
    cr_assert(file);
    fprintf(file,
            "node = \"%s\"\nrole = \"%s\"\ndata = \"%s/data\"\nkeys = \"%s/keys\"\n"
            "api { listen = \"127.0.0.1:1\" }\n",
            strcmp(role, "hub") == 0 ? "centre" : "ardabil", role, folder, folder);
    fclose(file);
}

Test(cli, init_and_keygen_may_be_repeated_and_change_nothing_then)
{
    char folder[FOLDER_PATH_SIZE], conf[FOLDER_PATH_SIZE], data[FOLDER_PATH_SIZE];
    struct buffer first = { 0 }, second = { 0 };
    struct stat status;
    make_site(folder, conf, "province");
    cr_assert_eq(CLI(NULL, "-c", conf, "init"), CLI_OK);
    cr_assert_eq(CLI(NULL, "-c", conf, "init"), CLI_OK);
    folder_path(data, folder, "data");
    cr_assert_eq(stat(data, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0700);
    cr_assert_eq(CLI(&first, "-c", conf, "-o", "json", "keygen"), CLI_OK);
    cr_assert_eq(CLI(&second, "-c", conf, "-o", "json", "keygen"), CLI_OK);
    cr_expect_str_eq(text(&first), text(&second));
    buffer_close(&first);
    buffer_close(&second);
    folder_remove(folder);
}

Test(cli, a_hub_prints_its_section_with_all_three_keys_and_says_where_it_goes)
{
    char folder[FOLDER_PATH_SIZE], conf[FOLDER_PATH_SIZE];
    struct buffer out = { 0 };
    make_site(folder, conf, "hub");
    cr_assert_eq(CLI(&out, "-c", conf, "keygen"), CLI_OK);
    cr_expect(strstr(text(&out), "hub \"centre\" {"));
    cr_expect(strstr(text(&out), "link_key = \""));
    cr_expect(strstr(text(&out), "log_key = \""));
    cr_expect(strstr(text(&out), "receipt_key = \""));
    cr_expect(strstr(text(&out), "For the configuration of each province of this hub"));
    cr_expect_not(strstr(text(&out), "province \"centre\""), "a hub is nobody's province");
    buffer_clear(&out);
    folder_remove(folder);
    make_site(folder, conf, "province");
    cr_assert_eq(CLI(&out, "-c", conf, "keygen"), CLI_OK);
    cr_expect(strstr(text(&out), "For the configuration of each hub of this province"));
    cr_expect(strstr(text(&out), "province \"ardabil\""));
    buffer_close(&out);
    folder_remove(folder);
}

Test(cli, a_token_is_created_listed_and_revoked)
{
    char folder[FOLDER_PATH_SIZE], conf[FOLDER_PATH_SIZE];
    struct buffer out = { 0 };
    make_site(folder, conf, "province");
    cr_assert_eq(CLI(NULL, "-c", conf, "keygen"), CLI_OK);
    cr_expect_eq(CLI(NULL, "-c", conf, "token", "create", "--scope", "everything"), CLI_USAGE);
    cr_expect_eq(CLI(NULL, "-c", conf, "token", "create", "--scope", "read", "--expires", "soon"),
                 CLI_USAGE);
    cr_assert_eq(CLI(&out, "-c", conf, "-o", "json", "token", "create", "--scope", "register,read",
                     "--label", "desk", "--expires", "30d"),
                 CLI_OK);
    json_t *made = json_loads(text(&out), 0, NULL);
    const char *token = json_string_value(json_object_get(made, "token"));
    cr_assert(token && strncmp(token, "smd_", 4) == 0);
    buffer_clear(&out);
    cr_assert_eq(CLI(&out, "-c", conf, "-o", "json", "token", "list"), CLI_OK);
    json_t *list = json_loads(text(&out), 0, NULL);
    json_t *entry = json_array_get(json_object_get(list, "tokens"), 0);
    const char *id = json_string_value(json_object_get(entry, "id"));
    cr_assert(id && strncmp(token + 4, id, strlen(id)) == 0);
    cr_expect_str_eq(json_string_value(json_object_get(entry, "label")), "desk");
    cr_expect_null(strstr(text(&out), token), "only a hash is stored");
    cr_expect_eq(CLI(NULL, "-c", conf, "token", "revoke", id), CLI_OK);
    cr_expect_eq(CLI(NULL, "-c", conf, "token", "revoke", "00000000"), CLI_NO);
    json_decref(made);
    json_decref(list);
    buffer_close(&out);
    folder_remove(folder);
}

Test(cli, a_node_that_does_not_answer_is_told_apart_from_a_missing_token)
{
    char folder[FOLDER_PATH_SIZE], conf[FOLDER_PATH_SIZE];
    make_site(folder, conf, "province");
    unsetenv("SAMAD_TOKEN");
    unsetenv("SAMAD_API");
    cr_expect_eq(CLI(NULL, "-c", conf, "status"), CLI_USAGE);
    cr_expect_eq(CLI(NULL, "-c", conf, "--token", "smd_x", "status"), CLI_UNREACHABLE);
    cr_expect_eq(CLI(NULL, "-c", conf, "log", "ls"), CLI_STORE, "there is no store yet");
    folder_remove(folder);
}
