/* pair: a hub and provinces as real processes, and how fast the provinces catch up.
 *
 *   pair [--records N] [--provinces K] [--folder DIR] [--print-pids]
 *
 * Makes folders, keys, tokens and configurations; fills each province's store with N requests while
 * no daemon runs; starts the hub, then the provinces; waits until every record is national. One
 * JSON line: records, seconds, records a second, processor seconds of
 * the hub and the first province. The daemons are ended before it returns. */
#include "node/casework/fold.h"
#include "node/casework/province.h"
#include "node/casework/register.h"
#include "node/config.h"
#include "node/keyring.h"
#include "node/runtime/engine.h"
#include "node/runtime/log.h"
#include "node/tokens.h"
#include "proto/base/require.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <semaphore.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROVINCES_MAX = 31, BASE_PORT = 21110, FILL_DEPTH = 512 };

struct member {
    const char *node;
    struct keyring keyring;
    char folder[512], token[TOKEN_SIZE_MAX + 1];
    int api_port;
    pid_t pid;
};

struct pair {
    char folder[256];
    uint64_t records;
    size_t provinces;
    bool print_pids;
    struct member hub, province[PROVINCES_MAX];
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "pair: %s\n", what);
    exit(1);
}

/* ---- folders, keys, configurations ---- */

static void member_make(struct pair *pair, struct member *member, const char *node, int api_port)
{
    char keys[600];
    struct buffer problem = { 0 };
    member->node = node;
    member->api_port = api_port;
    snprintf(member->folder, sizeof member->folder, "%s/%s", pair->folder, node);
    snprintf(keys, sizeof keys, "%s/keys", member->folder);
    if (mkdir(member->folder, 0700) != 0 && errno != EEXIST)
        fail("a folder could not be made");
    if (keyring_create(keys, &problem) != OK || keyring_load(&member->keyring, keys, &problem) != OK ||
        tokens_add(keys, SCOPE_READ | SCOPE_REGISTER, 0, "pair", member->token, &problem) != OK)
        fail("keys could not be made");
    buffer_close(&problem);
}

static void put_key(FILE *file, const char *name, const uint8_t key[KEY_SIZE])
{
    char hex[2 * KEY_SIZE + 1];
    hex_encode(hex, bytes_of(key, KEY_SIZE));
    fprintf(file, " %s = \"%s\"", name, hex);
}

static void member_configure(struct pair *pair, const struct member *member)
{
    char path[600];
    bool is_hub = member == &pair->hub;
    snprintf(path, sizeof path, "%s/samad.conf", member->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        fail("a configuration could not be written");
    fprintf(file, "node = \"%s\"\nrole = \"%s\"\ndata = \"%s/data\"\nkeys = \"%s/keys\"\n",
            member->node, is_hub ? "hub" : "province", member->folder, member->folder);
    fprintf(file, "api { listen = \"127.0.0.1:%d\" }\nstorage { map_mib = 8192 }\n",
            member->api_port);
    if (is_hub)
        fprintf(file, "replication { listen = \"127.0.0.1:%d\" catch_ups_max = 32 }\n", BASE_PORT);
    for (size_t i = 0; is_hub && i < pair->provinces; i++) {
        const struct member *province = &pair->province[i];
        fprintf(file, "province \"%s\" {", province->node);
        put_key(file, "link_key", province->keyring.link.public.bytes);
        put_key(file, "log_key", province->keyring.log.public.bytes);
        fprintf(file, " }\n");
    }
    if (!is_hub) {
        fprintf(file, "hub \"%s\" { address = \"127.0.0.1:%d\"", pair->hub.node, BASE_PORT);
        put_key(file, "link_key", pair->hub.keyring.link.public.bytes);
        put_key(file, "log_key", pair->hub.keyring.log.public.bytes);
        put_key(file, "receipt_key", pair->hub.keyring.receipt.public.bytes);
        fprintf(file, " }\n");
    }
    if (fclose(file) != 0)
        fail("a configuration could not be written");
}

/* ---- filling a store ---- */

struct fill {
    struct command command;
    const struct member *member;
    const struct province *province;
    uint64_t number;
    sem_t *room;
};

static enum err fill_decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    static const char TEXT[] = "از دیروز آب محله ما قطع است و چند بار تماس گرفته‌ایم ولی کسی پاسخ "
                               "نمی‌دهد؛ لطفاً هرچه زودتر رسیدگی کنید، کودک خردسال داریم.";
    struct fill *fill = (struct fill *)command;
    struct lookup_key key;
    struct buffer facts_part = { 0 }, person_part = { 0 };
    struct register_decision decision;
    uint8_t entropy[REGISTER_ENTROPY_SIZE];
    char idempotency[40], phone[20];
    uint64_t position;
    snprintf(idempotency, sizeof idempotency, "fill-%016llu", (unsigned long long)fill->number);
    snprintf(phone, sizeof phone, "+98914%07llu", (unsigned long long)(fill->number % 10000000));
    struct request_facts facts = { .occurred_at_ms = wall_ms,
                                   .kind = REQUEST_COMPLAINT,
                                   .channel = CHANNEL_IMPORT,
                                   .subject = bytes_of_string("water.outage"),
                                   .place = bytes_of_string(fill->province->iso),
                                   .client = bytes_of_string("pair"),
                                   .idempotency_key = bytes_of_string(idempotency) };
    struct request_person person = { .name = bytes_of_string("مریم احمدی"),
                                     .phone = bytes_of_string(phone),
                                     .text = bytes_of_string(TEXT) };
    struct register_setting setting = { .lookup_key = &key,
                                        .province_number = fill->province->number };
    memcpy(key.bytes, fill->member->keyring.lookup, sizeof key.bytes);
    writer_entropy(writer, entropy, sizeof entropy);
    enum err err = register_decide(writer_view(writer), &setting, &facts, &person, entropy,
                                   &decision, &facts_part, &person_part);
    if (err == OK && decision.is_new)
        err = writer_propose(writer,
                             &(struct proposal){ .kind = RECORD_REQUEST,
                                                 .actor = bytes_of_string("pair"),
                                                 .case_id = decision.case_id,
                                                 .facts = buffer_bytes(&facts_part),
                                                 .person = buffer_bytes(&person_part) },
                             &position);
    buffer_close(&facts_part);
    buffer_close(&person_part);
    return err;
}

static void fill_done(struct command *command, enum err err)
{
    struct fill *fill = (struct fill *)command;
    if (err != OK && err != ERR_BUSY)
        fail(err_text(err));
    sem_post(fill->room);
}

static void on_failed(void *context, enum err err, const char *what)
{
    (void)context;
    (void)err;
    fail(what);
}

static void member_fill(struct member *member, uint64_t records)
{
    struct fold_context fold;
    struct engine *engine = NULL;
    char path[600];
    sem_t room;
    struct fill *fills = calloc(records + 1, sizeof *fills);
    require(fills);
    snprintf(path, sizeof path, "%s/data", member->folder);
    memcpy(fold.lookup_key.bytes, member->keyring.lookup, LOOKUP_KEY_SIZE);
    struct engine_options options = { .path = path,
                                      .node = member->node,
                                      .audience = "hub",
                                      .log_key = &member->keyring.log,
                                      .data_key = member->keyring.data,
                                      .rules = { fold_record, &fold, FOLD_VERSION },
                                      .map_size = (size_t)8192 << 20,
                                      .reserve_size = (size_t)64 << 20,
                                      .memory_size_max = (size_t)64 << 20,
                                      .queue_max = 4 * FILL_DEPTH,
                                      .group_max = 256,
                                      .on_failed = on_failed };
    if (engine_open(&engine, &options) != OK || engine_start(engine, 0) != OK)
        fail("the store could not be opened");
    sem_init(&room, 0, FILL_DEPTH);
    for (uint64_t i = 0; i < records; i++) {
        fills[i] = (struct fill){ .command = { .decide = fill_decide, .done = fill_done },
                                  .member = member,
                                  .province = province_by_node(bytes_of_string(member->node)),
                                  .number = i,
                                  .room = &room };
        sem_wait(&room);
        while (engine_submit(engine, &fills[i].command) == ERR_BUSY)
            usleep(1000);
    }
    for (unsigned i = 0; i < FILL_DEPTH; i++)
        sem_wait(&room);
    engine_stop(engine);
    sem_destroy(&room);
    free(fills);
}

/* ---- daemons ---- */

static void member_start(struct member *member)
{
    char conf[600], log[600];
    snprintf(conf, sizeof conf, "%s/samad.conf", member->folder);
    snprintf(log, sizeof log, "%s/samadd.log", member->folder);
    member->pid = fork();
    if (member->pid != 0)
        return;
    if (!freopen(log, "a", stderr))
        _exit(126);
    execl(SAMAD_BINARY_DIR "/samadd", "samadd", "-c", conf, (char *)NULL);
    _exit(127);
}

static double member_cpu_seconds(const struct member *member)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)member->pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                       &system) != 2)
        user = system = 0;
    if (file)
        fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void member_stop(struct member *member)
{
    int status = 0;
    if (member->pid <= 0)
        return;
    kill(member->pid, SIGTERM);
    waitpid(member->pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "pair: %s ended with status %d\n", member->node, status);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    buffer_append(context, data, size * count);
    return size * count;
}

/* /v1/status of a member, or NULL. */
static json_t *member_status(const struct member *member)
{
    char url[100], authorization[TOKEN_SIZE_MAX + 40];
    struct buffer body = { 0 };
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/status", member->api_port);
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", member->token);
    struct curl_slist *headers = curl_slist_append(NULL, authorization);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    bool ok = curl_easy_perform(curl) == CURLE_OK;
    json_t *json = ok ? json_loadb((const char *)body.data, body.size, 0, NULL) : NULL;
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    buffer_close(&body);
    return json;
}

/* Records of own logs that are national. */
static uint64_t member_national(const struct member *member)
{
    uint64_t national = 0;
    size_t index;
    json_t *log, *status = member_status(member);
    json_array_foreach(json_object_get(status, "logs"), index, log)
        if (json_is_true(json_object_get(log, "own")))
            national += (uint64_t)json_integer_value(json_object_get(log, "national_size"));
    json_decref(status);
    return national;
}

static void pair_wait(struct pair *pair, double begin)
{
    double last = 0;
    for (;;) {
        uint64_t total = 0, slowest = UINT64_MAX;
        for (size_t i = 0; i < pair->provinces; i++) {
            uint64_t national = member_national(&pair->province[i]);
            total += national;
            slowest = national < slowest ? national : slowest;
        }
        double took = seconds_now() - begin;
        if (took - last >= 1) {
            fprintf(stderr, "pair: %.1f s, %llu national\n", took, (unsigned long long)total);
            last = took;
        }
        if (slowest > pair->records) {
            printf("{\"what\":\"catchup\",\"provinces\":%zu,\"records\":%llu,\"seconds\":%.2f,"
                   "\"per_second\":%.0f,\"cpu_hub\":%.2f,\"cpu_province\":%.2f}\n",
                   pair->provinces, (unsigned long long)total, took, (double)total / took,
                   member_cpu_seconds(&pair->hub), member_cpu_seconds(&pair->province[0]));
            return;
        }
        if (took > 300)
            fail("not within 300 s");
        usleep(50000);
    }
}

static void pair_options(struct pair *pair, int argc, char **argv)
{
    pair->records = 10000;
    pair->provinces = 1;
    snprintf(pair->folder, sizeof pair->folder, "/tmp/samad-pair-%d", (int)getpid());
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--print-pids") == 0) {
            pair->print_pids = true;
            continue;
        }
        if (strcmp(argv[i], "--records") == 0)
            pair->records = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--provinces") == 0)
            pair->provinces = strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--folder") == 0)
            snprintf(pair->folder, sizeof pair->folder, "%s", value);
        else
            fail("usage: pair [--records N] [--provinces K] [--folder DIR] [--print-pids]");
        i++;
    }
    if (pair->provinces < 1 || pair->provinces > PROVINCES_MAX)
        fail("1 to 31 provinces");
}

int main(int argc, char **argv)
{
    static struct pair pair;
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return 1;
    log_event_threshold(LOG_EVENT_WARNING);
    pair_options(&pair, argc, argv);
    if (mkdir(pair.folder, 0700) != 0 && errno != EEXIST)
        fail("the folder could not be made");
    member_make(&pair, &pair.hub, "centre", BASE_PORT + 100);
    for (size_t i = 0; i < pair.provinces; i++)
        member_make(&pair, &pair.province[i], PROVINCES[(24 + i) % PROVINCE_COUNT].node,
                    BASE_PORT + 101 + (int)i);
    member_configure(&pair, &pair.hub);
    double begin = seconds_now();
    for (size_t i = 0; i < pair.provinces; i++) {
        member_configure(&pair, &pair.province[i]);
        member_fill(&pair.province[i], pair.records);
    }
    fprintf(stderr, "pair: filled in %.1f s\n", seconds_now() - begin);
    member_start(&pair.hub);
    usleep(500000);
    begin = seconds_now();
    for (size_t i = 0; i < pair.provinces; i++)
        member_start(&pair.province[i]);
    if (pair.print_pids)
        fprintf(stderr, "pids hub=%d province=%d\n", (int)pair.hub.pid, (int)pair.province[0].pid);
    pair_wait(&pair, begin);
    for (size_t i = 0; i < pair.provinces; i++)
        member_stop(&pair.province[i]);
    member_stop(&pair.hub);
    return 0;
}
