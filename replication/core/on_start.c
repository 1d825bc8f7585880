/* What the store knows, and the beginning. */
#include "replication/core/state.h"

static void load_receipts(struct core *core, struct log *log, const struct event_log_loaded *event)
{
    for (size_t i = 0; i < event->receipt_count; i++) {
        struct peer *hub = core_peer_find(core, event->receipts[i].hub);
        if (hub && hub->hub_index < CORE_HUB_MAX)
            log->receipts[hub->hub_index] = event->receipts[i].size;
    }
}

void core_on_log_loaded(struct core *core, const struct event_log_loaded *event)
{
    struct log *log = core_log_make(core, &event->log);
    if (!log)
        return;
    log->held = event->held;
    log->cosigned = event->cosigned;
    log->frozen = event->frozen;
    log->proven = event->proven;
    log->branch = event->branch;
    log->passed_over = true; /* the first incarnation of this process names it, if any can */
    log->fork_peer = event->frozen ? core_peer_find(core, event->fork_node) : NULL;
    load_receipts(core, log, event);
    core_fetch_parents(core, log, event->parents, event->parent_count);
}

/* Own logs that what is held names and that are not here: an old copy was put back, or the process ended,
 * while they were being handed back. Hubs announce tips, and those may be here: nobody else would
 * notice. Of a forked log it may be the other branch; hubs announce those in any case. */
static void alarm_what_lacks(struct core *core)
{
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *log = core->logs[i];
        if (log->own && !log->frozen && log->named > log->held.size)
            core_alarm_log(core, log, ALARM_ROLLBACK, core->options.node, log->held.size, log->named);
    }
}

void core_on_start(struct core *core)
{
    core->started = true;
    core->start_at_ms = core->now_ms;
    for (size_t i = 0; i < core->peer_count; i++)
        if (core->peers[i].options.connect)
            core->peers[i].connect_at_ms = core->now_ms;
    for (size_t i = 0; i < core->log_count; i++)
        core_receipt_consider(core, core->logs[i]);
    alarm_what_lacks(core);
    core_incarnation_hubs_answered(core);
}
