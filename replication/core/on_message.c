/* Messages to their handlers. */
#include "replication/core/state.h"

/* The answer to our ping shows a working link. */
static void on_pong(struct link *link)
{
    core_link_useful(link);
}

static void on_ping(struct core *core, struct link *link, const struct message_ping *ping)
{
    uint64_t token = ping->token;
    core->scratch.type = MESSAGE_PONG;
    core->scratch.ping.token = token;
    core_send_message(core, link, &core->scratch);
}

static void on_close(struct core *core, struct link *link, const struct message_close *message)
{
    struct peer *peer = link->peer;
    core_effect_add(core, EFFECT_DROP)->close.link = link->id;
    core_link_forget(core, link);
    if (message->code == CLOSE_DUPLICATE && !peer->link)
        core_backoff_displaced(core, peer);
}

void core_on_message(struct core *core, const struct event_message *event)
{
    struct link *link = core_link_find(core, event->link);
    if (!link)
        return; /* what was on the way when the link was ended */
    link->heard_at_ms = core->now_ms;
    const struct message *message = event->message;
    if (link->state == LINK_HELLO && message->type != MESSAGE_HELLO &&
        message->type != MESSAGE_CLOSE) {
        core_link_close(core, link, CLOSE_MALFORMED, "the first message must be a hello");
        return;
    }
    switch (message->type) {
    case MESSAGE_HELLO:
        core_on_hello(core, link, &message->hello);
        break;
    case MESSAGE_HEADS:
        core_on_heads(core, link, &message->heads);
        break;
    case MESSAGE_WANT:
        core_on_want(core, link, &message->want);
        break;
    case MESSAGE_CHECKPOINT:
        core_on_checkpoint(core, link, &message->checkpoint);
        break;
    case MESSAGE_PACKAGE:
        core_on_package(core, link, &message->package, event->size);
        break;
    case MESSAGE_RECEIPT:
        core_on_receipt(core, link, &message->receipt);
        break;
    case MESSAGE_CREDIT:
        core_on_credit(core, link, &message->credit);
        break;
    case MESSAGE_REFUSAL:
        core_on_refusal(core, link, &message->refusal);
        break;
    case MESSAGE_FORK:
        core_on_fork(core, link, &message->fork);
        break;
    case MESSAGE_PING:
        on_ping(core, link, &message->ping);
        break;
    case MESSAGE_PONG:
        on_pong(link);
        break;
    case MESSAGE_CLOSE:
        on_close(core, link, &message->close);
        break;
    case MESSAGE_ENROL:
    case MESSAGE_ENROLLED:
        core_link_close(core, link, CLOSE_MALFORMED, "enrolment is another purpose");
        break;
    }
}
