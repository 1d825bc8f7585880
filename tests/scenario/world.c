/* Nodes, links, time: see world.h. */
#include "tests/scenario/world.h"

#include "proto/base/require.h"
#include "replication/core/package.h"
#include "tests/scenario/transcript.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wire {
    uint64_t id;
    struct node *ends[2];
    bool open[2];
};

enum item_kind { ITEM_MESSAGE, ITEM_EVENT, ITEM_CLOSED };

/* Something under way to a node. */
struct item {
    struct item *next;
    enum item_kind kind;
    struct node *to;
    unsigned process;
    uint64_t link;
    struct buffer bytes; /* a message; or what an event refers to */
    struct event event;
    struct log_head *parents;
};

static void *must(void *memory)
{
    require(memory);
    return memory;
}

/* ---- the queue ---------------------------------------------------------------------------------
 */

static struct item *item_add(struct node *to, enum item_kind kind)
{
    struct world *world = to->world;
    struct item *item = must(calloc(1, sizeof *item));
    item->kind = kind;
    item->to = to;
    item->process = to->process;
    if (world->last)
        world->last->next = item;
    else
        world->first = item;
    world->last = item;
    return item;
}

static struct event *event_add(struct node *to, enum event_type type)
{
    struct item *item = item_add(to, ITEM_EVENT);
    item->event.type = type;
    return &item->event;
}

static void item_free(struct item *item)
{
    buffer_close(&item->bytes);
    free(item->parents);
    free(item);
}

static void node_step(struct node *node, struct event *event);

/* ---- links -------------------------------------------------------------------------------------
 */

static struct wire *wire_find(struct world *world, uint64_t id)
{
    return id >= 1 && id <= world->wire_count ? &world->wires[id - 1] : NULL;
}

static int wire_end(const struct wire *wire, const struct node *node)
{
    return wire->ends[1] == node;
}

static struct node *node_find(struct world *world, const char *name)
{
    for (size_t i = 0; i < world->node_count; i++)
        if (strcmp(world->nodes[i].name, name) == 0)
            return &world->nodes[i];
    return NULL;
}

static void opened_add(struct node *node, struct node *peer, uint64_t link, bool outbound)
{
    struct event *event = event_add(node, EVENT_LINK_OPENED);
    event->link_opened = (struct event_link_opened){ .link = link, .outbound = outbound };
    event->link_opened.node = peer->key_name;
    uint8_t id[8];
    put_u64(id, link);
    hash_sha256(&event->link_opened.binding, &(struct bytes){ id, sizeof id }, 1);
}

static void connect_to(struct node *node, const char *name)
{
    struct world *world = node->world;
    struct node *peer = node_find(world, name);
    if (world->cut || !peer || !peer->core) {
        event_add(node, EVENT_CONNECT_FAILED)->connect_failed.node = peer ? peer->name : name;
        return;
    }
    world->wires = must(realloc(world->wires, (world->wire_count + 1) * sizeof *world->wires));
    struct wire *wire = &world->wires[world->wire_count++];
    *wire =
        (struct wire){ .id = world->wire_count, .ends = { node, peer }, .open = { true, true } };
    uint64_t id = wire->id;
    opened_add(node, peer, id, true);
    opened_add(peer, node, id, false);
}

static void transmit(struct node *from, uint64_t link, struct bytes message)
{
    struct wire *wire = wire_find(from->world, link);
    int end = wire_end(wire, from);
    if (!wire->open[end] || !wire->open[!end] || from->world->silent)
        return;
    struct item *item = item_add(wire->ends[!end], ITEM_MESSAGE);
    item->link = link;
    buffer_append_bytes(&item->bytes, message);
}

static void transmit_message(struct node *from, uint64_t link, const struct message *message)
{
    struct buffer bytes = { 0 };
    require(message_encode(&bytes, message) == OK);
    transmit(from, link, buffer_bytes(&bytes));
    buffer_close(&bytes);
}

/* This end is done; the other one hears of it after what was sent before. */
static void hang_up(struct node *node, uint64_t link)
{
    struct wire *wire = wire_find(node->world, link);
    int end = wire_end(wire, node);
    if (!wire->open[end])
        return;
    wire->open[end] = false;
    item_add(wire->ends[!end], ITEM_CLOSED)->link = link;
}

static void wires_cut(struct world *world)
{
    for (size_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        for (int end = 0; end < 2; end++)
            if (wire->open[end])
                event_add(wire->ends[end], EVENT_LINK_CLOSED)->link.link = wire->id;
        wire->open[0] = wire->open[1] = false;
    }
}

void world_cut(struct world *world)
{
    world->cut = true;
    transcript_add(world, "--- cut\n");
    wires_cut(world);
}

void world_heal(struct world *world)
{
    world->cut = false;
    transcript_add(world, "--- healed\n");
}

/* ---- what a node does --------------------------------------------------------------------------
 */

static void add_parents(struct item *item, const struct history *history,
                        const struct log_head **parents, size_t *count)
{
    const struct log_head *found = history_parents(history, count);
    item->parents = must(calloc(*count + 1, sizeof *item->parents));
    memcpy(item->parents, found, *count * sizeof *found);
    *parents = item->parents;
}

static struct item *last_item(struct node *node)
{
    return node->world->last;
}

static void open_log(struct node *node, const char *audience, bool unasked)
{
    struct log_id id;
    uint8_t incarnation[INCARNATION_SIZE] = { 0 };
    incarnation[0] = (uint8_t)(0xa0 + 0x10 * (node - node->world->nodes) + ++node->opened);
    require(log_id_init(&id, bytes_of_string(node->options.node), bytes_of_string(audience),
                        incarnation) == OK);
    require(node->live_count < NODE_LIVE_MAX);
    node->live[node->live_count++] = id;
    struct store_log *log = store_make(&node->store, &id);
    store_write(&node->store, log, 1, node->salt);
    struct event *event = event_add(node, EVENT_LOG_OPENED);
    event->own_log = (struct event_own_log){ .log = id, .size = log->main.count };
    add_parents(last_item(node), &log->main, &event->own_log.parents, &event->own_log.parent_count);
    transcript_opens(node, event, unasked);
}

void node_open(struct node *node, const char *audience)
{
    open_log(node, audience, false);
}

static const char *own_audience(const struct node *node)
{
    return node->options.role == ROLE_HUB ? "all" : "hub";
}

static void reopen(struct node *node, const struct effect_need_incarnation *need)
{
    transcript_addf(node->world, "%s * needs an incarnation: %s\n", node->name,
                    incarnation_reason_name(need->reason));
    for (size_t i = 0; i < node->live_count; i++)
        if (log_id_equal(&node->live[i], &need->log)) {
            node->live[i] = node->live[--node->live_count];
            event_add(node, EVENT_LOG_CLOSED)->own_log.log = need->log;
            node_open(node, need->log.audience);
            return;
        }
    require(false); /* the core asks for live logs only, and once */
}

void node_write(struct node *node, size_t count)
{
    require(node->live_count > 0);
    struct store_log *log = store_make(&node->store, &node->live[0]);
    store_write(&node->store, log, count, node->salt);
    struct event *event = event_add(node, EVENT_LOG_ADVANCED);
    event->own_log = (struct event_own_log){ .log = log->id, .size = log->main.count };
}

/* ---- effects -----------------------------------------------------------------------------------
 */

static void send_checkpoint(struct node *node, const struct effect_send_checkpoint *effect)
{
    static struct message message;
    struct store_log *log = store_find(&node->store, &effect->log);
    const struct store_note *note = store_choose(log, effect);
    struct event *answer = event_add(node, EVENT_CHECKPOINT_SENT);
    answer->checkpoint_sent =
        (struct event_checkpoint_sent){ .link = effect->link, .log = effect->log };
    require(note);
    struct merkle_source source = history_source(&log->main);
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
    struct merkle_source source = history_source(&log->main);
    struct buffer body = { 0 }, bytes = { 0 };
    uint64_t max = package_count_max(first, effect->against);
    for (*count = 0; *count < max && first + *count < effect->end; (*count)++) {
        struct bytes record = log->main.records[first + *count];
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
}

static void do_store_fork(struct node *node, const struct effect_store_fork *effect)
{
    struct event *event = event_add(node, EVENT_FORK_STORED);
    event->fork_stored =
        (struct event_fork_stored){ .fork_node = effect->fork_node, .log = effect->log };
    event->fork_stored.err =
        node->receipt_err != OK ? node->receipt_err : store_fork(&node->store, effect);
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

static void node_step(struct node *node, struct event *event)
{
    event->now_ms = node->world->now_ms;
    effects_clear(&node->effects);
    core_step(node->core, event, &node->effects);
    require(node->effects.err == OK);
    for (size_t i = 0; i < node->effects.count; i++)
        carry_out(node, &node->effects.items[i]);
}

/* ---- life of a node ----------------------------------------------------------------------------
 */

static void load(struct node *node)
{
    for (size_t i = 0; i < node->store.count; i++) {
        struct store_log *log = node->store.logs[i];
        struct event event = { .type = EVENT_LOG_LOADED };
        event.log_loaded = (struct event_log_loaded){
            .log = log->id,
            .held = history_cursor(&log->main),
            .cosigned = log->cosigned,
            .receipts = log->receipts,
            .receipt_count = log->receipt_count,
            .frozen = log->frozen,
            .proven = log->proven,
            .fork_node = log->fork_node,
            .branch = history_cursor(&log->branch),
        };
        event.log_loaded.parents = history_parents(&log->main, &event.log_loaded.parent_count);
        node_step(node, &event);
    }
}

void node_start(struct node *node)
{
    struct event start = { .type = EVENT_START };
    node->core = must(core_new(&node->options));
    load(node);
    node_step(node, &start);
}

void node_stop(struct node *node)
{
    struct world *world = node->world;
    core_free(node->core);
    node->core = NULL;
    node->process++;
    node->live_count = 0;
    for (size_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        if (wire->ends[0] == node || wire->ends[1] == node)
            hang_up(node, wire->id);
    }
    transcript_addf(world, "--- %s stops\n", node->name);
}

void node_restore(struct node *node, struct store *backup)
{
    require(!node->core);
    store_close(&node->store);
    node->store = *backup;
    *backup = (struct store){ 0 };
}

void node_rewind(struct node *node, struct store *backup)
{
    struct log_id live = node->live[0];
    node_stop(node);
    world_run(node->world);
    node_restore(node, backup);
    node->core = must(core_new(&node->options));
    load(node);
    node->passive = true; /* it believes that it writes already */
    struct event start = { .type = EVENT_START };
    node_step(node, &start);
    node->live[node->live_count++] = live;
    struct store_log *log = store_find(&node->store, &live);
    struct event *event = event_add(node, EVENT_LOG_OPENED);
    event->own_log = (struct event_own_log){ .log = live, .size = log->main.count };
}

/* ---- the world ---------------------------------------------------------------------------------
 */

struct world *world_new(void)
{
    return must(calloc(1, sizeof(struct world)));
}

void world_free(struct world *world)
{
    while (world->first) {
        struct item *item = world->first;
        world->first = item->next;
        item_free(item);
    }
    for (size_t i = 0; i < world->node_count; i++) {
        core_free(world->nodes[i].core);
        store_close(&world->nodes[i].store);
        effects_close(&world->nodes[i].effects);
    }
    buffer_close(&world->transcript);
    free(world->wires);
    free(world);
}

struct node *world_add(struct world *world, const char *name, enum node_role role)
{
    require(world->node_count < WORLD_NODE_MAX);
    struct node *node = &world->nodes[world->node_count++];
    node->world = world;
    snprintf(node->name, sizeof node->name, "%s", name);
    snprintf(node->key_name, sizeof node->key_name, "%s", name);
    snprintf(node->options.node, sizeof node->options.node, "%s", name);
    node->options.role = role;
    node->options.peers = node->peers;
    node->options.seed = world->node_count;
    node->salt = (uint8_t)world->node_count;
    return node;
}

static void peer_add(struct node *node, const struct node *peer, bool connect)
{
    struct core_peer *added = &node->peers[node->options.peer_count++];
    *added = (struct core_peer){ .role = peer->options.role, .connect = connect };
    snprintf(added->node, sizeof added->node, "%s", peer->name);
}

void world_peers(struct node *a, struct node *b)
{
    peer_add(a, b, true);
    peer_add(b, a, false);
}

void world_start(struct world *world)
{
    for (size_t i = 0; i < world->node_count; i++)
        node_start(&world->nodes[i]);
}

static void deliver(struct item *item)
{
    static struct message message, twin;
    struct node *to = item->to;
    struct world *world = to->world;
    struct wire *wire = wire_find(world, item->link);
    int end = wire_end(wire, to);
    if (!wire->open[end])
        return;
    require(message_decode(&message, buffer_bytes(&item->bytes)) == OK);
    enum delivery delivery = world->meddle ? world->meddle(to, &message) : DELIVER;
    transcript_message(to, wire->ends[!end], &message, delivery);
    world->delivered++;
    twin = message;
    struct event event = { .type = EVENT_MESSAGE };
    event.message =
        (struct event_message){ .link = item->link, .message = &message, .size = item->bytes.size };
    for (int times = delivery == LOSE ? 0 : delivery == DELIVER ? 1 : 2; times > 0; times--) {
        node_step(to, &event);
        event.message.message = &twin;
    }
    if (world->delivered == world->cut_after) {
        transcript_add(world, "--- cut\n");
        wires_cut(world);
    }
}

static void item_run(struct item *item)
{
    struct node *to = item->to;
    if (!to->core || item->process != to->process)
        return;
    switch (item->kind) {
    case ITEM_MESSAGE:
        deliver(item);
        break;
    case ITEM_EVENT:
        node_step(to, &item->event);
        break;
    case ITEM_CLOSED: {
        struct event event = { .type = EVENT_LINK_CLOSED, .link.link = item->link };
        struct wire *wire = wire_find(to->world, item->link);
        wire->open[wire_end(wire, to)] = false;
        node_step(to, &event);
        break;
    }
    }
}

static bool is_kept_back(const struct item *item)
{
    return item->to->slow && item->kind == ITEM_EVENT &&
           (item->event.type == EVENT_PACKAGE_STORED ||
            item->event.type == EVENT_CHECKPOINT_STORED);
}

/* The first item that may be carried out; those that a slow store keeps back stay. */
static struct item *item_take(struct world *world)
{
    struct item *before = NULL;
    for (struct item *item = world->first; item; before = item, item = item->next) {
        if (is_kept_back(item))
            continue;
        if (before)
            before->next = item->next;
        else
            world->first = item->next;
        if (world->last == item)
            world->last = before;
        return item;
    }
    return NULL;
}

void world_run(struct world *world)
{
    size_t steps = 0;
    for (struct item *item; (item = item_take(world)); item_free(item)) {
        item_run(item);
        if (++steps > 100000) {
            buffer_append_u8(&world->transcript, 0);
            size_t size = world->transcript.size > 4000 ? world->transcript.size - 4000 : 0;
            fprintf(stderr, "%s", (const char *)world->transcript.data + size);
            require(false); /* it goes on for ever */
        }
    }
}

static uint64_t next_deadline(const struct world *world)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < world->node_count; i++) {
        const struct core *core = world->nodes[i].core;
        uint64_t deadline = core ? core_deadline(core) : UINT64_MAX;
        if (deadline < next)
            next = deadline;
    }
    return next;
}

void world_wait(struct world *world, uint64_t ms)
{
    uint64_t until = world->now_ms + ms;
    world_run(world);
    for (uint64_t next; (next = next_deadline(world)) <= until; world_run(world)) {
        require(next >= world->now_ms);
        world->now_ms = next;
        for (size_t i = 0; i < world->node_count; i++) {
            struct event tick = { .type = EVENT_TICK };
            if (world->nodes[i].core && core_deadline(world->nodes[i].core) <= next)
                node_step(&world->nodes[i], &tick);
        }
    }
    world->now_ms = until;
}

static bool log_is_held(struct node *holder, const struct store_log *log)
{
    const struct store_log *held = store_find(&holder->store, &log->id);
    if (!held || held->main.count < log->main.count)
        return false;
    for (size_t i = 0; i < log->main.count; i++)
        if (!bytes_equal(held->main.records[i], log->main.records[i]))
            return false;
    return true;
}

bool node_holds_all_of(struct node *holder, struct node *author)
{
    for (size_t i = 0; i < author->store.count; i++) {
        const struct store_log *log = author->store.logs[i];
        if (strcmp(log->id.node, author->options.node) == 0 && !log_is_held(holder, log))
            return false;
    }
    return true;
}

struct store_log *node_log(struct node *node, const char *short_name)
{
    char name[TRANSCRIPT_LOG_SIZE];
    for (size_t i = 0; i < node->store.count; i++)
        if (strcmp(transcript_log(name, &node->store.logs[i]->id), short_name) == 0)
            return node->store.logs[i];
    cr_assert_fail("%s does not hold %s", node->name, short_name);
    return NULL;
}
