#include "tests/sim/defence.h"

#include "replication/core/core.h"
#include "tests/sim/liar.h"

#include <string.h>

static bool is_honest(const struct sim_node *node)
{
    return node != NULL && !liar_is(node);
}

void defence_said(const struct sim_node *node, const struct message *message)
{
    uint32_t code = message->close.code;
    if (is_honest(node) && message->type == MESSAGE_CLOSE &&
        (code == CLOSE_MALFORMED || code == CLOSE_LIMIT || code == CLOSE_IDENTITY ||
         code == CLOSE_VERSION))
        sim_sometimes("peer penalised");
}

void defence_alarmed(const struct sim_node *node, const struct effect_alarm *alarm)
{
    if (is_honest(node) && alarm->alarm == ALARM_FORK_PROVEN && alarm->has_log &&
        liar_wrote(&alarm->log))
        sim_sometimes("equivocation proven");
}

/* The store found that the data is wrong, and did not take it. */
static bool is_refused(enum err err)
{
    return err == ERR_PROOF || err == ERR_SIGNATURE || err == ERR_COMMITMENT ||
           err == ERR_MALFORMED || err == ERR_NOT_FOUND;
}

void __real_core_step(struct core *core, const struct event *event, struct effects *effects);
void __wrap_core_step(struct core *core, const struct event *event, struct effects *effects);
void __wrap_core_step(struct core *core, const struct event *event, struct effects *effects)
{
    struct sim_node *node = sim_current();
    if (is_honest(node)) {
        if (event->type == EVENT_PACKAGE_STORED && is_refused(event->stored.err))
            sim_sometimes("package refused");
        if (event->type == EVENT_PACKAGE_STORED && event->stored.err == OK &&
            strcmp(event->stored.log.node, node->name) == 0)
            sim_sometimes("suffix handed back");
        if (event->type == EVENT_CHECKPOINT_STORED && is_refused(event->stored.err))
            sim_sometimes("checkpoint refused");
        if (event->type == EVENT_RECEIPT_STORED && is_refused(event->receipt_stored.err))
            sim_sometimes("receipt refused");
    }
    __real_core_step(core, event, effects);
}
