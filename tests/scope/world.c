/* Nodes, wires and time of the small world: see scope.h. */
#include "proto/base/require.h"
#include "tests/scope/scope.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool scope_print;

/* Short, so that waiting for these does not bring others about: digest.c tells times by the second.
 */
enum { ASK_MS = 2, RETRY_MIN_MS = 1, RETRY_MAX_MS = 4 };

static const char *const NAMES[PLACE_COUNT] = { "ardabil", "ilam", "tehran", "ardabil" };
static const char *const HOSTS[PLACE_COUNT] = { "a", "b", "hub", "a.2" };

void scope_say(const char *format, ...)
{
    va_list arguments;
    if (!scope_print)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* ---- making ------------------------------------------------------------------------------------
 */

static void peer_add(struct scope_node *node, enum scope_place place)
{
    struct core_peer *peer = &node->peers[node->options.peer_count++];
    *peer = (struct core_peer){ .role = place == PLACE_HUB ? ROLE_HUB : ROLE_PROVINCE,
                                .connect = place == PLACE_HUB };
    snprintf(peer->node, sizeof peer->node, "%s", NAMES[place]);
}

static void node_init(struct scope *scope, enum scope_place place)
{
    struct scope_node *node = &scope->nodes[place];
    node->scope = scope;
    node->place = node->generator = place;
    node->host = HOSTS[place];
    snprintf(node->options.node, sizeof node->options.node, "%s", NAMES[place]);
    node->options.role = place == PLACE_HUB ? ROLE_HUB : ROLE_PROVINCE;
    node->options.peers = node->peers;
    node->options.seed = place + 1;
    node->options.ask_limit_ms = ASK_MS;
    node->options.retry_delay_min_ms = RETRY_MIN_MS;
    node->options.retry_delay_max_ms = RETRY_MAX_MS;
    if (place == PLACE_HUB) {
        peer_add(node, PLACE_A);
        peer_add(node, PLACE_B);
    } else {
        peer_add(node, PLACE_HUB);
    }
}

struct scope *scope_new(void)
{
    struct scope *scope = calloc(1, sizeof *scope);
    require(scope != NULL);
    scope->restored_place = -1;
    for (int place = 0; place < PLACE_COUNT; place++)
        node_init(scope, (enum scope_place)place);
    for (int place = 0; place < PLACE_CLONE; place++)
        scope_start(scope, &scope->nodes[place]);
    return scope;
}

void scope_agree(struct scope *scope)
{
    uint64_t latest = 0;
    for (int place = 0; place < PLACE_COUNT; place++)
        if (scope->nodes[place].clock > latest)
            latest = scope->nodes[place].clock;
    for (int place = 0; place < PLACE_COUNT; place++)
        scope->nodes[place].clock = latest;
}

void scope_tell(struct scope_node *node, enum history_kind kind, uint64_t number, const char *text,
                const char *subject)
{
    bool is_note = kind == HISTORY_CHECKPOINT || kind == HISTORY_RECEIPT;
    for (size_t i = 0; is_note && i < node->told_count; i++)
        if (node->told[i].kind == kind && strcmp(node->told[i].text, text) == 0)
            return;
    node->told = realloc(node->told, (node->told_count + 1) * sizeof *node->told);
    require(node->told != NULL);
    node->told[node->told_count++] = (struct told){ .clock = ++node->clock,
                                                    .kind = kind,
                                                    .number = number,
                                                    .text = text ? strdup(text) : NULL,
                                                    .subject = subject ? strdup(subject) : NULL };
}

/* ---- life of a node ----------------------------------------------------------------------------
 */

/* What counts as told when it is noticed: how much of its own logs the node calls national. */
static void look_at_national(struct scope_node *node)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    for (size_t i = 0; node->options.role == ROLE_PROVINCE && i < node->live_count; i++) {
        uint64_t size = core_national_size(node->core, &node->live[i], 1);
        bool same = log_id_equal(&node->national_log, &node->live[i]);
        if (size == 0 || (same && size <= node->national))
            continue;
        node->national = size;
        node->national_log = node->live[i];
        log_id_origin(&node->live[i], origin);
        scope_tell(node, HISTORY_NATIONAL, size, origin, NULL);
    }
}

void scope_step(struct scope_node *node, struct event *event)
{
    event->now_ms = node->scope->now_ms;
    effects_clear(&node->effects);
    core_step(node->core, event, &node->effects);
    require(node->effects.err == OK);
    for (size_t i = 0; i < node->effects.count; i++)
        scope_carry_out(node, &node->effects.items[i]);
    look_at_national(node);
}

void scope_start(struct scope *scope, struct scope_node *node)
{
    struct event start = { .type = EVENT_START };
    node->core = core_new(&node->options);
    require(node->core != NULL);
    scope_ignore_scratch(node->core);
    node->used = true;
    if (scope->restored_place == (int)node->place)
        scope_agree(scope);
    scope_tell(node, HISTORY_UP, ++node->starts, NULL, NULL);
    if (scope->restored_place == (int)node->place)
        scope_agree(scope);
    scope_load(node);
    scope_step(node, &start);
    scope_due_run(node);
}

static void wire_collect(struct scope *scope)
{
    size_t kept = 0;
    for (size_t i = 0; i < scope->wire_count; i++) {
        struct wire *wire = scope->wires[i];
        if (wire->open[0] || wire->open[1])
            scope->wires[kept++] = wire;
        else
            free(wire);
    }
    scope->wire_count = kept;
}

static void packets_forget(struct wire *wire, int end)
{
    while (wire->first[end] != NULL) {
        struct packet *packet = wire->first[end];
        wire->first[end] = packet->next;
        buffer_close(&packet->bytes);
        free(packet);
    }
    wire->last[end] = NULL;
}

static void close_end(struct wire *wire, int end)
{
    packets_forget(wire, end);
    wire->open[end] = false;
}

static struct packet *packet_add(struct wire *wire, int end)
{
    struct packet *packet = calloc(1, sizeof *packet);
    require(packet != NULL);
    if (wire->last[end] != NULL)
        wire->last[end]->next = packet;
    else
        wire->first[end] = packet;
    wire->last[end] = packet;
    return packet;
}

void scope_hang_up(struct scope *scope, struct wire *wire, int end)
{
    (void)scope;
    if (!wire->open[end])
        return;
    close_end(wire, end);
    if (wire->open[!end] && !wire->mute)
        packet_add(wire, !end)->is_end = true;
}

void scope_end(struct scope *scope, struct scope_node *node)
{
    core_free(node->core);
    node->core = NULL;
    node->live_count = node->gathering_count = 0;
    node->calling = false;
    node->national = 0;
    scope_work_forget(node);
    scope_due_forget(node);
    for (size_t i = 0; i < scope->wire_count; i++)
        for (int end = 0; end < 2; end++)
            if (scope->wires[i]->ends[end] == node)
                scope_hang_up(scope, scope->wires[i], end);
    wire_collect(scope);
}

/* ---- wires -------------------------------------------------------------------------------------
 */

struct wire *scope_wire(struct scope *scope, uint64_t id)
{
    for (size_t i = 0; i < scope->wire_count; i++)
        if (scope->wires[i]->id == id)
            return scope->wires[i];
    return NULL;
}

struct wire *scope_wire_of(struct scope *scope, const struct scope_node *province)
{
    for (size_t i = 0; i < scope->wire_count; i++)
        if (scope->wires[i]->ends[0] == province && scope->wires[i]->open[0])
            return scope->wires[i];
    return NULL;
}

void scope_call(struct scope_node *node)
{
    struct scope *scope = node->scope;
    struct scope_node *hub = &scope->nodes[PLACE_HUB];
    node->calling = !scope->allowed[node->place] || hub->core == NULL;
    if (node->calling)
        return;
    wire_collect(scope);
    require(scope->wire_count < SCOPE_WIRE_MAX);
    struct wire *wire = scope->wires[scope->wire_count++] = calloc(1, sizeof *wire);
    require(wire != NULL);
    *wire = (struct wire){ .id = 100 * node->place + ++scope->wires_made[node->place],
                           .ends = { node, hub },
                           .open = { true, true } };
    for (int end = 0; end < 2; end++) {
        struct scope_node *here = wire->ends[end];
        struct event_link_opened *opened = &scope_due(here, EVENT_LINK_OPENED)->link_opened;
        uint8_t id[8];
        put_u64(id, wire->id);
        *opened = (struct event_link_opened){ .link = wire->id,
                                              .outbound = end == 0,
                                              .node = wire->ends[!end]->options.node };
        hash_sha256(&opened->binding, &(struct bytes){ id, sizeof id }, 1);
    }
}

void scope_link(struct scope *scope, struct scope_node *node)
{
    scope_call(node);
    scope_due_run(node);
    scope_due_run(&scope->nodes[PLACE_HUB]);
}

void scope_transmit(struct scope_node *from, uint64_t link, struct bytes message)
{
    struct wire *wire = scope_wire(from->scope, link);
    int end = wire != NULL && wire->ends[1] == from;
    if (wire == NULL || wire->mute || !wire->open[end] || !wire->open[!end])
        return;
    struct packet *packet = packet_add(wire, !end);
    buffer_append_bytes(&packet->bytes, message);
}

void scope_mute(struct wire *wire)
{
    wire->mute = true;
    packets_forget(wire, 0);
    packets_forget(wire, 1);
}

size_t scope_on_the_way(const struct wire *wire, int end)
{
    size_t count = 0;
    for (const struct packet *packet = wire->first[end]; packet != NULL; packet = packet->next)
        count++;
    return count;
}

static void end_noticed(struct wire *wire, int end)
{
    struct scope_node *node = wire->ends[end];
    struct event event = { .type = EVENT_LINK_CLOSED, .link.link = wire->id };
    if (!wire->open[end])
        return;
    close_end(wire, end);
    scope_step(node, &event);
    scope_due_run(node);
}

static void deliver_bytes(struct scope_node *node, uint64_t link, struct bytes bytes, bool twice)
{
    static struct message message;
    require(message_decode(&message, bytes) == OK);
    scope_say("  %s <- %s", node->host, message_type_name(message.type));
    struct event event = { .type = EVENT_MESSAGE };
    event.message = (struct event_message){ .link = link, .message = &message, .size = bytes.size };
    node->message = bytes;
    scope_step(node, &event);
    if (twice) {
        require(message_decode(&message, bytes) == OK);
        scope_step(node, &event);
    }
    node->message = BYTES_NONE;
    scope_due_run(node);
}

void scope_deliver(struct scope *scope, struct wire *wire, int end, bool twice)
{
    struct packet *packet = wire->first[end];
    struct scope_node *node = wire->ends[end];
    if (packet == NULL)
        return;
    if (packet->is_end) {
        end_noticed(wire, end);
    } else {
        wire->first[end] = packet->next;
        if (packet->next == NULL)
            wire->last[end] = NULL;
        deliver_bytes(node, wire->id, buffer_bytes(&packet->bytes), twice);
        buffer_close(&packet->bytes);
        free(packet);
    }
    wire_collect(scope);
}

void scope_cut(struct scope *scope, struct wire *wire)
{
    for (int end = 0; end < 2; end++)
        end_noticed(wire, end);
    wire_collect(scope);
}

/* ---- time --------------------------------------------------------------------------------------
 */

void scope_tick(struct scope *scope, uint64_t until_ms)
{
    uint64_t next = until_ms;
    for (int place = 0; place < PLACE_COUNT; place++) {
        const struct core *core = scope->nodes[place].core;
        if (core != NULL && core_deadline(core) < next)
            next = core_deadline(core);
    }
    /* What is due and stays due does not stop the clock. */
    scope->now_ms = next > scope->now_ms ? next : scope->now_ms + 1;
    for (int place = 0; place < PLACE_COUNT; place++) {
        struct scope_node *node = &scope->nodes[place];
        struct event tick = { .type = EVENT_TICK };
        if (node->core == NULL || core_deadline(node->core) > scope->now_ms)
            continue;
        scope_step(node, &tick);
        scope_due_run(node);
        scope_due_run(&scope->nodes[PLACE_HUB]); /* a link was opened to it */
    }
}
