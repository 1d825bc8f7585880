/* What we ask for, and from whom.
 *
 * A log is fetched from one link at a time, its source (R6). Asking is a standing order: the
 * source goes on as the log grows, until either side stops it or the link ends. Logs whose
 * situation has changed stand in a queue, core->work, and are looked at once at the end of the
 * step: is there a link that offers more than we hold, and may we ask now?
 *
 * Of a forked log both branches are fetched, one after the other, from whoever may hold it. What a
 * peer offers says nothing there: each is asked for each branch, by the root of the checkpoint
 * accepted for it, and says when it has no more. */
#include "replication/core/state.h"

#include "proto/base/bug.h"
#include "proto/base/require.h"

#include <string.h>

/* The peer and we disagree about where we stand. Once is a race; this often is an error. */
#define STALE_MAX 4

struct cursor *core_log_fetch_cursor(struct log *log)
{
    return log->fetch_branch ? &log->branch : &log->held;
}

void core_fetch_look(struct core *core, struct log *log)
{
    if (log->queued)
        return;
    log->queued = true;
    log->work_next = NULL;
    if (core->work_last)
        core->work_last->work_next = log;
    else
        core->work_first = log;
    core->work_last = log;
}

static void set_big(struct log *log, bool big)
{
    if (log->big == big)
        return;
    log->big = big;
    if (big)
        log->source->big_count++;
    else
        log->source->big_count--;
}

void core_fetch_stop(struct core *core, struct log *log)
{
    if (log->source) {
        set_big(log, false);
        log->source = NULL;
        log->mending = false;
        core->merge_check |= log->own;
    }
    core_fetch_look(core, log);
}

static uint64_t retry_later(struct core *core)
{
    uint64_t at_ms = core->now_ms + core->options.refused_delay_ms;
    if (at_ms < core->retry_at_ms)
        core->retry_at_ms = at_ms;
    return at_ms;
}

void core_fetch_pause(struct core *core, struct log *log)
{
    core_fetch_stop(core, log);
    log->retry_at_ms = retry_later(core);
}

void core_fetch_avoid(struct core *core, struct link *link, struct log *log)
{
    struct flow *flow = core_flow_find(link, log);
    if (flow)
        flow->retry_at_ms = retry_later(core);
}

void core_fetch_distrust(struct core *core, struct log *log)
{
    if (log->source)
        core_fetch_avoid(core, log->source, log);
    core_fetch_stop(core, log);
}

void core_fetch_again(struct core *core, struct log *log)
{
    if (++log->stale_count < STALE_MAX)
        core_fetch_stop(core, log);
    else
        core_fetch_distrust(core, log);
}

void core_fetch_spoilt(struct core *core, struct link *link, struct log *log, bool branch)
{
    struct flow *flow = link ? core_flow_find(link, log) : NULL;
    if (!flow || !(flow->declined & 1u << branch))
        return;
    flow->declined &= ~(1u << branch);
    flow->retry_at_ms = retry_later(core);
}

static void resume(struct core *core, struct log *log, uint64_t *retry_at_ms)
{
    if (SAMAD_BUG(REFUSED_FOR_EVER))
        return;
    if (*retry_at_ms <= core->now_ms) {
        *retry_at_ms = UINT64_MAX;
        core_fetch_look(core, log);
    } else if (*retry_at_ms < core->retry_at_ms) {
        core->retry_at_ms = *retry_at_ms;
    }
}

void core_fetch_resume_due(struct core *core)
{
    if (core->now_ms < core->retry_at_ms)
        return;
    core->retry_at_ms = UINT64_MAX;
    for (size_t i = 0; i < core->log_count; i++)
        resume(core, core->logs[i], &core->logs[i]->retry_at_ms);
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        for (size_t j = 0; j < link->flow_count; j++)
            resume(core, link->flows[j]->log, &link->flows[j]->retry_at_ms);
    }
}

static bool may_be_source(const struct link *link)
{
    return !link->closed && link->state == LINK_READY;
}

static bool is_author(const struct link *link, const struct log *log)
{
    return strcmp(link->peer->options.node, log->id.node) == 0;
}

/* What a peer that offers so much can do for us: give records, or a checkpoint that covers records
 * which are held and cannot be proven. Such are left when a transfer was cut before its checkpoint was
 * reached, and the author has lost that checkpoint since. */
static bool offers_more(const struct cursor *cursor, uint64_t offered)
{
    return offered > cursor->covered + SAMAD_BUG(LAST_RECORD_LEFT);
}

/* The author before everybody, then who offers most, then who has been here longest. */
static struct link *best_source(struct core *core, struct log *log)
{
    const struct cursor *cursor = core_log_fetch_cursor(log);
    struct link *best = NULL;
    uint64_t most = cursor->covered;
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        struct flow *flow = may_be_source(link) ? core_flow_find(link, log) : NULL;
        if (!flow || flow->retry_at_ms != UINT64_MAX || !offers_more(cursor, flow->offered))
            continue;
        if (is_author(link, log))
            return link;
        if (flow->offered > most) {
            most = flow->offered;
            best = link;
        }
    }
    return best;
}

/* Who has no record that is lacking is asked from the first that is not covered: what comes is held
 * already, but the checkpoint that it belongs to counts. */
static void ask(struct core *core, struct link *link, struct log *log, uint64_t offered)
{
    const struct cursor *cursor = core_log_fetch_cursor(log);
    bool lacks = offered > cursor->size;
    log->source = link;
    log->expected = cursor->size;
    log->shown = 0;
    log->resync = false;
    core->scratch.type = MESSAGE_WANT;
    core->scratch.want = (struct message_want){
        .log = log->id,
        .next = lacks ? cursor->size : cursor->covered,
        .pending = lacks ? cursor->pending : cursor->covered,
    };
    core_send_message(core, link, &core->scratch);
}

/* ---- branches of a forked log (R9) ---- */

static bool may_ask_for_branch(const struct core *core, struct link *link, const struct log *log,
                               bool branch)
{
    if (!may_be_source(link) || link->version < PROTOCOL_VERSION_BRANCHES ||
        !core_policy_peer_may_hold(core, link->peer, &log->id))
        return false;
    const struct flow *flow = core_flow_find(link, log);
    return !flow || (flow->retry_at_ms == UINT64_MAX && !(flow->declined & 1u << branch));
}

/* The author before everybody, then who has been here longest. */
static struct link *branch_source(struct core *core, const struct log *log, bool branch)
{
    struct link *best = NULL;
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        if (!may_ask_for_branch(core, link, log, branch))
            continue;
        if (is_author(link, log))
            return link;
        if (!best)
            best = link;
    }
    return best;
}

static void ask_for_branch(struct core *core, struct link *link, struct log *log, bool branch,
                           bool big)
{
    log->fetch_branch = branch;
    const struct cursor *cursor = core_log_fetch_cursor(log);
    log->source = link;
    log->expected = cursor->size;
    log->shown = 0;
    log->resync = false;
    set_big(log, big);
    core_effect_add(core, EFFECT_SEND_WANT)->send_want =
        (struct effect_send_want){ .link = link->id,
                                   .log = log->id,
                                   .branch = branch,
                                   .next = cursor->size };
}

/* True when it is asked for, or waits for its turn. */
static bool fetch_branch(struct core *core, struct log *log, bool branch)
{
    const struct cursor *cursor = branch ? &log->branch : &log->held;
    struct link *link = cursor->pending > 0 ? branch_source(core, log, branch) : NULL;
    struct flow *flow = link ? core_flow_make(core, link, log) : NULL;
    if (!flow)
        return false;
    bool big = cursor->pending - cursor->size > core->options.catchup_threshold;
    flow->waiting = big && !core_admission_ask(core, link);
    if (!flow->waiting)
        ask_for_branch(core, link, log, branch, big);
    return true;
}

static void fetch_branches(struct core *core, struct log *log)
{
    if (!log->source && !fetch_branch(core, log, false))
        fetch_branch(core, log, true);
}

static void fetch_consider(struct core *core, struct log *log)
{
    const struct cursor *cursor = core_log_fetch_cursor(log);
    if (SAMAD_BUG(HAND_BACK_REFUSED) && log->own)
        return;
    if (log->storing > 0 || log->retry_at_ms != UINT64_MAX)
        return; /* R6: `next` and `pending` are not known yet; not now */
    if (log->frozen && !(log->own && log->live)) {
        fetch_branches(core, log);
        return;
    }
    if (log->mending || (!log->frozen && core_mend_ask(core, log)))
        return; /* then the rest */
    if (log->own && log->live)
        return; /* R5 */
    struct link *link = best_source(core, log);
    if (!link || link == log->source)
        return;
    if (log->source && offers_more(cursor, core_flow_find(log->source, log)->offered) &&
        !is_author(link, log))
        return; /* more is on the way, they say; only the author need not be believed */
    struct flow *flow = core_flow_find(link, log);
    bool big = flow->offered > cursor->size &&
               flow->offered - cursor->size > core->options.catchup_threshold;
    if (big && !core_admission_ask(core, link)) {
        flow->waiting = true;
        return;
    }
    flow->waiting = false;
    if (log->source)
        set_big(log, false);
    ask(core, link, log, flow->offered);
    set_big(log, big);
}

void core_fetch_run(struct core *core)
{
    do {
        while (core->work_first) {
            struct log *log = core->work_first;
            core->work_first = log->work_next;
            if (!core->work_first)
                core->work_last = NULL;
            log->queued = false;
            fetch_consider(core, log);
            core_log_release(core, log); /* its last link may have ended while it was stored */
        }
    } while (core_admission_sweep(core));
}

/* The first records of a log: it is no hearsay any more. */
static void now_held(struct core *core, struct log *log)
{
    for (size_t i = 0; i < core->link_count; i++) {
        struct flow *flow = core_flow_find(core->links[i], log);
        if (flow && flow->unheld) {
            flow->unheld = false;
            core->links[i]->unheld_count--;
        }
    }
}

void core_fetch_stored(struct core *core, struct log *log, bool branch, const struct cursor *cursor,
                       const struct link *from)
{
    struct cursor *held = branch ? &log->branch : &log->held;
    struct cursor before = *held;
    *held = *cursor;
    if (cursor->size > before.size)
        log->stale_count = 0;
    if (cursor->size > before.size && log->source) {
        struct link *source = log->source;
        core_link_useful(source);
        if (log->big)
            core_admission_spend(core, source, cursor->size - before.size);
        if (cursor->size >= (log->frozen ? cursor->pending : core_flow_find(source, log)->offered))
            set_big(log, false);
    }
    if (log->frozen && cursor->covered > before.covered)
        core_announce_branch(core, log, from);
    if (branch)
        return;
    if (before.size == 0 && cursor->size > 0)
        now_held(core, log);
    if (log->own && (cursor->size > before.size || cursor->covered > before.covered))
        core_incarnation_look(core);
    if (cursor->size > before.size)
        core_receipt_retry(core, log->id.node);
    if (cursor->covered > before.covered || SAMAD_BUG(RECEIPT_AHEAD)) {
        core_announce_growth(core, log);
        core_receipt_consider(core, log);
    }
}

/* A held log names it, or its author signed a checkpoint of it, and the peer may hold it: it is asked,
 * and says so if it does not. (A source sends all it has of its own accord.) */
static void suppose(struct core *core, struct link *link, struct log *log)
{
    if (log->frozen) {
        core_fetch_look(core, log); /* both branches are asked for */
        return;
    }
    uint64_t exists = log->held.pending > log->named ? log->held.pending : log->named;
    if (link->closed || link->state != LINK_READY || log->held.size >= exists ||
        log->source == link || !core_policy_peer_may_hold(core, link->peer, &log->id))
        return;
    struct flow *flow = core_flow_make(core, link, log);
    if (flow && flow->offered < exists)
        flow->offered = exists;
    core_fetch_look(core, log);
}

void core_fetch_missing(struct core *core, struct link *link)
{
    for (size_t i = 0; i < core->log_count; i++)
        suppose(core, link, core->logs[i]);
}

/* Its author opened a later log without knowing all that we hold of this one. */
static void named_too_small(struct core *core, struct log *log, uint64_t size)
{
    struct peer *author = core_log_author(core, log);
    if (!author)
        return;
    core_alarm_log(core, log, ALARM_ROLLBACK, author->options.node, log->held.covered, size);
    if (author->link)
        core_announce_one(core, author->link, log);
}

static void fetch_parent(struct core *core, const struct log_head *parent)
{
    struct log *log = core_log_make(core, &parent->log);
    if (!log)
        return;
    if (parent->size > log->named)
        log->named = parent->size;
    if (core->started && log->held.covered > parent->size)
        named_too_small(core, log, parent->size);
    for (size_t i = 0; i < core->link_count; i++)
        suppose(core, core->links[i], log);
}

void core_fetch_parents(struct core *core, struct log *child, const struct log_head *parents,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(parents[i].log.node, child->id.node) == 0 &&
            !log_id_equal(&parents[i].log, &child->id) &&
            core_policy_we_follow(core, &parents[i].log)) {
            child->has_parents = true;
            fetch_parent(core, &parents[i]);
        }
}
