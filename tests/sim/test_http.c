#include "tests/sim/http.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define S(literal) bytes_of_string(literal)

struct fixture {
    char folder[FOLDER_PATH_SIZE];
    char token[TOKEN_SIZE_MAX + 1], reader[TOKEN_SIZE_MAX + 1];
    struct tokens *tokens;
    struct http_server *server;
    struct http_exchange *kept;
};

static void echo(void *context, struct http_exchange *exchange)
{
    char text[256];
    const char *key = http_header(exchange, "idempotency-key"), *limit = http_query(exchange, "limit");
    struct bytes body = http_body(exchange);
    (void)context;
    snprintf(text, sizeof text, "%s|%s|%s|%.*s", http_parameter(exchange), key ? key : "-",
             limit ? limit : "-", (int)body.size, (const char *)body.data);
    http_answer(exchange, 200, "text/plain", S(text));
}

static void keep(void *context, struct http_exchange *exchange)
{
    struct fixture *fixture = context;
    fixture->kept = exchange;
}

static const struct http_route routes[] = {
    { "POST", "/v1/requests", SCOPE_REGISTER, NULL, echo, "" },
    { "GET", "/v1/requests/{}", SCOPE_READ, NULL, echo, "" },
    { "POST", "/v1/requests/{}/erase", SCOPE_ADMIN, NULL, echo, "" },
    { "GET", "/kept", 0, NULL, keep, "" },
    { "GET", "/open", 0, NULL, echo, "" },
};

static void fixture_open(struct fixture *fixture)
{
    struct buffer problem = { 0 };
    memset(fixture, 0, sizeof *fixture);
    folder_make(fixture->folder);
    cr_assert_eq(tokens_add(fixture->folder, SCOPE_REGISTER | SCOPE_READ | SCOPE_ADMIN, 0, "all",
                            fixture->token, &problem),
                 OK);
    cr_assert_eq(tokens_add(fixture->folder, SCOPE_READ, 0, "reader", fixture->reader, &problem),
                 OK);
    cr_assert_eq(tokens_open(&fixture->tokens, fixture->folder, &problem), OK);
    cr_assert_eq(http_server_start(&fixture->server,
                                   &(struct http_options){ .listen = "127.0.0.1:81",
                                                           .routes = routes,
                                                           .route_count = 5,
                                                           .tokens = fixture->tokens,
                                                           .context = fixture },
                                   &problem),
                 OK);
    buffer_close(&problem);
}

static void fixture_close(struct fixture *fixture)
{
    http_server_stop(fixture->server);
    tokens_close(fixture->tokens);
    folder_remove(fixture->folder);
}

struct answer {
    pthread_mutex_t lock;
    pthread_cond_t came;
    unsigned count, status;
    char text[256];
};

static void on_answer(void *context, unsigned status, struct bytes content)
{
    struct answer *answer = context;
    pthread_mutex_lock(&answer->lock);
    answer->status = status;
    answer->count++;
    snprintf(answer->text, sizeof answer->text, "%.*s", (int)content.size,
             content.size ? (const char *)content.data : "");
    pthread_cond_broadcast(&answer->came);
    pthread_mutex_unlock(&answer->lock);
}

static void answer_init(struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    pthread_mutex_init(&answer->lock, NULL);
    pthread_cond_init(&answer->came, NULL);
}

static unsigned status_of(const char *method, const char *path, const char *token,
                          struct answer *answer)
{
    answer_init(answer);
    enum err err = http_call(&(struct http_call){ .address = "127.0.0.1:81",
                                                  .method = method,
                                                  .path = path,
                                                  .token = token,
                                                  .idempotency_key = "k1",
                                                  .body = S("{}") },
                             on_answer, answer);
    cr_assert_eq(err, OK);
    pthread_mutex_lock(&answer->lock);
    while (answer->count == 0)
        pthread_cond_wait(&answer->came, &answer->lock);
    pthread_mutex_unlock(&answer->lock);
    return answer->status;
}

Test(http, a_request_reaches_its_handler_with_all_it_says)
{
    struct fixture fixture;
    struct answer answer;
    fixture_open(&fixture);
    cr_expect_eq(status_of("POST", "/v1/requests", fixture.token, &answer), 200);
    cr_expect_str_eq(answer.text, "|k1|-|{}");
    cr_expect_eq(status_of("POST", "/v1/requests/77/erase", fixture.token, &answer), 200);
    cr_expect_str_eq(answer.text, "77|k1|-|{}");
    cr_expect_eq(status_of("GET", "/v1/requests/5?x=1&limit=9", fixture.token, &answer), 200);
    cr_expect_str_eq(answer.text, "5|k1|9|{}");
    cr_expect_eq(status_of("GET", "/open", NULL, &answer), 200);
    cr_expect_eq(http_server_port(fixture.server), 81);
    fixture_close(&fixture);
}

Test(http, what_is_not_allowed_is_refused_before_the_handler)
{
    struct fixture fixture;
    struct answer answer;
    fixture_open(&fixture);
    cr_expect_eq(status_of("POST", "/v1/requests", NULL, &answer), 401);
    cr_expect_eq(status_of("POST", "/v1/requests", "smd_wrong", &answer), 401);
    cr_expect_eq(status_of("POST", "/v1/requests", fixture.reader, &answer), 403);
    cr_expect_eq(status_of("GET", "/v1/requests", fixture.token, &answer), 405);
    cr_expect_eq(status_of("GET", "/v1/requests/5/6", fixture.token, &answer), 404);
    cr_expect_eq(status_of("GET", "/v1/requests/", fixture.token, &answer), 404);
    fixture_close(&fixture);
}

static void *stop(void *argument)
{
    http_server_stop(argument);
    return NULL;
}

static void wait_until_kept(struct fixture *fixture)
{
    while (!*(struct http_exchange *volatile *)&fixture->kept)
        usleep(1000);
}

Test(http, stopping_waits_for_kept_exchanges_and_refuses_new_ones)
{
    struct fixture fixture;
    struct answer answer, other;
    pthread_t thread;
    fixture_open(&fixture);
    answer_init(&answer);
    struct http_call call = { .address = "127.0.0.1:81", .method = "GET", .path = "/kept" };
    cr_assert_eq(http_call(&call, on_answer, &answer), OK);
    wait_until_kept(&fixture);
    cr_expect_eq(http_waiting("127.0.0.1:81"), 1);
    pthread_create(&thread, NULL, stop, fixture.server);
    usleep(20000);
    answer_init(&other);
    cr_expect_eq(http_call(&call, on_answer, &other), ERR_CLOSED);
    cr_expect_eq(answer.count, 0);
    http_answer(fixture.kept, 201, "text/plain", S("late"));
    pthread_join(thread, NULL);
    cr_expect_eq(answer.status, 201);
    cr_expect_eq(http_call(&call, on_answer, &other), ERR_CLOSED);
    tokens_close(fixture.tokens);
    folder_remove(fixture.folder);
}

Test(http, after_a_cut_a_call_ends_without_an_answer_and_what_comes_later_is_swallowed)
{
    struct fixture fixture;
    struct answer answer;
    fixture_open(&fixture);
    answer_init(&answer);
    struct http_call call = { .address = "127.0.0.1:81", .method = "GET", .path = "/kept" };
    cr_assert_eq(http_call(&call, on_answer, &answer), OK);
    wait_until_kept(&fixture);
    http_cut("127.0.0.1:81");
    cr_expect_eq(answer.count, 1);
    cr_expect_eq(answer.status, 0);
    cr_expect_eq(http_call(&call, on_answer, &answer), ERR_CLOSED);
    http_answer(fixture.kept, 200, "text/plain", S("never seen"));
    cr_expect_eq(answer.count, 1);
    fixture_close(&fixture);
}

Test(http, an_address_is_taken_until_its_server_is_stopped)
{
    struct fixture fixture;
    struct http_server *second;
    struct buffer problem = { 0 };
    struct http_options options = { .listen = "127.0.0.1:81", .routes = routes, .route_count = 5 };
    fixture_open(&fixture);
    cr_expect_eq(http_server_start(&second, &options, &problem), ERR_IO);
    fixture_close(&fixture);
    cr_expect_eq(http_server_start(&second, &options, &problem), OK);
    http_server_stop(second);
    buffer_close(&problem);
}
