/* I1: a registration that was acknowledged stands in every later reading of its host's store, under
 * the code and case that the answer named, and a look-up at the host finds it; an erasure that was
 * acknowledged stays done.
 *
 * A host that was put back to an older state, or lost its disk, may lack it meanwhile. Once all
 * have converged it must have it again if anybody else has it; if nobody has, it was the only copy
 * of something not national, which is outside of the failure model. Of a host with two devices one
 * may be harmed, and that excuses only that meanwhile, until all have converged, what hubs had
 * given receipts for is with them (the journal may have given it up), and what stands behind it is
 * in the journal: the journal itself is read for that. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

/* Is the promise kept in this store? */
typedef bool kept_in(const struct index_dump *dump, const struct index_call *call);

static bool request_is_kept(const struct index_dump *dump, const struct index_call *call)
{
    return index_request_of(dump, call) != NULL;
}

/* Nothing of this code has a person part any more. */
static bool erasure_is_kept(const struct index_dump *dump, const struct index_call *call)
{
    size_t count;
    const struct index_request *found = index_requests_of_code(dump, call->call->code, &count);
    for (size_t i = 0; i < count; i++)
        if (found[i].record->person == PERSON_HELD)
            return false;
    return true;
}

/* Somebody else has, in the end, what the host is to have. */
static bool is_kept_elsewhere(const struct index *index, const struct index_call *call, kept_in *kept,
                              uint32_t host)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->last && dump->settled && dump->dump->host != host && !dump->host->malicious &&
            kept == request_is_kept && kept(dump, call))
            return true;
    }
    return false;
}

/* It stands in the journal of that store, sound: on a whole device, and on its way back. */
static bool waits_in_journal(const struct index_dump *dump, const struct index_call *call)
{
    const struct dump *journal = dump->dump->journal;
    for (size_t i = 0; journal && i < journal->log_count; i++)
        for (size_t k = 0; k < journal->logs[i].record_count; k++)
            if (index_record_is_of(&journal->logs[i].records[k], call))
                return true;
    return false;
}

static bool is_excused(const struct index *index, const struct index_call *call,
                       const struct index_dump *dump, kept_in *kept)
{
    unsigned harms = index_harms(index, dump->dump->host, call->promised_at, dump->at);
    /* «Registered before» is answered from the views: the record may have been damaged before that. */
    if (call->answer->duplicate && (harms & HARM_ROLLBACK) == 0)
        harms |= index_harms(index, dump->dump->host, 0, dump->at) & (HARM_REST | HARM_LOST_SYNC);
    if ((harms & (HARM_REST | HARM_ROLLBACK)) == HARM_REST) /* damaged, and not replaced since */
        return (harms & HARM_LOST_SYNC) || dump->dump->problem_count > 0;
    if (harms == 0 && !dump->settled &&
        index_harms_of_copies(index, dump->dump->host, call->promised_at, dump->at))
        return index_was_receipted(index, call, dump->at) ||
               (kept == request_is_kept && waits_in_journal(dump, call));
    if ((harms & HARM_ROLLBACK) == 0)
        return false;
    return !dump->last || !dump->settled ||
           !is_kept_elsewhere(index, call, kept, dump->dump->host);
}

static void judge_call(const struct index *index, struct check_report *report,
                       const struct index_call *call, kept_in *kept)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->dump->host != call->host || dump->at < call->promised_at)
            continue;
        check_looked(report);
        if (kept(dump, call) || is_excused(index, call, dump, kept))
            continue;
        check_violated(report, "%s acknowledged %s (call %llu, client %s, key %s, code %s) and its "
                               "store «%s» does not have it%s",
                       dump->host->name, call->call->operation,
                       (unsigned long long)call->call->call, call->call->client, call->call->key,
                       kept == erasure_is_kept ? call->call->code : call->answer->code,
                       dump->dump->label, dump->dump->readable ? "" : " (it cannot be read)");
        return;
    }
}

/* The host that takes the place of one whose disk was lost has what others still had. */
static void judge_successor(const struct index *index, struct check_report *report,
                            const struct index_call *call)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        const struct history_host *host = index_host(index, call->host);
        if (!dump->last || !dump->settled || !host ||
            strcmp(dump->host->successor_of, host->name) != 0)
            continue;
        check_looked(report);
        if (!request_is_kept(dump, call) &&
            is_kept_elsewhere(index, call, request_is_kept, dump->dump->host))
            check_violated(report,
                           "%s acknowledged code %s (call %llu); others hold it, its successor %s "
                           "does not",
                           host->name, call->answer->code, (unsigned long long)call->call->call,
                           dump->host->name);
    }
}

/* ---- what the host answers ----------------------------------------------------------------- */

static bool was_erased(const struct index *index, const char *code, size_t before)
{
    for (size_t i = 0; i < index->call_count; i++)
        if (strcmp(index->calls[i].call->operation, "erase") == 0 &&
            index->calls[i].invoked_at < before && strcmp(index->calls[i].call->code, code) == 0)
            return true;
    return false;
}

/* The registration of that code that its host had acknowledged before the look-up, or NULL. */
static const struct index_call *acknowledged(const struct index *index,
                                             const struct index_call *lookup)
{
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (call->host == lookup->host && call->promised_at != INDEX_NEVER &&
            call->promised_at < lookup->invoked_at &&
            strcmp(call->call->operation, "register") == 0 &&
            strcmp(call->answer->code, lookup->call->code) == 0)
            return call;
    }
    return NULL;
}

/* «There is no such code», said to who had been given it. */
static void judge_lookup(const struct index *index, struct check_report *report,
                         const struct index_call *lookup)
{
    const struct index_call *call = acknowledged(index, lookup);
    if (!call)
        return;
    check_looked(report);
    bool harmed = index_harms(index, call->host, call->promised_at, lookup->ended_at) != 0;
    if (!lookup->answer || lookup->answer->status != 404 || harmed ||
        was_erased(index, lookup->call->code, lookup->ended_at))
        return;
    check_violated(report, "%s acknowledged code %s (call %llu) and does not find it (call %llu)",
                   index_host(index, call->host)->name, lookup->call->code,
                   (unsigned long long)call->call->call, (unsigned long long)lookup->call->call);
}

void check_i01(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        const struct history_host *host = index_host(index, call->host);
        if (!host || host->malicious)
            continue;
        if (strcmp(call->call->operation, "lookup") == 0 && call->end == HISTORY_FAIL)
            judge_lookup(index, report, call);
        if (call->promised_at == INDEX_NEVER)
            continue;
        if (strcmp(call->call->operation, "register") == 0) {
            judge_call(index, report, call, request_is_kept);
            judge_successor(index, report, call);
        } else if (strcmp(call->call->operation, "erase") == 0) {
            judge_call(index, report, call, erasure_is_kept);
        }
    }
}
