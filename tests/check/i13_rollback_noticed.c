/* I13: a host that was put back to an older state, behind what a hub had receipted of its logs (or,
 * being a hub, behind what it had receipted itself), raises or causes an alarm; what it acknowledges
 * from then on stands in logs that the older state did not have; and in the end it holds all that
 * others hold of its logs, and its latest incarnation names it, so that its decisions regard it.
 *
 * The state it was put back to is its first store read after the RESTORE and before it is up. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

static const struct index_dump *restored_state(const struct index *index, size_t restored_at,
                                               size_t *up_at)
{
    const struct index_dump *state = NULL;
    uint32_t host = index_event(index, restored_at)->host;
    *up_at = INDEX_NEVER;
    for (size_t i = 0; i < index->incident_count && *up_at == INDEX_NEVER; i++) {
        size_t at = index->incidents[i];
        if (at > restored_at && index_event(index, at)->host == host &&
            index_event(index, at)->kind == HISTORY_UP)
            *up_at = at;
    }
    for (size_t i = 0; i < index->incident_count; i++) { /* and put back once more before it ran */
        size_t at = index->incidents[i];
        enum history_kind kind = index_event(index, at)->kind;
        if (at > restored_at && at < *up_at && index_event(index, at)->host == host &&
            (kind == HISTORY_RESTORE || kind == HISTORY_DISK_LOST))
            return NULL;
    }
    for (size_t i = 0; i < index->dump_count && !state; i++)
        if (index->dumps[i].dump->host == host && index->dumps[i].at > restored_at &&
            index->dumps[i].at < *up_at)
            state = &index->dumps[i];
    return state;
}

/* Another hub may give back what this one lacks before anybody who could notice reaches it. */
static bool has_other_hub(const struct index *index, const struct index_dump *state)
{
    for (size_t i = 0; i < history_host_count(index->history); i++) {
        const struct history_host *host = history_host(index->history, (uint32_t)i);
        if (host->hub && strcmp(host->node, state->host->node) != 0)
            return true;
    }
    return false;
}

/* The receipt in that store was given before: what the hub gave again later is no sign that anybody knew
 * of more than it held when it came back. */
static bool was_given(const struct index *index, const struct dump_note *receipt, const char *origin,
                      size_t before)
{
    const struct index_note *note = index_note_from(index, origin, receipt->size);
    for (; note && index_note_is_of(index, note, origin) && note->note.size == receipt->size; note++)
        if (strcmp(note->text, receipt->text) == 0)
            return note->sent && note->at < before;
    return false;
}

/* A receipt that was sent may have been lost on the way, or with who held it, as a clone that ran no
 * more: only who is still there in the end, and held it when the hub came back, could notice. */
static bool is_held(const struct index *index, const struct index_dump *state,
                    const struct index_note *note, size_t restored_at)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        const struct dump_log *log = dump->dump->host == state->dump->host || !dump->settled
                                         ? NULL
                                         : index_dump_log(dump, note->note.origin, false);
        for (size_t k = 0; log && k < log->receipt_count; k++)
            if (strcmp(log->receipts[k].hub, state->host->node) == 0 &&
                log->receipts[k].size >= note->note.size &&
                was_given(index, &log->receipts[k], note->note.origin, restored_at))
                return true;
    }
    return false;
}

/* It was put back, or lost its disk, before, and has run since: what it lost then was alarmed of then, and
 * an alarm lasts until the hub holds that again. Having cosigned it anew it has another note. */
static bool was_lost_before(const struct index *index, uint32_t host, size_t signed_at,
                            size_t restored_at)
{
    size_t ran_at = signed_at;
    for (size_t i = 0; i < index->incident_count && index->incidents[i] < restored_at; i++)
        if (index_event(index, index->incidents[i])->host == host &&
            index_event(index, index->incidents[i])->kind == HISTORY_UP &&
            index->incidents[i] > signed_at)
            ran_at = index->incidents[i];
    return (index_harms_of_copies(index, host, signed_at, ran_at) & HARM_ROLLBACK) != 0;
}

/* A note seen on its way before the restore covers more of a log than the restored state holds. */
static const struct index_note *receipted_beyond(const struct index *index,
                                                 const struct index_dump *state, size_t restored_at)
{
    const char *node = state->host->node;
    for (size_t i = 0; i < index->note_count; i++) {
        const struct index_note *note = &index->notes[i];
        bool concerns = strcmp(note->note.node, node) == 0;
        if (!note->receipt || !note->sent || note->at > restored_at)
            continue;
        if (state->host->hub)
            concerns = index_is_cosigned(note, state->dump->host) &&
                       is_held(index, state, note, restored_at) && !has_other_hub(index, state) &&
                       !was_lost_before(index, state->dump->host, note->at, restored_at);
        const struct dump_log *log = index_dump_log(state, note->note.origin, false);
        if (concerns && (!log || log->size < note->note.size))
            return note;
    }
    return NULL;
}

/* "HUB_ROLLBACK" and "hub-rollback" are one name. */
static bool is_called(const char *alarm, const char *name)
{
    for (; *alarm && *name; alarm++, name++)
        if (*alarm != *name && !(*alarm == '_' && *name == '-') && (*alarm | 0x20) != *name)
            return false;
    return *alarm == *name;
}

static bool is_alarmed(const struct index *index, size_t from, const struct index_dump *state,
                       const struct index_note *note)
{
    const char *wanted = state->host->hub ? "hub-rollback" : "rollback";
    for (size_t at = from; at < history_count(index->history); at++) {
        const struct history_event *event = index_event(index, at);
        if (event->kind != HISTORY_ALARM || !is_called(event->alarm.name, wanted))
            continue;
        if (strstr(event->alarm.subject, state->host->node) ||
            strcmp(event->alarm.text, state->host->node) == 0 ||
            strstr(event->alarm.subject, note->note.origin) ||
            (event->host != HISTORY_NO_HOST &&
             strcmp(index_host(index, event->host)->node, state->host->node) == 0))
            return true;
    }
    return false;
}

/* The driver says that it tells of alarms, or there are some. */
static bool tells_of_alarms(const struct index *index)
{
    for (size_t at = 0; at < history_count(index->history) && !index->alarms_recorded; at++)
        if (index_event(index, at)->kind == HISTORY_ALARM)
            return true;
    return index->alarms_recorded;
}

/* What is acknowledged after the restart stands in a log that the restored state did not hold. */
static void judge_incarnation(const struct index *index, struct check_report *report,
                              const struct index_dump *state, size_t up_at)
{
    const struct index_dump *last = index_last_dump(index, state->dump->host);
    for (size_t i = 0; last && i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (call->host != state->dump->host || call->invoked_at < up_at ||
            call->promised_at == INDEX_NEVER || call->answer->duplicate ||
            strcmp(call->call->operation, "register") != 0)
            continue;
        const struct index_request *request = index_request_of(last, call);
        check_looked(report);
        if (request && index_dump_log(state, request->log->origin, false))
            check_violated(report, "%s, put back, went on with %s instead of a new incarnation "
                                   "(record %llu, call %llu)",
                           state->host->name, request->log->origin,
                           (unsigned long long)request->record->position,
                           (unsigned long long)call->call->call);
    }
}

static void judge_loss(const struct index *index, struct check_report *report,
                       const struct index_dump *state)
{
    const struct index_dump *last = index_last_dump(index, state->dump->host);
    for (size_t i = 0; last && last->settled && i < index->log_count; i++) {
        const struct index_log *log = &index->logs[i];
        if (strcmp(log->node, state->host->node) != 0)
            continue;
        const struct dump_log *own = index_dump_log(last, log->origin, false);
        for (size_t k = 0; k < log->copy_count; k++) {
            const struct index_copy *copy = &log->copies[k];
            if (!copy->dump->last || !copy->dump->settled || copy->dump->host->malicious ||
                copy->log->branch)
                continue;
            check_looked(report);
            if (copy->log->size > (own ? own->size : 0))
                check_violated(report, "%s was put back; %s holds %llu records of %s, it holds %llu",
                               last->host->name, copy->dump->host->name,
                               (unsigned long long)copy->log->size, log->origin,
                               (unsigned long long)(own ? own->size : 0));
        }
    }
}

/* Some log of its node that it holds names all of this one. */
static bool is_named(const struct index *index, const struct index_dump *dump,
                     const struct dump_log *log)
{
    for (size_t i = 0; i < dump->dump->log_count; i++) {
        const struct dump_log *other = &dump->dump->logs[i];
        if (strcmp(other->node, log->node) == 0 && strcmp(other->origin, log->origin) != 0 &&
            index_covered(index, other->origin, log->origin) >= log->size)
            return true;
    }
    return false;
}

/* Of its own logs only the one it writes is named by none. One that holds nothing but its opening
 * record, which decides nothing, may be left; and clones merge each other's ever more slowly. */
static void judge_merge(const struct index *index, struct check_report *report,
                        const struct index_dump *state)
{
    const struct index_dump *last = index_last_dump(index, state->dump->host);
    const struct dump_log *first = NULL;
    if (!last || !last->settled || index_node_was_cloned(index, state->host->node))
        return;
    for (size_t i = 0; i < last->dump->log_count; i++) {
        const struct dump_log *log = &last->dump->logs[i];
        if (strcmp(log->node, state->host->node) != 0 || log->branch || log->frozen ||
            log->size < 2 || is_named(index, last, log))
            continue;
        check_looked(report);
        if (first)
            check_violated(report, "%s was put back, and holds %s and %s in the end, of which no "
                                   "incarnation names either",
                           last->host->name, first->origin, log->origin);
        first = log;
    }
}

static bool is_made_good(const struct index *index, size_t at)
{
    for (size_t i = 0; i < index->incident_count; i++)
        if (index->incidents[i] == at)
            return index->good_at[i] != INDEX_NEVER;
    return false;
}

static void judge_restore(const struct index *index, struct check_report *report, size_t at)
{
    size_t up_at;
    const struct index_dump *state = restored_state(index, at, &up_at);
    if (!state || state->host->malicious || !state->dump->readable)
        return;
    /* What another device made good before it went on is behind nothing. */
    const struct index_note *note =
        is_made_good(index, at) ? NULL : receipted_beyond(index, state, at);
    check_looked(report);
    if (note && up_at != INDEX_NEVER && index->converged_at != INDEX_NEVER && tells_of_alarms(index) &&
        !is_alarmed(index, up_at, state, note))
        check_violated(report, "%s was put back behind the receipt for %llu records of %s, and "
                               "nobody raised an alarm",
                       state->host->name, (unsigned long long)note->note.size, note->note.origin);
    judge_incarnation(index, report, state, up_at);
    judge_loss(index, report, state);
    judge_merge(index, report, state);
}

void check_i13(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->incident_count; i++)
        if (index_event(index, index->incidents[i])->kind == HISTORY_RESTORE)
            judge_restore(index, report, index->incidents[i]);
}
