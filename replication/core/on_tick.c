/* Time: silence, late hellos, reconnects, second tries. Looked at in every step; the deadline says
 * when a step is needed for time alone. */
#include "replication/core/state.h"

#include "proto/base/bug.h"

static void ping(struct core *core, struct link *link)
{
    core->scratch.type = MESSAGE_PING;
    core->scratch.ping.token = core_random(core);
    link->pinged_at_ms = core->now_ms;
    core_send_message(core, link, &core->scratch);
}

/* When the link itself needs attention next, and what then. */
static uint64_t link_deadline(const struct core *core, const struct link *link)
{
    const struct core_options *options = &core->options;
    if (link->state == LINK_HELLO)
        return link->opened_at_ms + options->hello_limit_ms;
    uint64_t last = link->heard_at_ms > link->pinged_at_ms ? link->heard_at_ms : link->pinged_at_ms;
    uint64_t next = last + options->ping_after_ms;
    uint64_t end =
        SAMAD_BUG(SILENCE_IGNORED) ? UINT64_MAX : link->heard_at_ms + options->silence_limit_ms;
    if (end < next)
        next = end;
    if (link->announce_due && link->announce_at_ms < next)
        next = link->announce_at_ms;
    return next;
}

static void link_tick(struct core *core, struct link *link)
{
    const struct core_options *options = &core->options;
    uint64_t now = core->now_ms;
    if (link->closed)
        return;
    if (link->state == LINK_HELLO) {
        if (now - link->opened_at_ms >= options->hello_limit_ms)
            core_link_close(core, link, CLOSE_TIMEOUT, "no hello in time");
        return;
    }
    if (now - link->heard_at_ms >= options->silence_limit_ms && !SAMAD_BUG(SILENCE_IGNORED))
        core_link_close(core, link, CLOSE_TIMEOUT, "nothing heard for too long");
    else if (now - link->heard_at_ms >= options->ping_after_ms &&
             now - link->pinged_at_ms >= options->ping_after_ms)
        ping(core, link);
}

void core_on_tick(struct core *core)
{
    for (size_t i = 0; i < core->link_count; i++)
        link_tick(core, core->links[i]);
    if (!core->may_write && core->now_ms - core->start_at_ms >= core->options.ask_limit_ms &&
        !SAMAD_BUG(START_NEEDS_HUB))
        core_incarnation_start(core);
    core_incarnation_tick(core);
    core_fetch_resume_due(core);
    core_receipt_resume_due(core);
    core_backoff_run(core);
}

static void earlier(uint64_t *deadline, uint64_t time_ms)
{
    if (time_ms < *deadline)
        *deadline = time_ms;
}

uint64_t core_deadline(const struct core *core)
{
    uint64_t deadline = UINT64_MAX;
    if (!core->started)
        return deadline;
    for (size_t i = 0; i < core->link_count; i++)
        earlier(&deadline, link_deadline(core, core->links[i]));
    for (size_t i = 0; i < core->peer_count; i++)
        if (!core->peers[i].link)
            earlier(&deadline, core->peers[i].connect_at_ms);
    if (!core->may_write && !SAMAD_BUG(START_NEEDS_HUB))
        earlier(&deadline, core->start_at_ms + core->options.ask_limit_ms);
    if (core->merge_check && core->merge_at_ms > core->now_ms)
        earlier(&deadline, core->merge_at_ms);
    if (core->reopen_due)
        earlier(&deadline, core->reopen_at_ms);
    earlier(&deadline, core->retry_at_ms);
    earlier(&deadline, core->receipt_at_ms);
    earlier(&deadline, core_admission_deadline(core));
    return deadline;
}
