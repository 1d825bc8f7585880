/* One whole node in this process: begins, is alone on its folder, ends with an empty loop. */
#include "node/site.h"

#include "node/keyring.h"
#include "node/runtime/engine.h"
#include "node/runtime/log.h"
#include "node/tokens.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct home {
    uv_loop_t loop;
    char folder[64];
    struct config *config;
};

#define LISTENS "api { listen = \"127.0.0.1:0\" }\nreplication { listen = \"127.0.0.1:0\" }\n"

/* With `sections` in its configuration. */
static void home_open_with(struct home *home, const char *node, const char *role,
                           const char *sections)
{
    char path[128], keys[128];
    struct buffer problem = { 0 };
    cr_assert_geq(sodium_init(), 0);
    log_event_threshold((enum log_level)0);
    strcpy(home->folder, "/tmp/samad-site-XXXXXX");
    cr_assert_not_null(mkdtemp(home->folder));
    snprintf(path, sizeof path, "%s/samad.conf", home->folder);
    snprintf(keys, sizeof keys, "%s/keys", home->folder);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fprintf(file,
            "node = \"%s\"\nrole = \"%s\"\ndata = \"%s/data\"\nkeys = \"%s\"\n"
            "storage { map_mib = 64  reserve_mib = 1 }\n%s",
            node, role, home->folder, keys, sections);
    cr_assert_eq(fclose(file), 0);
    enum err err = config_load(&home->config, path, &problem);
    cr_assert_eq(err, OK, "%.*s", (int)problem.size, (const char *)problem.data);
    cr_assert_eq(keyring_create(keys, &problem), OK);
    buffer_close(&problem);
    cr_assert_eq(uv_loop_init(&home->loop), 0);
}

static void home_open(struct home *home, const char *node, const char *role)
{
    home_open_with(home, node, role, LISTENS);
}

static void home_close(struct home *home)
{
    char command[128];
    cr_assert_eq(uv_run(&home->loop, UV_RUN_NOWAIT), 0);
    cr_assert_eq(uv_loop_close(&home->loop), 0, "something is left on the loop");
    config_free(home->config);
    snprintf(command, sizeof command, "rm -rf %s", home->folder);
    cr_assert_eq(system(command), 0);
}

static bool says(const struct buffer *problem, const char *words)
{
    return problem->size > 0 && memmem(problem->data, problem->size, words, strlen(words));
}

static void on_enough(uv_timer_t *timer)
{
    site_stop(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

Test(site, a_node_without_peers_begins_and_ends_with_an_empty_loop)
{
    struct home home;
    struct site *site = NULL;
    struct buffer problem = { 0 };
    uv_timer_t enough;
    home_open(&home, "centre", "hub");
    cr_assert_eq(site_open(&site, home.config, &home.loop, &problem), OK);
    uv_timer_init(&home.loop, &enough);
    enough.data = site;
    uv_timer_start(&enough, on_enough, 300, 0);
    cr_assert_eq(uv_run(&home.loop, UV_RUN_DEFAULT), 0);
    site_close(site);
    home_close(&home);
}

Test(site, a_node_that_is_stopped_before_it_is_ready_ends_all_the_same)
{
    struct home home;
    struct site *site = NULL;
    struct buffer problem = { 0 };
    home_open(&home, "centre", "hub");
    cr_assert_eq(site_open(&site, home.config, &home.loop, &problem), OK);
    site_stop(site);
    cr_assert_eq(uv_run(&home.loop, UV_RUN_DEFAULT), 0);
    site_close(site);
    home_close(&home);
}

Test(site, a_second_one_on_the_same_folder_is_refused_and_told_who_holds_it)
{
    struct home home;
    struct site *site = NULL, *second = NULL;
    struct buffer problem = { 0 };
    char pid[32];
    home_open(&home, "ardabil", "province");
    cr_assert_eq(site_open(&site, home.config, &home.loop, &problem), OK);
    site_stop(site);
    uv_run(&home.loop, UV_RUN_DEFAULT); /* ended on the loop, but not closed: it holds the lock */
    cr_assert_eq(site_open(&second, home.config, &home.loop, &problem), ERR_BUSY);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    cr_assert(says(&problem, "another samadd") && says(&problem, pid));
    cr_assert_null(second);
    buffer_close(&problem);
    site_close(site);
    home_close(&home);
}

Test(site, a_replication_address_in_use_is_said_in_words_and_nothing_is_left_behind)
{
    struct home home, other;
    struct site *site = NULL;
    struct buffer problem = { 0 };
    home_open(&home, "centre", "hub");
    home_open(&other, "reserve", "hub");
    uv_tcp_t taken;
    struct sockaddr_in address;
    int size = sizeof address;
    char listen[32];
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(&other.loop, &taken);
    cr_assert_eq(uv_tcp_bind(&taken, (const struct sockaddr *)&address, 0), 0);
    cr_assert_eq(uv_listen((uv_stream_t *)&taken, 1, NULL), 0);
    uv_tcp_getsockname(&taken, (struct sockaddr *)&address, &size);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", ntohs(address.sin_port));
    free(home.config->replication_listen);
    home.config->replication_listen = strdup(listen);
    cr_assert_eq(site_open(&site, home.config, &home.loop, &problem), ERR_IO);
    cr_assert(says(&problem, "address already in use"));
    buffer_close(&problem);
    uv_close((uv_handle_t *)&taken, NULL);
    uv_run(&other.loop, UV_RUN_DEFAULT);
    home_close(&home);
    home_close(&other);
}

static void expect_check(const struct home *home, enum err expected, const char *words)
{
    struct buffer problems = { 0 };
    cr_expect_eq(site_check(home->config, &problems), expected);
    cr_expect(says(&problems, words), "'%s' is not in %.*s", words, (int)problems.size,
              (const char *)problems.data);
    buffer_close(&problems);
}

Test(site, the_check_names_a_missing_key_and_a_node_that_is_no_province)
{
    struct home home;
    char path[128];
    home_open_with(&home, "atlantis", "province", ""); /* also one that has no API */
    expect_check(&home, ERR_INVALID,
                 "samad.conf:1: node = \"atlantis\": no province has this name; they are: ");
    expect_check(&home, ERR_INVALID, "ardabil");
    snprintf(path, sizeof path, "%s/keys/receipt.key", home.folder);
    cr_assert_eq(unlink(path), 0);
    expect_check(&home, ERR_NOT_FOUND, "receipt.key");
    home_close(&home);
}

Test(site, an_api_address_in_use_is_refused_and_not_shared)
{
    struct home home;
    struct site *site = NULL;
    struct buffer problem = { 0 };
    char where[32];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    /* As another samadd of the same user would ask for it. */
    cr_assert_eq(setsockopt(taken, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    cr_assert_eq(bind(taken, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(taken, 1), 0);
    cr_assert_eq(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    home_open(&home, "centre", "hub");
    snprintf(where, sizeof where, "127.0.0.1:%u", ntohs(address.sin_port));
    free(home.config->api_listen);
    home.config->api_listen = strdup(where);
    cr_assert_eq(site_open(&site, home.config, &home.loop, &problem), ERR_IO);
    cr_assert(says(&problem, "cannot listen here"));
    buffer_close(&problem);
    close(taken);
    home_close(&home);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE   "1000000000000000000000000000000000000000000000000000000000000000"

Test(site, the_check_names_a_key_that_is_still_zero_and_a_certificate_that_is_not_there)
{
    struct home home;
    home_open_with(&home, "ardabil", "province",
                   "hub \"centre\" {\n    address = \"127.0.0.1:1\"\n    link_key = \"" ZEROS
                   "\"\n    log_key = \"" ONE "\"\n    receipt_key = \"" ZEROS "\"\n}\n"
                   "api {\n    listen = \"127.0.0.1:0\"\n"
                   "    tls_certificate = \"/nonexistent/certificate.pem\"\n"
                   "    tls_key = \"/dev/null\"\n}\n");
    expect_check(&home, ERR_INVALID, "samad.conf:8: hub \"centre\": link_key is zero; ");
    expect_check(&home, ERR_INVALID, "samad.conf:10: hub \"centre\": receipt_key is zero; ");
    expect_check(&home, ERR_INVALID,
                 "samad.conf:14: api: tls_certificate = \"/nonexistent/certificate.pem\": No such");
    cr_expect_not(says(&home.config->unready, "log_key is") ||
                  says(&home.config->unready, "tls_key"));
    home_close(&home);
}

Test(site, the_check_of_a_hub_of_provinces_wants_to_know_where_they_connect)
{
    static const char province[] = "province \"ardabil\" { link_key = \"" ONE "\" log_key = \"" ONE
                                   "\" }\n";
    struct home home;
    char sections[512];
    snprintf(sections, sizeof sections, "%s%s", LISTENS, province);
    home_open_with(&home, "centre", "hub", sections);
    struct buffer none = { 0 };
    cr_expect_eq(site_check(home.config, &none), OK);
    cr_expect_eq(none.size, 0);
    home_close(&home);
    home_open_with(&home, "centre", "hub", province);
    expect_check(&home, ERR_INVALID, "samad.conf: replication: listen is missing");
    home_close(&home);
}

/* ---- what a client is told while the node changes its log ------------------------------------ */

static void on_look_ready(uv_timer_t *timer)
{
    struct engine_status status;
    engine_status(site_engine(timer->data), &status);
    if (!status.ready)
        return;
    uv_close((uv_handle_t *)timer, NULL);
    uv_stop(timer->loop);
}

/* The loop runs until then; engine and API have threads of their own. */
static void run_until_ready(struct site *site, uv_loop_t *loop)
{
    uv_timer_t look;
    uv_timer_init(loop, &look);
    look.data = site;
    uv_timer_start(&look, on_look_ready, 5, 5);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_run(loop, UV_RUN_NOWAIT); /* closes the timer */
}

/* Listens where nobody does. */
static struct sockaddr_in choose_api_port(struct config *config)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    char where[32];
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(probe, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(getsockname(probe, (struct sockaddr *)&address, &size), 0);
    close(probe);
    snprintf(where, sizeof where, "127.0.0.1:%u", ntohs(address.sin_port));
    free(config->api_listen);
    config->api_listen = strdup(where);
    return address;
}

struct freezing {
    struct log_job job;
    struct log_id log;
    enum err err;
    atomic_bool done;
};

static enum err freeze_run(struct log_job *job, struct log_store *logs, struct store_txn *txn)
{
    uint32_t number;
    enum err err = log_find(logs, txn, &((struct freezing *)job)->log, &number);
    return err == OK ? log_freeze(logs, txn, number, bytes_of_string("two histories")) : err;
}

static void freeze_done(struct log_job *job, enum err err)
{
    struct freezing *freezing = (struct freezing *)job;
    freezing->err = err;
    atomic_store(&freezing->done, true);
}

/* As when a peer has shown two histories of the log that is being written. */
static void freeze_live_log(struct engine *engine)
{
    struct engine_status status;
    struct freezing freezing = { .job = { .run = freeze_run, .done = freeze_done } };
    engine_status(engine, &status);
    freezing.log = status.live.log;
    cr_assert_eq(engine_log_job(engine, &freezing.job), OK);
    while (!atomic_load(&freezing.done))
        usleep(1000);
    cr_assert_eq(freezing.err, OK);
}

static void post_request(const struct sockaddr_in *address, const char *token, const char *key,
                         char answer[2048])
{
    static const char body[] =
        "{\"kind\":\"request\",\"channel\":\"desk\",\"subject\":\"water.outage\","
        "\"text\":\"x\",\"name\":\"y\",\"phone\":\"09141234567\"}";
    char ask[1024];
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(stream, (const struct sockaddr *)address, sizeof *address), 0);
    int size = snprintf(ask, sizeof ask,
                        "POST /v1/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\nIdempotency-Key: %s\r\n"
                        "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                        token, key, sizeof body - 1, body);
    cr_assert_eq(send(stream, ask, (size_t)size, MSG_NOSIGNAL), size);
    size_t have = 0;
    for (ssize_t more; (more = recv(stream, answer + have, 2047 - have, 0)) > 0;)
        have += (size_t)more;
    answer[have] = '\0';
    close(stream);
}

Test(site, who_is_caught_by_the_freezing_of_the_log_is_told_to_come_again, .timeout = 60)
{
    struct home home;
    struct site *site = NULL;
    struct buffer problem = { 0 };
    char token[TOKEN_SIZE_MAX + 1], answer[2048];
    home_open(&home, "ardabil", "province");
    struct sockaddr_in address = choose_api_port(home.config);
    cr_assert_eq(tokens_add(home.config->keys, SCOPE_REGISTER, 0, "desk", token, &problem), OK);
    cr_assert_eq(site_open(&site, home.config, &home.loop, &problem), OK);
    run_until_ready(site, &home.loop);
    freeze_live_log(site_engine(site));
    post_request(&address, token, "key-1", answer);
    cr_expect(strncmp(answer, "HTTP/1.1 503 ", 13) == 0 && strstr(answer, "Retry-After: 1") &&
                  strstr(answer, "Nothing was recorded"),
              "%s", answer);
    for (int i = 0; i < 100 && strncmp(answer, "HTTP/1.1 201 ", 13) != 0; i++) {
        usleep(20000);
        post_request(&address, token, "key-1", answer);
    }
    cr_expect(strncmp(answer, "HTTP/1.1 201 ", 13) == 0, "%s", answer);
    site_stop(site);
    uv_run(&home.loop, UV_RUN_DEFAULT);
    site_close(site);
    home_close(&home);
}
