#include "tests/faults/faults.h"

#include "node/casework/find.h"
#include "node/casework/fold.h"
#include "node/casework/register.h"
#include "proto/base/require.h"
#include "proto/wire/message.h"
#include "replication/replica.h"
#include "storage/journal.h"
#include "storage/verify.h"
#include "tests/sim/sim_private.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TICK_MS = 1,
    WAIT_MS_MAX = 60 * 1000,
    BURST_MAX = 64,
    TIPS_MAX = 64,
    PROVINCE_NUMBER = 24,
    MAP_SIZE = 2 << 20,
    RESERVE_SIZE = 64 << 10,
    MEMORY_SIZE = 48 << 10, /* a few flushes in a script */
    DEVICE_US_MAX = 400,
    TEXT_SIZE_MAX = 2400,
};

/* ---- the program ----------------------------------------------------------------------------- */

static struct sim_node program;
static struct dice device_times;

struct program_call {
    void (*run)(void *);
    void *context;
    bool ended;
};

static void program_call(void *context)
{
    struct program_call *call = context;
    call->run(call->context);
    call->ended = true;
    sim_stop();
}

void program_run(void (*run)(void *), void *context, uint64_t seed)
{
    static struct program_call call;
    call = (struct program_call){ run, context, false };
    require(sodium_init() >= 0);
    sim_begin();
    fibers_begin();
    random_begin(seed);
    dice_seed(&program.ids, seed, "ids");
    dice_seed(&device_times, seed, "devices");
    program.life = NODE_UP;
    fiber_spawn(&program, "main", program_call, &call);
    sim_run(SIM_DAY);
    if (!call.ended)
        violated("it waits for ever (%s)", notes->doing);
}

void program_sleep(unsigned ms)
{
    fiber_sleep(ms * SIM_MS);
}

void program_wait_for_device(void)
{
    if (fiber_current())
        fiber_sleep(dice_between(&device_times, 0, DEVICE_US_MAX) * SIM_US);
}

/* What fibers.c asks of a world of nodes: here a process ends by _exit. */
void world_on_exit(struct sim_node *node, int code)
{
    (void)node, (void)code;
    require(false);
}

int64_t world_lateness(void)
{
    return 0;
}

/* ---- who they are ---------------------------------------------------------------------------- */

const char *place_node(unsigned index)
{
    return index == HUB ? "hub-1" : "ardabil";
}

static struct sign_key key_of(uint8_t sort, unsigned index)
{
    uint8_t seed[KEY_SIZE] = { 1, sort, (uint8_t)index };
    struct sign_key key;
    sign_key_from_seed(&key, seed);
    return key;
}

struct sign_key place_log_key(unsigned index)
{
    return key_of('l', index);
}

struct sign_key place_receipt_key(unsigned index)
{
    return key_of('r', index);
}

static const struct seal_key data_key = { { 5, 6, 7 } };

const uint8_t *place_data_key(void)
{
    return (const uint8_t *)&data_key;
}

static enum err find_key(const char *node, bool receipts, struct sign_public *key)
{
    for (unsigned i = 0; i < PLACE_COUNT; i++)
        if (strcmp(node, place_node(i)) == 0) {
            *key = (receipts ? place_receipt_key(i) : place_log_key(i)).public;
            return OK;
        }
    return ERR_NOT_FOUND;
}

static enum err find_log_key(void *context, const char *node, struct sign_public *key)
{
    (void)context;
    return find_key(node, false, key);
}

static enum err find_receipt_key(void *context, const char *hub, struct sign_public *key)
{
    (void)context;
    return find_key(hub, true, key);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static struct fold_context fold_context = { .lookup_key = { { 9, 8, 7 } } };

static void on_advanced(void *context, const struct checkpoint *checkpoint, struct bytes note)
{
    (void)context, (void)checkpoint, (void)note;
}

static void on_failed(void *context, enum err err, const char *what)
{
    struct place *place = context;
    (void)err;
    /* A group that log/ was committing while views/ failed is as durable as any, and answered. */
    place->log_failed = place->log_failed || !strstr(what, "/views: ");
    place->failed = true;
    notes->stopped = true;
}

enum err place_open(struct place *place, unsigned index, const char *data)
{
    static struct sign_key keys[PLACE_COUNT], receipt_keys[PLACE_COUNT];
    memset(place, 0, sizeof *place);
    place->index = index;
    path_form(place->data, "%s", data);
    path_form(place->journal, "%s.second/journal", data);
    keys[index] = place_log_key(index);
    receipt_keys[index] = place_receipt_key(index);
    struct engine_options options = {
        .path = place->data,
        .node = place_node(index),
        .audience = index == HUB ? "all" : "hub",
        .log_key = &keys[index],
        .data_key = data_key,
        .rules = { .fold = fold_record, .context = &fold_context, .version = FOLD_VERSION },
        .map_size = MAP_SIZE,
        .reserve_size = RESERVE_SIZE,
        .memory_size_max = MEMORY_SIZE,
        .journal_path = setup == SETUP_ALONE ? NULL : place->journal,
        .journal_segment_size = JOURNAL_SEGMENT_SIZE_MIN,
        .journal_keep_size = setup == SETUP_RECYCLED ? 0 : UINT64_MAX,
        .national_receipts = 1,
        .queue_max = 1024,
        .group_max = 64,
        .on_advanced = on_advanced,
        .on_failed = on_failed,
        .context = place,
    };
    enum err err = engine_open(&place->engine, &options);
    if (err != OK) {
        place->engine = NULL;
        return err;
    }
    struct replica_options replica = { .logs = engine_logs(place->engine),
                                       .node = place_node(index),
                                       .receipt_key = &receipt_keys[index],
                                       .log_key = find_log_key,
                                       .receipt_key_of = find_receipt_key };
    err = replica_new(&place->replica, &replica);
    if (err != OK)
        place_stop(place);
    return err;
}

enum err place_start(struct place *place)
{
    struct engine_status status;
    enum err err = engine_start(place->engine, 0);
    if (err != OK && err != ERR_FULL && err != ERR_NOMEM)
        return err;
    for (unsigned waited = 0; !place->failed; waited += TICK_MS) {
        engine_status(place->engine, &status);
        if (status.ready)
            return OK;
        if (waited >= WAIT_MS_MAX)
            return ERR_TIMEOUT;
        program_sleep(TICK_MS);
    }
    return ERR_IO;
}

void place_stop(struct place *place)
{
    if (place->replica)
        replica_free(place->replica);
    if (place->engine)
        engine_stop(place->engine);
    place->replica = NULL;
    place->engine = NULL;
}

/* ---- commands -------------------------------------------------------------------------------- */

struct submission {
    struct command command;
    struct place *place;
    bool answered;
    enum err err;
    unsigned number;
    char key[FAULTS_KEY_SIZE], text[TEXT_SIZE_MAX], phone[20];
    struct register_decision decision;
    struct note note;
};

static struct submission submissions[BURST_MAX];

static void submission_done(struct command *command, enum err err)
{
    struct submission *submission = (struct submission *)command;
    submission->answered = true;
    submission->err = err;
    if (err == OK && submission->place->log_failed)
        violated("%s was acknowledged after the storage had failed", submission->key);
    if (err == OK && submission->note.origin[0] != '\0')
        note_add(&submission->note);
}

/* What a decision proposed, to be noted when it is answered. */
static void submission_note(struct submission *submission, enum note_kind kind,
                            const struct log_id *log, uint64_t position)
{
    struct note *note = &submission->note;
    note->kind = kind;
    note->place = submission->place->index;
    note->position = position;
    log_id_origin(log, note->origin);
    memcpy(note->key, submission->key, sizeof note->key);
}

static enum err decide_request(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct submission *submission = (struct submission *)command;
    struct register_setting setting = { &fold_context.lookup_key, PROVINCE_NUMBER };
    struct request_facts facts = {
        .occurred_at_ms = 1700000000000,
        .kind = REQUEST_PROBLEM,
        .channel = CHANNEL_PHONE,
        .subject = bytes_of_string("water.outage"),
        .place = bytes_of_string("IR-24"),
        .client = bytes_of_string("desk"),
        .idempotency_key = bytes_of_string(submission->key),
    };
    struct request_person person = { .name = bytes_of_string("Sara Ahmadi"),
                                     .phone = bytes_of_string(submission->phone),
                                     .text = bytes_of_string(submission->text) };
    uint8_t entropy[REGISTER_ENTROPY_SIZE];
    struct buffer facts_part = { 0 }, person_part = { 0 };
    uint64_t position;
    (void)wall_ms;
    writer_entropy(writer, entropy, sizeof entropy);
    memset(&submission->note, 0, sizeof submission->note);
    enum err err = register_decide(writer_view(writer), &setting, &facts, &person, entropy,
                                   &submission->decision, &facts_part, &person_part);
    if (err == OK && submission->decision.is_new)
        err = writer_propose(writer,
                             &(struct proposal){ .kind = RECORD_REQUEST,
                                                 .actor = bytes_of_string("desk"),
                                                 .case_id = submission->decision.case_id,
                                                 .facts = buffer_bytes(&facts_part),
                                                 .person = buffer_bytes(&person_part) },
                             &position);
    if (err == OK && submission->decision.is_new) {
        submission_note(submission, NOTE_REQUEST, writer_log(writer), position);
        snprintf(submission->note.code, sizeof submission->note.code, "%s",
                 submission->decision.id.code);
    }
    buffer_close(&facts_part);
    buffer_close(&person_part);
    return err;
}

static enum err decide_erase(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct submission *submission = (struct submission *)command;
    struct request_entry entry;
    struct buffer part = { 0 };
    size_t count = 0;
    uint64_t position;
    memset(&submission->note, 0, sizeof submission->note);
    enum err err = request_list_by_code(writer_view(writer),
                                        bytes_of_string(submission->decision.id.code), &entry, 1,
                                        &count);
    if (err == OK && count == 0)
        err = ERR_NOT_FOUND;
    if (err == OK && (entry.flags & REQUEST_ERASED))
        return ERR_ERASED;
    struct erase_facts facts = { .occurred_at_ms = wall_ms, .reason = bytes_of_string("asked") };
    if (err == OK)
        err = log_id_init(&facts.log, bytes_of_string(place_node(PROVINCE)),
                          bytes_of_string(entry.record.audience), entry.record.incarnation);
    facts.position = entry.record.position;
    if (err == OK)
        err = erase_facts_encode(&part, &facts);
    if (err == OK)
        err = writer_propose(writer,
                             &(struct proposal){ .kind = RECORD_ERASE,
                                                 .actor = bytes_of_string("desk"),
                                                 .case_id = entry.case_id,
                                                 .facts = buffer_bytes(&part) },
                             &position);
    if (err == OK)
        submission_note(submission, NOTE_ERASED, &facts.log, facts.position);
    buffer_close(&part);
    return err;
}

static void submission_begin(struct submission *submission, struct place *place, unsigned number)
{
    memset(submission, 0, sizeof *submission);
    submission->place = place;
    submission->number = number;
    submission->command = (struct command){ .done = submission_done, .intake = true };
    snprintf(submission->key, sizeof submission->key, "key-%u", number);
    snprintf(submission->phone, sizeof submission->phone, "+98914%07u", number);
    size_t length = 60 + number * 37 % 300;
    if (setup != SETUP_ALONE) /* more than a segment in a script */
        length += 2000;
    memset(submission->text, 'a' + (int)(number % 26), length);
    submission->text[length] = '\0';
}

/* OK: all are answered, however. */
static enum err submissions_wait(struct place *place, unsigned count)
{
    for (unsigned waited = 0; waited < WAIT_MS_MAX; waited += TICK_MS) {
        unsigned answered = 0;
        for (unsigned i = 0; i < count; i++)
            answered += submissions[i].answered;
        if (answered == count)
            return OK;
        if (place->failed)
            return ERR_IO;
        program_sleep(TICK_MS);
    }
    return ERR_TIMEOUT;
}

static void submissions_send(struct place *place, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enum err err = engine_submit(place->engine, &submissions[i].command);
        if (err != OK) {
            submissions[i].answered = true;
            submissions[i].err = err;
        }
    }
}

enum err place_register(struct place *place, unsigned first, unsigned count,
                        struct answer *answers)
{
    require(count <= BURST_MAX);
    for (unsigned i = 0; i < count; i++) {
        submission_begin(&submissions[i], place, first + i);
        submissions[i].command.decide = decide_request;
    }
    submissions_send(place, count);
    enum err err = submissions_wait(place, count);
    if (err == ERR_TIMEOUT)
        violated("a request was never answered (%s)", notes->doing);
    for (unsigned i = 0; i < count; i++) {
        const struct submission *submission = &submissions[i];
        if (err == OK && submission->err != OK && !answers)
            err = submission->err;
        if (!answers)
            continue;
        answers[i] = (struct answer){ .err = submission->answered ? submission->err : ERR_TIMEOUT,
                                      .known = !submission->decision.is_new };
        snprintf(answers[i].code, sizeof answers[i].code, "%s", submission->decision.id.code);
    }
    return err;
}

enum err place_erase(struct place *place, unsigned number)
{
    struct submission *submission = &submissions[0];
    submission_begin(submission, place, number);
    submission->command.decide = decide_erase;
    for (size_t i = 0; i < notes->count; i++)
        if (notes->items[i].kind == NOTE_REQUEST &&
            strcmp(notes->items[i].key, submission->key) == 0)
            snprintf(submission->decision.id.code, sizeof submission->decision.id.code, "%.*s",
                     TRACKING_CODE_DIGITS, notes->items[i].code);
    if (submission->decision.id.code[0] == '\0')
        return ERR_NOT_FOUND; /* it could not be registered */
    submissions_send(place, 1);
    enum err err = submissions_wait(place, 1);
    if (err == ERR_TIMEOUT)
        violated("an erasure was never answered");
    return err == OK ? submission->err : err;
}

/* ---- between two places ---------------------------------------------------------------------- */

struct delivery {
    struct log_job job; /* first: a job is its delivery */
    struct replica_intake *intake;
    struct replica *replica;
    struct place *to;
    struct log_id log;
    uint64_t size; /* of a receipt to be signed */
    struct replica_result result;
    bool done;
    enum err err;
};

static enum err delivery_run(struct log_job *job, struct log_store *logs, struct store_txn *txn)
{
    struct delivery *delivery = (struct delivery *)job;
    (void)logs;
    replica_result_close(&delivery->result);
    memset(&delivery->result, 0, sizeof delivery->result);
    if (delivery->intake)
        return replica_store(delivery->intake, txn, &delivery->result);
    return replica_sign_receipt(delivery->replica, txn, &delivery->log, delivery->size, 1700000000,
                                &delivery->result);
}

static void delivery_done(struct log_job *job, enum err err)
{
    struct delivery *delivery = (struct delivery *)job;
    delivery->done = true;
    delivery->err = err;
    if (err == OK && delivery->to->log_failed)
        violated("a package was stored after the storage had failed");
}

static enum err delivery_carry(struct place *to, struct delivery *delivery)
{
    delivery->job = (struct log_job){ .run = delivery_run, .done = delivery_done };
    delivery->replica = to->replica;
    delivery->to = to;
    enum err err = delivery->intake ? replica_verify(delivery->intake) : OK;
    (void)err; /* what is wrong comes out of storing */
    err = engine_log_job(to->engine, &delivery->job);
    for (unsigned waited = 0; err == OK && !delivery->done; waited += TICK_MS) {
        if (to->failed)
            return ERR_IO; /* its job may still run: the delivery is not freed */
        if (waited >= WAIT_MS_MAX) {
            violated("a received package was never answered");
            return ERR_TIMEOUT;
        }
        program_sleep(TICK_MS);
    }
    if (err == OK)
        err = delivery->err != OK ? delivery->err : delivery->result.err;
    return err;
}

static void delivery_free(struct delivery *delivery)
{
    replica_intake_free(delivery->intake);
    replica_result_close(&delivery->result);
    free(delivery);
}

static struct delivery *delivery_new(void)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    require(delivery != NULL);
    return delivery;
}

/* Stores one encoded message of `from` at `to`. */
static enum err deliver(struct place *from, struct place *to, const struct log_id *log,
                        struct bytes encoded)
{
    struct message *message = malloc(sizeof *message);
    struct delivery *delivery = delivery_new();
    require(message != NULL);
    enum err err = message_decode(message, encoded);
    struct checkpoint checkpoint = { .size = 0 };
    if (err == OK && message->type == MESSAGE_CHECKPOINT) {
        err = checkpoint_parse(&checkpoint, message->checkpoint.note);
        struct effect_store_checkpoint effect = { .node = place_node(from->index),
                                                  .log = *log,
                                                  .size = checkpoint.size,
                                                  .message = &message->checkpoint };
        if (err == OK)
            err = replica_open_checkpoint(to->replica, &effect, &delivery->intake);
    } else if (err == OK && message->type == MESSAGE_PACKAGE) {
        struct effect_store_package effect = { .node = place_node(from->index),
                                               .log = *log,
                                               .message = &message->package,
                                               .size = encoded.size };
        err = replica_open_package(to->replica, &effect, &delivery->intake);
    } else if (err == OK && message->type == MESSAGE_RECEIPT) {
        err = checkpoint_parse(&checkpoint, message->receipt.note);
        struct effect_store_receipt effect = { .log = *log,
                                               .size = checkpoint.size,
                                               .hub = place_node(from->index),
                                               .note = message->receipt.note };
        if (err == OK)
            err = replica_open_receipt(to->replica, &effect, &delivery->intake);
    }
    if (err == OK)
        err = delivery_carry(to, delivery);
    free(message);
    if (!to->failed)
        delivery_free(delivery);
    return err;
}

static enum err held(struct place *place, const struct log_id *log, struct log_state *state)
{
    struct log_store *logs = engine_logs(place->engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint32_t number;
    memset(state, 0, sizeof *state);
    enum err err = txn.err != OK ? txn.err : log_find(logs, &txn, log, &number);
    if (err == OK)
        err = log_state_get(logs, &txn, number, state);
    store_abort(&txn);
    return err == ERR_NOT_FOUND ? OK : err;
}

static void note_held(struct place *place, enum note_kind kind, const struct log_id *log,
                      uint64_t size)
{
    struct note note = { .kind = kind, .place = place->index, .position = size };
    log_id_origin(log, note.origin);
    note_add(&note);
}

static enum err transfer_log(struct place *from, struct place *to, const struct log_id *log,
                             uint64_t size)
{
    struct log_state state;
    struct buffer messages = { 0 };
    enum err err = held(to, log, &state);
    uint64_t base = state.pending_size > state.size ? state.pending_size : state.size;
    uint64_t against = base, next = 0, bytes = 0;
    if (err == OK && base < size) {
        struct effect_send_checkpoint effect = {
            .log = *log, .from = base, .at_least = base + 1, .limit = size
        };
        err = replica_send_checkpoint(from->replica, &effect, &messages, &against);
        if (err == OK)
            err = deliver(from, to, log, buffer_bytes(&messages));
    }
    while (err == OK && (err = held(to, log, &state)) == OK && state.size < against) {
        struct effect_send_records effect = { .log = *log,
                                              .first = state.size,
                                              .end = against,
                                              .against = against,
                                              .budget = 16 << 10 };
        buffer_clear(&messages);
        err = replica_send_records(from->replica, &effect, &messages, &next, &bytes);
        struct reader reader = reader_of(buffer_bytes(&messages));
        while (err == OK && !reader_at_end(&reader))
            err = deliver(from, to, log, read_bytes(&reader, read_u32(&reader)));
    }
    if (err == OK && state.size > 0)
        note_held(to, NOTE_HELD, log, state.size);
    buffer_close(&messages);
    return err;
}

enum err place_transfer(struct place *from, struct place *to, unsigned author)
{
    struct log_id ids[TIPS_MAX];
    uint64_t sizes[TIPS_MAX];
    size_t count = 0;
    struct log_store *logs = engine_logs(from->engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = txn.err;
    uint32_t all = err == OK ? log_count(logs, &txn) : 0;
    for (uint32_t i = 0; err == OK && i < all && count < TIPS_MAX; i++) {
        struct log_state state;
        err = log_state_get(logs, &txn, i, &state);
        if (err == OK && strcmp(state.id.node, place_node(author)) == 0) {
            ids[count] = state.id;
            sizes[count++] = state.size;
        }
    }
    store_abort(&txn);
    for (size_t i = 0; err == OK && i < count; i++)
        err = transfer_log(from, to, &ids[i], sizes[i]);
    if (err == OK)
        engine_fold(to->engine, place_node(author));
    return err;
}

static enum err receipt_of(struct place *hub, struct place *province, const struct log_id *log)
{
    struct log_state state;
    struct buffer message = { 0 };
    struct delivery *signing = delivery_new();
    enum err err = held(hub, log, &state);
    if (err == OK && state.size == state.cosigned_size)
        goto out;
    signing->log = *log;
    signing->size = state.size;
    if (err == OK)
        err = delivery_carry(hub, signing);
    if (err == OK) {
        note_held(hub, NOTE_RECEIPT, log, state.size);
        err = replica_send_receipt(hub->replica, log, &message);
    }
    if (err == OK)
        err = deliver(hub, province, log, buffer_bytes(&message));
    if (err == OK)
        note_held(province, NOTE_RECEIPT, log, state.size);
out:
    buffer_close(&message);
    if (!hub->failed)
        delivery_free(signing);
    return err;
}

enum err place_receipt(struct place *hub, struct place *province)
{
    struct log_store *logs = engine_logs(hub->engine);
    enum err err = OK;
    for (uint32_t i = 0; err == OK; i++) {
        struct log_state state = { .size = 0 };
        struct store_txn txn = store_begin_read(log_store_environment(logs));
        err = txn.err;
        bool more = err == OK && i < log_count(logs, &txn);
        if (more)
            err = log_state_get(logs, &txn, i, &state);
        store_abort(&txn);
        if (!more)
            break;
        if (err == OK && strcmp(state.id.node, place_node(PROVINCE)) == 0 && state.size > 0)
            err = receipt_of(hub, province, &state.id);
    }
    return err;
}

/* ---- what is served ---------------------------------------------------------------------------- */

static void serve_log(struct place *place, struct store_txn *txn, const struct log_state *state,
                      place_on_record *on_record, void *context)
{
    struct log_store *logs = engine_logs(place->engine);
    struct buffer scratch = { 0 };
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(&state->id, origin);
    for (uint64_t i = 0; i < state->size; i++) {
        struct record record = { .header = BYTES_NONE };
        struct record_header header;
        struct hash leaf, content = { { 0 } };
        enum err err = log_read(logs, txn, state->number, i, &scratch, &record, &header, &leaf);
        if (err == OK)
            hash_sha256(&content,
                        (struct bytes[]){ record.header, record.facts, record.person }, 3);
        on_record(context, state->number, origin, i, err, content.bytes);
    }
    buffer_close(&scratch);
}

enum err place_serve(struct place *place, place_on_record *on_record, void *context)
{
    struct log_store *logs = engine_logs(place->engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = txn.err;
    uint32_t count = err == OK ? log_count(logs, &txn) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct log_state state;
        enum err found = log_state_get(logs, &txn, i, &state);
        if (found == OK)
            serve_log(place, &txn, &state, on_record, context);
        else
            err = found;
    }
    store_abort(&txn);
    return err;
}

bool place_has_view(struct place *place)
{
    struct log_head head;
    size_t count;
    enum err err =
        views_applied(engine_views(place->engine), place_node(PROVINCE), &head, 1, &count);
    return err != OK || count > 0;
}

enum err place_look_up(struct place *place, const char *code, uint8_t digest[32])
{
    struct views_reader reader;
    struct request_entry entry = { .kind = 0 };
    size_t count = 0;
    memset(digest, 0, 32);
    enum err err = views_reader_begin(engine_views(place->engine), place_node(PROVINCE), &reader);
    if (err != OK)
        return err;
    err = request_list_by_code(&reader.view, bytes_of_string(code), &entry, 1, &count);
    views_reader_end(&reader);
    if (err == OK && count == 0) /* as the API says it */
        err = engine_missing(place->engine) > 0 ? ERR_BUSY : ERR_NOT_FOUND;
    if (err != OK)
        return err;
    uint8_t numbers[16];
    put_u64(numbers, entry.record.position);
    put_u32(numbers + 8, entry.flags);
    put_u32(numbers + 12, entry.kind);
    struct hash hash;
    hash_sha256(&hash,
                (struct bytes[]){ BYTES_OF_ARRAY(numbers), BYTES_OF_ARRAY(entry.case_id),
                                  BYTES_OF_ARRAY(entry.record.incarnation),
                                  BYTES_OF_ARRAY(entry.phone.bytes),
                                  bytes_of_string(entry.subject), bytes_of_string(entry.client),
                                  bytes_of_string(entry.idempotency_key) },
                7);
    memcpy(digest, hash.bytes, 32);
    return OK;
}

/* ---- verification ---------------------------------------------------------------------------- */

static bool verification_key(void *context, const struct log_id *id, struct sign_public *key)
{
    (void)context;
    return find_key(id->node, false, key) == OK;
}

enum err place_verify(struct place *place, uint64_t *failures)
{
    return place_verify_all(place, failures, NULL, NULL);
}

enum err place_verify_all(struct place *place, uint64_t *failures, place_on_failure *on_failure,
                          void *context)
{
    struct log_store *logs = engine_logs(place->engine);
    struct verify verify;
    *failures = 0;
    enum err err = verify_open(&verify, logs, verification_key, NULL);
    if (err != OK)
        return err;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    err = txn.err;
    while (err == OK)
        err = verify_step(&verify, &txn, 1 << 20);
    store_abort(&txn);
    *failures = verify.report.failures;
    for (size_t i = 0; on_failure && i < verify.report.list_count; i++)
        on_failure(context, verify.report.list[i].number, verify.report.list[i].position,
                   verify.report.list[i].count);
    verify_close(&verify);
    return err == ERR_END ? OK : err;
}
