/* A peer asks for a log. */
#include "replication/core/state.h"

/* We hold nothing that it lacks: it should know, look elsewhere, and be told when that changes. */
static void decline(struct core *core, struct link *link, struct flow *flow)
{
    core_sending_stop(flow);
    flow->asked = true;
    core->scratch.type = MESSAGE_HEADS;
    core->scratch.heads.complete = false;
    core->scratch.heads.count = 1;
    core->scratch.heads.heads[0] =
        (struct message_head){ .log = flow->log->id, .size = flow->log->held.covered };
    flow->announced = flow->log->held.covered;
    core_send_message(core, link, &core->scratch);
}

void core_on_want(struct core *core, struct link *link, const struct message_want *want)
{
    struct flow *flow = core_flow_of_stranger(core, link, &want->log);
    if (!flow) {
        struct log stranger = { .id = want->log };
        core_send_refusal(core, link, &stranger, REFUSAL_NOT_ADMITTED, 0,
                          "not a log for this peer");
        return;
    }
    if (flow->log->own && !flow->log->frozen &&
        !want->names_branch) /* it may hold more than it can prove and announce */
        core_own_offered(core, link, flow, want->next);
    flow->announce = false;
    struct order order = { .next = want->next, .pending = want->pending };
    if (want->names_branch) {
        order.names_branch = true;
        order.root = want->root;
        core_sending_begin(core, link, flow, &order);
        return;
    }
    if (want->next >= flow->log->held.covered) {
        decline(core, link, flow);
        return;
    }
    flow->asked = false;
    /* R3: of a log whose author lost its end, nobody may reach the checkpoint that the peer was
     * once shown. What is held is then proven from the first record it lacks. */
    if (want->pending > flow->log->held.covered)
        order.pending = want->next;
    core_sending_begin(core, link, flow, &order);
}
