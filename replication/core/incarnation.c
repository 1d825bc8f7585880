/* When this node may write, and when its live log must be closed and another opened (design D1). */
#include "replication/core/state.h"

#include "proto/base/bug.h"

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

static void need_now(struct core *core, struct log *log, enum incarnation_reason reason)
{
    log->closing = true;
    log->reopen_due = false;
    core_effect_add(core, EFFECT_NEED_INCARNATION)->need_incarnation =
        (struct effect_need_incarnation){ .log = log->id, .reason = reason };
}

/* The delay before the next time: doubled when this one came soon after the last. */
static void slow_down(const struct core *core, uint64_t *at_ms, uint64_t *delay_ms)
{
    bool soon = *delay_ms > 0 && core->now_ms < *at_ms + 2 * *delay_ms;
    *delay_ms = soon ? *delay_ms * 2 : MERGE_DELAY_FIRST_MS;
    if (*delay_ms > MERGE_DELAY_MAX_MS)
        *delay_ms = MERGE_DELAY_MAX_MS;
    *at_ms = core->now_ms + *delay_ms;
}

/* A peer says that it holds more, or another history, and need not prove it: one that says so of
 * every incarnation must not have this node open them without end. A log that is frozen is another
 * matter: that takes two statements under our own key (R9), and nothing can be written to it. */
void core_incarnation_need(struct core *core, struct log *log, enum incarnation_reason reason)
{
    if (!log->live || log->closing)
        return;
    if (core->now_ms < core->reopen_at_ms && !log->frozen) {
        core->reopen_due = log->reopen_due = true;
        log->reopen_reason = reason;
        return;
    }
    slow_down(core, &core->reopen_at_ms, &core->reopen_delay_ms);
    need_now(core, log, reason);
}

void core_incarnation_tick(struct core *core)
{
    if (!core->reopen_due || core->now_ms < core->reopen_at_ms)
        return;
    core->reopen_due = false;
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *log = core->logs[i];
        if (log->reopen_due && log->live)
            core_incarnation_need(core, log, log->reopen_reason);
        else
            log->reopen_due = false;
    }
}

static struct log *live_log(struct core *core, const char *audience)
{
    for (size_t i = 0; i < core->log_count; i++)
        if (core->logs[i]->live && strcmp(core->logs[i]->id.audience, audience) == 0)
            return core->logs[i];
    return NULL;
}

/* An own log with records that no own log names yet. One that holds nothing but its opening record
 * has at most its ancestors to tell of. With them it counts as long as nobody names the live log: a clone's
 * opening that answers the live log names it, and answered in turn, the two would go on for ever.
 *
 * An incarnation does not name a log whose ancestors are not all here. So such a log is left alone
 * until more has come: its ancestors may be lost, and each new incarnation would name it no more than
 * the last one did. */
static bool wants_merge(const struct log *log, const struct log *live)
{
    return log->own && !log->live && !log->passed_over && core_log_is_tip(log) &&
           (log->held.covered > 1 || log->named > 0 ||
            (log->has_parents && live->named == 0));
}

void core_incarnation_look(struct core *core)
{
    core->merge_check = true;
    for (size_t i = 0; i < core->log_count; i++)
        core->logs[i]->passed_over = false;
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
    need_now(core, live, REASON_MERGE);
    for (size_t i = 0; i < core->log_count; i++)
        if (strcmp(core->logs[i]->id.audience, live->id.audience) == 0)
            core->logs[i]->passed_over |= wants_merge(core->logs[i], live);
    /* Two clones at work merge each other's records again and again: ever more slowly. */
    slow_down(core, &core->merge_at_ms, &core->merge_delay_ms);
}

/* Once everything that is on its way has come (R5). */
void core_incarnation_merge(struct core *core)
{
    if (!core->merge_check || core->now_ms < core->merge_at_ms || SAMAD_BUG(MERGE_FORGOTTEN))
        return;
    core->merge_check = false;
    for (size_t i = 0; i < core->log_count; i++)
        if (is_being_handed_back(core->logs[i]))
            return; /* its arrival, or the end of its link, has us look again */
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *live = live_log(core, core->logs[i]->id.audience);
        if (live && !live->closing && wants_merge(core->logs[i], live))
            merge_now(core, live);
    }
}
