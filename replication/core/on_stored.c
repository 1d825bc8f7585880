/* The store's word on what came in: only now does the core know what is held. */
#include "replication/core/state.h"

#include "proto/base/require.h"

static enum refusal_code refusal_of(enum err err)
{
    switch (err) {
    case ERR_FULL:
    case ERR_MAP_FULL:
        return REFUSAL_FULL;
    case ERR_SIGNATURE:
        return REFUSAL_SIGNATURE;
    case ERR_COMMITMENT:
        return REFUSAL_COMMITMENT;
    case ERR_MALFORMED:
    case ERR_VERSION:
    case ERR_TOO_LARGE:
        return REFUSAL_MALFORMED;
    case ERR_PROOF:
        return REFUSAL_PROOF;
    default:
        return REFUSAL_BUSY;
    }
}

bool core_err_is_of_data(enum err err)
{
    enum refusal_code code = refusal_of(err);
    return code != REFUSAL_FULL && code != REFUSAL_BUSY;
}

/* Tell the sender. When it is to blame, it is left alone with this log for a while, and whoever else
 * has it is asked (R9); otherwise nobody is, for want of room. All other logs go on. */
static void refuse(struct core *core, struct log *log, enum err err)
{
    struct link *link = log->source;
    enum refusal_code code = refusal_of(err);
    core_send_refusal(core, link, log, code, core_log_fetch_cursor(log)->size, err_text(err));
    if (core_err_is_of_data(err)) {
        core_alarm_peer(core, link->peer, ALARM_BAD_DATA, (uint64_t)err);
        core_fetch_distrust(core, log);
    } else {
        core_fetch_pause(core, log);
    }
}

static void failed(struct core *core, struct link *link, struct log *log,
                   const struct event_stored *event)
{
    if (event->err == ERR_FORK) {
        struct flow *flow = link ? core_flow_find(link, log) : NULL;
        struct peer *peer = core_peer_find(core, event->node);
        if (peer)
            core_fork_freeze(core, log, peer, flow ? flow->offered : 0, &event->other);
        return;
    }
    if (!link ||
        log->source != link) { /* what followed the first failure, or its order has ended */
        core_fetch_spoilt(core, link, log, event->branch);
        return;
    }
    if (event->err != ERR_STALE && event->err != ERR_GAP)
        refuse(core, log, event->err);
    else
        core_fetch_again(core, log);
}

static void on_stored(struct core *core, const struct event_stored *event)
{
    struct link *link = core_link_find(core, event->link);
    struct log *log = core_log_find(core, &event->log);
    if (!log)
        return;
    require(log->storing > 0); /* an answer to an effect, once */
    log->storing--;
    if (!event->mends || !log->live) /* the writer says how far its log is */
        core_fetch_stored(core, log, event->branch, &event->cursor, link);
    if (log->frozen && !event->branch)
        log->branch = event->other; /* by now it may be known which one that is */
    if (event->parent_count > 0)
        core_fetch_parents(core, log, event->parents, event->parent_count);
    if (event->mends && event->err != ERR_FORK)
        core_mend_stored(core, link, log, event);
    else if (event->err != OK)
        failed(core, link, log, event);
    if (event->proven)
        core_fork_proven(core, log, NULL);
    if (log->storing == 0)
        core_fetch_look(core, log);
}

void core_on_checkpoint_stored(struct core *core, const struct event_stored *event)
{
    on_stored(core, event);
}

void core_on_package_stored(struct core *core, const struct event_stored *event)
{
    struct link *link = core_link_find(core, event->link);
    if (link)
        core_credit_give_back(core, link, event->size);
    on_stored(core, event);
}
