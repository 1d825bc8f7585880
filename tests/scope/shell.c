/* What a core asks for, carried out on its store and its wires. */
#include "proto/base/require.h"
#include "replication/core/package.h"
#include "tests/scope/scope.h"

#include <stdio.h>
#include <stdlib.h>

static struct message message; /* for building: nothing in it outlives a call */

/* ---- events that are due -----------------------------------------------------------------------
 */

static struct due *due_add(struct scope_node *node, enum event_type type)
{
    struct due *due = calloc(1, sizeof *due);
    require(due != NULL);
    due->event.type = type;
    if (node->due_last != NULL)
        node->due_last->next = due;
    else
        node->due_first = due;
    node->due_last = due;
    return due;
}

struct event *scope_due(struct scope_node *node, enum event_type type)
{
    return &due_add(node, type)->event;
}

static void due_free(struct due *due)
{
    buffer_close(&due->bytes);
    free(due->parents);
    free(due);
}

static struct due *due_take(struct scope_node *node)
{
    struct due *due = node->due_first;
    node->due_first = due->next;
    if (due->next == NULL)
        node->due_last = NULL;
    return due;
}

void scope_due_run(struct scope_node *node)
{
    while (node->due_first != NULL) {
        struct due *due = due_take(node);
        if (node->core != NULL)
            scope_step(node, &due->event);
        due_free(due);
    }
}

void scope_due_forget(struct scope_node *node)
{
    while (node->due_first != NULL)
        due_free(due_take(node));
}

static void parents_add(struct due *due, const struct history *history,
                        const struct log_head **parents, size_t *count)
{
    const struct log_head *found = history_parents(history, count);
    due->parents = calloc(*count + 1, sizeof *due->parents);
    require(due->parents != NULL);
    memcpy(due->parents, found, *count * sizeof *found);
    *parents = due->parents;
}

/* ---- sending -----------------------------------------------------------------------------------
 */

static void transmit_message(struct scope_node *node, uint64_t link)
{
    struct buffer bytes = { 0 };
    require(message_encode(&bytes, &message) == OK);
    scope_transmit(node, link, buffer_bytes(&bytes));
    buffer_close(&bytes);
}

static struct history *branch_of(struct store_log *log, bool branch)
{
    return branch ? &log->branch : &log->main;
}

static void send_checkpoint(struct scope_node *node, const struct effect_send_checkpoint *effect)
{
    struct store_log *log = store_find(&node->store, &effect->log);
    const struct store_note *note = store_choose(log, effect);
    struct due *answer = due_add(node, EVENT_CHECKPOINT_SENT);
    struct merkle_source source = history_source(branch_of(log, effect->branch));
    require(note != NULL);
    answer->event.checkpoint_sent = (struct event_checkpoint_sent){ .link = effect->link,
                                                                    .log = effect->log,
                                                                    .size = note->size };
    message.type = MESSAGE_CHECKPOINT;
    message.checkpoint.note = bytes_of(note->note, note->note_size);
    message.checkpoint.from = effect->from;
    require(merkle_prove_continuation(&source, effect->from, note->size,
                                      &message.checkpoint.proof) == OK);
    transmit_message(node, effect->link);
}

/* Logs of the small world fit into one package. */
static void send_records(struct scope_node *node, const struct effect_send_records *effect)
{
    struct store_log *log = store_find(&node->store, &effect->log);
    struct history *history = branch_of(log, effect->branch);
    struct merkle_source source = history_source(history);
    struct buffer body = { 0 }, bytes = { 0 };
    uint64_t count = 0, max = package_count_max(effect->first, effect->against);
    while (count < max && effect->first + count < effect->end)
        buffer_append_bytes(&body, history->records[effect->first + count++]);
    message.type = MESSAGE_PACKAGE;
    message.package = (struct message_package){ .log = effect->log,
                                                .first = effect->first,
                                                .count = count,
                                                .against = effect->against,
                                                .body = buffer_bytes(&body) };
    require(package_prove(&source, effect->first, count, effect->against, &message.package.proof) ==
            OK);
    require(message_encode(&bytes, &message) == OK);
    scope_transmit(node, effect->link, buffer_bytes(&bytes));
    due_add(node, EVENT_RECORDS_SENT)->event.records_sent = (struct event_records_sent){
        .link = effect->link, .log = effect->log, .next = effect->first + count, .size = bytes.size
    };
    buffer_close(&body);
    buffer_close(&bytes);
}

static void send_stored(struct scope_node *node, const struct effect *effect)
{
    struct store_log *log = store_find(&node->store, &effect->send_log.log);
    if (effect->type == EFFECT_SEND_RECEIPT) {
        message.type = MESSAGE_RECEIPT;
        message.receipt.note = bytes_of(log->receipt.note, log->receipt.note_size);
    } else {
        message.type = MESSAGE_FORK;
        message.fork.proof = buffer_bytes(&log->proof);
    }
    transmit_message(node, effect->send_log.link);
}

static void send_want(struct scope_node *node, const struct effect_send_want *effect)
{
    message.type = MESSAGE_WANT;
    message.want = store_want(&node->store, effect);
    transmit_message(node, effect->link);
}

static void find_branch(struct scope_node *node, const struct effect_find_branch *effect)
{
    struct event_branch_found *answer = &due_add(node, EVENT_BRANCH_FOUND)->event.branch_found;
    *answer = (struct event_branch_found){ .link = effect->link, .log = effect->log };
    answer->err = store_find_branch(&node->store, effect, &answer->branch);
}

static void end_link(struct scope_node *node, const struct effect *effect)
{
    struct wire *wire = scope_wire(node->scope, effect->close.link);
    if (effect->type == EFFECT_CLOSE) {
        message.type = MESSAGE_CLOSE;
        message.close = (struct message_close){ .code = effect->close.code,
                                                .text = bytes_of_string(effect->close.text) };
        transmit_message(node, effect->close.link);
    }
    if (wire != NULL)
        scope_hang_up(node->scope, wire, wire->ends[1] == node);
}

/* ---- storing -----------------------------------------------------------------------------------
 */

static void work_add(struct scope_node *node, const struct effect *effect)
{
    struct work *work = calloc(1, sizeof *work);
    require(work != NULL);
    work->effect = *effect;
    buffer_append_bytes(&work->message, node->message);
    if (node->work_last != NULL)
        node->work_last->next = work;
    else
        node->work_first = work;
    node->work_last = work;
}

static void work_free(struct work *work)
{
    buffer_close(&work->message);
    free(work);
}

void scope_work_forget(struct scope_node *node)
{
    while (node->work_first != NULL) {
        struct work *work = node->work_first;
        node->work_first = work->next;
        work_free(work);
    }
    node->work_last = NULL;
}

/* Of a forked log; nothing of the other branch otherwise. */
static struct cursor other_cursor(struct scope_node *node, const struct log_id *id)
{
    struct store_log *log = store_find(&node->store, id);
    return log ? history_cursor(&log->branch) : (struct cursor){ 0 };
}

/* `proven` and `first` are about the store before `err` was found. */
static void answer_stored(struct scope_node *node, enum event_type type,
                          const struct event_stored *known, bool first)
{
    struct store_log *log = store_find(&node->store, &known->log);
    struct history *history = branch_of(log, known->branch);
    struct due *due = due_add(node, type);
    due->event.stored = *known;
    due->event.stored.cursor = history_cursor(history);
    due->event.stored.other = other_cursor(node, &known->log);
    if (first)
        parents_add(due, history, &due->event.stored.parents, &due->event.stored.parent_count);
}

static void store_checkpoint_of(struct scope_node *node, struct effect_store_checkpoint effect)
{
    struct event_stored stored = {
        .link = effect.link, .node = effect.node, .log = effect.log, .branch = effect.branch
    };
    effect.message = &message.checkpoint;
    stored.err = store_checkpoint(&node->store, &effect, &stored.proven);
    answer_stored(node, EVENT_CHECKPOINT_STORED, &stored, false);
}

static void store_package_of(struct scope_node *node, struct effect_store_package effect)
{
    bool first = false;
    struct event_stored stored = { .link = effect.link,
                                   .node = effect.node,
                                   .log = effect.log,
                                   .branch = effect.branch,
                                   .size = effect.size };
    effect.message = &message.package;
    stored.err = store_package(&node->store, &effect, &stored.proven, &first);
    answer_stored(node, EVENT_PACKAGE_STORED, &stored, first);
}

/* A receipt counts from where its author has it: before, nobody relies on it. */
static void tell_receipt(struct scope_node *node, struct bytes note)
{
    char text[1200];
    require(note.size < sizeof text);
    memcpy(text, note.data, note.size);
    text[note.size] = '\0';
    scope_tell(node, HISTORY_RECEIPT, 0, text, NULL);
}

static void store_receipt_of(struct scope_node *node, struct effect_store_receipt effect)
{
    struct event_receipt_stored *answer =
        &due_add(node, EVENT_RECEIPT_STORED)->event.receipt_stored;
    effect.note = message.receipt.note;
    *answer =
        (struct event_receipt_stored){ .hub = effect.hub, .log = effect.log, .size = effect.size };
    answer->err = store_receipt(&node->store, &effect, &answer->proven);
    answer->other = other_cursor(node, &effect.log);
    if (answer->err == OK)
        tell_receipt(node, effect.note);
}

static void store_fork_of(struct scope_node *node, struct effect_store_fork effect)
{
    struct event_fork_stored *answer = &due_add(node, EVENT_FORK_STORED)->event.fork_stored;
    effect.proof = message.fork.proof;
    *answer = (struct event_fork_stored){ .fork_node = effect.fork_node, .log = effect.log };
    answer->err = store_fork(&node->store, &effect);
    const struct store_log *log = store_find(&node->store, &effect.log);
    if (log != NULL)
        answer->cursor = history_cursor(&log->main);
    answer->other = other_cursor(node, &effect.log);
}

static void sign_receipt(struct scope_node *node, const struct effect_sign_receipt *effect)
{
    struct due *due = due_add(node, EVENT_RECEIPT_SIGNED);
    due->event.receipt_signed =
        (struct event_receipt_signed){ .log = effect->log, .size = effect->size };
    due->event.receipt_signed.err = store_cosign(&node->store, node->options.node, effect);
    const struct store_log *log = store_find(&node->store, &effect->log);
    buffer_append(&due->bytes, log->receipt.note, log->receipt.note_size);
    due->event.receipt_signed.note = buffer_bytes(&due->bytes);
}

static void work_do(struct scope_node *node, const struct work *work)
{
    const struct effect *effect = &work->effect;
    if (effect->type != EFFECT_SIGN_RECEIPT)
        require(message_decode(&message, buffer_bytes(&work->message)) == OK);
    switch (effect->type) {
    case EFFECT_STORE_CHECKPOINT:
        store_checkpoint_of(node, effect->store_checkpoint);
        break;
    case EFFECT_STORE_PACKAGE:
        store_package_of(node, effect->store_package);
        break;
    case EFFECT_STORE_RECEIPT:
        store_receipt_of(node, effect->store_receipt);
        break;
    case EFFECT_STORE_FORK:
        store_fork_of(node, effect->store_fork);
        break;
    case EFFECT_SIGN_RECEIPT:
        sign_receipt(node, &effect->sign_receipt);
        break;
    default:
        require(false);
    }
}

void scope_commit(struct scope_node *node, bool answer)
{
    struct work *next = node->work_first;
    node->work_first = node->work_last = NULL; /* what the answers ask for is the next group */
    while (next != NULL) {
        struct work *work = next;
        next = work->next;
        work_do(node, work);
        work_free(work);
    }
    if (answer)
        scope_due_run(node);
    else
        scope_due_forget(node);
}

/* ---- own logs ----------------------------------------------------------------------------------
 */

/* The next that is drawn; never one that the store has. */
static struct log_id incarnation_draw(struct scope_node *node, const char *audience)
{
    struct log_id id;
    uint8_t incarnation[INCARNATION_SIZE] = { 0 };
    do {
        incarnation[0] = (uint8_t)(0xa0 + 0x10 * (int)node->generator + (int)++node->opened);
        require(log_id_init(&id, bytes_of_string(node->options.node), bytes_of_string(audience),
                            incarnation) == OK);
    } while (store_find(&node->store, &id) != NULL);
    return id;
}

static void open_log(struct scope_node *node, const char *audience)
{
    struct log_id id = incarnation_draw(node, audience);
    require(node->live_count < SCOPE_LIVE_MAX);
    node->live[node->live_count++] = id;
    struct store_log *log = store_make(&node->store, &id);
    store_write(&node->store, log, 1, (uint8_t)(node->generator + 1));
    node->live_size = log->main.count;
    struct due *due = due_add(node, EVENT_LOG_OPENED);
    due->event.own_log = (struct event_own_log){ .log = id, .size = log->main.count };
    parents_add(due, &log->main, &due->event.own_log.parents, &due->event.own_log.parent_count);
    scope_say("  %s opens %s %02x naming %zu", node->host, audience, id.incarnation[0],
              due->event.own_log.parent_count);
}

static void reopen(struct scope_node *node, struct log_id log)
{
    for (size_t i = 0; i < node->live_count; i++)
        if (log_id_equal(&node->live[i], &log)) {
            node->live[i] = node->live[--node->live_count];
            due_add(node, EVENT_LOG_CLOSED)->event.own_log.log = log;
            open_log(node, log.audience);
            return;
        }
    require(false); /* the core asks for live logs only, and once */
}

/* Waits for the node to open a log, as a call-taker would: fifteen seconds. */
static bool wait_for_log(struct scope_node *node)
{
    uint64_t until_ms = node->scope->now_ms + 15000;
    while (node->live_count == 0 && node->scope->now_ms < until_ms)
        scope_tick(node->scope, until_ms);
    return node->live_count > 0;
}

void scope_register(struct scope_node *node)
{
    unsigned call = 100 * (unsigned)node->place + ++node->calls;
    if (!wait_for_log(node)) {
        node->clock += 16000; /* it has been up for long enough (I22) */
        scope_tell(node, HISTORY_INVOKE, call, NULL, NULL);
        node->clock += 11000;
        scope_tell(node, HISTORY_UNKNOWN, call, NULL, NULL);
        return;
    }
    scope_tell(node, HISTORY_INVOKE, call, NULL, NULL);
    require(node->gathering_count < sizeof node->gathering / sizeof *node->gathering);
    node->gathering[node->gathering_count++] = call;
}

static void append_request(struct scope_node *node, struct store_log *log, unsigned call)
{
    struct buffer facts = { 0 };
    uint8_t salt[SALT_SIZE] = { (uint8_t)node->place };
    char code[TRACKING_CODE_DIGITS + 1], key[16];
    snprintf(code, sizeof code, "%014u", call);
    snprintf(key, sizeof key, "k%u", call);
    buffer_append(&facts, salt, sizeof salt);
    struct request_facts request = { .code = bytes_of_string(code),
                                     .kind = REQUEST_REQUEST,
                                     .channel = CHANNEL_PHONE,
                                     .subject = bytes_of_string("water.outage"),
                                     .place = bytes_of_string("IR-24"),
                                     .client = bytes_of_string("desk"),
                                     .idempotency_key = bytes_of_string(key) };
    require(request_facts_encode(&facts, &request) == OK);
    store_add(log, RECORD_REQUEST, buffer_bytes(&facts));
    buffer_close(&facts);
}

void scope_group(struct scope_node *node)
{
    if (node->gathering_count == 0 || node->live_count == 0)
        return;
    struct store_log *log = store_find(&node->store, &node->live[0]);
    if (log->main.count != node->live_size) {
        /* Records of a twin came into it: the group fails, which ends its incarnation (design D4), and
         * the clients try again. */
        reopen(node, log->id);
        log = store_find(&node->store, &node->live[0]);
    }
    for (size_t i = 0; i < node->gathering_count; i++)
        append_request(node, log, node->gathering[i]);
    store_write(&node->store, log, 0, 0);
    node->live_size = log->main.count;
    for (size_t i = 0; i < node->gathering_count; i++)
        scope_tell(node, HISTORY_OK, node->gathering[i], NULL, NULL);
    node->gathering_count = 0;
    due_add(node, EVENT_LOG_ADVANCED)->event.own_log =
        (struct event_own_log){ .log = log->id, .size = log->main.count };
    scope_due_run(node);
}

void scope_load(struct scope_node *node)
{
    for (size_t i = 0; i < node->store.count; i++) {
        struct event event = store_loaded(node->store.logs[i]);
        scope_step(node, &event);
    }
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static void raise_alarm(struct scope_node *node, const struct effect_alarm *alarm)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1] = "";
    if (alarm->has_log)
        log_id_origin(&alarm->log, origin);
    scope_say("  %s ! %s %s %s", node->host, alarm_name(alarm->alarm), alarm->node, origin);
    scope_tell(node, HISTORY_ALARM, 0, alarm_name(alarm->alarm),
               alarm->has_log ? origin : alarm->node);
}

void scope_carry_out(struct scope_node *node, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_SEND:
        scope_transmit(node, effect->send.link, effect_message(&node->effects, &effect->send));
        break;
    case EFFECT_SEND_CHECKPOINT:
        send_checkpoint(node, &effect->send_checkpoint);
        break;
    case EFFECT_SEND_RECORDS:
        send_records(node, &effect->send_records);
        break;
    case EFFECT_SEND_RECEIPT:
    case EFFECT_SEND_FORK:
        send_stored(node, effect);
        break;
    case EFFECT_SEND_WANT:
        send_want(node, &effect->send_want);
        break;
    case EFFECT_FIND_BRANCH:
        find_branch(node, &effect->find_branch);
        break;
    case EFFECT_STORE_CHECKPOINT:
        store_make(&node->store, &effect->store_checkpoint.log);
        work_add(node, effect);
        break;
    case EFFECT_STORE_PACKAGE:
    case EFFECT_STORE_RECEIPT:
    case EFFECT_STORE_FORK:
    case EFFECT_SIGN_RECEIPT:
        work_add(node, effect);
        break;
    case EFFECT_CONNECT:
        scope_call(node);
        break;
    case EFFECT_CLOSE:
    case EFFECT_DROP:
        end_link(node, effect);
        break;
    case EFFECT_ALARM:
        raise_alarm(node, &effect->alarm);
        break;
    case EFFECT_MAY_WRITE:
        open_log(node, node->options.role == ROLE_HUB ? "all" : "hub");
        break;
    case EFFECT_NEED_INCARNATION:
        reopen(node, effect->need_incarnation.log);
        break;
    }
}
