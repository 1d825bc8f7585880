/* Records that are held and lie damaged (guarantee I11).
 *
 *   verification finds them -> they are asked for, from who may hold them -> the store puts them right
 *
 * It is an order like any other, but it names a position that is held, and ends where the damage does.
 * Of several stretches one is mended after the other; more than there is room for are told again. Into a
 * log that this process writes nothing else comes (R5). */
#include "replication/core/state.h"

#include <stdlib.h>
#include <string.h>

/* Into one that it touches, or behind the last; in order of their finding. */
static void note(struct mends *mends, unsigned from, uint64_t first, uint64_t end)
{
    for (unsigned i = from; i < mends->count; i++) {
        struct mend *mend = &mends->list[i];
        if (first > mend->end || end < mend->first)
            continue;
        mend->first = first < mend->first ? first : mend->first;
        mend->end = end > mend->end ? end : mend->end;
        return;
    }
    if (mends->count < MEND_MAX)
        mends->list[mends->count++] = (struct mend){ first, end };
}

void core_on_log_damaged(struct core *core, const struct event_log_damaged *event)
{
    struct log *log = core_log_find(core, &event->log);
    if (!log || event->first >= event->end || event->end > log->held.size)
        return;
    if (!log->mends)
        log->mends = calloc(1, sizeof *log->mends);
    if (!log->mends)
        return;
    bool at_work = log->mending || log->mend_taken; /* on the first of them */
    note(log->mends, at_work, event->first, event->end);
    core_fetch_look(core, log);
}

static bool may_be_asked(struct core *core, struct link *link, const struct log *log)
{
    if (link->closed || link->state != LINK_READY ||
        !core_policy_peer_may_hold(core, link->peer, &log->id))
        return false;
    const struct flow *flow = core_flow_find(link, log);
    return !flow || flow->retry_at_ms == UINT64_MAX;
}

/* The author before everybody, then who has been here longest. */
static struct link *source_of(struct core *core, const struct log *log)
{
    struct link *best = NULL;
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        if (!may_be_asked(core, link, log))
            continue;
        if (link->peer == core_log_author(core, log))
            return link;
        if (!best)
            best = link;
    }
    return best;
}

bool core_mend_ask(struct core *core, struct log *log)
{
    struct link *link = log->mends ? source_of(core, log) : NULL;
    if (!link || !core_flow_make(core, link, log))
        return false;
    core_fetch_stop(core, log);
    log->source = link;
    log->mending = true;
    log->expected = log->held.size;
    log->shown = 0;
    log->resync = false;
    core->scratch.type = MESSAGE_WANT;
    core->scratch.want = (struct message_want){ .log = log->id,
                                                .next = log->mends->list[0].first,
                                                .pending = log->held.covered };
    core_send_message(core, link, &core->scratch);
    return true;
}

/* The order would stand for what comes later. */
void core_mend_came(struct core *core, struct link *link, struct log *log, uint64_t end)
{
    if (end < log->mends->list[0].end && end < log->shown)
        return;
    log->mend_taken = true;
    core_send_refusal(core, link, log, REFUSAL_UNWANTED, log->expected, "that was all");
    core_fetch_stop(core, log);
}

static void failed(struct core *core, struct link *link, struct log *log, enum err err)
{
    log->mend_taken = false;
    if (!link)
        return;
    /* A proof fails also when more is damaged here than was told. */
    if (core_err_is_of_data(err) && err != ERR_PROOF)
        core_alarm_peer(core, link->peer, ALARM_BAD_DATA, (uint64_t)err);
    core_fetch_avoid(core, link, log);
    if (log->source == link)
        core_fetch_stop(core, log);
}

void core_mend_stored(struct core *core, struct link *link, struct log *log,
                      const struct event_stored *event)
{
    if (event->err != OK)
        failed(core, link, log, event->err);
    if (!log->mend_taken || log->storing > 0)
        return;
    log->mend_taken = false;
    struct mends *mends = log->mends;
    memmove(mends->list, mends->list + 1, --mends->count * sizeof *mends->list);
    if (mends->count > 0)
        return;
    free(mends);
    log->mends = NULL;
}
