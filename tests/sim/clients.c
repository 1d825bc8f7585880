#include "tests/sim/clients_private.h"

#include "proto/base/require.h"
#include "tests/sim/http.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

enum { MEMORY_SIZE = 64, ATTEMPTS_MAX = 8, BACKOFF_MAX = 6 };

/* What waits for its time. */
enum due_kind { DUE_ARRIVAL, DUE_RETRY, DUE_FOLLOW, DUE_LIMIT, DUE_ANSWER };

struct due {
    uint64_t at_ns, order;
    enum due_kind kind;
    enum client_action action; /* of what follows */
    uint32_t site;
    struct request *request;
    struct call *call;
};

struct call {
    struct call *next, **previous;
    struct clients *clients;
    uint64_t operation;
    enum client_action action;
    uint32_t site;
    struct request *request;
    struct request *other; /* of a misuse: the body that is sent */
    unsigned uses;         /* its limit, its answer on the way, the server */
    bool concluded, refused;
    unsigned status;
    char *content;
    size_t content_size;
};

struct clients {
    struct clients_options options;
    struct random random;
    struct due *heap;
    size_t due_count, due_capacity;
    uint64_t order, operation, request_number;
    struct call *calls;
    struct memory { /* recorded requests that people still have in mind */
        struct request *requests[MEMORY_SIZE];
        unsigned next;
    } *memories; /* one a site */
    uint64_t under_way, unknown;
    bool settling;
    struct clients_counters counters;
};

void clients_defaults(struct clients_options *options)
{
    *options = (struct clients_options){
        .requests_a_day = 120,
        .answer_limit_ns = 30 * S,
        .follow_after_ns = 1800 * S,
        .shares = { [CLIENT_REGISTER] = 0.1, [CLIENT_MISUSE] = 0.03, [CLIENT_LOOKUP] = 0.5,
                    [CLIENT_GUESS] = 0.02, [CLIENT_LIST] = 0.05, [CLIENT_SHOW] = 0.1,
                    [CLIENT_ERASE] = 0.02, [CLIENT_RECEIPT] = 0.05, [CLIENT_STATUS] = 0.05 },
    };
}

/* ---- what waits ------------------------------------------------------------------------------ */

static bool due_before(const struct due *a, const struct due *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_swap(struct due *heap, size_t a, size_t b)
{
    struct due kept = heap[a];
    heap[a] = heap[b];
    heap[b] = kept;
}

static void heap_rise(struct due *heap, size_t at)
{
    for (; at > 0 && due_before(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap_swap(heap, at, (at - 1) / 2);
}

static void heap_sink(struct due *heap, size_t count, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (due_before(&heap[child], &heap[least]))
                least = child;
        if (least == at)
            return;
        heap_swap(heap, at, least);
        at = least;
    }
}

static void due_push(struct clients *clients, struct due due)
{
    if (clients->due_count == clients->due_capacity) {
        clients->due_capacity = clients->due_capacity ? 2 * clients->due_capacity : 64;
        clients->heap = realloc(clients->heap, clients->due_capacity * sizeof *clients->heap);
        require(clients->heap != NULL);
    }
    due.order = ++clients->order;
    if (due.request)
        due.request->uses++;
    if (due.call)
        due.call->uses++;
    clients->heap[clients->due_count++] = due;
    heap_rise(clients->heap, clients->due_count - 1);
}

static struct due due_pop(struct clients *clients)
{
    struct due first = clients->heap[0];
    clients->heap[0] = clients->heap[--clients->due_count];
    heap_sink(clients->heap, clients->due_count, 0);
    return first;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void request_release(struct request *request)
{
    if (request && --request->uses == 0)
        free(request);
}

static void call_release(struct call *call)
{
    if (--call->uses > 0)
        return;
    *call->previous = call->next;
    if (call->next)
        call->next->previous = call->previous;
    request_release(call->request);
    free(call->other);
    free(call->content);
    free(call);
}

static void remember(struct clients *clients, struct request *request)
{
    struct memory *memory = &clients->memories[request->site];
    struct request **slot = &memory->requests[memory->next++ % MEMORY_SIZE];
    request_release(*slot);
    *slot = request;
    request->uses++;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void tell(struct clients *clients, const struct call *call, enum client_phase phase,
                 struct client_event *event, struct bytes content)
{
    const struct request *request = call->request;
    const struct request *said = call->other ? call->other : request;
    event->at_ns = clients->options.now_ns(clients->options.context);
    event->operation = call->operation;
    event->action = call->action;
    event->phase = phase;
    event->site = call->site;
    event->status = call->status;
    event->content = content;
    if (request) {
        event->request = request->number;
        memcpy(event->key, request->key, sizeof event->key);
        if (event->code[0] == '\0')
            memcpy(event->code, request->code, sizeof event->code);
        if (call->action == CLIENT_REGISTER || call->action == CLIENT_MISUSE) {
            memcpy(event->body_hash, said->body_hash, CLIENT_HASH_SIZE);
            memcpy(event->facts_hash, said->facts_hash, CLIENT_HASH_SIZE);
            memcpy(event->person_hash, said->person_hash, CLIENT_HASH_SIZE);
        }
    }
    clients->options.on_event(clients->options.context, event);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void on_answer(void *context, unsigned status, struct bytes content);

/* Of a guess at a second factor: one citizen in a hundred thousand has the first of these. */
static const char *wrong_beginning(const char *phone)
{
    static const char guess[] = "+98900000";
    return strncmp(phone, guess, sizeof guess - 1) == 0 ? "+98900001" : guess;
}

/* What is asked; `path` and `body` are the caller's room. */
static struct http_call call_form(const struct clients *clients, const struct call *call,
                                  char path[128], char body[128])
{
    const struct client_site *site = &clients->options.sites[call->site];
    const struct request *request = call->request;
    const struct request *said = call->other ? call->other : request;
    struct http_call form = {
        .address = site->address, .method = "GET", .path = path, .token = site->token
    };
    switch (call->action) {
    case CLIENT_REGISTER:
    case CLIENT_MISUSE:
        snprintf(path, 128, "/v1/requests");
        form.method = "POST";
        form.idempotency_key = request->key;
        form.body = bytes_of(said->body, said->body_size);
        break;
    case CLIENT_LOOKUP:
    case CLIENT_GUESS:
        snprintf(path, 128, "/v1/lookups");
        snprintf(body, 128, "{\"code\":\"%s\",\"factor\":\"%s%s\"}", request->code,
                 call->action == CLIENT_GUESS ? wrong_beginning(request->phone) : "",
                 call->action == CLIENT_GUESS ? request->phone + 9 : request->phone);
        form.method = "POST";
        form.body = bytes_of_string(body);
        break;
    case CLIENT_LIST:
        snprintf(path, 128, "/v1/requests?limit=20");
        break;
    case CLIENT_SHOW:
        snprintf(path, 128, "/v1/requests/%s", request->code);
        break;
    case CLIENT_ERASE:
        snprintf(path, 128, "/v1/requests/%s/erase", request->code);
        form.method = "POST";
        form.body = bytes_of_string("{\"reason\":\"the citizen asked for it\"}");
        break;
    case CLIENT_RECEIPT:
        snprintf(path, 128, "/v1/requests/%s/receipt", request->code);
        break;
    case CLIENT_STATUS:
    case CLIENT_ACTION_COUNT:
        snprintf(path, 128, "/v1/status");
        break;
    }
    return form;
}

static void say(const struct clients *clients, struct request *request, bool other)
{
    const struct clients_options *options = &clients->options;
    request_say(request, options->sites[request->site].node, options->seed, options->text_size,
                other);
}

static struct call *call_new(struct clients *clients, enum client_action action, uint32_t site,
                             struct request *request)
{
    struct call *call = calloc(1, sizeof *call);
    require(call != NULL);
    call->clients = clients;
    call->operation = ++clients->operation;
    call->action = action;
    call->site = site;
    call->request = request;
    call->next = clients->calls;
    call->previous = &clients->calls;
    if (call->next)
        call->next->previous = &call->next;
    clients->calls = call;
    if (request)
        request->uses++;
    if (action == CLIENT_MISUSE) {
        call->other = calloc(1, sizeof *call->other);
        require(call->other != NULL);
        *call->other = *request;
        say(clients, call->other, true);
    }
    return call;
}

static void call_begin(struct clients *clients, enum client_action action, uint32_t site,
                       struct request *request, uint64_t now_ns)
{
    char path[128], body[128];
    struct call *call = call_new(clients, action, site, request);
    struct http_call form = call_form(clients, call, path, body);
    if (action == CLIENT_REGISTER) {
        request->under_way = true;
        request->attempts++;
    }
    clients->under_way++;
    clients->counters.invoked[action]++;
    call->uses = 1; /* the server's */
    due_push(clients, (struct due){ .at_ns = now_ns + clients->options.answer_limit_ns,
                                    .kind = DUE_LIMIT,
                                    .call = call });
    tell(clients, call, CLIENT_INVOKE, &(struct client_event){ 0 }, form.body);
    if (http_call(&form, on_answer, call) == OK)
        return;
    call->refused = true; /* nobody listens: it was not even heard */
    due_push(clients, (struct due){ .at_ns = now_ns + MS, .kind = DUE_ANSWER, .call = call });
    call_release(call);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* The API says with each refusal whether something may have been recorded. */
static enum client_phase phase_of(const struct call *call, const json_t *answer)
{
    if (call->refused)
        return CLIENT_FAIL;
    if (call->status >= 200 && call->status < 300)
        return CLIENT_OK;
    const char *type = text_of(answer, "type");
    if (call->status == 503)
        return strcmp(type, "/problems/busy") == 0 || strcmp(type, "/problems/reopening") == 0
                   ? CLIENT_FAIL
                   : CLIENT_UNKNOWN;
    return call->status >= 400 && (call->status < 500 || call->status == 507) ? CLIENT_FAIL
                                                                              : CLIENT_UNKNOWN;
}

static void read_answer(const struct call *call, const json_t *answer, struct client_event *event)
{
    const json_t *first = call->action == CLIENT_SHOW
                              ? json_array_get(json_object_get(answer, "requests"), 0)
                              : answer;
    if (!answer)
        return;
    snprintf(event->code, sizeof event->code, "%s", text_of(first, "code"));
    snprintf(event->case_id, sizeof event->case_id, "%s", text_of(first, "case"));
    snprintf(event->state, sizeof event->state, "%s", text_of(first, "state"));
    event->duplicate = json_is_true(json_object_get(first, "duplicate"));
    event->erased = json_is_true(json_object_get(first, "erased"));
}

/* What else is done about a request that is recorded. */
static void follow_up(struct clients *clients, struct request *request, uint64_t now_ns)
{
    for (enum client_action action = 0; action < CLIENT_ACTION_COUNT; action++) {
        double share = clients->options.shares[action];
        unsigned count = (unsigned)share + random_chance(&clients->random, fmod(share, 1));
        for (; count > 0 && !clients->settling; count--)
            due_push(clients, (struct due){ .at_ns = now_ns +
                                                     delay_draw(&clients->random,
                                                                clients->options.follow_after_ns),
                                            .kind = DUE_FOLLOW,
                                            .action = action,
                                            .request = request });
    }
}

static void retry_later(struct clients *clients, struct request *request, enum due_kind kind,
                        enum client_action action, uint64_t now_ns)
{
    unsigned doublings = request->attempts < BACKOFF_MAX ? request->attempts : BACKOFF_MAX;
    uint64_t mean_ns = clients->settling ? 2 * S : (15 * S) << doublings;
    due_push(clients, (struct due){ .at_ns = now_ns + S / 2 + delay_draw(&clients->random, mean_ns),
                                    .kind = kind,
                                    .action = action,
                                    .request = request });
}

static void registered(struct clients *clients, struct request *request,
                       const struct client_event *event, uint64_t now_ns)
{
    clients->unknown -= request->life == REQUEST_UNKNOWN;
    bool first = request->life != REQUEST_RECORDED;
    request->life = REQUEST_RECORDED;
    memcpy(request->code, event->code, sizeof request->code);
    memcpy(request->case_id, event->case_id, sizeof request->case_id);
    if (!first)
        return;
    clients->counters.submissions++;
    remember(clients, request);
    follow_up(clients, request, now_ns);
}

static void registration_ended(struct clients *clients, struct call *call, enum client_phase phase,
                               const struct client_event *event, uint64_t now_ns)
{
    struct request *request = call->request;
    request->under_way = false;
    if (phase == CLIENT_OK) {
        registered(clients, request, event, now_ns);
        return;
    }
    if (request->life == REQUEST_RECORDED)
        return;
    if (phase == CLIENT_UNKNOWN && request->life == REQUEST_OPEN) {
        request->life = REQUEST_UNKNOWN;
        clients->unknown++;
    }
    bool for_good = !call->refused && phase == CLIENT_FAIL && call->status < 500;
    if (for_good || (request->life == REQUEST_OPEN &&
                     (clients->settling || request->attempts >= ATTEMPTS_MAX))) {
        clients->unknown -= request->life == REQUEST_UNKNOWN;
        request->life = REQUEST_GIVEN_UP;
        return;
    }
    retry_later(clients, request, DUE_RETRY, CLIENT_REGISTER, now_ns);
}

/* Lists, states and receipts are long, and clients take nothing from them. */
static bool is_of_interest(const struct call *call)
{
    bool is_long = call->action == CLIENT_LIST || call->action == CLIENT_STATUS ||
                   call->action == CLIENT_RECEIPT;
    return call->content && (!is_long || call->status == 503);
}

/* The first of: an answer that came in time, the client's patience, a connection that ended. */
static void conclude(struct clients *clients, struct call *call)
{
    uint64_t now_ns = clients->options.now_ns(clients->options.context);
    struct client_event event = { 0 };
    json_t *answer = is_of_interest(call)
                         ? json_loadb(call->content, call->content_size, 0, NULL)
                         : NULL;
    enum client_phase phase = phase_of(call, answer);
    call->concluded = true;
    clients->under_way--;
    clients->counters.ok += phase == CLIENT_OK;
    clients->counters.failed += phase == CLIENT_FAIL;
    clients->counters.unknown += phase == CLIENT_UNKNOWN;
    clients->counters.full += call->status == 507;
    if (phase == CLIENT_OK)
        read_answer(call, answer, &event);
    json_decref(answer);
    if (call->action == CLIENT_REGISTER)
        registration_ended(clients, call, phase, &event, now_ns);
    else if (call->action == CLIENT_ERASE && phase == CLIENT_OK)
        call->request->erased = true;
    else if (call->action == CLIENT_ERASE && phase == CLIENT_UNKNOWN)
        retry_later(clients, call->request, DUE_FOLLOW, CLIENT_ERASE, now_ns);
    tell(clients, call, phase, &event, bytes_of(call->content, call->content_size));
}

/* On the answering thread. */
static void on_answer(void *context, unsigned status, struct bytes content)
{
    struct call *call = context;
    struct clients *clients = call->clients;
    uint64_t now_ns = clients->options.now_ns(clients->options.context);
    bool in_time = !call->concluded;
    if (in_time && status != 0) {
        call->status = status;
        call->content = malloc(content.size + 1);
        require(call->content != NULL);
        memcpy(call->content, content.data, content.size);
        call->content_size = content.size;
        due_push(clients, (struct due){ .at_ns = now_ns + MS + delay_draw(&clients->random, 5 * MS),
                                        .kind = DUE_ANSWER,
                                        .call = call });
    }
    if (status != 0) {
        struct call late = *call;
        late.status = status;
        tell(clients, &late, CLIENT_SENT, &(struct client_event){ 0 }, content);
    } else if (in_time) {
        conclude(clients, call);
    }
    call_release(call);
}

/* ---- what comes due -------------------------------------------------------------------------- */

static void arrive(struct clients *clients, uint32_t site, uint64_t now_ns)
{
    struct request *request = calloc(1, sizeof *request);
    require(request != NULL);
    request->number = ++clients->request_number;
    request->site = site;
    request->uses = 1;
    snprintf(request->key, sizeof request->key, "%016llx-%016llx",
             (unsigned long long)random_next(&clients->random),
             (unsigned long long)random_next(&clients->random));
    say(clients, request, false);
    call_begin(clients, CLIENT_REGISTER, site, request, now_ns);
    request_release(request);
}

/* One, or several that know nothing of each other; and when the next ones come. */
static void arrivals(struct clients *clients, uint32_t site, uint64_t now_ns)
{
    if (clients->settling)
        return;
    unsigned count = clients->options.burst > 1
                         ? 1 + (unsigned)random_below(&clients->random, clients->options.burst)
                         : 1;
    while (count-- > 0)
        arrive(clients, site, now_ns);
    due_push(clients, (struct due){ .at_ns = arrival_next(&clients->random, now_ns,
                                                          clients->options.epoch_ms,
                                                          clients->options.requests_a_day),
                                    .kind = DUE_ARRIVAL,
                                    .site = site });
}

static void follow(struct clients *clients, const struct due *due, uint64_t now_ns)
{
    struct request *request = due->request;
    uint32_t site = request->site;
    bool matters = due->action == CLIENT_ERASE && !request->erased;
    if ((clients->settling && !matters) || (due->action == CLIENT_REGISTER && request->under_way))
        return;
    if ((due->action == CLIENT_LIST || due->action == CLIENT_STATUS) &&
        random_chance(&clients->random, 0.3))
        site = random_below(&clients->random, clients->options.site_count); /* a hub, perhaps */
    call_begin(clients, due->action, site, request, now_ns);
}

static void retry(struct clients *clients, struct request *request, uint64_t now_ns)
{
    bool wanted = request->life == REQUEST_UNKNOWN ||
                  (request->life == REQUEST_OPEN && !clients->settling);
    if (wanted && !request->under_way)
        call_begin(clients, CLIENT_REGISTER, request->site, request, now_ns);
    else if (request->life == REQUEST_OPEN && !request->under_way)
        request->life = REQUEST_GIVEN_UP;
}

static void come_due(struct clients *clients, const struct due *due, uint64_t now_ns)
{
    switch (due->kind) {
    case DUE_ARRIVAL:
        arrivals(clients, due->site, now_ns);
        break;
    case DUE_RETRY:
        retry(clients, due->request, now_ns);
        break;
    case DUE_FOLLOW:
        follow(clients, due, now_ns);
        break;
    case DUE_LIMIT:
        if (!due->call->concluded) {
            due->call->status = 0;
            due->call->content_size = 0;
            free(due->call->content);
            due->call->content = NULL;
            conclude(clients, due->call);
        }
        break;
    case DUE_ANSWER:
        if (!due->call->concluded)
            conclude(clients, due->call);
        break;
    }
    request_release(due->request);
    if (due->call)
        call_release(due->call);
}

/* ---- the clients ----------------------------------------------------------------------------- */

enum err clients_new(struct clients **out, const struct clients_options *options)
{
    *out = NULL;
    if (options->site_count == 0 || !options->now_ns || !options->on_event ||
        !(options->requests_a_day > 0))
        return ERR_INVALID;
    struct clients *clients = calloc(1, sizeof *clients);
    if (!clients)
        return ERR_NOMEM;
    clients->options = *options;
    clients->random = random_of(options->seed, 0x636c, 0);
    clients->memories = calloc(options->site_count, sizeof *clients->memories);
    require(clients->memories != NULL);
    for (uint32_t site = 0; site < options->site_count; site++)
        if (options->sites[site].takes_requests)
            due_push(clients,
                     (struct due){ .at_ns = arrival_next(&clients->random,
                                                         options->now_ns(options->context),
                                                         options->epoch_ms,
                                                         options->requests_a_day),
                                   .kind = DUE_ARRIVAL,
                                   .site = site });
    *out = clients;
    return OK;
}

void clients_free(struct clients *clients)
{
    if (!clients)
        return;
    while (clients->due_count > 0) {
        struct due due = due_pop(clients);
        request_release(due.request);
        if (due.call)
            call_release(due.call);
    }
    while (clients->calls) {
        clients->calls->uses = 1;
        call_release(clients->calls);
    }
    for (uint32_t site = 0; site < clients->options.site_count; site++)
        for (unsigned i = 0; i < MEMORY_SIZE; i++)
            request_release(clients->memories[site].requests[i]);
    free(clients->memories);
    free(clients->heap);
    free(clients);
}

uint64_t clients_next_at(const struct clients *clients)
{
    return clients->due_count > 0 ? clients->heap[0].at_ns : UINT64_MAX;
}

void clients_run(struct clients *clients, uint64_t now_ns)
{
    while (clients_next_at(clients) <= now_ns) {
        struct due due = due_pop(clients);
        come_due(clients, &due, now_ns);
    }
}

void clients_settle(struct clients *clients)
{
    uint64_t now_ns = clients->options.now_ns(clients->options.context);
    clients->settling = true;
    for (size_t i = 0; i < clients->due_count; i++)
        if (clients->heap[i].kind == DUE_RETRY || clients->heap[i].kind == DUE_FOLLOW)
            clients->heap[i].at_ns = now_ns + delay_draw(&clients->random, 2 * S);
    for (size_t i = clients->due_count; i-- > 0;)
        heap_sink(clients->heap, clients->due_count, i);
}

static bool erasures_wait(const struct clients *clients)
{
    for (size_t i = 0; i < clients->due_count; i++)
        if (clients->heap[i].kind == DUE_FOLLOW && clients->heap[i].action == CLIENT_ERASE &&
            !clients->heap[i].request->erased)
            return true;
    return false;
}

bool clients_are_settled(const struct clients *clients)
{
    return clients->under_way == 0 && clients->unknown == 0 && !erasures_wait(clients);
}

const struct clients_counters *clients_counters(const struct clients *clients)
{
    return &clients->counters;
}
