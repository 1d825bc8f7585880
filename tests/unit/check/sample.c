#include "tests/unit/check/sample.h"

#include "tests/check/check.h"
#include "tests/check/content.h"
#include "tests/check/tree.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const uint64_t SECOND = UINT64_C(1000000000);

/* ---- keys and notes ------------------------------------------------------------------------ */

static void key_pair(unsigned number, struct check_hash *public_key, unsigned char secret[64])
{
    unsigned char seed[32] = { (unsigned char)number };
    crypto_sign_seed_keypair(public_key->bytes, secret, seed);
}

static void base64(char *out, size_t room, const void *bytes, size_t size)
{
    sodium_bin2base64(out, room, bytes, size, sodium_base64_VARIANT_ORIGINAL);
}

static void add_line(char *note, const char *name, uint8_t type, const struct check_hash *key,
                     const unsigned char *signature, size_t size)
{
    unsigned char hashed[256], id[32], line[4 + 72];
    char text[200];
    size_t length = (size_t)snprintf((char *)hashed, sizeof hashed, "%s\n", name);
    hashed[length++] = type;
    memcpy(hashed + length, key->bytes, 32);
    crypto_hash_sha256(id, hashed, length + 32);
    memcpy(line, id, 4);
    memcpy(line + 4, signature, size);
    base64(text, sizeof text, line, 4 + size);
    sprintf(note + strlen(note), "\xe2\x80\x94 %s %s\n", name, text);
}

const char *sample_note(struct history *history, const char *origin, uint64_t size,
                        const struct check_hash *root, bool cosigned)
{
    struct check_hash log_key, hub_key;
    unsigned char log_secret[64], hub_secret[64], signature[72] = { 0 };
    char text[300], note[1024], root_text[64], statement[400];
    key_pair(1, &log_key, log_secret);
    key_pair(2, &hub_key, hub_secret);
    base64(root_text, sizeof root_text, root->bytes, 32);
    snprintf(text, sizeof text, "%s\n%llu\n%s\n", origin, (unsigned long long)size, root_text);
    crypto_sign_detached(signature, NULL, (unsigned char *)text, strlen(text), log_secret);
    snprintf(note, sizeof note, "%s\n", text);
    add_line(note, origin, 1, &log_key, signature, 64);
    if (cosigned) {
        memset(signature, 0, 8);
        signature[7] = 9;
        snprintf(statement, sizeof statement, "cosignature/v1\ntime 9\n%s", text);
        crypto_sign_detached(signature + 8, NULL, (unsigned char *)statement, strlen(statement),
                             hub_secret);
        add_line(note, "samad/hub-1/receipt", 4, &hub_key, signature, 72);
    }
    return arena_text(&history->arena, note);
}

const char *sample_fork_proof(struct history *history, uint64_t size, const struct check_hash *a,
                              const struct check_hash *b)
{
    unsigned char proof[2048] = { 0x98, 0x01 };
    char hex[4100];
    size_t at = 2;
    for (int i = 0; i < 2; i++) {
        const char *note = sample_note(history, SAMPLE_LOG_1, size, i ? b : a, false);
        size_t length = strlen(note);
        proof[at++] = 0xc4;
        proof[at++] = (unsigned char)length;
        cr_assert_lt(length, 256);
        memcpy(proof + at, note, length);
        at += length;
    }
    memset(proof + at, 0xc0, 5);
    sodium_bin2hex(hex, sizeof hex, proof, at + 5);
    return arena_text(&history->arena, hex);
}

struct check_hash sample_hash(unsigned number)
{
    struct check_hash hash;
    crypto_hash_sha256(hash.bytes, (unsigned char *)&number, sizeof number);
    return hash;
}

/* ---- the world while it is told ------------------------------------------------------------ */

struct log {
    const char *origin;
    struct dump_record records[16];
    size_t count;
    const struct log *parent;
    size_t parent_size;
};

struct world {
    struct history *history;
    uint64_t time_ns, calls, syncs;
    struct log logs[2];
    struct log *live;
};

static struct history_event *tell(struct world *world, struct history_event event)
{
    event.time_ns = world->time_ns += 1000000;
    history_add(world->history, &event);
    return &world->history->events[world->history->event_count - 1];
}

static struct check_hash root_of(const struct log *log, size_t size)
{
    struct tree tree = { 0 };
    for (size_t i = 0; i < size; i++)
        tree_append(&tree, &log->records[i].hash);
    return tree_root(&tree);
}

static struct dump_record *record_new(struct world *world, uint64_t kind)
{
    struct log *log = world->live;
    struct dump_record *record = &log->records[log->count];
    *record = (struct dump_record){
        .position = log->count,
        .hash = sample_hash((unsigned)(1000 * (log - world->logs) + (long)log->count)),
        .kind = kind,
        .time_ms = world->time_ns / 1000000,
    };
    log->count++;
    return record;
}

static void open_log(struct world *world, struct log *log, const char *origin)
{
    log->origin = origin;
    log->parent = world->live;
    log->parent_size = world->live ? world->live->count : 0;
    world->live = log;
    record_new(world, 1);
}

static void commit(struct world *world)
{
    for (int root = 0; root < 2; root++) {
        uint64_t number = ++world->syncs;
        tell(world, (struct history_event){ .kind = HISTORY_SYNC_BEGIN,
                                            .sync = { number, "log", root, false } });
        tell(world, (struct history_event){ .kind = HISTORY_SYNC_END,
                                            .sync = { number, "log", root, true } });
    }
}

static uint64_t ask(struct world *world, const char *operation, const char *key, const char *code,
                    const struct request_content *content)
{
    struct history_call call = { .call = ++world->calls,
                                 .operation = operation,
                                 .client = "desk",
                                 .key = key,
                                 .code = code };
    if (content)
        content_digest(content, &call.facts, &call.person);
    tell(world, (struct history_event){ .kind = HISTORY_INVOKE, .call = call });
    return call.call;
}

static void answer(struct world *world, enum history_kind end, struct history_answer answer)
{
    if (end != HISTORY_UNKNOWN)
        tell(world, (struct history_event){ .kind = HISTORY_SENT, .answer = answer });
    tell(world, (struct history_event){ .kind = end, .answer = answer });
}

struct request {
    char key[16], code[16], case_id[40], text[32];
};

static struct request request_of(unsigned number)
{
    struct request request;
    snprintf(request.key, sizeof request.key, "key-%u", number);
    snprintf(request.code, sizeof request.code, "240000000000%02u", number % 100);
    snprintf(request.case_id, sizeof request.case_id, "%032x", number);
    snprintf(request.text, sizeof request.text, "text %u", number);
    return request;
}

static struct request_content content_of(const struct request *request)
{
    return (struct request_content){
        .kind = 1, .channel = 1, .subject = "water.outage", .name = "A", .text = request->text
    };
}

static void register_one(struct world *world, unsigned number)
{
    struct request request = request_of(number);
    struct request_content content = content_of(&request);
    uint64_t call = ask(world, "register", request.key, "", &content);
    struct dump_record *record = record_new(world, 2);
    struct arena *memory = &world->history->arena;
    record->has_case = true;
    record->case_id[15] = (uint8_t)number;
    record->person = PERSON_HELD;
    record->person_opened = true;
    record->client = "desk";
    record->key = arena_text(memory, request.key);
    record->code = arena_text(memory, request.code);
    content_digest(&content, &record->facts_content, &record->person_content);
    commit(world);
    answer(world, HISTORY_OK, (struct history_answer){ .call = call,
                                                       .status = 201,
                                                       .code = request.code,
                                                       .case_id = request.case_id });
}

/* The same again is answered with the same, other content under the key with 422. */
static void register_again(struct world *world, unsigned number, bool misuse)
{
    struct request request = request_of(number);
    struct request_content content = content_of(&request);
    content.text = misuse ? "other" : content.text;
    uint64_t call = ask(world, "register", request.key, "", &content);
    struct history_answer same = { .call = call,
                                   .status = 200,
                                   .duplicate = true,
                                   .code = request.code,
                                   .case_id = request.case_id };
    answer(world, misuse ? HISTORY_FAIL : HISTORY_OK,
           misuse ? (struct history_answer){ .call = call, .status = 422 } : same);
}

static void erase_one(struct world *world, unsigned number, uint64_t position)
{
    struct request request = request_of(number);
    uint64_t call = ask(world, "erase", "", request.code, NULL);
    struct dump_record *record = record_new(world, 3);
    record->erased_log = world->live->origin;
    record->erased_position = position;
    record->cause_log = world->live->origin;
    record->cause_position = position;
    record->cause_hash = world->live->records[position].hash;
    world->live->records[position].person = PERSON_ABSENT;
    commit(world);
    answer(world, HISTORY_OK, (struct history_answer){ .call = call, .status = 200 });
}

static void replicate(struct world *world)
{
    struct check_hash root = root_of(world->live, world->live->count);
    const char *note =
        sample_note(world->history, world->live->origin, world->live->count, &root, false);
    const char *receipt =
        sample_note(world->history, world->live->origin, world->live->count, &root, true);
    tell(world, (struct history_event){ .kind = HISTORY_CHECKPOINT,
                                        .host = ARDABIL,
                                        .note = { HUB, note } });
    tell(world, (struct history_event){ .kind = HISTORY_RECEIPT,
                                        .host = HUB,
                                        .note = { ARDABIL, receipt } });
}

static void look_up(struct world *world, unsigned number)
{
    struct request request = request_of(number);
    uint64_t call = ask(world, "lookup", "", request.code, NULL);
    answer(world, HISTORY_OK, (struct history_answer){ .call = call,
                                                       .status = 200,
                                                       .national = true,
                                                       .code = request.code,
                                                       .case_id = request.case_id });
}

static void store(struct world *world, uint32_t host, const char *label)
{
    struct dump *dump = dump_new(label);
    dump->node = host == HUB ? "hub-1" : "ardabil";
    dump->readable = true;
    for (size_t i = 0; i < 2 && world->logs[i].count > 0; i++) {
        const struct log *from = &world->logs[i];
        struct dump_log *log = dump_add_log(dump, from->origin, false);
        struct check_hash root = root_of(from, from->count);
        for (size_t k = 0; k < from->count; k++)
            dump_add_record(dump, log, &from->records[k]);
        log->pending_size = host == HUB ? from->count : 0;
        log->pending_root = root;
        struct dump_note note = { .size = from->count,
                                  .text = sample_note(world->history, from->origin, from->count,
                                                      &root, false) };
        dump_add_checkpoint(dump, log, &note);
        note.text = sample_note(world->history, from->origin, from->count, &root, true);
        note.hub = "hub-1";
        dump_add_receipt(dump, log, &note);
        if (from->parent)
            dump_add_parent(dump, log,
                            &(struct dump_head){ from->parent->origin, from->parent_size,
                                                 root_of(from->parent, from->parent_size) });
    }
    history_add_dump(world->history, world->time_ns, host, dump);
}

static void life(struct world *world, enum history_kind kind, uint32_t host)
{
    tell(world, (struct history_event){ .kind = kind, .host = host, .life.peer = HISTORY_NO_HOST });
}

static void fault(struct world *world, enum history_kind kind, const char *name)
{
    tell(world, (struct history_event){ .kind = kind,
                                        .host = name ? ARDABIL : HISTORY_NO_HOST,
                                        .fault = { name, 0, HISTORY_NO_HOST } });
}

struct history *sample_good(void)
{
    struct world world = { .history = history_new() };
    struct history_host ardabil = { .name = "ardabil", .node = "ardabil", .receipts_needed = 1 };
    struct history_host hub = { .name = "hub-1", .node = "hub-1", .hub = true };
    unsigned char unused[64];
    key_pair(1, &ardabil.log_key, unused);
    key_pair(2, &hub.receipt_key, unused);
    history_add_host(world.history, &ardabil);
    history_add_host(world.history, &hub);
    life(&world, HISTORY_UP, HUB);
    life(&world, HISTORY_UP, ARDABIL);
    open_log(&world, &world.logs[0], SAMPLE_LOG_1);
    world.time_ns += 20 * SECOND;
    for (unsigned i = 1; i <= 3; i++)
        register_one(&world, i);
    register_again(&world, 1, false);
    register_again(&world, 1, true);
    erase_one(&world, 2, 2);
    replicate(&world);
    look_up(&world, 3);
    store(&world, ARDABIL, "first");
    store(&world, HUB, "first");
    world.time_ns += 5 * SECOND;
    life(&world, HISTORY_CRASH, ARDABIL);
    life(&world, HISTORY_UP, ARDABIL);
    open_log(&world, &world.logs[1], SAMPLE_LOG_2);
    world.time_ns += 20 * SECOND;
    fault(&world, HISTORY_FAULT, "net.cut");
    for (unsigned i = 4; i <= 6; i++)
        register_one(&world, i);
    fault(&world, HISTORY_FAULT_END, "net.cut");
    fault(&world, HISTORY_HEAL, NULL);
    replicate(&world);
    fault(&world, HISTORY_CONVERGED, NULL);
    for (uint64_t i = 0; i < 2; i++)
        tell(&world, (struct history_event){ .kind = HISTORY_TRACE,
                                             .host = HISTORY_NO_HOST,
                                             .mark = { "seed 1", 0, sample_hash(5) } });
    tell(&world, (struct history_event){ .kind = HISTORY_STATE, .mark = { "before", 1, sample_hash(6) } });
    tell(&world, (struct history_event){ .kind = HISTORY_STATE, .mark = { "after", 1, sample_hash(6) } });
    tell(&world, (struct history_event){
                     .kind = HISTORY_SERVED,
                     .host = HUB,
                     .claim = { SAMPLE_LOG_1, 5, 0, 10, root_of(&world.logs[0], 5) } });
    tell(&world, (struct history_event){
                     .kind = HISTORY_HEAD,
                     .host = ARDABIL,
                     .claim = { SAMPLE_LOG_2, 4, 0, 0, root_of(&world.logs[1], 4) } });
    store(&world, ARDABIL, "final");
    store(&world, HUB, "final");
    cr_assert(history_ok(world.history));
    return world.history;
}

/* ---- changing it --------------------------------------------------------------------------- */

struct history_event *sample_event(struct history *history, enum history_kind kind, size_t n)
{
    for (size_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == kind && n-- == 0)
            return &history->events[i];
    cr_assert_fail("no such event");
    return NULL;
}

void sample_insert(struct history *history, const struct history_event *after,
                   struct history_event event)
{
    size_t at = (size_t)(after - history->events) + 1;
    event.time_ns = after->time_ns;
    history_add(history, &event);
    event = history->events[history->event_count - 1]; /* its strings are kept */
    event.time_ns = history->events[at - 1].time_ns;
    memmove(&history->events[at + 1], &history->events[at],
            (history->event_count - 1 - at) * sizeof *history->events);
    history->events[at] = event;
}

void sample_remove(struct history *history, struct history_event *event)
{
    size_t at = (size_t)(event - history->events);
    memmove(event, event + 1, (history->event_count - at - 1) * sizeof *event);
    history->event_count--;
}

struct dump *sample_dump(struct history *history, uint32_t host, const char *label)
{
    for (size_t i = 0; i < history->dump_count; i++)
        if (history->dumps[i]->host == host && strcmp(history->dumps[i]->label, label) == 0)
            return history->dumps[i];
    cr_assert_fail("no such dump");
    return NULL;
}

struct dump_log *sample_log(struct history *history, uint32_t host, const char *label,
                            const char *origin)
{
    struct dump *dump = sample_dump(history, host, label);
    for (size_t i = 0; i < dump->log_count; i++)
        if (strcmp(dump->logs[i].origin, origin) == 0)
            return &dump->logs[i];
    cr_assert_fail("no such log");
    return NULL;
}

static size_t guarantee_index(const char *id)
{
    size_t i = 0;
    while (i < CHECK_GUARANTEE_COUNT && strcmp(CHECK_GUARANTEES[i].id, id) != 0)
        i++;
    cr_assert_lt(i, CHECK_GUARANTEE_COUNT);
    return i;
}

void sample_expect(struct history *history, const char *guarantee)
{
    struct check_report *report = check_history(history, NULL);
    cr_assert(report && !report->failed);
    if (guarantee)
        cr_assert_gt(report->counts[guarantee_index(guarantee)], 0, "%s was not seen", guarantee);
    else if (report->violation_count > 0)
        cr_assert_fail("%s: %s", report->violations[0].guarantee, report->violations[0].text);
    check_report_free(report);
    history_free(history);
}

struct dump_log *sample_final_log(struct history *history, uint32_t host, const char *origin)
{
    return sample_log(history, host, "final", origin);
}

void sample_shorten(struct dump_log *log, size_t count)
{
    log->record_count -= count;
    log->size -= count;
}

struct history_event sample_life(enum history_kind kind, uint32_t host, uint64_t since_ns)
{
    return (struct history_event){ .kind = kind,
                                   .host = host,
                                   .life = { "all", since_ns, 0, HISTORY_NO_HOST } };
}

struct history_event sample_fault(const char *name, uint32_t host)
{
    return (struct history_event){ .kind = HISTORY_FAULT,
                                   .host = host,
                                   .fault = { name, 0, HISTORY_NO_HOST } };
}

bool sample_is_violated(struct history *history, const char *guarantee)
{
    struct check_report *report = check_history(history, guarantee);
    bool violated = report->violation_count > 0;
    check_report_free(report);
    history_free(history);
    return violated;
}
