/* A peer did not take something, or will not give it. */
#include "replication/core/state.h"

/* The peer takes our records no more: it will ask again when it sees fit. */
static void stop_sending(struct core *core, struct link *link, struct flow *flow,
                         const struct message_refusal *refusal)
{
    struct log *log = flow->log;
    core_sending_stop(flow);
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

void core_on_refusal(struct core *core, struct link *link, const struct message_refusal *refusal)
{
    struct log *log = core_log_find(core, &refusal->log);
    struct flow *flow = log ? core_flow_find(link, log) : NULL;
    if (!flow)
        return;
    switch (refusal->code) {
    case REFUSAL_GAP:
        if (flow->subscribed && refusal->next <= flow->shown)
            core_sending_begin(core, link, flow, refusal->next, flow->shown);
        break;
    case REFUSAL_NOT_ADMITTED: /* these two come from the sending side */
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
