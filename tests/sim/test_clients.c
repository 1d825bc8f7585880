/* The clients against a node of a few lines that can fail in every way. */
#include "tests/sim/clients.h"
#include "tests/sim/clients_private.h"

#include "node/casework/request_input.h"
#include "tests/check/content.h"
#include "tests/sim/http.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR UINT64_C(3600000000000)
/* A Saturday, 00:00 in Tehran. */
#define EPOCH_MS INT64_C(1774038600000)

enum { WAITING_MAX = 1024 };
enum manner { ANSWERS, LOSES_SOME, IS_DEAF };

/* The server that the clients meet: http_call() and its answers, at once. */
static struct server {
    enum manner manner;
    struct random random;
    bool is_down;
    uint64_t count, unique;
    struct {
        char key[CLIENT_KEY_SIZE];
        char body[CLIENT_BODY_SIZE];
    } held[4000];
    uint64_t now_ns;
    http_on_answer *waiting[WAITING_MAX];
    void *waiting_context[WAITING_MAX];
    size_t waiting_count;
    uint64_t events[CLIENT_ACTION_COUNT][5];
    uint64_t unanswered, conflicting_codes, hours[24];
    unsigned others_status;
} server;

static unsigned server_register(const struct http_call *call, char text[256])
{
    uint64_t i = 0;
    server.count++;
    while (i < server.unique && strcmp(server.held[i].key, call->idempotency_key) != 0)
        i++;
    bool is_new = i == server.unique;
    if (is_new) {
        cr_assert_lt(server.unique, 4000);
        snprintf(server.held[i].key, CLIENT_KEY_SIZE, "%s", call->idempotency_key);
        snprintf(server.held[i].body, CLIENT_BODY_SIZE, "%.*s", (int)call->body.size,
                 (const char *)call->body.data);
        server.unique++;
    } else if (strncmp(server.held[i].body, (const char *)call->body.data, call->body.size) != 0) {
        return 422;
    }
    snprintf(text, 256, "{\"code\":\"%014d\",\"case\":\"%032d\",\"duplicate\":%s}", (int)i, (int)i,
             is_new ? "false" : "true");
    return is_new ? 201 : 200;
}

enum err http_call(const struct http_call *call, http_on_answer *on_answer, void *context)
{
    char text[256] = "{}";
    if (server.is_down)
        return ERR_CLOSED;
    bool loses_before = server.manner == LOSES_SOME && random_chance(&server.random, 0.2);
    bool loses_after = server.manner == LOSES_SOME && random_chance(&server.random, 0.2);
    unsigned status = server.others_status;
    if (server.manner == IS_DEAF || loses_before) {
        cr_assert_lt(server.waiting_count, WAITING_MAX);
        server.waiting[server.waiting_count] = on_answer;
        server.waiting_context[server.waiting_count++] = context;
        return OK;
    }
    if (call->idempotency_key)
        status = server_register(call, text);
    on_answer(context, loses_after ? 0 : status, bytes_of_string(text));
    return OK;
}

static void server_cut(void)
{
    while (server.waiting_count > 0) {
        server.waiting_count--;
        server.waiting[server.waiting_count](server.waiting_context[server.waiting_count], 0,
                                             BYTES_NONE);
    }
}

static uint64_t now_ns(void *context)
{
    (void)context;
    return server.now_ns;
}

static void on_event(void *context, const struct client_event *event)
{
    (void)context;
    server.events[event->action][event->phase]++;
    cr_assert_eq(event->at_ns, server.now_ns);
    if (event->phase == CLIENT_INVOKE) {
        server.unanswered++;
        server.hours[(server.now_ns / HOUR) % 24]++;
    } else if (event->phase != CLIENT_SENT) {
        server.unanswered--;
    }
    if (event->action == CLIENT_MISUSE && event->phase != CLIENT_INVOKE)
        cr_expect(event->phase != CLIENT_OK);
    if (event->action == CLIENT_REGISTER && event->phase == CLIENT_OK)
        server.conflicting_codes += event->code[0] == '\0';
}

static const struct client_site sites[] = { { "ardabil", "a", "t", true },
                                            { "gilan", "b", "t", true },
                                            { "centre", "c", "t", false } };

static struct clients *begin(uint64_t seed, enum manner manner)
{
    struct clients_options options;
    struct clients *clients;
    memset(&server, 0, sizeof server);
    server.manner = manner;
    server.random = random_of(seed, 9, 9);
    server.others_status = 200;
    clients_defaults(&options);
    options.seed = seed;
    options.sites = sites;
    options.site_count = 3;
    options.epoch_ms = EPOCH_MS;
    options.now_ns = now_ns;
    options.on_event = on_event;
    cr_assert_eq(clients_new(&clients, &options), OK);
    return clients;
}

static void run_until(struct clients *clients, uint64_t until_ns)
{
    while (clients_next_at(clients) <= until_ns) {
        server.now_ns = clients_next_at(clients);
        clients_run(clients, server.now_ns);
    }
    server.now_ns = until_ns;
}

static void settle(struct clients *clients)
{
    server.manner = ANSWERS;
    server.is_down = false;
    clients_settle(clients);
    run_until(clients, server.now_ns + HOUR);
    cr_expect(clients_are_settled(clients));
    cr_expect_eq(server.unanswered, 0);
}

Test(clients, a_week_brings_at_least_100_requests_a_day_and_node_by_day_and_hardly_any_by_night)
{
    struct clients *clients = begin(1, ANSWERS);
    run_until(clients, 7 * 24 * HOUR);
    const struct clients_counters *counters = clients_counters(clients);
    cr_expect(counters->submissions > 7 * 2 * 100 && counters->submissions < 7 * 2 * 140, "%d",
              (int)counters->submissions);
    cr_expect_eq(counters->submissions, server.unique);
    cr_expect_gt(server.hours[9], 8 * server.hours[3]);
    for (enum client_action action = 0; action < CLIENT_ACTION_COUNT; action++)
        cr_expect_gt(counters->invoked[action], 5, "action %d", (int)action);
    cr_expect_eq(server.events[CLIENT_MISUSE][CLIENT_FAIL], counters->invoked[CLIENT_MISUSE]);
    settle(clients);
    clients_free(clients);
}

Test(clients, what_is_unknown_is_asked_again_under_its_key_until_it_is_known)
{
    struct clients *clients = begin(2, LOSES_SOME);
    for (int hour = 0; hour < 48; hour++) {
        for (int part = 0; part < 60; part++) {
            run_until(clients, (uint64_t)hour * HOUR + (uint64_t)part * HOUR / 60);
            if (part % 10 == 9)
                server_cut();
        }
        server_cut();
    }
    const struct clients_counters *counters = clients_counters(clients);
    cr_expect_gt(counters->unknown, 50);
    cr_expect_gt(server.count, server.unique + 20, "some come twice");
    server_cut();
    settle(clients);
    cr_expect_eq(counters->submissions, server.unique, "each is known once, and none is left");
    cr_expect_eq(server.conflicting_codes, 0);
    clients_free(clients);
}

Test(clients, a_node_that_does_not_answer_leaves_the_outcome_open_after_the_limit)
{
    struct clients *clients = begin(3, IS_DEAF);
    run_until(clients, 7 * HOUR);
    cr_expect_gt(server.events[CLIENT_REGISTER][CLIENT_UNKNOWN], 3);
    cr_expect_eq(server.events[CLIENT_REGISTER][CLIENT_OK], 0);
    cr_expect_lt(server.unanswered, 3);
    server_cut();
    settle(clients);
    cr_expect_eq(clients_counters(clients)->submissions, server.unique);
    clients_free(clients);
}

Test(clients, a_refused_connection_is_a_failure_and_in_the_end_given_up)
{
    struct clients *clients = begin(4, ANSWERS);
    server.is_down = true;
    run_until(clients, 24 * HOUR);
    cr_expect_eq(server.events[CLIENT_REGISTER][CLIENT_UNKNOWN], 0);
    cr_expect_gt(server.events[CLIENT_REGISTER][CLIENT_FAIL], 200);
    settle(clients);
    clients_free(clients);
}

static uint64_t digest_of(uint64_t seed)
{
    struct clients *clients = begin(seed, LOSES_SOME);
    uint64_t digest = 0;
    for (int part = 0; part < 100; part++) {
        run_until(clients, (uint64_t)part * HOUR / 4);
        server_cut();
        digest = digest * 31 + clients_next_at(clients) + server.count;
    }
    clients_free(clients);
    return digest;
}

Test(clients, the_same_seed_does_the_same)
{
    cr_expect_eq(digest_of(5), digest_of(5));
    cr_expect_neq(digest_of(5), digest_of(6));
}

static struct bytes member(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? bytes_of_string(text) : BYTES_NONE;
}

static const char *text_of(struct bytes bytes, char room[CLIENT_BODY_SIZE])
{
    snprintf(room, CLIENT_BODY_SIZE, "%.*s", (int)bytes.size, (const char *)bytes.data);
    return room;
}

/* The digests of what the product keeps of a body. */
static void digest_kept(const char *body_text, struct check_hash *facts, struct check_hash *person)
{
    struct request_setting setting = { .province = province_by_node(bytes_of_string("ardabil")) };
    struct request_faults faults;
    struct request_facts kept_facts = { 0 };
    struct request_person kept_person = { 0 };
    struct buffer strings = { 0 };
    char room[7][CLIENT_BODY_SIZE];
    json_t *body = json_loads(body_text, 0, NULL);
    struct request_input input = { 0 };
#define REQUEST_FIELD_READ(NAME, name) input.name = member(body, #name);
    REQUEST_FIELD_LIST(REQUEST_FIELD_READ)
#undef REQUEST_FIELD_READ
    cr_assert_eq(request_input_check(&input, &setting, &strings, &kept_facts, &kept_person, &faults),
                 OK, "%s", body_text);
    content_digest(&(struct request_content){ .kind = kept_facts.kind,
                                              .channel = kept_facts.channel,
                                              .subject = text_of(kept_facts.subject, room[0]),
                                              .place = text_of(kept_facts.place, room[1]),
                                              .name = text_of(kept_person.name, room[2]),
                                              .national_id = text_of(kept_person.national_id, room[3]),
                                              .phone = text_of(kept_person.phone, room[4]),
                                              .text = text_of(kept_person.text, room[5]),
                                              .address = text_of(kept_person.address, room[6]) },
                   facts, person);
    json_decref(body);
    buffer_close(&strings);
}

/* Or digests would differ without a fault. */
Test(clients, what_people_say_is_valid_and_kept_unchanged)
{
    for (uint64_t number = 1; number <= 500; number++) {
        struct request request = { .number = number };
        struct check_hash facts, person;
        request_say(&request, "ardabil", 7, number % 3 ? 0 : 12 * number, number % 2);
        digest_kept(request.body, &facts, &person);
        cr_assert_arr_eq(facts.bytes, request.facts_hash, CLIENT_HASH_SIZE);
        cr_assert_arr_eq(person.bytes, request.person_hash, CLIENT_HASH_SIZE);
    }
}
