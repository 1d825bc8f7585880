#include "node/http/server.h"
#include "node/http/problem.h"
#include "node/tokens.h"
#include "tests/support/folder.h"
#include "tests/unit/node/cli_capture.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_COUNT 300

/* An API that keeps what it was given, and can be told to be difficult. What changes while it runs is
 * under `lock`: requests come on several threads. */
struct fake {
    pthread_mutex_t lock;
    char folder[FOLDER_PATH_SIZE], file[FOLDER_PATH_SIZE], codes[FOLDER_PATH_SIZE];
    char state[FOLDER_PATH_SIZE + 16], url[64], token[TOKEN_SIZE_MAX + 1];
    struct tokens *tokens;
    struct http_server *server;
    json_t *known;       /* idempotency key -> body */
    unsigned busy;       /* so many answers are 503 */
    unsigned dead_after; /* answers 503 for ever after so many; 0 never */
    unsigned answered;
    struct http_exchange *kept; /* answered only when another request has come */
    char kept_key[65];
};

/* The code of a line is its key with zeros before: "00000000000042". */
static void answer(struct fake *fake, struct http_exchange *exchange, const char *key, bool again)
{
    char body[128];
    int size = snprintf(body, sizeof body, "{\"code\":\"%014d\",\"duplicate\":%s}", atoi(key + 4),
                        again ? "true" : "false");
    fake->answered++;
    http_answer(exchange, again ? 200 : 201, "application/json", bytes_of(body, (size_t)size));
}

static void take(struct fake *fake, struct http_exchange *exchange, const char *key, json_t *body)
{
    const char *subject = json_string_value(json_object_get(body, "subject"));
    if (subject && strcmp(subject, "bad") == 0) {
        http_answer_problem(exchange, 422, "invalid", "Some fields cannot be taken", "Correct it.",
                            "\"errors\":[{\"field\":\"subject\",\"code\":\"unknown\","
                            "\"message\":\"The subject is unknown.\"}]");
        return;
    }
    bool again = json_object_get(fake->known, key) != NULL;
    json_object_set(fake->known, key, body);
    if (!fake->kept && !again) { /* the first line waits for a later one */
        fake->kept = exchange;
        snprintf(fake->kept_key, sizeof fake->kept_key, "%s", key);
        return;
    }
    answer(fake, exchange, key, again);
    if (fake->kept && fake->kept_key[0]) {
        answer(fake, fake->kept, fake->kept_key, false);
        fake->kept_key[0] = '\0';
    }
}

static void on_request(void *context, struct http_exchange *exchange)
{
    struct fake *fake = context;
    const char *key = http_header(exchange, "Idempotency-Key");
    struct bytes body = http_body(exchange);
    json_t *json = json_loadb((const char *)body.data, body.size, 0, NULL);
    pthread_mutex_lock(&fake->lock);
    if (fake->busy > 0 || (fake->dead_after && fake->answered >= fake->dead_after)) {
        fake->busy -= fake->busy > 0;
        http_answer_problem(exchange, 503, "busy", "The node is at its limit", "Again.", NULL);
    } else if (json && key && !json_object_get(json, "idempotency_key")) {
        take(fake, exchange, key, json);
    } else {
        http_answer_problem(exchange, 400, "wrong", "Not a request", "?", NULL);
    }
    json_decref(json); /* the fake may keep it: the count of references is under the lock, too */
    pthread_mutex_unlock(&fake->lock);
}

static void fake_open(struct fake *fake)
{
    static const struct http_route routes[] = {
        { "POST", "/v1/requests", SCOPE_REGISTER, NULL, on_request, "register" },
    };
    struct buffer problem = { 0 };
    memset(fake, 0, sizeof *fake);
    pthread_mutex_init(&fake->lock, NULL);
    folder_make(fake->folder);
    folder_path(fake->file, fake->folder, "lines.jsonl");
    folder_path(fake->codes, fake->folder, "codes");
    snprintf(fake->state, sizeof fake->state, "%s.imported", fake->file);
    fake->known = json_object();
    cr_assert_eq(tokens_add(fake->folder, SCOPE_REGISTER, 0, "test", fake->token, &problem), OK);
    cr_assert_eq(tokens_open(&fake->tokens, fake->folder, &problem), OK);
    struct http_options options = { .listen = "127.0.0.1:0",
                                    .connections_max = 64,
                                    .routes = routes,
                                    .route_count = 1,
                                    .tokens = fake->tokens,
                                    .context = fake };
    cr_assert_eq(http_server_start(&fake->server, &options, &problem), OK);
    snprintf(fake->url, sizeof fake->url, "http://127.0.0.1:%u", http_server_port(fake->server));
}

static void fake_close(struct fake *fake)
{
    http_server_stop(fake->server);
    tokens_close(fake->tokens);
    json_decref(fake->known);
    pthread_mutex_destroy(&fake->lock);
    folder_remove(fake->folder);
}

static void write_lines(struct fake *fake, unsigned count)
{
    FILE *file = fopen(fake->file, "w");
    for (unsigned i = 1; i <= count; i++)
        fprintf(file, "{\"subject\":\"water.outage\",\"idempotency_key\":\"key-%u\"}\n", i);
    fclose(file);
}

static enum cli_exit import(struct fake *fake, struct buffer *out, struct buffer *err,
                            const char *more, const char *value)
{
    return CLI_BOTH(out, err, "--api", fake->url, "--token", fake->token, "-o", "json", "request",
                    "import", fake->file, "--codes", fake->codes, more, value);
}

static json_int_t count_of(const struct buffer *out, const char *name)
{
    json_t *json = json_loads((const char *)out->data, 0, NULL);
    json_int_t value = json_integer_value(json_object_get(json, name));
    json_decref(json);
    return value;
}

/* Every line's code stands in the file once, in order. */
static unsigned count_codes(struct fake *fake)
{
    unsigned line, last = 0, count = 0;
    char code[32];
    FILE *file = fopen(fake->codes, "r");
    cr_assert(file);
    while (fscanf(file, "%u\t%31[0-9]\n", &line, code) == 2) {
        cr_expect_gt(line, last);
        cr_expect_eq(line, (unsigned)atoi(code));
        last = line;
        count++;
    }
    fclose(file);
    return count;
}

Test(import, writes_codes_in_the_order_of_the_file_whatever_the_order_of_answers)
{
    struct fake fake;
    struct buffer out = { 0 };
    fake_open(&fake);
    write_lines(&fake, LINE_COUNT);
    cr_assert_eq(import(&fake, &out, NULL, "-p", "16"), CLI_OK);
    cr_expect_eq(count_of(&out, "registered"), LINE_COUNT);
    cr_expect_eq(count_of(&out, "lines"), LINE_COUNT);
    cr_expect_eq(json_object_size(fake.known), LINE_COUNT);
    cr_expect_eq(count_codes(&fake), LINE_COUNT);
    cr_expect_neq(access(fake.state, F_OK), 0, "nothing is left to go on with");
    buffer_close(&out);
    fake_close(&fake);
}

Test(import, counts_repeated_lines_as_duplicates)
{
    struct fake fake;
    struct buffer out = { 0 };
    fake_open(&fake);
    write_lines(&fake, 50);
    cr_assert_eq(import(&fake, NULL, NULL, NULL, NULL), CLI_OK);
    cr_assert_eq(import(&fake, &out, NULL, NULL, NULL), CLI_OK);
    cr_expect_eq(count_of(&out, "registered"), 0);
    cr_expect_eq(count_of(&out, "duplicates"), 50);
    cr_expect_eq(count_codes(&fake), 50);
    buffer_close(&out);
    fake_close(&fake);
}

Test(import, reports_each_bad_line_by_number_and_field_and_goes_on)
{
    struct fake fake;
    struct buffer out = { 0 }, err = { 0 };
    fake_open(&fake);
    FILE *file = fopen(fake.file, "w");
    fputs("{\"subject\":\"water.outage\",\"idempotency_key\":\"key-1\"}\n"
          "{\"subject\":\n"
          "\n"
          "{\"subject\":\"water.outage\"}\n"
          "[1]\n"
          "{\"subject\":\"bad\",\"idempotency_key\":\"key-6\"}\n"
          "{\"subject\":\"water.outage\",\"idempotency_key\":\"key-7\"}",
          file);
    fclose(file);
    cr_expect_eq(import(&fake, &out, &err, NULL, NULL), CLI_NO);
    const char *words = (const char *)err.data;
    cr_expect(strstr(words, "line 2: JSON: "), "%s", words);
    cr_expect(strstr(words, "line 4: idempotency_key: "));
    cr_expect(strstr(words, "line 5: JSON: is not an object"));
    cr_expect(strstr(words, "line 6: subject: The subject is unknown."));
    cr_expect_null(strstr(words, "line 3"), "an empty line is no fault");
    cr_expect_eq(count_of(&out, "registered"), 2);
    cr_expect_eq(count_of(&out, "refused"), 4);
    cr_expect_eq(count_codes(&fake), 2);
    buffer_close(&out);
    buffer_close(&err);
    fake_close(&fake);
}

Test(import, tries_again_while_the_node_is_busy)
{
    struct fake fake;
    struct buffer out = { 0 };
    fake_open(&fake);
    fake.busy = 20;
    write_lines(&fake, 40);
    cr_expect_eq(import(&fake, &out, NULL, NULL, NULL), CLI_OK);
    cr_expect_eq(count_of(&out, "registered"), 40);
    buffer_close(&out);
    fake_close(&fake);
}

Test(import, goes_on_where_it_stopped_and_registers_nothing_twice)
{
    struct fake fake;
    struct buffer out = { 0 }, err = { 0 };
    fake_open(&fake);
    fake.dead_after = 120;
    write_lines(&fake, LINE_COUNT);
    cr_expect_eq(import(&fake, &out, &err, "--retry", "0"), CLI_REFUSED);
    cr_expect(strstr((const char *)err.data, "--resume"), "it says what to do");
    unsigned before = count_codes(&fake);
    /* Codes are noted in the order of the lines: one that is answered late holds back those behind. */
    size_t taken = json_object_size(fake.known);
    cr_expect_geq(taken, 120);
    cr_expect_leq(before, taken);
    cr_expect_eq(access(fake.state, F_OK), 0);
    /* a code that the state does not know of is forgotten and comes again */
    FILE *codes = fopen(fake.codes, "a");
    fprintf(codes, "%u\t%014u\n", before + 1, before + 1);
    fclose(codes);
    fake.dead_after = 0;
    buffer_clear(&out);
    cr_expect_eq(import(&fake, &out, NULL, "--resume", NULL), CLI_OK);
    cr_expect_leq((size_t)count_of(&out, "duplicates"), taken - before + 16,
                  "only what was not noted, or was under way");
    cr_expect_eq(count_of(&out, "registered") + count_of(&out, "duplicates"), LINE_COUNT - before);
    cr_expect_eq(count_codes(&fake), LINE_COUNT);
    cr_expect_eq(json_object_size(fake.known), LINE_COUNT);
    buffer_close(&out);
    buffer_close(&err);
    fake_close(&fake);
}

Test(import, stops_at_once_when_the_token_may_not_register)
{
    struct fake fake;
    fake_open(&fake);
    write_lines(&fake, 40);
    strcpy(fake.token, "smd_00000000_0000000000000000000000000000000000000000000");
    cr_expect_eq(import(&fake, NULL, NULL, NULL, NULL), CLI_REFUSED);
    cr_expect_eq(json_object_size(fake.known), 0);
    fake_close(&fake);
}

Test(import, says_that_the_node_does_not_answer)
{
    struct fake fake;
    fake_open(&fake);
    write_lines(&fake, 5);
    strcpy(fake.url, "http://127.0.0.1:1");
    cr_expect_eq(import(&fake, NULL, NULL, "--retry", "0"), CLI_UNREACHABLE);
    fake_close(&fake);
}
