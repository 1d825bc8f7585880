/* I30: what a holder tells of a log it holds, with the root that these records have; and a record is
 * called national only when as many hubs as its node asks for had sent receipts that cover it. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

static bool has_receipts(const struct index *index)
{
    for (size_t i = 0; i < index->note_count; i++)
        if (index->notes[i].receipt && index->notes[i].sent)
            return true;
    return false;
}

/* Hubs that had sent a receipt for at least `size` records of the log before `at`. */
static uint32_t hubs_before(const struct index *index, const char *origin, uint64_t size, size_t at)
{
    uint64_t signers = 0;
    uint32_t hubs = 0;
    const struct index_note *note = index_note_from(index, origin, size);
    for (; note && index_note_is_of(index, note, origin); note++)
        if (note->receipt && note->sent && note->at < at)
            signers |= note->cosigned_by;
    for (; signers; signers &= signers - 1)
        hubs++;
    return hubs;
}

/* What these say is not in the index; a receipt of theirs counted all the same, as nobody could know. */
static uint32_t malicious_hubs(const struct index *index)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < history_host_count(index->history); i++)
        count += index_host(index, i)->hub && index_host(index, i)->malicious;
    return count;
}

static void judge_national(const struct index *index, struct check_report *report,
                           const struct history_host *host, const char *origin, uint64_t size,
                           size_t at)
{
    uint32_t needed = host->receipts_needed ? host->receipts_needed : 1;
    uint32_t hubs = hubs_before(index, origin, size, at) + malicious_hubs(index);
    check_looked(report);
    if (hubs < needed)
        check_violated(report, "%s called %llu records of %s national when %u of %u hubs had sent a "
                               "receipt for them",
                       host->name, (unsigned long long)size, origin, hubs, needed);
}

/* Where a record of the code stands in a store of its node: the lowest, should there be two. */
static const struct index_request *place_of(const struct index *index, const char *node,
                                            const char *code)
{
    const struct index_request *place = NULL;
    for (size_t i = 0; i < index->dump_count && !place; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (strcmp(dump->host->node, node) != 0)
            continue;
        size_t count = 0;
        const struct index_request *found = index_requests_of_code(dump, code, &count);
        for (size_t k = 0; k < count; k++)
            if (strcmp(found[k].log->node, node) == 0 &&
                (!place || found[k].record->position < place->record->position))
                place = &found[k];
    }
    return place;
}

static void judge_lookups(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        const struct history_host *host = index_host(index, call->host);
        if (call->promised_at == INDEX_NEVER || !call->answer->national || !host ||
            host->malicious || host->hub)
            continue;
        const struct index_request *place = place_of(index, host->node, call->call->code);
        if (place)
            judge_national(index, report, host, place->log->origin, place->record->position + 1,
                           call->promised_at);
    }
}

static void judge_served(const struct index *index, struct check_report *report,
                         const struct history_event *event)
{
    const struct index_log *log = index_log_of(index, event->claim.log);
    const struct history_host *host = index_host(index, event->host);
    uint64_t known = log && log->main ? log->main->log->size : 0;
    check_looked(report);
    if (index_node_was_rolled_back(index, host->node))
        return;
    if (event->claim.size > known)
        check_violated(report, "%s told of %llu records of %s; nobody ever held more than %llu",
                       host->name, (unsigned long long)event->claim.size, event->claim.log,
                       (unsigned long long)known);
    else if (!check_hash_is_zero(&event->claim.root) &&
             index_root_is_wrong(log, event->claim.size, &event->claim.root))
        check_violated(report, "%s told a root of %llu records of %s that they do not have",
                       host->name, (unsigned long long)event->claim.size, event->claim.log);
}

void check_i30(const struct index *index, struct check_report *report)
{
    bool receipts = has_receipts(index);
    if (receipts)
        judge_lookups(index, report);
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = index_event(index, at);
        const struct history_host *host = index_host(index, event->host);
        if (!host || host->malicious)
            continue;
        if (event->kind == HISTORY_SERVED && index->dump_count > 0)
            judge_served(index, report, event);
        else if (event->kind == HISTORY_NATIONAL && receipts)
            judge_national(index, report, host, event->claim.log, event->claim.size, at);
    }
}
