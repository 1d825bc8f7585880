#include "lookups.h"

#include "http_exchanges.h"
#include "node/runtime/priority.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONNECTIONS    8
#define QUEUE_LENGTH   4096
#define CODE_SIZE      14
#define PHONE_SIZE_MAX 64
#define NICE           (-10)

/* A request that can be looked up. */
struct known {
    char code[CODE_SIZE];
    uint16_t phone_size;
    const char *phone;
};

struct lookups {
    struct lookups_options options;
    pthread_t thread;
    atomic_bool ends;

    pthread_mutex_t lock; /* over the known and the result */
    struct known *known;
    size_t known_count, known_capacity;
    struct lookups_result result;

    /* The thread's own. */
    struct http_exchanges exchanges;
    struct http_connection *connections;
    int64_t due_ns[QUEUE_LENGTH]; /* a ring */
    size_t due_first, due_count;
    int64_t from_ns[CONNECTIONS];
    uint64_t random;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- what is known ---- */

void lookups_add(struct lookups *lookups, struct bytes code, struct bytes phone)
{
    if (code.size != CODE_SIZE || phone.size == 0 || phone.size > PHONE_SIZE_MAX)
        return; /* some citizens have no phone */
    pthread_mutex_lock(&lookups->lock);
    if (lookups->known_count == lookups->known_capacity) {
        lookups->known_capacity = lookups->known_capacity > 0 ? 2 * lookups->known_capacity : 4096;
        lookups->known = realloc(lookups->known, lookups->known_capacity * sizeof *lookups->known);
        if (!lookups->known)
            fail("out of memory");
    }
    struct known *known = &lookups->known[lookups->known_count++];
    *known =
        (struct known){ .phone = (const char *)phone.data, .phone_size = (uint16_t)phone.size };
    memcpy(known->code, code.data, CODE_SIZE);
    pthread_mutex_unlock(&lookups->lock);
}

size_t lookups_known(struct lookups *lookups)
{
    pthread_mutex_lock(&lookups->lock);
    size_t count = lookups->known_count;
    pthread_mutex_unlock(&lookups->lock);
    return count;
}

static struct known draw(struct lookups *lookups)
{
    lookups->random ^= lookups->random << 13; /* xorshift64 */
    lookups->random ^= lookups->random >> 7;
    lookups->random ^= lookups->random << 17;
    pthread_mutex_lock(&lookups->lock);
    struct known known = lookups->known[lookups->random % lookups->known_count];
    pthread_mutex_unlock(&lookups->lock);
    return known;
}

/* ---- one look-up ---- */

static void send_lookup(struct lookups *lookups, size_t index)
{
    struct http_connection *connection = &lookups->connections[index];
    struct known known = draw(lookups);
    char body[PHONE_SIZE_MAX + CODE_SIZE + 40], head[512];
    int size = snprintf(body, sizeof body, "{\"code\":\"%.*s\",\"factor\":\"%.*s\"}", CODE_SIZE,
                        known.code, (int)known.phone_size, known.phone);
    snprintf(head, sizeof head,
             "POST /v1/lookups HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
             "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
             lookups->options.token, size);
    lookups->from_ns[index] = lookups->due_ns[lookups->due_first];
    lookups->due_first = (lookups->due_first + 1) % QUEUE_LENGTH;
    lookups->due_count--;
    buffer_clear(&connection->out);
    buffer_append_string(&connection->out, head);
    buffer_append(&connection->out, body, (size_t)size);
    http_send(&lookups->exchanges, connection);
}

static void on_answer(struct http_connection *connection, unsigned status, struct bytes body)
{
    struct lookups *lookups = connection->context;
    size_t index = (size_t)(connection - lookups->connections);
    (void)body;
    int64_t now = now_ns();
    pthread_mutex_lock(&lookups->lock);
    struct lookups_result *result = &lookups->result;
    latencies_add(&result->latencies, lookups->from_ns[index], now);
    result->lookups++;
    if (status == 200)
        result->found++;
    else if (result->first_failure == 0)
        result->first_failure = status;
    pthread_mutex_unlock(&lookups->lock);
    if (lookups->due_count > 0)
        send_lookup(lookups, index);
}

/* ---- the thread ---- */

static int start_timer(size_t per_second)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    long interval_ns = 1000000000L / (long)per_second;
    struct timespec interval = { interval_ns / 1000000000, interval_ns % 1000000000 };
    struct itimerspec spec = { interval, interval };
    if (timer < 0 || timerfd_settime(timer, 0, &spec, NULL) != 0)
        fail("no timer");
    return timer;
}

/* Queues a look-up for every tick that has passed and gives them to idle connections. */
static void look_up_due(struct lookups *lookups, int timer)
{
    uint64_t ticks = 0;
    int64_t now = now_ns(), interval = 1000000000 / (int64_t)lookups->options.per_second;
    if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
        return;
    for (uint64_t i = ticks; i > 0; i--) {
        if (lookups->due_count == QUEUE_LENGTH)
            fail("look-ups are answered too slowly to go on");
        size_t last = (lookups->due_first + lookups->due_count++) % QUEUE_LENGTH;
        lookups->due_ns[last] = now - (int64_t)(i - 1) * interval;
    }
    for (size_t i = 0; i < CONNECTIONS && lookups->due_count > 0; i++)
        if (!lookups->connections[i].busy)
            send_lookup(lookups, i);
}

/* Linux: both count for the calling thread alone. */
static void ask_for_priority(void)
{
    if (setpriority(PRIO_PROCESS, 0, NICE) != 0)
        fprintf(stderr, "load: look-ups have no higher priority: %s\n", strerror(errno));
    priority_responsive();
}

static void *run(void *argument)
{
    struct lookups *lookups = argument;
    ask_for_priority();
    http_exchanges_open(&lookups->exchanges, on_answer);
    for (size_t i = 0; i < CONNECTIONS; i++)
        http_connect(&lookups->exchanges, &lookups->connections[i], lookups->options.port, lookups);
    int timer = start_timer(lookups->options.per_second);
    http_exchanges_watch(&lookups->exchanges, timer);
    while (!atomic_load(&lookups->ends))
        if (http_exchanges_step(&lookups->exchanges))
            look_up_due(lookups, timer);
    close(timer);
    for (size_t i = 0; i < CONNECTIONS; i++)
        http_disconnect(&lookups->connections[i]);
    http_exchanges_close(&lookups->exchanges);
    return NULL;
}

struct lookups *lookups_new(const struct lookups_options *options)
{
    struct lookups *lookups = calloc(1, sizeof *lookups);
    struct http_connection *connections = calloc(CONNECTIONS, sizeof *connections);
    if (!lookups || !connections)
        fail("out of memory");
    lookups->options = *options;
    lookups->connections = connections;
    lookups->random = UINT64_C(0x9e3779b97f4a7c15);
    pthread_mutex_init(&lookups->lock, NULL);
    return lookups;
}

void lookups_free(struct lookups *lookups)
{
    latencies_close(&lookups->result.latencies);
    pthread_mutex_destroy(&lookups->lock);
    free(lookups->connections);
    free(lookups->known);
    free(lookups);
}

void lookups_begin(struct lookups *lookups)
{
    if (pthread_create(&lookups->thread, NULL, run, lookups) != 0)
        fail("no thread");
}

struct lookups_result lookups_take(struct lookups *lookups)
{
    pthread_mutex_lock(&lookups->lock);
    struct lookups_result result = lookups->result;
    lookups->result = (struct lookups_result){ 0 };
    pthread_mutex_unlock(&lookups->lock);
    return result;
}

void lookups_end(struct lookups *lookups)
{
    atomic_store(&lookups->ends, true);
    pthread_join(lookups->thread, NULL);
}
