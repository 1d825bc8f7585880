/* A peer did not take something, or will not give it. */
#include "replication/core/state.h"

/* The peer takes our records no more: it will ask again when it sees fit. */
static void stop_sending(struct core *core, struct link *link, struct flow *flow,
                         const struct message_refusal *refusal)
{
    struct log *log = flow->log;
    core_sending_stop(flow);
    /* A head of ours that was small yet crossed its WANT, and it took the order for ended. To whom a log is
     * sent, growth is not announced: what came since, it does not know of. */
    if (refusal->code == REFUSAL_UNWANTED && log->held.covered > refusal->next)
        core_announce_one(core, link, log);
    if (refusal->code == REFUSAL_FULL || refusal->code == REFUSAL_UNWANTED)
        return;
    if (refusal->code == REFUSAL_FORK) {
        core_alarm_log(core, log, ALARM_FORK, link->peer->options.node, log->held.covered,
                       refusal->next);
        core_incarnation_need(core, log, REASON_FORKED); /* R5: write no further on a branch */
        return;
    }
    core_alarm_log(core, log, ALARM_REFUSED, link->peer->options.node, log->held.covered,
                   refusal->code);
}

/* From the first record that it lacks, of what it is being sent. */
static void send_again(struct core *core, struct link *link, struct flow *flow, uint64_t next)
{
    struct order order = { .next = next,
                           .pending = flow->shown,
                           .names_branch = flow->names_branch,
                           .found = flow->names_branch };
    core_sending_begin(core, link, flow, &order);
}

/* All it has of the branch was sent. Where less was taken in, the order was overtaken on its way: by a
 * proof, say, that tells of a smaller note to ask up to. */
static void branch_ends(struct core *core, struct log *log, struct flow *flow, uint64_t sent)
{
    if (sent > log->expected) {
        core_fetch_again(core, log);
        return;
    }
    flow->declined |= 1u << log->fetch_branch;
    core_fetch_stop(core, log);
}

void core_on_refusal(struct core *core, struct link *link, const struct message_refusal *refusal)
{
    struct log *log = core_log_find(core, &refusal->log);
    struct flow *flow = log ? core_flow_find(link, log) : NULL;
    if (!flow)
        return;
    switch (refusal->code) {
    case REFUSAL_GAP:
        if (flow->subscribed && refusal->next <= flow->shown)
            send_again(core, link, flow, refusal->next);
        break;
    case REFUSAL_BRANCH: /* from the sending side, like the next two */
        if (log->source == link && log->frozen)
            branch_ends(core, log, flow, refusal->next);
        break;
    case REFUSAL_NOT_ADMITTED:
        flow->offered = 0;
        if (log->source == link)
            core_fetch_stop(core, log);
        break;
    case REFUSAL_BUSY:
        if (log->source == link)
            core_fetch_distrust(core, log);
        else
            core_sending_stop(flow);
        break;
    default:
        stop_sending(core, link, flow, refusal);
        break;
    }
}
