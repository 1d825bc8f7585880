/* A checkpoint of a log we asked for. It goes to the store whole; the core only follows sizes. */
#include "replication/core/state.h"

#include <string.h>

/* It grew, live, past the point from which its author has already gone on in another log. */
static bool shows_second_writer(const struct link *link, const struct log *log,
                                const struct flow *flow, uint64_t size)
{
    return !log->own && !log->frozen && log->named > 0 && size > log->named &&
           size > flow->offered && strcmp(link->peer->options.node, log->id.node) == 0;
}

void core_on_checkpoint(struct core *core, struct link *link,
                        const struct message_checkpoint *message)
{
    struct checkpoint checkpoint;
    if (checkpoint_parse(&checkpoint, message->note) != OK) {
        core_link_close(core, link, CLOSE_MALFORMED, "a checkpoint that is none");
        return;
    }
    struct log *log = core_log_find(core, &checkpoint.log);
    if (!log || log->source != link) {
        if (log && core_flow_find(link, log))
            core_send_refusal(core, link, log, REFUSAL_UNWANTED, log->held.size, "not asked for");
        return;
    }
    if (checkpoint.size < log->shown ||
        (checkpoint.size == log->shown && hash_equal(&checkpoint.root, &log->shown_root)))
        return; /* R2: shown already */
    if (log->frozen && log->shown == 0 && message->from != core_log_fetch_cursor(log)->pending)
        return; /* of what was sent before we named a branch */
    struct flow *flow = core_flow_find(link, log);
    if (shows_second_writer(link, log, flow, checkpoint.size))
        core_alarm_log(core, log, ALARM_TWO_WRITERS, link->peer->options.node, log->named,
                       checkpoint.size);
    if (checkpoint.size > flow->offered && !log->frozen)
        flow->offered = checkpoint.size;
    log->shown = checkpoint.size;
    log->shown_root = checkpoint.root;
    if (log->mending && (checkpoint.size <= log->held.covered || log->live))
        return; /* what is to be mended proves itself against the one that is held (R5) */
    log->storing++;
    core_effect_add(core, EFFECT_STORE_CHECKPOINT)->store_checkpoint =
        (struct effect_store_checkpoint){
            .link = link->id,
            .node = link->peer->options.node,
            .log = log->id,
            .size = checkpoint.size,
            .branch = log->fetch_branch,
            .message = message,
        };
}
