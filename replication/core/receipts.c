/* A hub cosigns the largest checkpoint that it holds wholly (R8). */
#include "replication/core/state.h"

#include <string.h>

void core_receipt_consider(struct core *core, struct log *log)
{
    if (core->options.role != ROLE_HUB || log->own || log->frozen || log->signing ||
        log->held.covered <= log->cosigned)
        return;
    log->signing = true;
    core_effect_add(core, EFFECT_SIGN_RECEIPT)->sign_receipt =
        (struct effect_sign_receipt){ .log = log->id, .size = log->held.covered };
}

static void set_due(struct core *core, struct log *log, bool due)
{
    if (log->receipt_due == due)
        return;
    log->receipt_due = due;
    core->receipt_due_count += due ? 1 : (size_t)-1;
}

void core_receipt_retry(struct core *core, const char *node)
{
    if (core->receipt_due_count == 0)
        return;
    for (size_t i = 0; i < core->log_count; i++) {
        struct log *log = core->logs[i];
        if (log->receipt_due && strcmp(log->id.node, node) == 0) {
            set_due(core, log, false);
            core_receipt_consider(core, log);
        }
    }
}

static void send_receipt(struct core *core, struct log *log, struct bytes note)
{
    struct peer *author = core_log_author(core, log);
    if (!author || !author->link || author->link->state != LINK_READY)
        return; /* it gets it when it announces the log again */
    core->scratch.type = MESSAGE_RECEIPT;
    core->scratch.receipt.note = note;
    core_send_message(core, author->link, &core->scratch);
}

void core_on_receipt_signed(struct core *core, const struct event_receipt_signed *event)
{
    struct log *log = core_log_find(core, &event->log);
    if (!log)
        return;
    log->signing = false;
    if (event->err == ERR_REFUSED) {
        set_due(core, log, true);
        return;
    }
    if (event->err != OK) {
        core_alarm_log(core, log, ALARM_UNREADABLE, core->options.node, log->held.covered,
                       (uint64_t)event->err);
        return;
    }
    if (event->size > log->cosigned)
        log->cosigned = event->size;
    if (!log->frozen)
        send_receipt(core, log, event->note);
    core_receipt_consider(core, log);
}
