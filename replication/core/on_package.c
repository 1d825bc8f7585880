/* Records of a log we asked for. */
#include "replication/core/state.h"

/* R10: true when the peer keeps to what it was given. */
static bool take_credit(struct core *core, struct link *link, uint64_t size)
{
    if (size > link->credit_receive) {
        core_link_close(core, link, CLOSE_LIMIT, "more package bytes than credit");
        return false;
    }
    link->credit_receive -= size;
    return true;
}

/* R4: nothing is taken beyond a hole. One refusal; then what follows on the way is dropped. */
static void refuse_gap(struct core *core, struct link *link, struct log *log)
{
    if (!log->resync)
        core_send_refusal(core, link, log, REFUSAL_GAP, log->expected,
                          "records are missing before");
    log->resync = true;
}

void core_on_package(struct core *core, struct link *link, const struct message_package *message,
                     uint64_t size)
{
    if (!take_credit(core, link, size))
        return;
    struct log *log = core_log_find(core, &message->log);
    if (!log || log->source != link || log->shown == 0) {
        core_credit_give_back(core, link, size); /* on the way when we stopped, or asked anew */
        return;
    }
    uint64_t end = message->first + message->count;
    if (message->against < log->shown) {
        /* The sender began before it knew what we have taken in since: ask anew. */
        core_credit_give_back(core, link, size);
        core_fetch_stop(core, log);
        return;
    }
    if (end < message->first || message->against != log->shown || end > message->against) {
        core_credit_give_back(core, link, size);
        core_alarm_peer(core, link->peer, ALARM_BAD_DATA, ERR_PROOF);
        core_send_refusal(core, link, log, REFUSAL_PROOF, log->expected,
                          "not against what was shown");
        core_fetch_distrust(core, log);
        return;
    }
    if (message->first > log->expected) {
        core_credit_give_back(core, link, size);
        refuse_gap(core, link, log);
        return;
    }
    log->resync = false;
    if (end > log->expected)
        log->expected = end;
    log->storing++;
    core_effect_add(core, EFFECT_STORE_PACKAGE)->store_package = (struct effect_store_package){
        .link = link->id,
        .node = link->peer->options.node,
        .log = log->id,
        .branch = log->fetch_branch,
        .mends = log->mending,
        .message = message,
        .size = size,
    };
    if (log->mending)
        core_mend_came(core, link, log, end);
}
