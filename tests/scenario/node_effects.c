/* What a node's core asks for, carried out on its store and its links. */
#include "tests/scenario/world_private.h"

#include "replication/core/package.h"

static void send_checkpoint(struct node *node, const struct effect_send_checkpoint *effect)
{
    static struct message message;
    struct store_log *log = store_find(&node->store, &effect->log);
    const struct store_note *note = store_choose(log, effect);
    struct event *answer = event_add(node, EVENT_CHECKPOINT_SENT);
    answer->checkpoint_sent =
        (struct event_checkpoint_sent){ .link = effect->link, .log = effect->log };
    require(note);
    struct merkle_source source = history_source(effect->branch ? &log->branch : &log->main);
    message.type = MESSAGE_CHECKPOINT;
    message.checkpoint.note = bytes_of(note->note, note->note_size);
    message.checkpoint.from = effect->from;
    require(merkle_prove_continuation(&source, effect->from, note->size,
                                     &message.checkpoint.proof) == OK);
    transmit_message(node, effect->link, &message);
    answer->checkpoint_sent.size = note->size;
}

/* Sends one package of what fits into `room`; gives its encoded size. */
static uint64_t send_package(struct node *node, const struct effect_send_records *effect,
                             uint64_t first, uint64_t room, uint64_t *count)
{
    static struct message message;
    struct store_log *log = store_find(&node->store, &effect->log);
    struct history *history = effect->branch ? &log->branch : &log->main;
    struct merkle_source source = history_source(history);
    struct buffer body = { 0 }, bytes = { 0 };
    uint64_t max = package_count_max(first, effect->against);
    for (*count = 0; *count < max && first + *count < effect->end; (*count)++) {
        struct bytes record = history->records[first + *count];
        if (*count > 0 && body.size + record.size > room)
            break;
        buffer_append_bytes(&body, record);
    }
    message.type = MESSAGE_PACKAGE;
    message.package = (struct message_package){ .log = effect->log,
                                                .first = first,
                                                .count = *count,
                                                .against = effect->against,
                                                .body = buffer_bytes(&body) };
    require(package_prove(&source, first, *count, effect->against, &message.package.proof) == OK);
    require(message_encode(&bytes, &message) == OK);
    transmit(node, effect->link, buffer_bytes(&bytes));
    uint64_t size = bytes.size;
    buffer_close(&body);
    buffer_close(&bytes);
    return size;
}

static void send_records(struct node *node, const struct effect_send_records *effect)
{
    enum { PROOF_ROOM = 8 * 1024 };
    uint64_t next = effect->first, size = 0;
    uint64_t room = effect->budget < PACKAGE_ROOM ? effect->budget : PACKAGE_ROOM;
    do {
        uint64_t count;
        size += send_package(node, effect, next, room - PROOF_ROOM, &count);
        next += count;
    } while (next < effect->end && size + PACKAGE_ROOM <= effect->budget);
    struct event *answer = event_add(node, EVENT_RECORDS_SENT);
    answer->records_sent = (struct event_records_sent){
        .link = effect->link, .log = effect->log, .next = next, .size = size
    };
}

static void send_log(struct node *node, const struct effect *effect)
{
    static struct message message;
    struct store_log *log = store_find(&node->store, &effect->send_log.log);
    if (effect->type == EFFECT_SEND_RECEIPT) {
        message.type = MESSAGE_RECEIPT;
        message.receipt.note = bytes_of(log->receipt.note, log->receipt.note_size);
    } else {
        message.type = MESSAGE_FORK;
        message.fork.proof = buffer_bytes(&log->proof);
    }
    transmit_message(node, effect->send_log.link, &message);
}

static void send_want(struct node *node, const struct effect_send_want *effect)
{
    static struct message message;
    message.type = MESSAGE_WANT;
    message.want = store_want(&node->store, effect);
    transmit_message(node, effect->link, &message);
}

static void find_branch(struct node *node, const struct effect_find_branch *effect)
{
    struct event *event = event_add(node, EVENT_BRANCH_FOUND);
    event->branch_found = (struct event_branch_found){ .link = effect->link, .log = effect->log };
    event->branch_found.err = store_find_branch(&node->store, effect, &event->branch_found.branch);
}

/* Of a forked log; nothing of the other branch otherwise. */
static struct cursor other_cursor(struct node *node, const struct log_id *id)
{
    struct store_log *log = store_find(&node->store, id);
    return log ? history_cursor(&log->branch) : (struct cursor){ 0 };
}

static void answer_stored(struct node *node, enum event_type type, const char *from, bool branch,
                          uint64_t link, const struct log_id *id, uint64_t size, enum err err,
                          bool proven, bool first)
{
    struct store_log *log = store_find(&node->store, id);
    struct history *history = branch ? &log->branch : &log->main;
    struct event *event = event_add(node, type);
    event->stored = (struct event_stored){ .link = link,
                                           .node = from,
                                           .log = *id,
                                           .branch = branch,
                                           .err = err,
                                           .cursor = history_cursor(history),
                                           .other = other_cursor(node, id),
                                           .size = size,
                                           .proven = proven };
    if (first)
        add_parents(last_item(node), history, &event->stored.parents, &event->stored.parent_count);
}

static void do_store_checkpoint(struct node *node, const struct effect_store_checkpoint *effect)
{
    bool proven = false;
    store_make(&node->store, &effect->log);
    enum err err = node->full ? ERR_FULL : store_checkpoint(&node->store, effect, &proven);
    answer_stored(node, EVENT_CHECKPOINT_STORED, effect->node, effect->branch, effect->link,
                  &effect->log, 0, err, proven, false);
}

static void do_store_package(struct node *node, const struct effect_store_package *effect)
{
    bool proven = false, first = false;
    enum err err = node->full ? ERR_FULL : store_package(&node->store, effect, &proven, &first);
    answer_stored(node, EVENT_PACKAGE_STORED, effect->node, effect->branch, effect->link,
                  &effect->log, effect->size, err, proven, first);
}

static void do_store_receipt(struct node *node, const struct effect_store_receipt *effect)
{
    struct event *event = event_add(node, EVENT_RECEIPT_STORED);
    event->receipt_stored = (struct event_receipt_stored){ .hub = effect->hub,
                                                           .log = effect->log,
                                                           .size = effect->size };
    event->receipt_stored.err =
        node->receipt_err != OK
            ? node->receipt_err
            : store_receipt(&node->store, effect, &event->receipt_stored.proven);
    event->receipt_stored.other = other_cursor(node, &effect->log);
}

static void do_store_fork(struct node *node, const struct effect_store_fork *effect)
{
    struct event *event = event_add(node, EVENT_FORK_STORED);
    event->fork_stored =
        (struct event_fork_stored){ .fork_node = effect->fork_node, .log = effect->log };
    event->fork_stored.err =
        node->receipt_err != OK ? node->receipt_err : store_fork(&node->store, effect);
    struct store_log *log = store_find(&node->store, &effect->log);
    if (log)
        event->fork_stored.cursor = history_cursor(&log->main);
    event->fork_stored.other = other_cursor(node, &effect->log);
}

static void do_sign_receipt(struct node *node, const struct effect_sign_receipt *effect)
{
    struct event *event = event_add(node, EVENT_RECEIPT_SIGNED);
    struct item *item = last_item(node);
    event->receipt_signed =
        (struct event_receipt_signed){ .log = effect->log, .size = effect->size };
    event->receipt_signed.err = node->receipt_err != OK
                                    ? node->receipt_err
                                    : store_cosign(&node->store, node->name, effect);
    const struct store_log *log = store_find(&node->store, &effect->log);
    buffer_append(&item->bytes, log->receipt.note, log->receipt.note_size);
    event->receipt_signed.note = buffer_bytes(&item->bytes);
}

static void do_close(struct node *node, const struct effect_close *effect)
{
    static struct message message;
    message.type = MESSAGE_CLOSE;
    message.close =
        (struct message_close){ .code = effect->code, .text = bytes_of_string(effect->text) };
    transmit_message(node, effect->link, &message);
    hang_up(node, effect->link);
}

static const char *own_audience(const struct node *node)
{
    return node->options.role == ROLE_HUB ? "all" : "hub";
}

static void carry_out(struct node *node, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_SEND:
        transmit(node, effect->send.link, effect_message(&node->effects, &effect->send));
        break;
    case EFFECT_SEND_CHECKPOINT:
        send_checkpoint(node, &effect->send_checkpoint);
        break;
    case EFFECT_SEND_RECORDS:
        send_records(node, &effect->send_records);
        break;
    case EFFECT_SEND_RECEIPT:
    case EFFECT_SEND_FORK:
        send_log(node, effect);
        break;
    case EFFECT_SEND_WANT:
        send_want(node, &effect->send_want);
        break;
    case EFFECT_FIND_BRANCH:
        find_branch(node, &effect->find_branch);
        break;
    case EFFECT_STORE_CHECKPOINT:
        do_store_checkpoint(node, &effect->store_checkpoint);
        break;
    case EFFECT_STORE_PACKAGE:
        do_store_package(node, &effect->store_package);
        break;
    case EFFECT_STORE_RECEIPT:
        do_store_receipt(node, &effect->store_receipt);
        break;
    case EFFECT_STORE_FORK:
        do_store_fork(node, &effect->store_fork);
        break;
    case EFFECT_SIGN_RECEIPT:
        do_sign_receipt(node, &effect->sign_receipt);
        break;
    case EFFECT_CONNECT:
        connect_to(node, effect->connect.node);
        break;
    case EFFECT_CLOSE:
        do_close(node, &effect->close);
        break;
    case EFFECT_DROP:
        hang_up(node, effect->close.link);
        break;
    case EFFECT_ALARM:
        transcript_alarm(node, &effect->alarm);
        break;
    case EFFECT_MAY_WRITE:
        if (!node->passive)
            open_log(node, own_audience(node), effect->may_write.hubs_unasked);
        break;
    case EFFECT_NEED_INCARNATION:
        reopen(node, &effect->need_incarnation);
        break;
    }
}

void node_step(struct node *node, struct event *event)
{
    event->now_ms = node->world->now_ms;
    effects_clear(&node->effects);
    core_step(node->core, event, &node->effects);
    require(node->effects.err == OK);
    for (size_t i = 0; i < node->effects.count; i++)
        carry_out(node, &node->effects.items[i]);
}
