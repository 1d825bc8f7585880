/* A hub says: I hold the first N records of your log, durably. */
#include "replication/core/state.h"

void core_on_receipt(struct core *core, struct link *link, const struct message_receipt *message)
{
    struct peer *hub = link->peer;
    struct checkpoint checkpoint;
    if (hub->hub_index == CORE_HUB_MAX || checkpoint_parse(&checkpoint, message->note) != OK) {
        core_link_close(core, link, CLOSE_MALFORMED, "a receipt that is none");
        return;
    }
    struct log *log = core_log_find(core, &checkpoint.log);
    if (!log || !log->own)
        return;
    if (checkpoint.size > log->held.covered) {
        struct flow *flow = core_flow_make(core, link, log);
        if (flow && flow->offered < checkpoint.size)
            core_fetch_offered(core, link, flow, checkpoint.size);
        return; /* the receipt comes again when we announce what was handed back */
    }
    if (checkpoint.size <= log->receipts[hub->hub_index]) {
        core_hub_has(log, hub, checkpoint.size);
        return;
    }
    core_effect_add(core, EFFECT_STORE_RECEIPT)->store_receipt = (struct effect_store_receipt){
        .link = link->id,
        .log = log->id,
        .size = checkpoint.size,
        .hub = hub->options.node,
        .note = message->note,
    };
}

/* A receipt for which our store had no room comes again: with the next one, the next link, or when it is
 * asked for in a while. */
static void not_stored(struct core *core, struct peer *hub, struct log *log, enum err err)
{
    if (core_err_is_of_data(err))
        core_alarm_peer(core, hub, ALARM_BAD_DATA, (uint64_t)err);
    else if (err == ERR_CORRUPT)
        core_alarm_log(core, log, ALARM_UNREADABLE, core->options.node, log->held.covered,
                       (uint64_t)err);
    else
        core_receipt_later(core, log);
}

void core_on_receipt_stored(struct core *core, const struct event_receipt_stored *event)
{
    struct peer *hub = core_peer_find(core, event->hub);
    struct log *log = core_log_find(core, &event->log);
    if (!log || !hub || hub->hub_index == CORE_HUB_MAX)
        return;
    if (event->err == ERR_FORK) {
        core_fork_freeze(core, log, hub, event->size, &event->other);
        if (event->proven)
            core_fork_proven(core, log, NULL);
        return;
    }
    if (event->err != OK) {
        not_stored(core, hub, log, event->err);
        return;
    }
    if (event->size > log->receipts[hub->hub_index])
        log->receipts[hub->hub_index] = event->size;
    core_hub_has(log, hub, event->size);
    if (hub->link)
        core_link_useful(hub->link);
}
