/* What we send to those who asked.
 *
 *   a peer asked -> show a checkpoint -> records up to it -> show the next -> records -> ...
 *
 * The first checkpoint is shown even when the peer has one pending of the same size: if ours has
 * another root, that is the fork found at once (R9). No step is longer than checkpoint_step, or four
 * of them on a fast link, so that the receiver has something to cosign (R8). One read of the store is under way per link;
 * flows with something to send take turns. */
#include "replication/core/state.h"

static uint64_t covered_of(const struct flow *flow)
{
    return flow->branch ? flow->log->branch.covered : flow->log->held.covered;
}

static bool has_work(const struct flow *flow)
{
    uint64_t covered = covered_of(flow);
    return flow->subscribed && covered > flow->next && covered >= flow->shown;
}

void core_sending_ready(struct link *link, struct flow *flow)
{
    if (flow->ready || flow->reading || !has_work(flow))
        return;
    flow->ready = true;
    flow->ready_next = NULL;
    if (link->ready_last)
        link->ready_last->ready_next = flow;
    else
        link->ready_first = flow;
    link->ready_last = flow;
}

static struct flow *ready_take(struct link *link)
{
    struct flow *flow = link->ready_first;
    link->ready_first = flow->ready_next;
    if (!link->ready_first)
        link->ready_last = NULL;
    flow->ready = false;
    return flow;
}

static void find_branch(struct core *core, struct link *link, struct flow *flow,
                        const struct order *order)
{
    flow->reading = true;
    core_effect_add(core, EFFECT_FIND_BRANCH)->find_branch = (struct effect_find_branch){
        .link = link->id, .log = flow->log->id, .size = order->pending, .root = order->root
    };
}

void core_sending_begin(struct core *core, struct link *link, struct flow *flow,
                        const struct order *order)
{
    flow->subscribed = true;
    if (flow->reading) { /* the shell's answer belongs to the old order; begin after it */
        flow->again = true;
        flow->again_order = *order;
        return;
    }
    flow->again = false;
    flow->shown_once = false;
    flow->names_branch = order->names_branch;
    flow->next = order->next;
    flow->shown = order->pending;
    if (!order->found)
        flow->branch = false;
    if (order->names_branch && !order->found)
        find_branch(core, link, flow, order);
    else
        core_sending_ready(link, flow);
}

/* Whoever asks for a branch has others to ask, and another branch to ask for. It is told how far what
 * was sent for its order reaches. */
static void end_of_branch(struct core *core, struct link *link, struct flow *flow)
{
    core_sending_stop(flow);
    flow->asked = true;
    core_send_refusal(core, link, flow->log, REFUSAL_BRANCH,
                      flow->next == UINT64_MAX ? 0 : flow->next, "no more of this branch");
}

void core_sending_go_on(struct core *core, struct link *link, struct flow *flow)
{
    if (flow->reading)
        return;
    if (flow->again)
        core_sending_begin(core, link, flow, &flow->again_order);
    else if (flow->names_branch && flow->subscribed && !has_work(flow))
        end_of_branch(core, link, flow);
    else
        core_sending_ready(link, flow);
}

void core_sending_stop(struct flow *flow)
{
    flow->subscribed = false;
    flow->again = false;
}

/* A checkpoint costs both sides a signature, a sync and proofs. A link that carries the largest
 * batch in a moment has the receipt for four steps sooner than a slow one that for a single step. */
#define FAST_STEPS 4

static uint64_t step_of(const struct core *core, const struct link *link)
{
    bool fast = link->batch_size >= core->options.batch_size_max;
    return core->options.checkpoint_step * (fast ? FAST_STEPS : 1);
}

static void show(struct core *core, struct link *link, struct flow *flow)
{
    uint64_t limit = flow->next + step_of(core, link);
    if (limit > covered_of(flow))
        limit = covered_of(flow); /* the store may be ahead of what we know */
    core_effect_add(core, EFFECT_SEND_CHECKPOINT)->send_checkpoint =
        (struct effect_send_checkpoint){
            .link = link->id,
            .log = flow->log->id,
            .from = flow->shown,
            .at_least = flow->next < flow->shown ? flow->shown : flow->shown + 1,
            .limit = limit > flow->shown ? limit : flow->shown,
            .branch = flow->branch,
        };
}

static void send_records(struct core *core, struct link *link, struct flow *flow)
{
    core_effect_add(core, EFFECT_SEND_RECORDS)->send_records = (struct effect_send_records){
        .link = link->id,
        .log = flow->log->id,
        .first = flow->next,
        .end = flow->shown,
        .against = flow->shown,
        .branch = flow->branch,
        .budget = link->batch_size < link->credit_send ? link->batch_size : link->credit_send,
    };
}

void core_sending_run(struct core *core, struct link *link)
{
    if (link->closed || link->state != LINK_READY)
        return;
    while (!link->reading && link->ready_first) {
        struct flow *flow = link->ready_first;
        bool showing = !flow->shown_once || flow->next >= flow->shown;
        if (!flow->reading && has_work(flow) && !showing && link->credit_send < PACKAGE_ROOM)
            return; /* R10: CREDIT will bring us back */
        ready_take(link);
        if (flow->reading || !has_work(flow))
            continue; /* its branch is being looked for; or there is an end of it */
        link->reading = flow->reading = true;
        link->reading_since_ms = core->now_ms;
        if (showing)
            show(core, link, flow);
        else
            send_records(core, link, flow);
    }
}
