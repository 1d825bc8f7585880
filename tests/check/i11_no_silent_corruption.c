/* I11: of a store that was damaged at rest nothing wrong leaves: no signed root that the log does not
 * have, no record that others then hold otherwise, and what is sound in it again is what it was. A
 * look-up never answers with another case than the one that was registered under the code, or that this
 * one became one with. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t first_damage(const struct index *index, uint32_t host)
{
    for (size_t i = 0; i < index->incident_count; i++) {
        const struct history_event *event = index_event(index, index->incidents[i]);
        if (event->kind == HISTORY_FAULT && event->host == host &&
            strncmp(event->fault.name, "rest.", 5) == 0)
            return index->incidents[i];
    }
    return INDEX_NEVER;
}

static void judge_notes(const struct index *index, struct check_report *report, uint32_t host,
                        size_t damaged_at)
{
    for (size_t i = 0; i < index->note_count; i++) {
        const struct index_note *note = &index->notes[i];
        if (note->host != host || !note->sent || note->at < damaged_at)
            continue;
        check_looked(report);
        if (index_root_is_wrong(index_log_of(index, note->note.origin), note->note.size,
                                &note->note.root))
            check_violated(report, "%s, damaged, sent a root of %s at %llu that it does not have",
                           index_host(index, host)->name, note->note.origin,
                           (unsigned long long)note->note.size);
    }
}

static void judge_stores(const struct index *index, struct check_report *report, uint32_t host,
                         size_t damaged_at)
{
    for (size_t i = 0; i < index->log_count; i++) {
        const struct index_log *log = &index->logs[i];
        for (size_t k = 0; k < log->copy_count; k++) {
            const struct index_copy *copy = &log->copies[k];
            if (copy->dump->dump->host != host || copy->dump->at < damaged_at || !log->main ||
                log->main->log->fork_count > 0 || copy->log->branch ||
                index_node_was_cloned(index, log->node))
                continue;
            check_looked(report);
            if (copy->differs != UINT64_MAX && copy->log->fork_count == 0)
                check_violated(report, "%s, damaged, holds another record %llu of %s than %s",
                               copy->dump->host->name, (unsigned long long)copy->differs,
                               log->origin, log->main->dump->host->name);
        }
    }
}

/* ---- look-ups ------------------------------------------------------------------------------ */

static int code_order(const void *a, const void *b)
{
    const struct index_call *x = *(const struct index_call *const *)a;
    const struct index_call *y = *(const struct index_call *const *)b;
    return strcmp(x->answer->code, y->answer->code);
}

static bool case_is(const struct dump_record *record, const char *case_id)
{
    char hex[33];
    for (size_t i = 0; i < sizeof record->case_id; i++)
        snprintf(hex + 2 * i, 3, "%02x", record->case_id[i]);
    return strcmp(hex, case_id) == 0;
}

/* The key stands twice, because one was with hubs alone when the other was decided: one case. */
static bool is_one_case(const struct index *index, const struct index_call *registered,
                        const struct index_call *lookup)
{
    const struct index_dump *dump = index_last_dump(index, lookup->host);
    const struct index_request *own = dump ? index_request_of(dump, registered) : NULL;
    size_t count = 0;
    const struct index_request *same =
        own ? index_requests(dump, registered->call->client, registered->call->key, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        if (case_is(same[i].record, lookup->answer->case_id) &&
            (index_could_not_know(index, lookup->host, &same[i], own, 0, lookup->invoked_at) ||
             index_could_not_know(index, lookup->host, own, &same[i], 0, lookup->invoked_at)))
            return true;
    return false;
}

/* Among the registrations of the code at that node there is one of this case; or there is none. */
static bool case_is_right(const struct index *index, const struct index_call **registered,
                          size_t count, const struct index_call *lookup)
{
    size_t low = 0, high = count;
    bool any = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(registered[middle]->answer->code, lookup->call->code) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && strcmp(registered[low]->answer->code, lookup->call->code) == 0; low++) {
        const struct history_host *a = index_host(index, registered[low]->host);
        const struct history_host *b = index_host(index, lookup->host);
        if (!a || !b || strcmp(a->node, b->node) != 0)
            continue;
        any = true;
        if (strcmp(registered[low]->answer->case_id, lookup->answer->case_id) == 0 ||
            is_one_case(index, registered[low], lookup))
            return true;
    }
    return !any;
}

static void judge_lookups(const struct index *index, struct check_report *report)
{
    const struct index_call **registered =
        calloc(index->call_count + 1, sizeof(const struct index_call *));
    size_t count = 0;
    report->failed |= !registered;
    for (size_t i = 0; registered && i < index->call_count; i++)
        if (strcmp(index->calls[i].call->operation, "register") == 0 &&
            index->calls[i].promised_at != INDEX_NEVER)
            registered[count++] = &index->calls[i];
    if (count > 0)
        qsort(registered, count, sizeof(const struct index_call *), code_order);
    for (size_t i = 0; registered && i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        const struct history_host *host = index_host(index, call->host);
        if (strcmp(call->call->operation, "lookup") != 0 || call->promised_at == INDEX_NEVER ||
            !*call->answer->case_id || !host || host->malicious ||
            index_node_was_put_back(index, host->node, call->promised_at))
            continue;
        check_looked(report);
        if (!case_is_right(index, registered, count, call))
            check_violated(report, "%s answered call %llu for code %s with case %s, which is not "
                                   "what was registered",
                           host->name, (unsigned long long)call->call->call, call->call->code,
                           call->answer->case_id);
    }
    free(registered);
}

void check_i11(const struct index *index, struct check_report *report)
{
    for (uint32_t host = 0; host < history_host_count(index->history); host++) {
        size_t damaged_at = first_damage(index, host);
        if (damaged_at == INDEX_NEVER || index_host(index, host)->malicious)
            continue;
        judge_notes(index, report, host, damaged_at);
        judge_stores(index, report, host, damaged_at);
    }
    judge_lookups(index, report);
}
