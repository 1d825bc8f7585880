/* What we tell a peer that we hold.
 *
 * On a new link: the tips, that is, logs that no newer held log names as wholly covered (R7); all logs
 * of a node of whose logs one cannot be shown yet, since nobody learns from us what that one names; and
 * to a hub also those of our own that it has not receipted to the end, so that it repeats the
 * receipt if that was lost. Later: growth of what the peer does not follow, at most once in
 * announce_after_ms; and whatever it was seen to lack. */
#include "replication/core/state.h"

#include "proto/base/bug.h"

#include <string.h>

bool core_log_is_tip(const struct log *log)
{
    return log->held.covered > log->named;
}

/* Of our own logs; one that was handed back, for example. Announced, the hub gives it again. Also the
 * live log: where a clone of this node names it, it is no tip. */
static bool lacks_receipt(const struct log *log, const struct peer *peer)
{
    return log->own && peer->hub_index < CORE_HUB_MAX &&
           core_receipted(log, peer->hub_index) < log->held.covered;
}

/* Whether a log of this author, logs[first] being its first, is held and not covered at all: a transfer
 * was cut before the first checkpoint. */
static bool any_unproven(const struct core *core, size_t first)
{
    const char *node = core->logs[first]->id.node;
    for (size_t i = first; i < core->log_count && strcmp(core->logs[i]->id.node, node) == 0; i++)
        if (core->logs[i]->held.size > 0 && core->logs[i]->held.covered == 0)
            return true;
    return false;
}

static bool is_announced_at_first(const struct log *log, const struct peer *peer, bool unproven)
{
    if (log->held.covered == 0)
        return false;
    if (SAMAD_BUG(OLD_LOGS_KEPT_BACK) && log->own && !log->live)
        return false;
    if (core_log_is_tip(log) || log->frozen || unproven)
        return true;
    return lacks_receipt(log, peer);
}

static void heads_begin(struct core *core)
{
    core->scratch.type = MESSAGE_HEADS;
    core->scratch.heads.complete = false;
    core->scratch.heads.count = 0;
}

static void heads_end(struct core *core, struct link *link, bool complete)
{
    core->scratch.heads.complete = complete;
    core_send_message(core, link, &core->scratch);
    core->scratch.heads.count = 0;
}

static void heads_add(struct core *core, struct link *link, struct log *log)
{
    struct message_heads *heads = &core->scratch.heads;
    if (heads->count == MESSAGE_HEAD_MAX)
        heads_end(core, link, false);
    heads->heads[heads->count++] =
        (struct message_head){ .log = log->id, .size = log->held.covered };
    struct flow *flow = core_flow_find(link, log);
    if (flow) {
        flow->announced = log->held.covered;
        flow->announce = false;
    }
}

void core_announce_all(struct core *core, struct link *link)
{
    bool unproven = false; /* of the author whose logs are being looked at: they stand together */
    heads_begin(core);
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *log = core->logs[i];
        if (i == 0 || strcmp(core->logs[i - 1]->id.node, log->id.node) != 0)
            unproven = any_unproven(core, i);
        if (is_announced_at_first(log, link->peer, unproven) &&
            core_policy_peer_may_hold(core, link->peer, &log->id) &&
            core_flow_make(core, link, log))
            heads_add(core, link, log);
    }
    heads_end(core, link, true);
    link->announce_at_ms = core->now_ms;
}

void core_announce_one(struct core *core, struct link *link, struct log *log)
{
    if (link->closed || link->state != LINK_READY || (!log->held.covered && !log->frozen))
        return; /* of a frozen log the other branch may be all that is held */
    struct flow *flow = core_flow_make(core, link, log);
    if (!flow || (flow->announced == log->held.covered && !flow->asked))
        return; /* it knows */
    flow->announce = true;
    flow->asked = false;
    link->announce_due = true;
}

void core_announce_branch(struct core *core, struct log *log, const struct link *from)
{
    for (size_t i = 0; i < core->link_count; i++) {
        struct flow *flow = core_flow_find(core->links[i], log);
        if (core->links[i] != from && flow && flow->asked && !flow->subscribed)
            core_announce_one(core, core->links[i], log);
    }
}

/* Does the peer, that does not follow the log, have to hear of its growth? When it lacks that and learns
 * of it in no other way; and, being a hub, when what was handed back lacks its receipt, whether it has
 * said over this link that it holds the log or not: it need not announce what another one names. */
static bool is_growth_announced(const struct flow *flow, const struct log *log,
                                const struct peer *peer)
{
    bool lacks = flow->offered < log->held.covered && (core_log_is_tip(log) || flow->asked);
    return lacks || (!log->live && lacks_receipt(log, peer));
}

void core_announce_growth(struct core *core, struct log *log)
{
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        if (link->closed || link->state != LINK_READY ||
            !core_policy_peer_may_hold(core, link->peer, &log->id))
            continue;
        struct flow *flow = core_flow_make(core, link, log);
        if (!flow)
            continue;
        if (flow->subscribed)
            core_sending_ready(link, flow);
        else if (is_growth_announced(flow, log, link->peer))
            core_announce_one(core, link, log);
    }
}

void core_announce_run(struct core *core, struct link *link)
{
    if (!link->announce_due || link->closed || core->now_ms < link->announce_at_ms)
        return;
    link->announce_due = false;
    link->announce_at_ms = core->now_ms + core->options.announce_after_ms;
    heads_begin(core);
    for (size_t i = 0; i < link->flow_count; i++)
        if (link->flows[i]->announce && !link->flows[i]->subscribed)
            heads_add(core, link, link->flows[i]->log);
        else
            link->flows[i]->announce = false;
    if (core->scratch.heads.count > 0)
        heads_end(core, link, false);
}
