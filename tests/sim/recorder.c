#include "tests/sim/recorder.h"

#include "node/tokens.h"
#include "node/transport/replicator_private.h"
#include "proto/base/require.h"
#include "proto/wire/message.h"
#include "tests/check/check.h"
#include "tests/check/dump.h"
#include "tests/check/dump_memo.h"
#include "tests/sim/defence.h"
#include "tests/sim/liar.h"
#include "tests/sim/swarm.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

/* Stores are also read at each end of a process, until so many records have been: what the reading
 * costs a run stays bounded. */
#define DOWN_RECORDS_MAX 200000u

enum device { DEVICE_LOG, DEVICE_VIEWS, DEVICE_JOURNAL, DEVICE_COUNT };

static const char *const DEVICE_NAMES[] = { "log", "views", "journal" };

static struct {
    struct history *history;
    uint32_t hosts[SIM_NODE_MAX]; /* HISTORY_NO_HOST: not told of yet */
    uint64_t syncs[SIM_NODE_MAX][DEVICE_COUNT]; /* begun; each store has one thread that syncs */
    uint64_t records_read;
    struct dump_memo *memos[SIM_NODE_MAX]; /* one a node: each has a data key of its own */
} recorder;

static uint32_t host_of(const struct sim_node *node)
{
    if (node == NULL)
        return HISTORY_NO_HOST;
    uint32_t *host = &recorder.hosts[node->index];
    if (*host != HISTORY_NO_HOST)
        return *host;
    struct history_host told = { .node = node->name,
                                 .hub = node->role == ROLE_HUB,
                                 .journal = node->second.disk != NULL,
                                 .malicious = liar_is(node),
                                 .receipts_needed = world.swarm->national_receipts };
    char name[64];
    bool is_first = world_find(node->name) == node;
    snprintf(name, sizeof name, is_first ? "%s" : "%s.%u", node->name, node->index);
    told.name = name;
    memcpy(told.log_key.bytes, node->keyring.log.public.bytes, 32);
    memcpy(told.receipt_key.bytes, node->keyring.receipt.public.bytes, 32);
    return *host = history_add_host(recorder.history, &told);
}

/* The history is nobody's memory. */
static void tell(const struct sim_node *node, struct history_event event)
{
    struct sim_node *inside = sim_outside();
    event.time_ns = (uint64_t)sim_now_ns();
    event.host = host_of(node);
    if (recorder.history != NULL)
        history_add(recorder.history, &event);
    sim_inside(inside);
}

void recorder_begin(bool stand_ins)
{
    memset(&recorder, 0, sizeof recorder);
    recorder.history = history_new();
    require(recorder.history != NULL);
    history_set_stand_ins(recorder.history, stand_ins);
    for (unsigned i = 0; i < SIM_NODE_MAX; i++)
        recorder.hosts[i] = HISTORY_NO_HOST;
    for (unsigned i = 0; i < world.node_count; i++)
        host_of(&world.nodes[i]);
    tell(NULL, (struct history_event){
                   .kind = HISTORY_TOTAL,
                   .mark = { .name = "lateness_ns", .number = (uint64_t)world.swarm->idle_ns } });
    tell(NULL, (struct history_event){ .kind = HISTORY_TOTAL,
                                       .mark = { .name = "syncs_recorded", .number = 1 } });
    tell(NULL, (struct history_event){ .kind = HISTORY_TOTAL,
                                       .mark = { .name = "alarms_recorded", .number = 1 } });
}

void recorder_end(void)
{
    history_free(recorder.history);
    recorder.history = NULL;
    for (unsigned i = 0; i < SIM_NODE_MAX; i++)
        dump_memo_free(recorder.memos[i]);
    memset(recorder.memos, 0, sizeof recorder.memos);
}

/* ---- stores ---------------------------------------------------------------------------------- */

/* NULL: there is no store yet. */
static struct dump *read_store(const struct sim_node *node, const char *label)
{
    char file[SIM_PATH_SIZE + 16];
    snprintf(file, sizeof file, "%s/log/data.mdb", node->data);
    if (access(file, F_OK) != 0)
        return NULL;
    struct dump_memo **memo = &recorder.memos[node->index];
    if (*memo == NULL)
        *memo = dump_memo_new();
    char journal[SIM_PATH_SIZE + 16];
    snprintf(journal, sizeof journal, "%s/journal", node->second.folder);
    struct dump_options options = { .label = label,
                                    .journal = node->second.disk != NULL ? journal : NULL,
                                    .data_key = node->keyring.data.bytes,
                                    .memo = *memo };
    struct dump *dump = dump_read(node->data, &options);
    require(dump != NULL);
    return dump;
}

void recorder_dump(const struct sim_node *node, const char *label)
{
    struct sim_node *inside = sim_outside();
    struct dump *dump = read_store(node, label);
    for (size_t i = 0; dump != NULL && i < dump->log_count; i++)
        recorder.records_read += dump->logs[i].record_count;
    if (dump != NULL)
        history_add_dump(recorder.history, (uint64_t)sim_now_ns(), host_of(node), dump);
    sim_inside(inside);
}

static void digest_note(crypto_generichash_state *state, const struct dump_note *note)
{
    crypto_generichash_update(state, (const uint8_t *)note->hub, strlen(note->hub) + 1);
    crypto_generichash_update(state, (const uint8_t *)note->text, strlen(note->text) + 1);
}

static void digest_log(crypto_generichash_state *state, const struct dump_log *log)
{
    uint64_t numbers[] = { log->branch,         log->frozen,         log->size,
                           log->pending_size,   log->cosigned_size,  log->fork_count,
                           log->checkpoint_count, log->receipt_count, log->record_count };
    crypto_generichash_update(state, (const uint8_t *)log->origin, strlen(log->origin) + 1);
    crypto_generichash_update(state, (const uint8_t *)numbers, sizeof numbers);
    crypto_generichash_update(state, log->pending_root.bytes, sizeof log->pending_root);
    for (size_t i = 0; i < log->record_count; i++) {
        uint64_t person = log->records[i].person;
        crypto_generichash_update(state, log->records[i].hash.bytes, sizeof log->records[i].hash);
        crypto_generichash_update(state, (const uint8_t *)&person, sizeof person);
    }
    for (size_t i = 0; i < log->checkpoint_count; i++)
        digest_note(state, &log->checkpoints[i]);
    for (size_t i = 0; i < log->receipt_count; i++)
        digest_note(state, &log->receipts[i]);
}

bool recorder_digest(const struct sim_node *node, struct check_hash *out)
{
    crypto_generichash_state state;
    struct sim_node *inside = sim_outside();
    struct dump *dump = read_store(node, "state");
    bool readable = dump != NULL && dump->readable;
    crypto_generichash_init(&state, NULL, 0, sizeof out->bytes);
    for (size_t i = 0; readable && i < dump->log_count; i++)
        digest_log(&state, &dump->logs[i]);
    crypto_generichash_final(&state, out->bytes, sizeof out->bytes);
    dump_free(dump);
    sim_inside(inside);
    return readable;
}

void recorder_state(const struct sim_node *node, const char *name, uint64_t number,
                    const struct check_hash *digest)
{
    tell(node, (struct history_event){
                   .kind = HISTORY_STATE,
                   .mark = { .name = name, .number = number, .digest = *digest } });
}

/* ---- lives and faults ------------------------------------------------------------------------ */

static void tell_life(const struct sim_node *node, enum history_kind kind)
{
    tell(node, (struct history_event){ .kind = kind,
                                       .life = { .number = node->starts,
                                                 .peer = HISTORY_NO_HOST } });
}

void recorder_up(const struct sim_node *node)
{
    tell_life(node, HISTORY_UP);
}

void recorder_stopping(const struct sim_node *node)
{
    tell_life(node, HISTORY_STOPPING);
}

void recorder_down(const struct sim_node *node, enum node_end how)
{
    char label[40];
    tell_life(node, how == END_STOPPED ? HISTORY_DOWN : HISTORY_CRASH);
    snprintf(label, sizeof label, "after start %u", node->starts);
    if (recorder.records_read < DOWN_RECORDS_MAX)
        recorder_dump(node, label);
}

void recorder_paused(const struct sim_node *node, bool paused)
{
    tell_life(node, paused ? HISTORY_PAUSE : HISTORY_RESUME);
}

void recorder_restored(const struct sim_node *node, int64_t since_ns, const char *device)
{
    tell(node, (struct history_event){ .kind = HISTORY_RESTORE,
                                       .life = { .name = device,
                                                 .since_ns = (uint64_t)since_ns,
                                                 .peer = HISTORY_NO_HOST } });
    recorder_dump(node, "restored");
}

void recorder_cloned(const struct sim_node *node, const struct sim_node *twin, int64_t since_ns)
{
    tell(twin, (struct history_event){ .kind = HISTORY_CLONE,
                                       .life = { .since_ns = (uint64_t)since_ns,
                                                 .peer = host_of(node) } });
}

void recorder_lost(const struct sim_node *node, const char *device)
{
    tell(node, (struct history_event){ .kind = HISTORY_DISK_LOST,
                                       .life = { .name = device, .peer = HISTORY_NO_HOST } });
}

void recorder_fault(const struct sim_node *node, const char *name, const struct sim_node *peer,
                    bool begins)
{
    tell(node, (struct history_event){ .kind = begins ? HISTORY_FAULT : HISTORY_FAULT_END,
                                       .fault = { .name = name, .peer = host_of(peer) } });
}

void recorder_alarm(const struct sim_node *node, const char *kind, const char *subject)
{
    tell(node, (struct history_event){ .kind = HISTORY_ALARM,
                                       .alarm = { .name = kind, .subject = subject } });
}

void recorder_healed(void)
{
    tell(NULL, (struct history_event){ .kind = HISTORY_HEAL, .fault.peer = HISTORY_NO_HOST });
}

void recorder_converged(uint64_t was_missing)
{
    tell(NULL, (struct history_event){ .kind = HISTORY_CONVERGED,
                                       .fault = { .number = was_missing, .peer = HISTORY_NO_HOST } });
}

/* ---- disks ----------------------------------------------------------------------------------- */

static enum device device_of(const char *name)
{
    unsigned device = 0;
    for (; device < DEVICE_COUNT; device++) {
        size_t size = strlen(DEVICE_NAMES[device]);
        if (strncmp(name, DEVICE_NAMES[device], size) == 0 && name[size] == '/')
            break;
    }
    return (enum device)device;
}

/* As history.h says of IO_ERROR. */
static bool is_told(const struct sim_node *node, const struct disk_call *call, enum device device)
{
    if (device != DEVICE_JOURNAL)
        return call->error == EIO && call->action != DISK_READ;
    bool is_spare = strcmp(call->name, "journal/next") == 0;
    return call->error == EIO || (call->error == ENOSPC && (!is_spare || node->site == NULL));
}

void recorder_disk(const struct sim_node *node, const struct disk_call *call, bool begins)
{
    enum device device = device_of(call->name);
    /* Zeros of the segment to come are no promise to anybody. */
    bool is_sync = (call->action == DISK_SYNC || call->action == DISK_WRITE_SYNCED) &&
                   strcmp(call->name, "journal/next") != 0;
    if (device == DEVICE_COUNT || recorder.history == NULL)
        return;
    uint64_t *syncs = &recorder.syncs[node->index][device];
    struct history_event event = { .kind = begins ? HISTORY_SYNC_BEGIN : HISTORY_SYNC_END,
                                   .sync = { .device = DEVICE_NAMES[device],
                                             .root = call->action == DISK_WRITE_SYNCED,
                                             .ok = call->error == 0 } };
    if (is_sync) {
        event.sync.number = *syncs += begins;
        tell(node, event);
    }
    if (!begins && is_told(node, call, device)) {
        event.kind = HISTORY_IO_ERROR;
        tell(node, event);
    }
}

/* ---- clients --------------------------------------------------------------------------------- */

static const char *const OPERATIONS[CLIENT_ACTION_COUNT] = {
    [CLIENT_REGISTER] = "register", [CLIENT_MISUSE] = "register", [CLIENT_LOOKUP] = "lookup",
    [CLIENT_GUESS] = "guess",       [CLIENT_LIST] = "list",       [CLIENT_SHOW] = "show",
    [CLIENT_ERASE] = "erase",       [CLIENT_RECEIPT] = "receipt", [CLIENT_STATUS] = "status",
};

/* The value of a member of an answer's JSON: what leaves the node is read before a client did. */
static void member_of(char *out, size_t room, struct bytes content, const char *name)
{
    char wanted[32];
    int size = snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *found =
        content.size > 0 ? memmem(content.data, content.size, wanted, (size_t)size) : NULL;
    out[0] = '\0';
    if (found == NULL)
        return;
    const char *from = found + size, *end = (const char *)content.data + content.size;
    size_t length = 0;
    while (from + length < end && from[length] != '"' && length + 1 < room)
        length++;
    memcpy(out, from, length);
    out[length] = '\0';
}

static void tell_invoke(const struct sim_node *node, const struct client_event *event)
{
    char client[TOKEN_ID_SIZE + 1];
    struct history_call call = { .call = event->operation,
                                 .operation = OPERATIONS[event->action],
                                 .client = client,
                                 .key = event->key,
                                 .code = event->code };
    snprintf(client, sizeof client, "%s", node->token + 4); /* behind "smd_" */
    memcpy(call.facts.bytes, event->facts_hash, sizeof call.facts.bytes);
    memcpy(call.person.bytes, event->person_hash, sizeof call.person.bytes);
    tell(node, (struct history_event){ .kind = HISTORY_INVOKE, .call = call });
}

static void tell_answer(const struct sim_node *node, const struct client_event *event)
{
    static const enum history_kind kinds[] = { [CLIENT_SENT] = HISTORY_SENT,
                                               [CLIENT_OK] = HISTORY_OK,
                                               [CLIENT_FAIL] = HISTORY_FAIL,
                                               [CLIENT_UNKNOWN] = HISTORY_UNKNOWN };
    char code[CLIENT_CODE_SIZE], case_id[CLIENT_CASE_SIZE], state[16];
    bool has_case = event->action == CLIENT_REGISTER || event->action == CLIENT_MISUSE ||
                    event->action == CLIENT_LOOKUP;
    member_of(code, has_case ? sizeof code : 1, event->content, "code");
    member_of(case_id, has_case ? sizeof case_id : 1, event->content, "case");
    member_of(state, sizeof state, event->content, "state");
    struct history_answer answer = {
        .call = event->operation,
        .status = event->status,
        .duplicate = event->content.size > 0 &&
                     memmem(event->content.data, event->content.size, "\"duplicate\":true", 16) != NULL,
        .national = event->action == CLIENT_LOOKUP && strcmp(state, "national") == 0,
        .code = code,
        .case_id = case_id
    };
    tell(node, (struct history_event){ .kind = kinds[event->phase], .answer = answer });
}

/* The heads in a status that leaves a node. */
static void tell_heads(const struct sim_node *node, struct bytes content)
{
    struct sim_node *inside = sim_outside();
    json_t *status = json_loadb((const char *)content.data, content.size, 0, NULL);
    size_t i;
    json_t *log;
    json_array_foreach (json_object_get(status, "logs"), i, log) {
        struct history_claim claim = { .log = json_string_value(json_object_get(log, "log")),
                                       .size = (uint64_t)json_integer_value(
                                           json_object_get(log, "size")) };
        const char *root = json_string_value(json_object_get(log, "root"));
        uint64_t national = (uint64_t)json_integer_value(json_object_get(log, "national_size"));
        if (root != NULL && hex_decode(claim.root.bytes, 32, root, strlen(root)) != OK)
            memset(&claim.root, 0, sizeof claim.root);
        tell(node, (struct history_event){ .kind = HISTORY_HEAD, .claim = claim });
        if (national > 0)
            tell(node, (struct history_event){ .kind = HISTORY_NATIONAL,
                                               .claim = { .log = claim.log, .size = national } });
    }
    json_decref(status);
    sim_inside(inside);
}

void recorder_client(const struct client_event *event)
{
    const struct sim_node *node = &world.nodes[event->site];
    if (event->phase == CLIENT_INVOKE)
        tell_invoke(node, event);
    else
        tell_answer(node, event);
    if (event->phase == CLIENT_SENT && event->action == CLIENT_STATUS && event->status == 200)
        tell_heads(node, event->content);
}

/* ---- what the product says: at the seams of its own functions (--wrap, CMakeLists.txt) -------- */

enum err __real_message_encode(struct buffer *out, const struct message *message);
enum err __wrap_message_encode(struct buffer *out, const struct message *message);

/* A sender whose memory has flipped a bit of what it read soundly: nothing on its way notices. */
static enum err encode_flipped(struct buffer *out, const struct message *message,
                               struct sim_node *node)
{
    struct bytes body = message->package.body;
    uint64_t bit = node->flip_draw % (body.size * 8);
    uint8_t *byte = (uint8_t *)body.data + bit / 8; /* the product's own buffer */
    node->flip_packages--;
    node->flip_draw = node->flip_draw * 3 + 1;
    sim_fault(node, "bit of a package flipped");
    *byte ^= (uint8_t)(1 << bit % 8);
    enum err err = __real_message_encode(out, message);
    *byte ^= (uint8_t)(1 << bit % 8);
    return err;
}

/* What cannot be encoded is not said: then it tells the truth. */
static enum err encode_lies(const struct sim_node *node, struct buffer *out,
                            const struct message *message)
{
    size_t offset = out->size;
    const struct message *lie = liar_message(node, message);
    enum err err = __real_message_encode(out, lie);
    if (err != OK && lie != message && out->err == OK) {
        out->size = offset;
        err = __real_message_encode(out, message);
    }
    if (err == OK)
        liar_bytes(node, out, offset);
    return err;
}

enum err __wrap_message_encode(struct buffer *out, const struct message *message)
{
    struct sim_node *node = sim_current();
    if (node != NULL && node->flip_packages > 0 && message->type == MESSAGE_PACKAGE &&
        message->package.body.size > 0)
        return encode_flipped(out, message, node);
    bool receipt = message->type == MESSAGE_RECEIPT;
    if (node != NULL && (receipt || message->type == MESSAGE_CHECKPOINT)) {
        struct bytes note = receipt ? message->receipt.note : message->checkpoint.note;
        char text[NOTE_SIZE_MAX + 1];
        snprintf(text, sizeof text, "%.*s", (int)note.size, (const char *)note.data);
        tell(node, (struct history_event){ .kind = receipt ? HISTORY_RECEIPT : HISTORY_CHECKPOINT,
                                           .note = { .peer = HISTORY_NO_HOST, .text = text } });
        world_on_word(node);
        if (!receipt)
            liar_saw(note);
    }
    defence_said(node, message);
    return liar_is(node) ? encode_lies(node, out, message) : __real_message_encode(out, message);
}

enum err __real_message_decode(struct message *message, struct bytes input);
enum err __wrap_message_decode(struct message *message, struct bytes input);
enum err __wrap_message_decode(struct message *message, struct bytes input)
{
    enum err err = __real_message_decode(message, input);
    if (err == OK && liar_is(sim_current()))
        liar_heard(sim_current(), message);
    return err;
}

void __real_status_alarm(struct replicator *replicator, const struct effect_alarm *alarm);
void __wrap_status_alarm(struct replicator *replicator, const struct effect_alarm *alarm);
void __wrap_status_alarm(struct replicator *replicator, const struct effect_alarm *alarm)
{
    char subject[LOG_ORIGIN_SIZE_MAX + 1];
    snprintf(subject, sizeof subject, "%s", alarm->node);
    if (alarm->has_log)
        log_id_origin(&alarm->log, subject);
    defence_alarmed(sim_current(), alarm);
    tell(sim_current(), (struct history_event){ .kind = HISTORY_ALARM,
                                                .alarm = { .name = alarm_name(alarm->alarm),
                                                           .subject = subject,
                                                           .text = alarm->node } });
    __real_status_alarm(replicator, alarm);
}

/* ---- the end --------------------------------------------------------------------------------- */

void recorder_judge(void (*on_violation)(const char *guarantee, const char *text))
{
    require(history_ok(recorder.history));
    struct check_report *report = check_history(recorder.history, NULL);
    require(report != NULL && !report->failed);
    for (size_t i = 0; i < report->kept_count; i++)
        on_violation(report->violations[i].guarantee, report->violations[i].text);
    check_report_free(report);
}

bool recorder_save(const char *path, char *why, size_t why_size)
{
    return history_save(recorder.history, path, why, why_size);
}
