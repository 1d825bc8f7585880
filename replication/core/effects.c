/* The queue of effects, and the few effects that need words or bookkeeping. */
#include "replication/core/state.h"

#include "proto/base/bug.h"
#include "proto/base/require.h"

#include <stdlib.h>
#include <string.h>

void effects_clear(struct effects *effects)
{
    effects->count = 0;
    buffer_clear(&effects->messages);
}

void effects_close(struct effects *effects)
{
    free(effects->items);
    buffer_close(&effects->messages);
    *effects = (struct effects){ 0 };
}

struct bytes effect_message(const struct effects *effects, const struct effect_send *send)
{
    require(send->offset + send->size <= effects->messages.size);
    return bytes_of(effects->messages.data + send->offset, send->size);
}

struct effect *core_effect_add(struct core *core, enum effect_type type)
{
    struct effects *out = core->out;
    if (out->count == out->capacity) {
        size_t larger = out->capacity ? out->capacity * 2 : 64;
        struct effect *items = realloc(out->items, larger * sizeof *items);
        if (!items) {
            out->err = ERR_NOMEM;
            return &core->lost; /* written to, never read */
        }
        out->items = items;
        out->capacity = larger;
    }
    struct effect *effect = &out->items[out->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

void core_send_message(struct core *core, struct link *link, const struct message *message)
{
    struct effects *out = core->out;
    size_t offset = out->messages.size;
    enum err err = message_encode(&out->messages, message);
    require(err == OK || err == ERR_NOMEM); /* the core makes no message outside the limits */
    if (err == OK)
        err = out->messages.err;
    if (err != OK) {
        out->err = err;
        return;
    }
    core_effect_add(core, EFFECT_SEND)->send = (struct effect_send){
        .link = link->id,
        .type = message->type,
        .offset = offset,
        .size = out->messages.size - offset,
    };
}

void core_send_refusal(struct core *core, struct link *link, const struct log *log,
                       enum refusal_code code, uint64_t next, const char *text)
{
    core->scratch.type = MESSAGE_REFUSAL;
    core->scratch.refusal = (struct message_refusal){
        .log = log->id,
        .code = code,
        .next = next,
        .text = bytes_of_string(text),
    };
    core_send_message(core, link, &core->scratch);
}

static bool alarm_is_new(unsigned *raised, enum alarm alarm)
{
    bool is_new = !(*raised & 1u << alarm);
    *raised |= 1u << alarm;
    return is_new;
}

void core_alarm_log(struct core *core, struct log *log, enum alarm alarm, const char *node,
                    uint64_t held, uint64_t seen)
{
    if (SAMAD_BUG(ROLLBACK_SILENT) && alarm == ALARM_ROLLBACK)
        return;
    if (!alarm_is_new(&log->alarms, alarm))
        return;
    core_effect_add(core, EFFECT_ALARM)->alarm = (struct effect_alarm){
        .alarm = alarm,
        .node = node,
        .has_log = true,
        .log = log->id,
        .held = held,
        .seen = seen,
    };
}

void core_alarm_state(struct core *core, struct flow *flow, enum alarm alarm, const char *node,
                      uint64_t held, uint64_t seen)
{
    if (alarm_is_new(&flow->alarms, alarm))
        core_alarm_log(core, flow->log, alarm, node, held, seen);
}

void core_alarm_over(struct log *log, enum alarm alarm)
{
    log->alarms &= ~(1u << alarm);
}

void core_alarm_peer(struct core *core, struct peer *peer, enum alarm alarm, uint64_t seen)
{
    if (!alarm_is_new(&peer->alarms, alarm))
        return;
    core_effect_add(core, EFFECT_ALARM)->alarm = (struct effect_alarm){
        .alarm = alarm,
        .node = peer->options.node,
        .seen = seen,
    };
}

const char *effect_type_name(enum effect_type type)
{
    static const char *const names[] = {
        "SEND",       "SEND_CHECKPOINT", "SEND_RECORDS",     "SEND_RECEIPT",  "SEND_FORK",
        "SEND_WANT",  "FIND_BRANCH",     "STORE_CHECKPOINT", "STORE_PACKAGE", "STORE_RECEIPT",
        "STORE_FORK", "SIGN_RECEIPT",    "CONNECT",          "CLOSE",         "DROP",
        "ALARM",      "MAY_WRITE",       "NEED_INCARNATION",
    };
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "?";
}

const char *alarm_name(enum alarm alarm)
{
    static const char *const names[] = {
        "FORK",    "FORK_PROVEN", "ROLLBACK", "HUB_ROLLBACK", "TWO_WRITERS", "IDENTITY",
        "VERSION", "BAD_DATA",    "REFUSED",  "UNREADABLE",   "LIMIT",
    };
    return (size_t)alarm < sizeof names / sizeof *names ? names[alarm] : "?";
}

const char *incarnation_reason_name(enum incarnation_reason reason)
{
    static const char *const names[] = { "BEHIND", "FORKED", "MERGE" };
    return (size_t)reason < sizeof names / sizeof *names ? names[reason] : "?";
}
