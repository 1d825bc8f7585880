/* What we send to those who asked.
 *
 *   a peer asked -> show a checkpoint -> records up to it -> show the next -> records -> ...
 *
 * The first checkpoint is shown even when the peer has one pending of the same size: if ours has
 * another root, that is the fork found at once (R9). No step is longer than checkpoint_step, or four
 * of them on a fast link, so that the receiver has something to cosign (R8). One read of the store is under way per link;
 * flows with something to send take turns. */
#include "replication/core/state.h"

static bool has_work(const struct flow *flow)
{
    uint64_t covered = flow->log->held.covered;
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

void core_sending_begin(struct core *core, struct link *link, struct flow *flow, uint64_t next,
                        uint64_t pending)
{
    (void)core;
    flow->subscribed = true;
    if (flow->reading) { /* the shell's answer belongs to the old order; begin after it */
        flow->again = true;
        flow->again_next = next;
        flow->again_pending = pending;
        return;
    }
    flow->again = false;
    flow->shown_once = false;
    flow->next = next;
    flow->shown = pending;
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
    if (limit > flow->log->held.covered)
        limit = flow->log->held.covered; /* the store may be ahead of what we know */
    core_effect_add(core, EFFECT_SEND_CHECKPOINT)->send_checkpoint =
        (struct effect_send_checkpoint){
            .link = link->id,
            .log = flow->log->id,
            .from = flow->shown,
            .at_least = flow->next < flow->shown ? flow->shown : flow->shown + 1,
            .limit = limit > flow->shown ? limit : flow->shown,
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
        if (has_work(flow) && !showing && link->credit_send < PACKAGE_ROOM)
            return; /* R10: CREDIT will bring us back */
        ready_take(link);
        if (!has_work(flow))
            continue;
        link->reading = flow->reading = true;
        link->reading_since_ms = core->now_ms;
        if (showing)
            show(core, link, flow);
        else
            send_records(core, link, flow);
    }
}
