/* The shell has sent, or could not read, what it was asked to send. */
#include "replication/core/state.h"

/* A batch should keep a link busy for about a second: longer, and small messages wait behind it;
 * shorter, and the store is asked more often than needed. */
#define BATCH_LONG_MS  2000
#define BATCH_SHORT_MS 500

/* The flow that the shell was at work on, or NULL when its link or log is gone. */
static struct flow *answered(struct core *core, uint64_t id, const struct log_id *log_id,
                             struct link **link)
{
    *link = core_link_find(core, id);
    struct log *log = core_log_find(core, log_id);
    struct flow *flow = *link && log ? core_flow_find(*link, log) : NULL;
    if (!flow || !flow->reading)
        return NULL;
    (*link)->reading = flow->reading = false;
    return flow;
}

/* The peer is told, so that it looks elsewhere and asks again later. */
static void unreadable(struct core *core, struct link *link, struct flow *flow, enum err err)
{
    core_sending_stop(flow);
    core_alarm_log(core, flow->log, ALARM_UNREADABLE, link->peer->options.node,
                   flow->log->held.covered, (uint64_t)err);
    core_send_refusal(core, link, flow->log, REFUSAL_BUSY, flow->next, "cannot be read now");
}

void core_on_branch_found(struct core *core, const struct event_branch_found *event)
{
    struct link *link = core_link_find(core, event->link);
    struct log *log = core_log_find(core, &event->log);
    struct flow *flow = link && log ? core_flow_find(link, log) : NULL;
    if (!flow || !flow->reading)
        return;
    flow->reading = false;
    flow->branch = event->branch;
    if (event->err == ERR_NOT_FOUND)
        flow->next = UINT64_MAX; /* there is nothing to send */
    if (event->err != OK && event->err != ERR_NOT_FOUND && !flow->again)
        unreadable(core, link, flow, event->err);
    else
        core_sending_go_on(core, link, flow);
}

/* The checkpoint accepted for the branch was another one by then, or the store could not be read. No
 * answer would ever come to what was not asked. */
void core_on_want_unsent(struct core *core, const struct event_want_unsent *event)
{
    struct log *log = core_log_find(core, &event->log);
    if (log && log->source && log->source == core_link_find(core, event->link))
        core_fetch_distrust(core, log);
}

void core_on_checkpoint_sent(struct core *core, const struct event_checkpoint_sent *event)
{
    struct link *link;
    struct flow *flow = answered(core, event->link, &event->log, &link);
    if (!flow)
        return;
    if (event->err != OK) {
        unreadable(core, link, flow, event->err);
        return;
    }
    flow->shown_once = true;
    flow->shown = event->size;
    core_sending_go_on(core, link, flow);
}

static void adapt_batch(struct core *core, struct link *link, uint64_t size)
{
    uint64_t took_ms = core->now_ms - link->reading_since_ms;
    if (took_ms > BATCH_LONG_MS && link->batch_size >= 2 * PACKAGE_ROOM_MIN)
        link->batch_size /= 2;
    else if (took_ms < BATCH_SHORT_MS && size * 2 > link->batch_size &&
             link->batch_size * 2 <= core->options.batch_size_max)
        link->batch_size *= 2;
}

void core_on_records_sent(struct core *core, const struct event_records_sent *event)
{
    struct link *link = core_link_find(core, event->link);
    if (link) /* whatever became of the order, the bytes are spent */
        link->credit_send -= event->size < link->credit_send ? event->size : link->credit_send;
    struct flow *flow = answered(core, event->link, &event->log, &link);
    if (!flow)
        return;
    adapt_batch(core, link, event->size);
    flow->next = event->next;
    if (event->err != OK)
        unreadable(core, link, flow, event->err);
    else
        core_sending_go_on(core, link, flow);
}
