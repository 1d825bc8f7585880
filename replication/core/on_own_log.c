/* What this node itself writes. */
#include "replication/core/state.h"

static void set_held(struct log *log, uint64_t size)
{
    log->held = (struct cursor){ .size = size, .covered = size, .pending = size };
}

/* What an own incarnation names is held as far as it is named. Of an older own log that may be more than
 * was seen to come: the shell put it back from another copy (a journal), and hubs may lack it. */
static void held_by_parents(struct core *core, const struct event_own_log *event)
{
    for (size_t i = 0; i < event->parent_count; i++) {
        const struct log_head *parent = &event->parents[i];
        struct log *log = core_log_make(core, &parent->log);
        if (!log || log->live || log->frozen || parent->size <= log->held.size)
            continue;
        log->held.size = log->held.covered = parent->size;
        if (log->held.pending < parent->size)
            log->held.pending = parent->size;
        core_incarnation_look(core);
        core_announce_growth(core, log);
    }
}

/* Two machines copied with the state of their random generator open the same log. A hub that had it of
 * the other one said so before this one opened it, and need not say it again. */
static void look_whether_behind(struct core *core, struct log *log)
{
    for (size_t i = 0; i < core->link_count; i++) {
        const struct flow *flow = core_flow_find(core->links[i], log);
        if (flow && flow->offered > log->held.size)
            core_incarnation_need(core, log, REASON_BEHIND);
    }
}

void core_on_log_opened(struct core *core, const struct event_own_log *event)
{
    struct log *log = core_log_make(core, &event->log);
    if (!log)
        return;
    log->own = log->live = true;
    set_held(log, event->size);
    held_by_parents(core, event);
    core_fetch_parents(core, log, event->parents, event->parent_count);
    core_announce_growth(core, log);
    look_whether_behind(core, log);
    core->merge_check = true;
}

void core_on_log_advanced(struct core *core, const struct event_own_log *event)
{
    struct log *log = core_log_find(core, &event->log);
    if (!log || !log->live || event->size <= log->held.size)
        return;
    set_held(log, event->size);
    core_announce_growth(core, log);
}

void core_on_log_closed(struct core *core, const struct event_own_log *event)
{
    struct log *log = core_log_find(core, &event->log);
    if (!log)
        return;
    log->live = log->closing = false;
    core_fetch_look(core, log); /* a suffix of it may wait at a hub */
}
