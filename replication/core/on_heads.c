/* A peer says what it can send. What that means depends on whose log it is and who holds more. */
#include "replication/core/state.h"

#include "proto/base/bug.h"

#include <string.h>

void core_own_offered(struct core *core, struct link *link, struct flow *flow, uint64_t size)
{
    struct log *log = flow->log;
    if (size > log->held.size) {
        core_alarm_log(core, log, ALARM_ROLLBACK, core->options.node, log->held.size, size);
        core_incarnation_need(core, log, REASON_BEHIND);
    }
    core_hub_says(core, flow, link->peer, size);
}

void core_fetch_offered(struct core *core, struct link *link, struct flow *flow, uint64_t size)
{
    struct log *log = flow->log;
    flow->offered = size;
    flow->declined = 0; /* it has got something */
    if (log->own)
        core_own_offered(core, link, flow, size);
    core_fetch_look(core, log);
}

/* Of a log the peer itself writes: does it know what we hold, and what we have cosigned? */
static void compare_with_author(struct core *core, struct link *link, struct flow *flow,
                                uint64_t size)
{
    struct log *log = flow->log;
    const char *author = link->peer->options.node;
    if (strcmp(log->id.node, author) != 0 || log->frozen)
        return;                              /* of a frozen log it may be the other branch */
    if (log->named > 0 && size > log->named) /* it went on without knowing this much of it */
        core_alarm_state(core, flow, ALARM_ROLLBACK, author, log->named, size);
    else if (size < log->held.covered)
        core_alarm_state(core, flow, ALARM_ROLLBACK, author, log->held.covered, size);
    else
        core_alarm_over(log, ALARM_ROLLBACK);
    if (log->cosigned > 0 && !SAMAD_BUG(RECEIPT_NOT_REPEATED))
        core_effect_add(core, EFFECT_SEND_RECEIPT)->send_log =
            (struct effect_send_log){ .link = link->id, .log = log->id };
}

/* A log is announced only to those it is not being sent to: so our order has ended. Before its
 * first checkpoint, though, a larger size has merely crossed our WANT. */
static void order_ended(struct core *core, struct link *link, struct log *log, uint64_t size)
{
    if (log->frozen)
        return; /* its branches are announced to those that they are sent to, and those orders end
                   by a refusal */
    if (log->mending && log->source == link && log->shown == 0)
        core_fetch_distrust(core, log); /* it has nothing of it for us */
    else if (log->source == link && (log->shown > 0 || size <= core_log_fetch_cursor(log)->size))
        core_fetch_stop(core, log);
}

static void on_head(struct core *core, struct link *link, const struct message_head *head)
{
    struct flow *flow = core_flow_of_stranger(core, link, &head->log);
    if (!flow)
        return;
    core_fetch_offered(core, link, flow, head->size);
    order_ended(core, link, flow->log, head->size);
    compare_with_author(core, link, flow, head->size);
    if (head->size < flow->log->held.covered && !flow->subscribed)
        core_announce_one(core, link, flow->log);
}

void core_on_heads(struct core *core, struct link *link, const struct message_heads *heads)
{
    for (size_t i = 0; i < heads->count && !link->closed; i++)
        on_head(core, link, &heads->heads[i]);
    if (!heads->complete || link->heads_complete)
        return;
    link->heads_complete = true;
    link->peer->heads_known = true;
    core_hub_lacks(core, link);
    core_fetch_missing(core, link);
    core_incarnation_hubs_answered(core);
}
