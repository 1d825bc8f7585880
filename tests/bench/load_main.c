/* load: registers requests over HTTP on many kept-open connections, and looks some up meanwhile.
 *
 *   load --port N --token T --requests FILE [--connections 64] [--count N]
 *        [--lookups-per-second R --seconds S --rounds N]
 *
 * FILE has JSON lines as `workload` writes them. The first --count are registered as fast as the
 * answers come: one JSON line. Then, with --lookups-per-second, registering goes on with the
 * following lines while codes answered so far, drawn at random, are looked up with the citizen's
 * phone number, evenly in time (lookups.h): one JSON line a round of --seconds. A look-up's latency
 * counts from when it was due, so that waiting for a free connection is not left out. */
#include "http_exchanges.h"
#include "lookups.h"
#include "measure.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define KEY_MEMBER      ",\"idempotency_key\":\""

struct settings {
    unsigned port;
    const char *token, *requests;
    size_t connections, count, lookups_per_second, seconds, rounds;
};

struct load {
    struct settings settings;
    struct http_exchanges exchanges;
    struct http_connection *connections;
    struct bytes file;
    size_t next_line; /* offset of the next request in the file */

    size_t sent, answered, goal; /* registrations; none is sent beyond the goal */
    size_t created;
    struct latencies registering;

    struct lookups *lookups; /* NULL: none are wanted */

    unsigned first_failure; /* HTTP status */
    char first_failure_body[256];
};

/* What one connection is doing. */
struct exchange {
    struct load *load;
    int64_t from_ns;
    struct bytes line; /* the request under way */
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- requests ---- */

static struct bytes find(struct bytes in, const char *what)
{
    const uint8_t *at = memmem(in.data, in.size, what, strlen(what));
    return at ? bytes_of(at, in.size - (size_t)(at - in.data)) : BYTES_NONE;
}

/* What stands between the quotation mark after `name` and the next one. */
static struct bytes member(struct bytes line, const char *name)
{
    struct bytes rest = find(line, name);
    if (rest.size == 0)
        return BYTES_NONE;
    rest = bytes_of(rest.data + strlen(name), rest.size - strlen(name));
    const uint8_t *end = memchr(rest.data, '"', rest.size);
    return end ? bytes_of(rest.data, (size_t)(end - rest.data)) : BYTES_NONE;
}

static void put_head(struct http_connection *connection, const char *path, const char *token)
{
    buffer_clear(&connection->out);
    buffer_append_string(&connection->out, "POST ");
    buffer_append_string(&connection->out, path);
    buffer_append_string(&connection->out,
                         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                         "Authorization: Bearer ");
    buffer_append_string(&connection->out, token);
}

static void put_length(struct http_connection *connection, size_t size)
{
    char line[64];
    snprintf(line, sizeof line, "\r\nContent-Length: %zu\r\n\r\n", size);
    buffer_append_string(&connection->out, line);
}

static bool next_line(struct load *load, struct bytes *line)
{
    const uint8_t *start = load->file.data + load->next_line;
    size_t rest = load->file.size - load->next_line;
    const uint8_t *end = rest > 0 ? memchr(start, '\n', rest) : NULL;
    if (!end)
        return false;
    *line = bytes_of(start, (size_t)(end - start));
    load->next_line += line->size + 1;
    return true;
}

static void send_registration(struct http_connection *connection)
{
    struct exchange *exchange = connection->context;
    struct load *load = exchange->load;
    if (load->sent == load->goal)
        return;
    if (!next_line(load, &exchange->line))
        fail("the file has too few requests");
    struct bytes key = member(exchange->line, KEY_MEMBER);
    if (key.size == 0)
        fail("a line of the file has no idempotency_key at its end");
    /* The key goes from the body into the header. */
    size_t body_size = (size_t)(key.data - exchange->line.data) - strlen(KEY_MEMBER);
    put_head(connection, "/v1/requests", load->settings.token);
    buffer_append_string(&connection->out, "\r\nIdempotency-Key: ");
    buffer_append_bytes(&connection->out, key);
    put_length(connection, body_size + 1);
    buffer_append(&connection->out, exchange->line.data, body_size);
    buffer_append_string(&connection->out, "}");
    load->sent++;
    exchange->from_ns = now_ns();
    http_send(&load->exchanges, connection);
}

/* ---- answers ---- */

static void keep_failure(struct load *load, unsigned status, struct bytes body)
{
    if (load->first_failure)
        return;
    load->first_failure = status;
    snprintf(load->first_failure_body, sizeof load->first_failure_body, "%.*s", (int)body.size,
             (const char *)body.data);
}

static void on_answer(struct http_connection *connection, unsigned status, struct bytes body)
{
    struct exchange *exchange = connection->context;
    struct load *load = exchange->load;
    latencies_add(&load->registering, exchange->from_ns, now_ns());
    load->answered++;
    if (status == 201) {
        load->created++;
        if (load->lookups)
            lookups_add(load->lookups, member(body, "\"code\":\""),
                        member(exchange->line, "\"phone\":\""));
    } else {
        keep_failure(load, status, body);
    }
    send_registration(connection);
}

/* ---- output ---- */

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_failure(const struct load *load)
{
    if (load->first_failure)
        fprintf(stderr, "load: first answer that was not wanted: %u %s\n", load->first_failure,
                load->first_failure_body);
}

static void print_registrations(struct load *load, double seconds, double cpu_share)
{
    printf("{\"connections\":%zu,\"count\":%zu,\"created\":%zu,\"seconds\":%.3f,"
           "\"per_second\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
           "\"client_cpu_share\":%.2f}\n",
           load->settings.connections, load->answered, load->created, seconds,
           (double)load->answered / seconds, latencies_share_ms(&load->registering, 0.5),
           latencies_share_ms(&load->registering, 0.99), latencies_share_ms(&load->registering, 1),
           cpu_share);
    fflush(stdout);
}

static void print_lookups(struct load *load, struct lookups_result *result, size_t cases,
                          double registered_per_second)
{
    printf("{\"cases\":%zu,\"lookups\":%zu,\"found\":%zu,\"lookups_per_second\":%zu,"
           "\"registered_per_second\":%.0f,\"registered_p99_ms\":%.3f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           cases, result->lookups, result->found, load->settings.lookups_per_second,
           registered_per_second, latencies_share_ms(&load->registering, 0.99),
           latencies_share_ms(&result->latencies, 0.5),
           latencies_share_ms(&result->latencies, 0.99), latencies_share_ms(&result->latencies, 1));
    fflush(stdout);
    if (result->first_failure != 0)
        keep_failure(load, result->first_failure, bytes_of_string("(a look-up)"));
}

/* ---- phases ---- */

static void register_all(struct load *load)
{
    double cpu = cpu_seconds();
    int64_t from = now_ns();
    load->goal = load->settings.count;
    for (size_t i = 0; i < load->settings.connections; i++)
        send_registration(&load->connections[i]);
    while (load->answered < load->goal)
        http_exchanges_step(&load->exchanges);
    double seconds = (double)(now_ns() - from) / 1e9;
    print_registrations(load, seconds, (cpu_seconds() - cpu) / seconds);
}

static void look_up_rounds(struct load *load)
{
    load->goal = SIZE_MAX;
    for (size_t i = 0; i < load->settings.connections; i++)
        send_registration(&load->connections[i]);
    lookups_begin(load->lookups);
    for (size_t round = 0; round < load->settings.rounds; round++) {
        size_t cases = load->created, answered = load->answered;
        int64_t from = now_ns(), end = from + (int64_t)load->settings.seconds * 1000000000;
        load->registering.count = 0;
        while (now_ns() < end)
            http_exchanges_step(&load->exchanges);
        struct lookups_result result = lookups_take(load->lookups);
        print_lookups(load, &result, cases,
                      (double)(load->answered - answered) / ((double)(now_ns() - from) / 1e9));
        latencies_close(&result.latencies);
    }
    lookups_end(load->lookups);
}

/* ---- beginning and end ---- */

static void open_file(struct load *load)
{
    struct stat status;
    int file = open(load->settings.requests, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0)
        fail(strerror(errno));
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED)
        fail(strerror(errno));
    close(file);
    load->file = bytes_of(data, (size_t)status.st_size);
}

static bool run(const struct settings *settings)
{
    size_t connection_count = settings->connections;
    struct load load = { .settings = *settings };
    struct exchange *exchanges = calloc(connection_count, sizeof *exchanges);
    load.connections = calloc(connection_count, sizeof *load.connections);
    if (!exchanges || !load.connections)
        fail("out of memory");
    open_file(&load);
    http_exchanges_open(&load.exchanges, on_answer);
    for (size_t i = 0; i < connection_count; i++) {
        exchanges[i] = (struct exchange){ &load, 0, BYTES_NONE };
        http_connect(&load.exchanges, &load.connections[i], settings->port, &exchanges[i]);
    }
    struct lookups_options options = { settings->port, settings->token,
                                       settings->lookups_per_second };
    if (settings->lookups_per_second > 0)
        load.lookups = lookups_new(&options);
    register_all(&load);
    if (load.lookups && lookups_known(load.lookups) > 0)
        look_up_rounds(&load);
    print_failure(&load);
    bool good = load.first_failure == 0;
    for (size_t i = 0; i < connection_count; i++)
        http_disconnect(&load.connections[i]);
    http_exchanges_close(&load.exchanges);
    munmap((void *)(uintptr_t)load.file.data, load.file.size);
    latencies_close(&load.registering);
    if (load.lookups)
        lookups_free(load.lookups);
    free(load.connections);
    free(exchanges);
    return good;
}

static const struct argp_option OPTIONS[] = {
    { "port", 'p', "N", 0, "Port of the API on 127.0.0.1", 0 },
    { "token", 't', "TOKEN", 0, "Bearer token with the scopes register and read", 0 },
    { "requests", 'r', "FILE", 0, "JSON lines as `workload` writes them", 0 },
    { "connections", 'c', "N", 0, "Connections that register, each one request at a time (64)", 0 },
    { "count", 'n', "N", 0, "Requests to register before looking up (10000)", 0 },
    { "lookups-per-second", 'l', "N", 0, "Look-ups while registering goes on (0: none)", 0 },
    { "seconds", 's', "N", 0, "Length of a round of look-ups (10)", 0 },
    { "rounds", 'o', "N", 0, "Rounds of look-ups (1)", 0 },
    { 0 }
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct settings *settings = state->input;
    size_t number = argument ? strtoul(argument, NULL, 10) : 0;
    switch (key) {
    case 'p':
        settings->port = (unsigned)number;
        return 0;
    case 't':
        settings->token = argument;
        return 0;
    case 'r':
        settings->requests = argument;
        return 0;
    case 'c':
        settings->connections = number;
        return 0;
    case 'n':
        settings->count = number;
        return 0;
    case 'l':
        settings->lookups_per_second = number;
        return 0;
    case 's':
        settings->seconds = number;
        return 0;
    case 'o':
        settings->rounds = number;
        return 0;
    case ARGP_KEY_END:
        if (!settings->token || !settings->requests || settings->port - 1 >= 65535 ||
            settings->connections - 1 >= CONNECTIONS_MAX ||
            settings->lookups_per_second > 100000)
            argp_error(state, "--port, --token and --requests are needed, 1 to 4096 connections, "
                              "at most 100000 look-ups a second");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse_option,
        .doc = "Registers requests over HTTP and looks some up: rates and latencies as JSON lines."
    };
    struct settings settings = { .connections = 64, .count = 10000, .seconds = 10, .rounds = 1 };
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &settings) != 0)
        return EXIT_FAILURE;
    return run(&settings) ? EXIT_SUCCESS : EXIT_FAILURE;
}
