/* What this node itself writes. */
#include "replication/core/state.h"

static void set_held(struct log *log, uint64_t size)
{
    log->held = (struct cursor){ .size = size, .covered = size, .pending = size };
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

/* What came from another copy is held like what a hub hands back: it is offered, its parents are asked
 * for, and an incarnation is to name it. No package tells of those parents: its records are held when it
 * comes. */
void core_on_log_put_back(struct core *core, const struct event_log_put_back *event)
{
    struct log *log = core_log_make(core, &event->log);
    if (!log || log->live)
        return;
    core_fetch_parents(core, log, event->parents, event->parent_count);
    if (event->held.size > log->held.size) /* else what was stored after it has told of it */
        core_fetch_stored(core, log, false, &event->held, NULL);
    core_fetch_look(core, log);
}
