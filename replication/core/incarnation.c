/* When this node may write, and when its live log must be closed and another opened (design D1). */
#include "replication/core/state.h"

#include <string.h>

#define MERGE_DELAY_FIRST_MS 1000
#define MERGE_DELAY_MAX_MS   (60 * 60 * 1000)

void core_incarnation_start(struct core *core)
{
    bool answered = core->hub_count == 0;
    for (size_t i = 0; i < core->peer_count; i++)
        answered |= core->peers[i].options.role == ROLE_HUB && core->peers[i].heads_known;
    core->may_write = true;
    core_effect_add(core, EFFECT_MAY_WRITE)->may_write.hubs_unasked = !answered;
}

void core_incarnation_hubs_answered(struct core *core)
{
    if (core->may_write)
        return;
    for (size_t i = 0; i < core->peer_count; i++)
        if (core->peers[i].options.role == ROLE_HUB && !core->peers[i].heads_known)
            return;
    core_incarnation_start(core);
}

void core_incarnation_need(struct core *core, struct log *log, enum incarnation_reason reason)
{
    if (!log->live || log->closing)
        return;
    log->closing = true;
    core_effect_add(core, EFFECT_NEED_INCARNATION)->need_incarnation =
        (struct effect_need_incarnation){ .log = log->id, .reason = reason };
}

static struct log *live_log(struct core *core, const char *audience)
{
    for (size_t i = 0; i < core->log_count; i++)
        if (core->logs[i]->live && strcmp(core->logs[i]->id.audience, audience) == 0)
            return core->logs[i];
    return NULL;
}

/* An own log with records that no own log names yet. A log that holds nothing but its opening
 * record decides nothing: without this exception two clones would answer each other's incarnations
 * with new ones for ever. */
static bool wants_merge(const struct log *log)
{
    return log->own && !log->live && core_log_is_tip(log) &&
           (log->held.covered > 1 || log->named > 0);
}

static bool is_being_handed_back(const struct log *log)
{
    if (!log->own || log->live)
        return false;
    if (log->storing > 0)
        return true;
    struct flow *flow = log->source ? core_flow_find(log->source, log) : NULL;
    return flow && flow->offered > log->held.size && !log->frozen;
}

static void merge_now(struct core *core, struct log *live)
{
    core_incarnation_need(core, live, REASON_MERGE);
    /* Two clones at work merge each other's records again and again: ever more slowly. */
    bool soon =
        core->merge_delay_ms > 0 && core->now_ms < core->merge_at_ms + 2 * core->merge_delay_ms;
    core->merge_delay_ms = soon ? core->merge_delay_ms * 2 : MERGE_DELAY_FIRST_MS;
    if (core->merge_delay_ms > MERGE_DELAY_MAX_MS)
        core->merge_delay_ms = MERGE_DELAY_MAX_MS;
    core->merge_at_ms = core->now_ms + core->merge_delay_ms;
}

/* Once everything that is on its way has come (R5). */
void core_incarnation_merge(struct core *core)
{
    if (!core->merge_check || core->now_ms < core->merge_at_ms)
        return;
    core->merge_check = false;
    for (size_t i = 0; i < core->log_count; i++)
        if (is_being_handed_back(core->logs[i]))
            return; /* its arrival, or the end of its link, has us look again */
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *live =
            wants_merge(core->logs[i]) ? live_log(core, core->logs[i]->id.audience) : NULL;
        if (live && !live->closing)
            merge_now(core, live);
    }
}
