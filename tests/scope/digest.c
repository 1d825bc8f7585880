/* One number for a state of the world, the same for states that behave alike: without addresses,
 * with times as distances from now. Reads the core's private state; a member that is added there
 * and can make a difference must be added here, which the sizes below are a reminder of. */
#include "proto/base/require.h"
#include "replication/core/state.h"
#include "tests/scope/arena.h"
#include "tests/scope/scope.h"

#include <sodium.h>

_Static_assert(sizeof(struct peer) == 112, "look at peer_add()");
_Static_assert(sizeof(struct flow) == 144, "look at flow_add()");
_Static_assert(sizeof(struct link) == 248, "look at link_add()");
_Static_assert(sizeof(struct log) == 448, "look at log_add()");
_Static_assert(sizeof(struct core) - sizeof(struct message) == 632, "look at core_add()");

struct digest {
    crypto_generichash_state state;
    uint64_t now_ms;
};

static void add(struct digest *digest, const void *data, size_t size)
{
    crypto_generichash_update(&digest->state, data, size);
}

static void number(struct digest *digest, uint64_t value)
{
    add(digest, &value, sizeof value);
}

static void flags(struct digest *digest, int bits)
{
    number(digest, (uint64_t)bits);
}

static void text(struct digest *digest, const char *string)
{
    add(digest, string ? string : "", string ? strlen(string) + 1 : 1);
}

static void range(struct digest *digest, struct bytes bytes)
{
    number(digest, bytes.size);
    add(digest, bytes.data, bytes.size);
}

static void name_of(struct digest *digest, const struct log_id *id)
{
    text(digest, id->node);
    text(digest, id->audience);
    add(digest, id->incarnation, sizeof id->incarnation);
}

/* A time before which nothing is done: what has come is all one. */
static void due_at(struct digest *digest, uint64_t at_ms)
{
    number(digest, at_ms == UINT64_MAX      ? at_ms
                   : at_ms > digest->now_ms ? (at_ms - digest->now_ms + 999) / 1000
                                            : 0);
}

/* A time since which something lasts. */
static void since(struct digest *digest, bool counts, uint64_t at_ms)
{
    number(digest, counts && at_ms != 0 ? (digest->now_ms - at_ms) / 1000 + 1 : 0);
}

/* ---- the core ----------------------------------------------------------------------------------
 */

void scope_ignore_scratch(struct core *core)
{
    arena_ignore(&core->scratch, sizeof core->scratch);
}

static void cursor_add(struct digest *digest, const struct cursor *cursor)
{
    number(digest, cursor->size);
    number(digest, cursor->covered);
    number(digest, cursor->pending);
}

static void peer_add(struct digest *digest, const struct peer *peer)
{
    number(digest, peer->link ? peer->link->id : 0);
    number(digest, peer->connecting);
    due_at(digest, peer->connect_at_ms);
    number(digest, peer->attempts);
    number(digest, peer->heads_known);
    number(digest, peer->alarms);
    since(digest, peer->displaced_count > 0, peer->displaced_at_ms);
    number(digest, peer->displaced_count);
}

static void order_add(struct digest *digest, const struct order *order)
{
    number(digest, order->next);
    number(digest, order->pending);
    flags(digest, order->names_branch | order->found << 1);
    if (order->names_branch)
        add(digest, &order->root, sizeof order->root);
}

static void flow_add(struct digest *digest, const struct flow *flow)
{
    name_of(digest, &flow->log->id);
    number(digest, flow->offered);
    number(digest, flow->announced);
    flags(digest, flow->unheld | flow->announce << 1 | flow->asked << 2 | flow->waiting << 3 |
                      flow->subscribed << 4 | flow->shown_once << 5 | flow->reading << 6 |
                      flow->again << 7 | flow->ready << 8 | flow->names_branch << 9 |
                      flow->branch << 10);
    number(digest, flow->declined);
    number(digest, flow->alarms);
    due_at(digest, flow->retry_at_ms);
    number(digest, flow->next);
    number(digest, flow->shown);
    if (flow->again)
        order_add(digest, &flow->again_order);
}

static void link_add(struct digest *digest, const struct link *link)
{
    number(digest, link->id);
    text(digest, link->peer ? link->peer->options.node : "");
    flags(digest, link->outbound | link->closed << 1 | link->heads_complete << 2 |
                      link->reading << 3 | link->announce_due << 4 | link->throttled << 5);
    number(digest, link->state);
    number(digest, link->version);
    since(digest, link->state == LINK_HELLO, link->opened_at_ms);
    since(digest, true, link->heard_at_ms);
    since(digest, true, link->pinged_at_ms);
    number(digest, link->credit_send);
    number(digest, link->credit_receive);
    number(digest, link->credit_due);
    since(digest, link->reading, link->reading_since_ms);
    number(digest, link->batch_size);
    due_at(digest, link->announce_due ? link->announce_at_ms : 0);
    number(digest, link->catchup);
    number(digest, link->ticket);
    number(digest, link->quantum_left);
    since(digest, link->catchup == CATCHUP_ADMITTED, link->moved_at_ms);
    number(digest, link->big_count);
    number(digest, link->unheld_count);
    for (const struct flow *flow = link->ready_first; flow; flow = flow->ready_next)
        name_of(digest, &flow->log->id);
    number(digest, link->flow_count);
    for (size_t i = 0; i < link->flow_count; i++)
        flow_add(digest, link->flows[i]);
}

static void log_add(struct digest *digest, const struct log *log)
{
    name_of(digest, &log->id);
    cursor_add(digest, &log->held);
    cursor_add(digest, &log->branch);
    flags(digest, log->own | log->live << 1 | log->closing << 2 | log->reopen_due << 3 |
                      log->receipt_due << 4 | log->signing << 5 | log->frozen << 6 |
                      log->proven << 7 | log->resync << 8 | log->big << 9 | log->queued << 10 |
                      log->fetch_branch << 11 | log->passed_over << 12 |
                      log->has_parents << 13 | log->mending << 14 | log->mend_taken << 15);
    for (unsigned i = 0; log->mends && i < log->mends->count; i++) {
        number(digest, log->mends->list[i].first);
        number(digest, log->mends->list[i].end);
    }
    number(digest, log->reopen_due ? log->reopen_reason : 0);
    number(digest, log->named);
    number(digest, log->cosigned);
    add(digest, log->receipts, sizeof log->receipts);
    add(digest, log->hub_holds, sizeof log->hub_holds);
    text(digest, log->fork_peer ? log->fork_peer->options.node : "");
    number(digest, log->source ? log->source->id : 0);
    number(digest, log->expected);
    number(digest, log->shown);
    add(digest, &log->shown_root, sizeof log->shown_root);
    number(digest, log->storing);
    number(digest, log->stale_count);
    due_at(digest, log->retry_at_ms);
    number(digest, log->alarms);
    number(digest, log->flow_count);
}

static void core_add(struct digest *digest, const struct core *core)
{
    flags(digest,
          core->started | core->may_write << 1 | core->merge_check << 2 | core->reopen_due << 3);
    since(digest, !core->may_write, core->start_at_ms);
    due_at(digest, core->retry_at_ms);
    number(digest, core->receipt_due_count);
    due_at(digest, core->receipt_at_ms);
    due_at(digest, core->merge_at_ms);
    number(digest, core->merge_delay_ms);
    due_at(digest, core->reopen_at_ms);
    number(digest, core->reopen_delay_ms);
    number(digest, core->tickets);
    for (size_t i = 0; i < core->peer_count; i++)
        peer_add(digest, &core->peers[i]);
    number(digest, core->log_count);
    for (size_t i = 0; i < core->log_count; i++)
        log_add(digest, core->logs[i]);
    for (const struct log *log = core->work_first; log; log = log->work_next)
        name_of(digest, &log->id);
    number(digest, core->link_count);
    for (size_t i = 0; i < core->link_count; i++)
        link_add(digest, core->links[i]);
}

/* ---- stores ------------------------------------------------------------------------------------
 */

static void history_add_to(struct digest *digest, const struct history *history)
{
    number(digest, history->count);
    add(digest, history->leaves, history->count * sizeof *history->leaves);
    number(digest, history->note_count);
    for (size_t i = 0; i < history->note_count; i++) {
        number(digest, history->notes[i].size);
        add(digest, &history->notes[i].root, sizeof history->notes[i].root);
    }
    number(digest, history->note_count ? history->pending : 0);
}

static void store_add_to(struct digest *digest, const struct store *store)
{
    number(digest, store->count);
    for (size_t i = 0; i < store->count; i++) {
        const struct store_log *log = store->logs[i];
        name_of(digest, &log->id);
        history_add_to(digest, &log->main);
        history_add_to(digest, &log->branch);
        flags(digest, log->frozen | log->proven << 1);
        text(digest, log->fork_node);
        range(digest, buffer_bytes(&log->proof));
        number(digest, log->cosigned);
        range(digest, bytes_of(log->receipt.note, log->receipt.note_size));
        for (size_t k = 0; k < log->receipt_count; k++) {
            text(digest, log->receipt_hubs[k]);
            number(digest, log->receipts[k].size);
        }
    }
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static void wire_add(struct digest *digest, const struct wire *wire)
{
    number(digest, wire->id);
    flags(digest, wire->open[0] | wire->open[1] << 1 | wire->mute << 2);
    for (int end = 0; end < 2; end++) {
        number(digest, scope_on_the_way(wire, end));
        for (const struct packet *packet = wire->first[end]; packet; packet = packet->next) {
            number(digest, packet->is_end);
            range(digest, buffer_bytes(&packet->bytes));
        }
    }
}

/* Wires of one province in the order of their making; those of different ones in any. */
static void wires_add(struct digest *digest, const struct scope *scope)
{
    for (int place = 0; place < PLACE_COUNT; place++)
        for (size_t i = 0; i < scope->wire_count; i++)
            if ((int)scope->wires[i]->ends[0]->place == place)
                wire_add(digest, scope->wires[i]);
    number(digest, scope->wire_count);
}

static void told_add(struct digest *digest, const struct told *told)
{
    number(digest, told->clock);
    number(digest, told->kind);
    number(digest, told->number);
    text(digest, told->text);
    text(digest, told->subject);
}

/* The same bytes are another matter from another link, and for the other branch. */
static void work_add_to(struct digest *digest, const struct work *work)
{
    const struct effect *effect = &work->effect;
    number(digest, effect->type);
    range(digest, buffer_bytes(&work->message));
    if (effect->type == EFFECT_SIGN_RECEIPT) {
        name_of(digest, &effect->sign_receipt.log);
        number(digest, effect->sign_receipt.size);
    } else if (effect->type == EFFECT_STORE_CHECKPOINT) {
        number(digest, effect->store_checkpoint.link);
        number(digest, effect->store_checkpoint.branch);
    } else if (effect->type == EFFECT_STORE_PACKAGE) {
        number(digest, effect->store_package.link);
        number(digest, effect->store_package.branch);
    }
}

static void node_add(struct digest *digest, const struct scope_node *node)
{
    flags(digest, (node->core != NULL) | node->used << 1 | node->retired << 2 | node->calling << 3);
    if (node->core != NULL)
        core_add(digest, node->core);
    store_add_to(digest, &node->store);
    store_add_to(digest, &node->copy);
    number(digest, node->copy_clock);
    for (const struct work *work = node->work_first; work; work = work->next)
        work_add_to(digest, work);
    number(digest, node->live_count);
    number(digest, node->live_size);
    for (size_t i = 0; i < node->live_count; i++)
        name_of(digest, &node->live[i]);
    number(digest, node->generator);
    number(digest, node->opened);
    number(digest, node->starts);
    number(digest, node->calls);
    number(digest, node->gathering_count);
    add(digest, node->gathering, node->gathering_count * sizeof *node->gathering);
    number(digest, node->clock);
    number(digest, node->told_count);
    for (size_t i = 0; i < node->told_count; i++)
        told_add(digest, &node->told[i]);
}

void scope_digest(struct scope *scope, struct hash *out)
{
    struct digest digest = { .now_ms = scope->now_ms };
    crypto_generichash_init(&digest.state, NULL, 0, sizeof out->bytes);
    for (int place = 0; place < PLACE_COUNT; place++)
        node_add(&digest, &scope->nodes[place]);
    wires_add(&digest, scope);
    add(&digest, scope->wires_made, sizeof scope->wires_made);
    add(&digest, scope->allowed, sizeof scope->allowed);
    number(&digest, (uint64_t)scope->restored_place);
    add(&digest, scope->gave_up, sizeof scope->gave_up);
    add(&digest, scope->at, sizeof scope->at);
    number(&digest, scope->faults);
    number(&digest, scope->rolled_back);
    crypto_generichash_final(&digest.state, out->bytes, sizeof out->bytes);
}
