/* Two histories of one log (R9): frozen here, both branches fetched and kept, proven to anybody;
 * everything else goes on. */
#include "replication/core/state.h"

#include "replication/core/fork.h"

struct peer *core_log_author(struct core *core, const struct log *log)
{
    return core_peer_find(core, log->id.node);
}

void core_fork_freeze(struct core *core, struct log *log, struct peer *peer, uint64_t seen,
                      const struct cursor *other)
{
    core_alarm_log(core, log, ALARM_FORK, peer->options.node, log->held.size, seen);
    log->branch = *other;
    core_fetch_look(core, log);
    if (log->frozen)
        return;
    log->frozen = true;
    log->fork_peer = peer;
    core_fetch_stop(core, log);
    if (log->own)
        core_incarnation_look(core); /* nobody waits for more of it (storage/order.h, O2) */
    core_incarnation_need(core, log, REASON_FORKED);
    if (!peer->link || peer->link->state != LINK_READY)
        return;
    core_send_refusal(core, peer->link, log, REFUSAL_FORK, log->held.size, err_text(ERR_FORK));
    core_announce_one(core, peer->link, log); /* so that it asks us as we ask it */
}

static void tell(struct core *core, struct link *link, const struct log *log)
{
    if (!link->closed && link->state == LINK_READY &&
        core_policy_peer_may_hold(core, link->peer, &log->id))
        core_effect_add(core, EFFECT_SEND_FORK)->send_log =
            (struct effect_send_log){ .link = link->id, .log = log->id };
}

void core_fork_proven(struct core *core, struct log *log, const struct peer *except)
{
    if (log->proven)
        return;
    log->proven = true;
    core_alarm_log(core, log, ALARM_FORK_PROVEN, log->fork_peer ? log->fork_peer->options.node : "",
                   log->held.size, log->branch.size);
    for (size_t i = 0; i < core->link_count; i++)
        if (core->links[i]->peer != except)
            tell(core, core->links[i], log);
}

void core_fork_tell_all(struct core *core, struct link *link)
{
    for (size_t i = 0; i < core->log_count; i++)
        if (core->logs[i]->proven)
            tell(core, link, core->logs[i]);
}

void core_on_fork(struct core *core, struct link *link, const struct message_fork *message)
{
    struct log_id id;
    if (fork_proof_log(message->proof, &id) != OK) {
        core_link_close(core, link, CLOSE_MALFORMED, "a fork proof that is none");
        return;
    }
    struct log *log = core_log_find(core, &id);
    if (!core_policy_we_follow(core, &id) || !core_policy_peer_may_hold(core, link->peer, &id) ||
        (log && log->proven && log->branch.pending > 0))
        return; /* nothing new; without anything pending it may tell which the other branch is */
    core_effect_add(core, EFFECT_STORE_FORK)->store_fork = (struct effect_store_fork){
        .link = link->id,
        .log = id,
        .fork_node = link->peer->options.node,
        .proof = message->proof,
    };
}

void core_on_fork_stored(struct core *core, const struct event_fork_stored *event)
{
    struct peer *peer = core_peer_find(core, event->fork_node);
    if (!peer)
        return;
    if (event->err != OK) { /* without room for it we are told again on the next link */
        if (core_err_is_of_data(event->err))
            core_alarm_peer(core, peer, ALARM_BAD_DATA, (uint64_t)event->err);
        return;
    }
    struct log *log = core_log_make(core, &event->log);
    if (!log)
        return;
    if (!log->live)
        log->held = event->cursor;
    core_fork_freeze(core, log, peer, 0, &event->other);
    core_fork_proven(core, log, peer);
}
