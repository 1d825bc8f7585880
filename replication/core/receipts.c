/* A hub cosigns the largest checkpoint that it holds wholly (R8). */
#include "replication/core/state.h"

#include "proto/base/bug.h"

#include <string.h>

void core_receipt_consider(struct core *core, struct log *log)
{
    uint64_t size = SAMAD_BUG(RECEIPT_AHEAD) ? log->held.pending : log->held.covered;
    if (core->options.role != ROLE_HUB || log->own || log->frozen || log->signing ||
        size <= log->cosigned)
        return;
    log->signing = true;
    core_effect_add(core, EFFECT_SIGN_RECEIPT)->sign_receipt =
        (struct effect_sign_receipt){ .log = log->id, .size = size };
}

static void set_due(struct core *core, struct log *log, bool due)
{
    if (log->receipt_due == due)
        return;
    log->receipt_due = due;
    core->receipt_due_count += due ? 1 : (size_t)-1;
}

/* A hub repeats its receipt of a log that its author announces. One that it was being sent has to be
 * announced none the less: that order ends, and it asks anew when there is more. */
static void ask_again(struct core *core, struct log *log)
{
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        size_t hub = link->peer->hub_index;
        struct flow *flow = core_flow_find(link, log);
        if (!flow || hub == CORE_HUB_MAX || core_receipted(log, hub) >= log->held.covered)
            continue;
        core_sending_stop(flow);
        flow->asked = true;
        core_announce_one(core, link, log);
    }
}

/* Of one node's logs, or of all. */
static void retry(struct core *core, const char *node)
{
    for (size_t i = 0; i < core->log_count && core->receipt_due_count > 0; i++) {
        struct log *log = core->logs[i];
        if (log->receipt_due && (!node || strcmp(log->id.node, node) == 0)) {
            set_due(core, log, false);
            if (log->own)
                ask_again(core, log);
            else
                core_receipt_consider(core, log);
        }
    }
}

void core_receipt_retry(struct core *core, const char *node)
{
    retry(core, node);
}

void core_receipt_resume_due(struct core *core)
{
    if (core->now_ms < core->receipt_at_ms)
        return;
    core->receipt_at_ms = UINT64_MAX;
    retry(core, NULL);
}

/* The disk has its own alarm; when it has room again, the receipt follows by itself. */
static bool is_want_of_room(enum err err)
{
    return err == ERR_FULL || err == ERR_MAP_FULL || err == ERR_NOMEM;
}

void core_receipt_later(struct core *core, struct log *log)
{
    set_due(core, log, true);
    core->receipt_at_ms = core->now_ms + core->options.refused_delay_ms;
}

static void send_receipt(struct core *core, struct log *log, struct bytes note)
{
    struct peer *author = core_log_author(core, log);
    if (!author || !author->link || author->link->state != LINK_READY)
        return; /* it gets it when it announces the log again */
    core->scratch.type = MESSAGE_RECEIPT;
    core->scratch.receipt.note = note;
    core_send_message(core, author->link, &core->scratch);
}

void core_on_receipt_signed(struct core *core, const struct event_receipt_signed *event)
{
    struct log *log = core_log_find(core, &event->log);
    if (!log)
        return;
    log->signing = false;
    if (event->err == ERR_REFUSED) {
        set_due(core, log, true);
        return;
    }
    if (is_want_of_room(event->err)) {
        core_receipt_later(core, log);
        return;
    }
    if (event->err != OK) {
        core_alarm_log(core, log, ALARM_UNREADABLE, core->options.node, log->held.covered,
                       (uint64_t)event->err);
        return;
    }
    if (event->size > log->cosigned)
        log->cosigned = event->size;
    if (!log->frozen)
        send_receipt(core, log, event->note);
    core_receipt_consider(core, log);
}

/* ---- our own logs: what the hubs' receipts are good for
 * ------------------------------------------ */

uint64_t core_receipted(const struct log *log, size_t hub_index)
{
    uint64_t receipt = log->receipts[hub_index], holds = log->hub_holds[hub_index];
    return receipt < holds ? receipt : holds;
}

void core_hub_says(struct core *core, struct flow *flow, const struct peer *hub, uint64_t size)
{
    struct log *log = flow->log;
    if (!log->own || log->frozen || hub->hub_index == CORE_HUB_MAX)
        return; /* of a frozen log it may be the other branch */
    uint64_t receipt = log->receipts[hub->hub_index];
    bool is_news = size < core_receipted(log, hub->hub_index);
    log->hub_holds[hub->hub_index] = size < receipt ? size : UINT64_MAX;
    if (!is_news)
        return;                               /* it is as far behind as it was, or coming back */
    core_alarm_over(log, ALARM_HUB_ROLLBACK); /* that was another hub, or another time */
    core_alarm_state(core, flow, ALARM_HUB_ROLLBACK, hub->options.node, receipt, size);
}

void core_hub_has(struct log *log, const struct peer *hub, uint64_t size)
{
    uint64_t *holds = &log->hub_holds[hub->hub_index];
    if (*holds != UINT64_MAX && size > *holds)
        *holds = size < log->receipts[hub->hub_index] ? size : UINT64_MAX;
}

/* What a hub holds of its own accord it announces, unless a later log that it holds names it. When
 * it holds logs of ours that we lack, those may do so. */
void core_hub_lacks(struct core *core, struct link *link)
{
    size_t index = link->peer->hub_index;
    bool any = false;
    if (index == CORE_HUB_MAX)
        return;
    for (size_t i = 0; i < link->flow_count; i++) {
        const struct flow *flow = link->flows[i];
        if (flow->log->own && flow->offered > flow->log->held.size)
            return;
        any |= flow->log->own && flow->offered > 0;
    }
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *log = core->logs[i];
        if (!log->own || log->receipts[index] <= (any ? log->named : 0))
            continue;
        struct flow *flow = core_flow_make(core, link, log);
        if (flow && !flow->offered)
            core_hub_says(core, flow, link->peer, 0);
    }
}
