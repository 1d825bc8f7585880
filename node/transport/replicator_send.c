/* What leaves on a link, in the order of the effects.
 *
 * Most messages come ready from the core. Checkpoints and packages are read from the store on the
 * pool; their place in the order is kept by an `outgoing` that is not ready yet, and what comes
 * after it waits behind it. The core is told that records were sent when the link's write queue has
 * drained below its mark, so that the next ones are read while the last are still on the way; if it
 * is that low already when they come back from the pool, before they are even encrypted. */
#include "node/transport/replicator_private.h"

#include "proto/base/require.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct outgoing {
    uv_work_t work;
    struct session *session;
    struct outgoing *next;
    bool ready;
    bool reported;
    struct buffer content; /* messages, each with its size before it */
    struct effect effect;  /* of a read; type SEND: nothing to report */
    enum err err;
    uint64_t size, next_record;
    bool branch; /* found */
};

struct session *session_find(struct replicator *replicator, uint64_t id)
{
    for (struct session *session = replicator->sessions; session; session = session->next)
        if (session->id == id)
            return session->link ? session : NULL;
    return NULL;
}

struct session *session_of(struct link *link)
{
    return link_owner(link);
}

void session_open(struct replicator *replicator, struct link *link)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        link_drop(link, err_text(ERR_NOMEM));
        return;
    }
    session->replicator = replicator;
    session->link = link;
    session->id = link_id(link);
    memcpy(session->node, link_node(link), strlen(link_node(link)));
    session->last = &session->first;
    session->next = replicator->sessions;
    session->previous = &replicator->sessions;
    if (replicator->sessions)
        replicator->sessions->previous = &session->next;
    replicator->sessions = session;
    link_set_owner(link, session);
}

static void outgoing_free(struct outgoing *outgoing)
{
    if (outgoing->content.data) /* person parts in the clear */
        sodium_memzero(outgoing->content.data, outgoing->content.size);
    buffer_close(&outgoing->content);
    free(outgoing);
}

/* Everything but a read that the pool is at work on; that one frees itself when it is back. */
static void session_forget_outgoing(struct session *session)
{
    struct outgoing *outgoing = session->first;
    session->first = NULL;
    session->last = &session->first;
    session->outgoings = 0;
    while (outgoing) {
        struct outgoing *next = outgoing->next;
        outgoing->next = NULL;
        if (outgoing->ready)
            outgoing_free(outgoing);
        outgoing = next;
    }
}

static void session_unlink_dirty(struct session *session)
{
    struct session **at = &session->replicator->dirty;
    while (*at && *at != session)
        at = &(*at)->dirty_next;
    if (*at)
        *at = session->dirty_next;
    session->dirty = false;
}

static void session_release(struct session *session)
{
    if (session->link || session->reads > 0)
        return;
    if (session->dirty)
        session_unlink_dirty(session);
    *session->previous = session->next;
    if (session->next)
        session->next->previous = session->previous;
    free(session);
}

/* The transport is gone. */
void session_close(struct session *session)
{
    session->link = NULL;
    session->reporting = false;
    session_forget_outgoing(session);
    session_release(session);
}

/* ---- sending ---- */

static void session_mark_dirty(struct session *session)
{
    if (session->dirty)
        return;
    session->dirty = true;
    session->dirty_next = session->replicator->dirty;
    session->replicator->dirty = session;
}

void session_flush_dirty(struct replicator *replicator)
{
    while (replicator->dirty) {
        struct session *session = replicator->dirty;
        replicator->dirty = session->dirty_next;
        session->dirty = false;
        if (!session->link)
            continue;
        link_flush(session->link);
        session_balance(session);
    }
}

void session_balance(struct session *session)
{
    size_t queue_size = link_queue_size(session->link);
    if (session->intakes >= SESSION_INTAKES_MAX || session->outgoings >= SESSION_OUTGOING_MAX ||
        queue_size >= LINKS_QUEUE_HIGH)
        link_pause(session->link, true);
    else if (session->intakes <= SESSION_INTAKES_MAX / 2 &&
             session->outgoings <= SESSION_OUTGOING_MAX / 2 && queue_size < LINKS_QUEUE_LOW)
        link_pause(session->link, false);
}

static void outgoing_append(struct outgoing *outgoing, struct bytes message)
{
    buffer_append_u32(&outgoing->content, (uint32_t)message.size);
    buffer_append_bytes(&outgoing->content, message);
}

static void outgoing_send(struct outgoing *outgoing)
{
    struct session *session = outgoing->session;
    struct reader reader = reader_of(buffer_bytes(&outgoing->content));
    while (!reader_at_end(&reader)) {
        struct bytes message = read_bytes(&reader, read_u32(&reader));
        if (reader.err == OK)
            link_send(session->link, message);
    }
    session_mark_dirty(session);
}

static struct outgoing *session_add(struct session *session)
{
    struct outgoing *outgoing = calloc(1, sizeof *outgoing);
    if (!outgoing) {
        link_drop(session->link, err_text(ERR_NOMEM));
        return NULL;
    }
    outgoing->session = session;
    *session->last = outgoing;
    session->last = &outgoing->next;
    session->outgoings++;
    session_mark_dirty(session); /* so that the link is looked at when the step has ended */
    return outgoing;
}

void session_send(struct session *session, struct bytes message)
{
    if (!session->first) {
        link_send(session->link, message);
        session_mark_dirty(session);
        return;
    }
    struct outgoing *outgoing = session_add(session);
    if (!outgoing)
        return;
    outgoing_append(outgoing, message);
    outgoing->ready = true;
}

void session_end(struct session *session, enum close_code code, const char *text)
{
    struct message *message = session->replicator->message;
    struct buffer encoded = { 0 };
    message->type = MESSAGE_CLOSE;
    message->close = (struct message_close){ .code = code, .text = bytes_of_string(text) };
    session_forget_outgoing(session);
    session->reporting = false;
    if (message_encode(&encoded, message) == OK)
        link_send(session->link, buffer_bytes(&encoded));
    buffer_close(&encoded);
    link_end(session->link);
}

/* ---- reading from the store, on the pool ---- */

static void read_one(struct outgoing *outgoing, struct buffer *message)
{
    struct replica *replica = outgoing->session->replicator->replica;
    const struct effect *effect = &outgoing->effect;
    if (effect->type == EFFECT_SEND_CHECKPOINT)
        outgoing->err = replica_send_checkpoint(replica, &effect->send_checkpoint, message,
                                                &outgoing->size);
    else if (effect->type == EFFECT_SEND_WANT)
        outgoing->err = replica_send_want(replica, &effect->send_want, message);
    else if (effect->type == EFFECT_SEND_RECEIPT)
        outgoing->err = replica_send_receipt(replica, &effect->send_log.log, message);
    else
        outgoing->err = replica_send_fork(replica, &effect->send_log.log, message);
    if (outgoing->err == OK)
        outgoing_append(outgoing, buffer_bytes(message));
}

static void on_read_work(uv_work_t *work)
{
    struct outgoing *outgoing = (struct outgoing *)work;
    const struct effect *effect = &outgoing->effect;
    if (effect->type == EFFECT_SEND_RECORDS) {
        buffer_reserve(&outgoing->content, (size_t)effect->send_records.budget + PACKAGE_ROOM);
        outgoing->err = replica_send_records(outgoing->session->replicator->replica,
                                             &effect->send_records, &outgoing->content,
                                             &outgoing->next_record, &outgoing->size);
    } else if (effect->type == EFFECT_FIND_BRANCH) {
        outgoing->err = replica_find_branch(outgoing->session->replicator->replica,
                                            &effect->find_branch, &outgoing->branch);
    } else {
        struct buffer message = { 0 };
        read_one(outgoing, &message);
        buffer_close(&message);
    }
}

/* ---- reporting to the core ---- */

static struct event_records_sent records_report(const struct outgoing *outgoing)
{
    return (struct event_records_sent){ .link = outgoing->session->id,
                                        .log = outgoing->effect.send_records.log,
                                        .next = outgoing->next_record,
                                        .size = outgoing->size,
                                        .err = outgoing->err };
}

static void report_records(struct session *session)
{
    struct event event = { .type = EVENT_RECORDS_SENT, .records_sent = session->report };
    session->reporting = false;
    replicator_step(session->replicator, &event);
}

void session_drained(struct session *session)
{
    if (session->reporting && session->link)
        report_records(session);
    if (session->link)
        session_balance(session);
}

static void outgoing_report(const struct outgoing *outgoing)
{
    struct session *session = outgoing->session;
    const struct effect *effect = &outgoing->effect;
    if (effect->type == EFFECT_SEND_CHECKPOINT) {
        struct event event = { .type = EVENT_CHECKPOINT_SENT,
                               .checkpoint_sent = { .link = session->id,
                                                    .log = effect->send_checkpoint.log,
                                                    .size = outgoing->size,
                                                    .err = outgoing->err } };
        replicator_step(session->replicator, &event);
    } else if (effect->type == EFFECT_FIND_BRANCH) {
        struct event event = { .type = EVENT_BRANCH_FOUND,
                               .branch_found = { .link = session->id,
                                                 .log = effect->find_branch.log,
                                                 .branch = outgoing->branch,
                                                 .err = outgoing->err } };
        replicator_step(session->replicator, &event);
    } else if (effect->type == EFFECT_SEND_WANT && outgoing->err != OK) {
        struct event event = { .type = EVENT_WANT_UNSENT,
                               .want_unsent = { .link = session->id,
                                                .log = effect->send_want.log } };
        replicator_step(session->replicator, &event);
    } else if (effect->type == EFFECT_SEND_RECORDS && !outgoing->reported) {
        session->reporting = true;
        session->report = records_report(outgoing);
        link_flush(session->link);
        if (link_queue_size(session->link) < LINKS_QUEUE_LOW)
            report_records(session);
    }
}

/* Sends what is ready at the front. A report may add to the queue, or end the link. */
static void session_pump(struct session *session)
{
    while (session->link && session->first && session->first->ready) {
        struct outgoing *outgoing = session->first;
        session->first = outgoing->next;
        session->outgoings--;
        if (!session->first)
            session->last = &session->first;
        outgoing_send(outgoing);
        outgoing_report(outgoing);
        outgoing_free(outgoing);
    }
}

static bool outgoing_is_queued(const struct outgoing *outgoing)
{
    for (const struct outgoing *at = outgoing->session->first; at; at = at->next)
        if (at == outgoing)
            return true;
    return false;
}

/* The link can take more at once: the pool reads the next records while these are encrypted. They
 * keep their place, which is not ready yet, so whatever this step sends goes behind them. */
static void report_early(struct outgoing *outgoing)
{
    struct session *session = outgoing->session;
    if (outgoing->effect.type != EFFECT_SEND_RECORDS || outgoing->err != OK ||
        link_queue_size(session->link) >= LINKS_QUEUE_LOW)
        return;
    struct event event = { .type = EVENT_RECORDS_SENT, .records_sent = records_report(outgoing) };
    outgoing->reported = true;
    replicator_step(session->replicator, &event);
}

static void on_read_done(uv_work_t *work, int status)
{
    struct outgoing *outgoing = (struct outgoing *)work;
    struct session *session = outgoing->session;
    struct replicator *replicator = session->replicator;
    require(status == 0); /* nothing is ever cancelled */
    if (outgoing_is_queued(outgoing))
        report_early(outgoing);
    replicator->under_way--;
    session->reads--; /* only now: until then the session stays, whatever the report has ended */
    outgoing->ready = true;
    if (!outgoing_is_queued(outgoing))
        outgoing_free(outgoing); /* the link ended meanwhile */
    else
        session_pump(session);
    session_release(session);
    session_flush_dirty(replicator);
    replicator_release(replicator);
}

void session_read(struct session *session, const struct effect *effect)
{
    struct outgoing *outgoing = session_add(session);
    if (!outgoing)
        return;
    outgoing->effect = *effect;
    if (uv_queue_work(session->replicator->options.loop, &outgoing->work, on_read_work,
                      on_read_done) != 0) {
        outgoing->ready = true;
        link_drop(session->link, err_text(ERR_NOMEM));
        return;
    }
    session->reads++;
    session->replicator->under_way++;
}
