/* The configuration file, key files and tokens: what a sysadmin meets first. */
#include "node/config.h"
#include "node/keyring.h"
#include "node/tokens.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define GOOD_HEAD "node = \"ardabil\"\nrole = \"province\"\ndata = \"/tmp/d\"\nkeys = \"/tmp/k\"\n"
#define GOOD_HUB                                                                        \
    "hub \"centre\" { address = \"10.0.0.1:9111\" link_key = \"" HEX64 "\" log_key = \"" \
    HEX64 "\" receipt_key = \"" HEX64 "\" }\n"

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/samad-config-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(system(command) == 0);
}

/* Loads `text`; gives the problems as a terminated string to be freed. */
static char *load(const char *text, enum err expected, struct config **config)
{
    char path[128];
    struct buffer problems = { 0 };
    make_folder();
    snprintf(path, sizeof path, "%s/conf", folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    *config = NULL;
    enum err err = config_load(config, path, &problems);
    buffer_append_u8(&problems, 0);
    cr_expect_eq(err, expected, "%s: %s\n%s", err_name(err), (char *)problems.data, text);
    remove_folder();
    return (char *)problems.data;
}

Test(config, a_province_with_a_hub_is_read_whole)
{
    struct config *config;
    char *problems = load(GOOD_HEAD "api { listen = \"127.0.0.1:8111\" }\n" GOOD_HUB
                          "storage { map_mib = 32 group_max = 7 }\n", OK, &config);
    cr_assert(config);
    cr_expect_str_eq(config->node, "ardabil");
    cr_expect_eq(config->role, ROLE_PROVINCE);
    cr_expect_eq(config->hub_count, 1);
    cr_expect_str_eq(config->hubs[0].address, "10.0.0.1:9111");
    cr_expect_eq(config->hubs[0].link_key.bytes[1], 0x11);
    cr_expect_eq(config->map_size, (size_t)32 << 20);
    cr_expect_eq(config->group_max, 7);
    cr_expect_eq(config->national_receipts, 1);
    config_free(config);
    free(problems);
}

Test(config, every_problem_is_named_with_its_place)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        { "node = \"Ardabil\"\nrole = \"province\"\ndata = \"/d\"\nkeys = \"/k\"\n", "node name" },
        { GOOD_HEAD "prot = 1\n", "prot" },
        { GOOD_HEAD "api { listen = \"0.0.0.0:80\" }\n", "tls_certificate" },
        { GOOD_HEAD "api { listen = \"nonsense\" }\n", "host:port" },
        { GOOD_HEAD "api { listen = \"127.0.0.1:99999\" }\n", "host:port" },
        { GOOD_HEAD "hub \"centre\" { address = \"x:1\" link_key = \"12\" }\n", "link_key" },
        { GOOD_HEAD "hub \"centre\" { address = \"x:1\" }\n", "log_key" },
        { GOOD_HEAD GOOD_HUB "national { receipts = 2 }\n", "receipts" },
        { GOOD_HEAD "storage { map_mib = 1 }\n", "map_mib" },
        { "role = \"king\"\n", "role" },
        { GOOD_HEAD "api { listen = \n", "conf" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *config;
        char *problems = load(cases[i].text, ERR_INVALID, &config);
        cr_expect(strstr(problems, cases[i].word), "'%s' should name '%s'", problems,
                  cases[i].word);
        free(problems);
    }
}

Test(config, a_typo_does_not_hide_the_problems_behind_it_and_each_has_its_line)
{
    struct config *config;
    char *problems = load(GOOD_HEAD "prot = 1\n"
                                    "storage {\n    map_mb = 32\n    group_max = 0\n}\n"
                                    "hub \"centre\" {\n    address = \"10.0.0.1\"\n"
                                    "    link_key = \"12\"\n}\n",
                          ERR_INVALID, &config);
    cr_expect(strstr(problems, "conf:5: no such option 'prot'"), "%s", problems);
    cr_expect(strstr(problems, "conf:7: no such option 'map_mb'"), "%s", problems);
    cr_expect(strstr(problems, "conf:8: storage: group_max = 0 is outside"), "%s", problems);
    cr_expect(strstr(problems, "conf:11: hub \"centre\": address = \"10.0.0.1\" is not"), "%s", problems);
    cr_expect(strstr(problems, "conf:12: hub \"centre\": link_key is not"), "%s", problems);
    cr_expect(strstr(problems, "conf: hub \"centre\": log_key is missing"), "%s", problems);
    free(problems);
}

Test(config, numbers_that_are_none_or_out_of_range_are_all_named)
{
    struct config *config;
    char *problems = load(GOOD_HEAD "storage {\n    map_mib = 99999999999999999999\n"
                                    "    reserve_mib = many\n    queue_max = -1\n"
                                    "    group_max = 1025\n    memory_mib = 12x\n}\n"
                                    "api { connections_max = 0 }\nnational { receipts = 0 }\n",
                          ERR_INVALID, &config);
    cr_expect(strstr(problems, "conf:6: storage: map_mib = 99999999999999999999 is outside 16.."),
              "%s", problems);
    cr_expect(strstr(problems, "conf:7: storage: reserve_mib = many is not a number from 1 to "),
              "%s", problems);
    cr_expect(strstr(problems, "conf:8: storage: queue_max = -1 is outside 16.."), "%s", problems);
    cr_expect(strstr(problems, "conf:9: storage: group_max = 1025 is outside 1..1024"), "%s",
              problems);
    cr_expect(strstr(problems, "conf:10: storage: memory_mib = 12x is not a number"), "%s", problems);
    cr_expect(strstr(problems, "conf:12: api: connections_max = 0 is outside"), "%s", problems);
    cr_expect(strstr(problems, "conf:13: national: receipts = 0 is outside"), "%s", problems);
    free(problems);
}

Test(config, an_option_that_is_set_twice_is_a_problem)
{
    struct config *config;
    char *problems = load(GOOD_HEAD "storage {\n    group_max = 1\n    group_max = 2\n}\n",
                          ERR_INVALID, &config);
    cr_expect(strstr(problems, "conf:7: group_max is already set in line 6"), "%s", problems);
    free(problems);
}

Test(config, behind_an_error_of_syntax_nothing_is_read_and_that_is_said)
{
    struct config *config;
    char *problems = load("node = \"ardabil\"\nrole = \"king\"\nstorage { group_max = 0 }\n"
                          "national { receipts = 2 }\n" GOOD_HUB
                          "api { listen \"127.0.0.1:1\" }\nprot = 1\n", ERR_INVALID,
                          &config);
    cr_expect(strstr(problems, "conf:6: missing equal sign after option 'listen'"), "%s", problems);
    cr_expect(strstr(problems, "conf: nothing behind line 6 could be read"), "%s", problems);
    cr_expect(!strstr(problems, "prot"), "%s", problems);
    cr_expect(strstr(problems, "conf:2: role must be"), "%s", problems);
    cr_expect(strstr(problems, "conf:3: storage: group_max = 0"), "what is before: %s", problems);
    cr_expect(!strstr(problems, "missing:") && !strstr(problems, "data is missing") &&
                  !strstr(problems, "receipts"),
              "it may stand behind: %s", problems);
    free(problems);
}

Test(config, a_folder_in_the_place_of_the_file_is_named_as_one)
{
    struct config *config;
    struct buffer problems = { 0 };
    cr_expect_eq(config_load(&config, "/tmp", &problems), ERR_INVALID);
    buffer_append_u8(&problems, 0);
    cr_expect_str_eq((char *)problems.data,
                     "/tmp: is a folder; name the configuration file in it, for example "
                     "samad.conf\n");
    buffer_close(&problems);
}

Test(config, a_missing_file_says_so)
{
    struct config *config;
    struct buffer problems = { 0 };
    cr_expect_eq(config_load(&config, "/nonexistent/samad.conf", &problems), ERR_NOT_FOUND);
    cr_expect(problems.size > 0);
    buffer_close(&problems);
}

Test(config, only_loopback_addresses_are_loopback)
{
    cr_expect(address_is_loopback("127.0.0.1:1"));
    cr_expect(address_is_loopback("[::1]:1"));
    cr_expect(address_is_loopback("localhost:1"));
    cr_expect(!address_is_loopback("128.0.0.1:1"));
    cr_expect(!address_is_loopback("[::]:1"));
    cr_expect(!address_is_loopback("127.0.0.1"));
}

Test(keyring, keys_are_made_once_and_read_back, .init = make_folder, .fini = remove_folder)
{
    struct keyring first, second;
    struct buffer problem = { 0 };
    char keys[96];
    snprintf(keys, sizeof keys, "%s/keys", folder);
    cr_assert_eq(keyring_create(keys, &problem), OK);
    cr_assert_eq(keyring_load(&first, keys, &problem), OK);
    cr_assert_eq(keyring_create(keys, &problem), OK);
    cr_assert_eq(keyring_load(&second, keys, &problem), OK);
    cr_expect_eq(memcmp(&first, &second, sizeof first), 0, "a second keygen changes nothing");
    cr_expect_neq(memcmp(&first.log.public, &first.receipt.public, KEY_SIZE), 0);
    keyring_close(&first);
    keyring_close(&second);
}

Test(keyring, a_key_that_others_may_read_or_of_another_purpose_is_refused, .init = make_folder,
     .fini = remove_folder)
{
    struct keyring keyring;
    struct buffer problem = { 0 };
    char path[96], other[96];
    cr_assert_eq(keyring_create(folder, &problem), OK);
    snprintf(path, sizeof path, "%s/log.key", folder);
    snprintf(other, sizeof other, "%s/receipt.key", folder);
    chmod(path, 0644);
    cr_expect_eq(keyring_load(&keyring, folder, &problem), ERR_AUTH);
    chmod(path, 0600);
    cr_assert_eq(rename(other, path), 0);
    cr_expect_eq(keyring_load(&keyring, folder, &problem), ERR_MALFORMED);
    unlink(path);
    cr_expect_eq(keyring_load(&keyring, folder, &problem), ERR_NOT_FOUND);
    buffer_close(&problem);
}

Test(tokens, a_token_works_until_it_expires_or_is_revoked, .init = make_folder,
     .fini = remove_folder)
{
    struct tokens *tokens;
    struct token_info info;
    struct buffer problem = { 0 };
    char token[TOKEN_SIZE_MAX + 1], expiring[TOKEN_SIZE_MAX + 1];
    time_t now = 1800000000;
    cr_assert_eq(tokens_open(&tokens, folder, &problem), OK);
    cr_expect_eq(tokens_check(tokens, bytes_of_string("smd_x"), now, &info), ERR_AUTH);
    cr_assert_eq(tokens_add(folder, SCOPE_READ, 0, "wall", token, &problem), OK);
    cr_assert_eq(tokens_add(folder, SCOPE_REGISTER | SCOPE_READ, now + 60, "desk", expiring,
                            &problem), OK);
    cr_expect_eq(tokens_check(tokens, bytes_of_string(token), now, &info), OK,
                 "a token made after the start is known at once");
    cr_expect_eq(info.scopes, SCOPE_READ);
    cr_expect_str_eq(info.label, "wall");
    cr_expect_eq(tokens_check(tokens, bytes_of_string(expiring), now, &info), OK);
    cr_expect_eq(tokens_check(tokens, bytes_of_string(expiring), now + 60, &info), ERR_TIMEOUT);
    token[10] ^= 1;
    cr_expect_eq(tokens_check(tokens, bytes_of_string(token), now, &info), ERR_AUTH);
    token[10] ^= 1;
    cr_assert_eq(tokens_check(tokens, bytes_of_string(token), now, &info), OK);
    cr_assert_eq(tokens_revoke(folder, info.id, &problem), OK);
    cr_expect_eq(tokens_check(tokens, bytes_of_string(token), now + 1, &info), ERR_AUTH);
    cr_expect_eq(tokens_revoke(folder, "00000000", &problem), ERR_NOT_FOUND);
    tokens_close(tokens);
    buffer_close(&problem);
}

Test(tokens, the_file_holds_no_token_and_a_damaged_line_is_named, .init = make_folder,
     .fini = remove_folder)
{
    struct tokens *tokens;
    struct buffer problem = { 0 };
    char token[TOKEN_SIZE_MAX + 1], path[96], text[1024] = "";
    cr_assert_eq(tokens_add(folder, SCOPE_ADMIN, 0, "x", token, &problem), OK);
    snprintf(path, sizeof path, "%s/tokens", folder);
    FILE *file = fopen(path, "r+");
    cr_assert(fread(text, 1, sizeof text - 1, file) > 0);
    cr_expect(!strstr(text, token + 13), "only a hash is stored");
    fputs("what is this\n", file);
    fclose(file);
    cr_expect_eq(tokens_open(&tokens, folder, &problem), ERR_MALFORMED);
    buffer_append_u8(&problem, 0);
    cr_expect(strstr((char *)problem.data, ":2:"), "%s", (char *)problem.data);
    buffer_close(&problem);
}

static void append_to_tokens(const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/tokens", folder);
    FILE *file = fopen(path, "a");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(tokens, a_file_damaged_later_keeps_the_list_in_force_and_is_a_problem_until_it_is_right,
     .init = make_folder, .fini = remove_folder)
{
    struct tokens *tokens;
    struct token_info info;
    struct buffer problem = { 0 };
    char token[TOKEN_SIZE_MAX + 1], more[TOKEN_SIZE_MAX + 1], text[TOKENS_PROBLEM_SIZE], path[96];
    cr_assert_eq(tokens_add(folder, SCOPE_READ, 0, "wall", token, &problem), OK);
    cr_assert_eq(tokens_open(&tokens, folder, &problem), OK);
    cr_expect_eq(tokens_problem(tokens, text), 0);
    snprintf(path, sizeof path, "%s/tokens", folder);
    struct stat good;
    cr_assert_eq(stat(path, &good), 0);
    append_to_tokens("what is this\n");
    for (time_t now = 1; now < 4; now++) { /* looked at again, and as wrong as before */
        cr_expect_eq(tokens_check(tokens, bytes_of_string(token), now, &info), OK);
        cr_expect_neq(tokens_problem(tokens, text), 0);
        cr_expect(strstr(text, "tokens:2:"), "%s", text);
    }
    cr_expect_eq(tokens_reload(tokens), ERR_MALFORMED, "also when it has not changed since");
    cr_expect_eq(tokens_add(folder, SCOPE_READ, 0, "desk", more, &problem), ERR_MALFORMED);
    cr_assert_eq(truncate(path, good.st_size), 0);
    cr_expect_eq(tokens_reload(tokens), OK);
    cr_expect_eq(tokens_problem(tokens, text), 0);
    tokens_close(tokens);
    buffer_close(&problem);
}

Test(tokens, a_list_that_cannot_be_read_is_named, .init = make_folder, .fini = remove_folder)
{
    struct tokens *tokens;
    struct buffer problem = { 0 };
    char path[96];
    snprintf(path, sizeof path, "%s/tokens", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(tokens_open(&tokens, folder, &problem), ERR_IO);
    buffer_append_u8(&problem, 0);
    cr_expect(strstr((char *)problem.data, "/tokens: Is a directory; remove it"), "%s",
              (char *)problem.data);
    buffer_close(&problem);
}

Test(tokens, scopes_are_words)
{
    unsigned scopes;
    char text[48];
    cr_expect_eq(token_scopes_parse("register,admin", &scopes), OK);
    cr_expect_eq(scopes, SCOPE_REGISTER | SCOPE_ADMIN);
    token_scopes_format(scopes, text);
    cr_expect_str_eq(text, "register,admin");
    cr_expect_eq(token_scopes_parse("", &scopes), ERR_INVALID);
    cr_expect_eq(token_scopes_parse("root", &scopes), ERR_INVALID);
}
