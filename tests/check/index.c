#include "tests/check/index.h"

#include "tests/check/arena.h"
#include "tests/check/index_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- calls --------------------------------------------------------------------------------- */

static int call_order(const void *a, const void *b)
{
    uint64_t x = ((const struct index_call *)a)->call->call;
    uint64_t y = ((const struct index_call *)b)->call->call;
    return x < y ? -1 : x > y;
}

static struct index_call *call_of(struct index *index, uint64_t number)
{
    size_t low = 0, high = index->call_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t found = index->calls[middle].call->call;
        if (found == number)
            return &index->calls[middle];
        if (found < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_success(const struct history_answer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

static void answer_note(struct index_call *call, const struct history_event *event, size_t at)
{
    if (event->kind == HISTORY_SENT) {
        call->sent_at = at;
    } else {
        call->ended_at = at;
        call->end = event->kind;
    }
    if (event->kind != HISTORY_UNKNOWN)
        call->answer = &event->answer;
    if (call->promised_at == INDEX_NEVER && event->kind != HISTORY_UNKNOWN &&
        is_success(&event->answer))
        call->promised_at = at;
}

static void calls_read(struct index *index)
{
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = history_at(index->history, at);
        if (event->kind != HISTORY_INVOKE)
            continue;
        if (!arena_grow((void **)&index->calls, &index->call_capacity, index->call_count,
                        sizeof *index->calls)) {
            index->failed = true;
            return;
        }
        index->calls[index->call_count++] = (struct index_call){ .call = &event->call,
                                                                 .host = event->host,
                                                                 .invoked_at = at,
                                                                 .sent_at = INDEX_NEVER,
                                                                 .ended_at = INDEX_NEVER,
                                                                 .end = HISTORY_UNKNOWN,
                                                                 .promised_at = INDEX_NEVER };
    }
    if (index->call_count > 0)
        qsort(index->calls, index->call_count, sizeof *index->calls, call_order);
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = history_at(index->history, at);
        bool is_answer = event->kind == HISTORY_OK || event->kind == HISTORY_FAIL ||
                         event->kind == HISTORY_UNKNOWN || event->kind == HISTORY_SENT;
        struct index_call *call = is_answer ? call_of(index, event->answer.call) : NULL;
        if (call)
            answer_note(call, event, at);
    }
}

/* ---- dumps --------------------------------------------------------------------------------- */

static int log_order(const void *a, const void *b)
{
    const struct dump_log *x = *(const struct dump_log *const *)a;
    const struct dump_log *y = *(const struct dump_log *const *)b;
    int order = strcmp(x->origin, y->origin);
    return order ? order : (int)x->branch - (int)y->branch;
}

/* Of two strings of one dump, which keeps each only once: most are the same one. */
static int text_order(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b);
}

static int request_compare(const struct dump_record *a, const char *client, const char *key)
{
    int order = text_order(a->client, client);
    return order ? order : text_order(a->key, key);
}

static int request_order(const void *a, const void *b)
{
    const struct index_request *x = a, *y = b;
    int order = request_compare(x->record, y->record->client, y->record->key);
    if (order == 0)
        order = text_order(x->record->code, y->record->code);
    if (order == 0)
        order = text_order(x->log->origin, y->log->origin);
    return order ? order : (x->record > y->record) - (x->record < y->record);
}

static int code_order(const void *a, const void *b)
{
    const struct index_request *x = a, *y = b;
    int order = strcmp(x->record->code, y->record->code);
    return order ? order : request_order(a, b);
}

static bool is_request(const struct dump_record *record)
{
    return record->kind == 2 && !record->damaged;
}

static bool dump_prepare(struct index_dump *prepared)
{
    const struct dump *dump = prepared->dump;
    size_t count = 0;
    prepared->logs = calloc(dump->log_count + 1, sizeof *prepared->logs);
    if (!prepared->logs)
        return false;
    for (size_t i = 0; i < dump->log_count; i++) {
        prepared->logs[i] = &dump->logs[i];
        for (size_t k = 0; k < dump->logs[i].record_count; k++)
            count += is_request(&dump->logs[i].records[k]);
    }
    if (dump->log_count > 0)
        qsort(prepared->logs, dump->log_count, sizeof *prepared->logs, log_order);
    prepared->requests = calloc(count + 1, sizeof *prepared->requests);
    if (!prepared->requests)
        return false;
    for (size_t i = 0; i < dump->log_count; i++)
        for (size_t k = 0; k < dump->logs[i].record_count; k++)
            if (is_request(&dump->logs[i].records[k]))
                prepared->requests[prepared->request_count++] =
                    (struct index_request){ &dump->logs[i], &dump->logs[i].records[k] };
    prepared->by_code = calloc(count + 1, sizeof *prepared->by_code);
    if (!prepared->by_code)
        return false;
    if (count > 0) {
        memcpy(prepared->by_code, prepared->requests, count * sizeof *prepared->requests);
        qsort(prepared->requests, count, sizeof *prepared->requests, request_order);
        qsort(prepared->by_code, count, sizeof *prepared->by_code, code_order);
    }
    return true;
}

static void dumps_read(struct index *index)
{
    size_t count = history_dump_count(index->history);
    index->dumps = calloc(count + 1, sizeof *index->dumps);
    if (!index->dumps) {
        index->failed = true;
        return;
    }
    index->dump_count = count;
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = history_at(index->history, at);
        if (event->kind != HISTORY_DUMP)
            continue;
        struct index_dump *dump = &index->dumps[event->dump.index];
        *dump = (struct index_dump){ .dump = history_dump_at(index->history, event->dump.index),
                                     .host = index_host(index, event->host),
                                     .at = at,
                                     .last = true,
                                     .settled = at > index->converged_at };
        for (size_t i = 0; i < count; i++)
            if (index->dumps[i].dump && index->dumps[i].host == dump->host && &index->dumps[i] != dump)
                index->dumps[i].last = false; /* those that come later are not read yet */
        if (!dump_prepare(dump))
            index->failed = true;
    }
}

/* ---- notes --------------------------------------------------------------------------------- */

static void note_add(struct index *index, const char *text, uint32_t host, size_t at, bool sent,
                     bool receipt)
{
    struct index_note note = { .text = text,
                               .host = host,
                               .at = at,
                               .sent = sent,
                               .receipt = receipt };
    if (index_is_malicious_host(index, host) || !check_note_read(&note.note, text))
        return;
    if (!arena_grow((void **)&index->notes, &index->note_capacity, index->note_count,
                    sizeof *index->notes))
        index->failed = true;
    else
        index->notes[index->note_count++] = note;
}

static int note_order(const void *a, const void *b)
{
    const struct index_note *x = a, *y = b;
    int order = strcmp(x->note.origin, y->note.origin);
    if (order == 0)
        order = (x->note.size > y->note.size) - (x->note.size < y->note.size);
    if (order == 0)
        order = strcmp(x->text, y->text);
    if (order == 0)
        order = (int)y->sent - (int)x->sent; /* the sending, if it was seen */
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void notes_unite(struct index *index)
{
    size_t kept = 0;
    if (index->note_count > 0)
        qsort(index->notes, index->note_count, sizeof *index->notes, note_order);
    for (size_t i = 0; i < index->note_count; i++)
        if (kept == 0 || strcmp(index->notes[kept - 1].text, index->notes[i].text) != 0)
            index->notes[kept++] = index->notes[i];
    index->note_count = kept;
}

static void notes_verify(struct index *index)
{
    size_t hosts = history_host_count(index->history);
    for (size_t i = 0; i < index->note_count; i++) {
        struct index_note *note = &index->notes[i];
        const struct check_hash *key = index_log_key(index, note->note.node);
        note->log_signed = !key || check_note_signed(&note->note, key) == SIGNATURE_GOOD;
        for (uint32_t k = 0; note->receipt && k < hosts && k < 64; k++) {
            const struct history_host *hub = index_host(index, k);
            if (hub->hub && !check_hash_is_zero(&hub->receipt_key) &&
                check_note_cosigned(&note->note, hub->node, &hub->receipt_key, NULL) ==
                    SIGNATURE_GOOD)
                note->cosigned_by |= UINT64_C(1) << k;
        }
    }
}

static void notes_read(struct index *index)
{
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = history_at(index->history, at);
        if (event->kind == HISTORY_CHECKPOINT || event->kind == HISTORY_RECEIPT)
            note_add(index, event->note.text, event->host, at, true,
                     event->kind == HISTORY_RECEIPT);
    }
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct dump *dump = index->dumps[i].dump;
        for (size_t k = 0; k < dump->log_count; k++) {
            const struct dump_log *log = &dump->logs[k];
            for (size_t n = 0; n < log->checkpoint_count; n++)
                note_add(index, log->checkpoints[n].text, dump->host, index->dumps[i].at, false,
                         false);
            for (size_t n = 0; n < log->receipt_count; n++)
                note_add(index, log->receipts[n].text, dump->host, index->dumps[i].at, false, true);
        }
    }
    notes_unite(index);
    notes_verify(index);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends_fault(const struct history_event *fault, const struct history_event *event)
{
    return event->kind == HISTORY_HEAL ||
           (event->kind == HISTORY_FAULT_END && event->host == fault->host &&
            event->fault.peer == fault->fault.peer &&
            strcmp(event->fault.name, fault->fault.name) == 0);
}

static void faults_read(struct index *index)
{
    for (size_t i = 0; i < index->incident_count; i++) {
        size_t at = index->incidents[i], end = i + 1;
        const struct history_event *fault = history_at(index->history, at);
        if (fault->kind != HISTORY_FAULT)
            continue;
        while (end < index->incident_count &&
               !ends_fault(fault, history_at(index->history, index->incidents[end])))
            end++;
        if (!arena_grow((void **)&index->faults, &index->fault_capacity, index->fault_count,
                        sizeof *index->faults)) {
            index->failed = true;
            return;
        }
        index->faults[index->fault_count++] =
            (struct index_fault){ fault->fault.name, fault->host, at,
                                  end < index->incident_count ? index->incidents[end]
                                                              : INDEX_NEVER };
    }
}

/* Views are made again from the log; harm to a journal alone is none to the log. */
static bool harms_a_log(const struct history_event *event)
{
    if (event->kind == HISTORY_DISK_LOST && strcmp(event->life.name, "views") == 0)
        return false;
    return (event->kind == HISTORY_RESTORE || event->kind == HISTORY_CLONE ||
            event->kind == HISTORY_DISK_LOST ||
            (event->kind == HISTORY_FAULT && begins(event->fault.name, "rest."))) &&
           !index_harm_is_of_journal(event);
}

static void harmful_read(struct index *index)
{
    index->harmful = calloc(index->incident_count + 1, sizeof *index->harmful);
    index->failed |= !index->harmful;
    for (size_t i = 0; !index->failed && i < index->incident_count; i++)
        if (harms_a_log(index_event(index, index->incidents[i])))
            index->harmful[index->harmful_count++] = i;
}

static bool is_incident(enum history_kind kind)
{
    return kind <= HISTORY_HEAL || kind == HISTORY_IO_ERROR;
}

static void marks_read(struct index *index)
{
    index->healed_at = index->converged_at = INDEX_NEVER;
    for (size_t at = 0; at < history_count(index->history); at++) {
        enum history_kind kind = history_at(index->history, at)->kind;
        if (is_incident(kind)) {
            if (arena_grow((void **)&index->incidents, &index->incident_capacity,
                           index->incident_count, sizeof *index->incidents))
                index->incidents[index->incident_count++] = at;
            else
                index->failed = true;
        }
        const struct history_mark *mark = &history_at(index->history, at)->mark;
        if (kind == HISTORY_TOTAL && strcmp(mark->name, "lateness_ns") == 0)
            index->lateness_ns = mark->number;
        if (kind == HISTORY_TOTAL && strcmp(mark->name, "syncs_recorded") == 0)
            index->syncs_recorded = true;
        if (kind == HISTORY_TOTAL && strcmp(mark->name, "alarms_recorded") == 0)
            index->alarms_recorded = true;
        if (kind == HISTORY_HEAL)
            index->healed_at = at;
        else if (kind == HISTORY_CONVERGED)
            index->converged_at = at;
    }
}

struct index *index_new(const struct history *history)
{
    struct index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    index->history = history;
    marks_read(index);
    faults_read(index);
    harmful_read(index);
    index_devices_read(index);
    calls_read(index);
    dumps_read(index);
    index_logs_read(index);
    notes_read(index);
    if (index->failed) {
        index_free(index);
        return NULL;
    }
    return index;
}

void index_free(struct index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->dump_count; i++) {
        free(index->dumps[i].logs);
        free(index->dumps[i].requests);
        free(index->dumps[i].by_code);
    }
    index_logs_close(index);
    free(index->incidents);
    free(index->good_at);
    free(index->harmful);
    free(index->faults);
    free(index->dumps);
    free(index->calls);
    free(index->notes);
    free(index);
}

/* ---- looking up ---------------------------------------------------------------------------- */

const struct history_event *index_event(const struct index *index, size_t at)
{
    return history_at(index->history, at);
}

uint64_t index_time(const struct index *index, size_t at)
{
    return history_at(index->history, at)->time_ns;
}

const struct history_host *index_host(const struct index *index, uint32_t host)
{
    return host < history_host_count(index->history) ? history_host(index->history, host) : NULL;
}

const struct index_dump *index_last_dump(const struct index *index, uint32_t host)
{
    for (size_t i = 0; i < index->dump_count; i++)
        if (index->dumps[i].last && index->dumps[i].dump->host == host)
            return &index->dumps[i];
    return NULL;
}

const struct dump_log *index_dump_log(const struct index_dump *dump, const char *origin, bool branch)
{
    size_t low = 0, high = dump->dump->log_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct dump_log *log = dump->logs[middle];
        int order = strcmp(log->origin, origin);
        if (order == 0)
            order = (int)log->branch - (int)branch;
        if (order == 0)
            return log;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct index_request *index_requests(const struct index_dump *dump, const char *client,
                                           const char *key, size_t *count)
{
    size_t low = 0, high = dump->request_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (request_compare(dump->requests[middle].record, client, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < dump->request_count &&
           request_compare(dump->requests[low + *count].record, client, key) == 0)
        ++*count;
    return &dump->requests[low];
}

const struct index_request *index_requests_of_code(const struct index_dump *dump, const char *code,
                                                   size_t *count)
{
    size_t low = 0, high = dump->request_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(dump->by_code[middle].record->code, code) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < dump->request_count &&
           strcmp(dump->by_code[low + *count].record->code, code) == 0)
        ++*count;
    return &dump->by_code[low];
}

const struct index_note *index_note_from(const struct index *index, const char *origin,
                                         uint64_t size)
{
    size_t low = 0, high = index->note_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct index_note *note = &index->notes[middle];
        int order = strcmp(note->note.origin, origin);
        if (order < 0 || (order == 0 && note->note.size < size))
            low = middle + 1;
        else
            high = middle;
    }
    return index_note_is_of(index, index->notes + low, origin) ? &index->notes[low] : NULL;
}

bool index_note_is_of(const struct index *index, const struct index_note *note, const char *origin)
{
    return note < index->notes + index->note_count && strcmp(note->note.origin, origin) == 0;
}

bool index_is_cosigned(const struct index_note *note, uint32_t host)
{
    return host < 64 && (note->cosigned_by >> host & 1);
}

static bool case_is(const struct dump_record *record, const char *case_id)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof record->case_id; i++)
        if (case_id[2 * i] != DIGITS[record->case_id[i] >> 4] ||
            case_id[2 * i + 1] != DIGITS[record->case_id[i] & 15])
            return false;
    return record->has_case;
}

bool index_record_is_of(const struct dump_record *record, const struct index_call *call)
{
    return !record->damaged && strcmp(record->client, call->call->client) == 0 &&
           strcmp(record->key, call->call->key) == 0 &&
           strcmp(record->code, call->answer->code) == 0 &&
           (strlen(call->answer->case_id) != 32 || case_is(record, call->answer->case_id));
}

static bool request_was_receipted(const struct index *index, const struct index_request *request,
                                  size_t at)
{
    const char *origin = request->log->origin;
    const struct index_note *note = index_note_from(index, origin, request->record->position + 1);
    for (; note && index_note_is_of(index, note, origin); note++)
        if (note->receipt && note->at < at)
            return true;
    return false;
}

bool index_was_receipted(const struct index *index, const struct index_call *call, size_t at)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_request *request = index_request_of(&index->dumps[i], call);
        if (request)
            return request_was_receipted(index, request, at);
    }
    return false;
}

const struct index_request *index_request_of(const struct index_dump *dump,
                                             const struct index_call *call)
{
    size_t count;
    const struct index_request *found =
        index_requests(dump, call->call->client, call->call->key, &count);
    for (size_t i = 0; i < count; i++)
        if (index_record_is_of(found[i].record, call))
            return &found[i];
    return NULL;
}

/* The later log names the other itself, as held that far. */
static bool names(const struct index *index, const struct index_request *later,
                  const struct index_request *earlier)
{
    const struct index_log *log = index_log_of(index, later->log->origin);
    for (size_t i = 0; log && i < log->copy_count; i++) {
        const struct dump_log *copy = log->copies[i].log;
        for (size_t k = 0; k < copy->parent_count; k++)
            if (strcmp(copy->parents[k].log, earlier->log->origin) == 0 &&
                copy->parents[k].size > earlier->record->position)
                return true;
    }
    return false;
}

/* A writer names only the tips of what it holds. That it holds what these name in turn is certain
 * where its node never lost anything; after a loss the tips may come back before their ancestors. */
bool index_knew(const struct index *index, const struct index_request *later,
                 const struct index_request *earlier)
{
    if (names(index, later, earlier))
        return true;
    return !index_node_was_rolled_back(index, later->log->node) &&
           index_covered(index, later->log->origin, earlier->log->origin) >
               earlier->record->position;
}

bool index_could_not_know(const struct index *index, uint32_t host,
                          const struct index_request *first, const struct index_request *second,
                          size_t from, size_t to)
{
    return !index_knew(index, second, first) && request_was_receipted(index, first, to) &&
           index_harms_of_copies(index, host, from, to) != 0;
}

/* ---- what happened to whom ----------------------------------------------------------------- */

/* A log that is damaged is set aside, where there is a journal, and made anew. */
static unsigned harms(const struct index *index, uint32_t host, size_t from, size_t to, bool copies)
{
    unsigned harms = 0;
    bool made_anew = index_host(index, host) && index_host(index, host)->journal;
    for (size_t i = 0; i < index->harmful_count; i++) {
        size_t incident = index->harmful[i], at = index->incidents[incident];
        const struct history_event *event = index_event(index, at);
        if (event->host != host || at <= from || at > to ||
            (!copies && index->good_at[incident] <= to))
            continue;
        if ((event->kind == HISTORY_RESTORE && event->life.since_ns < index_time(index, from)) ||
            event->kind == HISTORY_DISK_LOST)
            harms |= HARM_ROLLBACK;
        else if (event->kind == HISTORY_FAULT && begins(event->fault.name, "rest."))
            harms |= HARM_REST | (made_anew ? HARM_ROLLBACK : 0) |
                     (strcmp(event->fault.name, "rest.lost_sync") ? 0 : HARM_LOST_SYNC);
    }
    return harms;
}

unsigned index_harms(const struct index *index, uint32_t host, size_t from, size_t to)
{
    return harms(index, host, from, to, false);
}

unsigned index_harms_of_copies(const struct index *index, uint32_t host, size_t from, size_t to)
{
    return harms(index, host, from, to, true);
}

static bool node_was_harmed(const struct index *index, const char *node, bool for_good)
{
    for (size_t i = 0; i < index->harmful_count; i++) {
        size_t incident = index->harmful[i];
        uint32_t of = index_event(index, index->incidents[incident])->host;
        const struct history_host *host = index_host(index, of);
        if (host && strcmp(host->node, node) == 0 &&
            (!for_good || index->good_at[incident] == INDEX_NEVER))
            return true;
    }
    return false;
}

bool index_node_was_rolled_back(const struct index *index, const char *node)
{
    return node_was_harmed(index, node, true);
}

bool index_node_was_put_back(const struct index *index, const char *node, size_t at)
{
    for (size_t i = 0; i < index->harmful_count; i++) {
        size_t incident = index->harmful[i];
        const struct history_event *event = index_event(index, index->incidents[incident]);
        const struct history_host *host = index_host(index, event->host);
        bool only_damaged = event->kind == HISTORY_FAULT && host && !host->journal &&
                            strcmp(event->fault.name, "rest.lost_sync") != 0;
        if (host && strcmp(host->node, node) == 0 && index->incidents[incident] <= at &&
            index->good_at[incident] == INDEX_NEVER && !only_damaged)
            return true;
    }
    return false;
}

bool index_node_was_harmed(const struct index *index, const char *node)
{
    return node_was_harmed(index, node, false);
}

bool index_node_was_cloned(const struct index *index, const char *node)
{
    for (size_t i = 0; i < index->harmful_count; i++) {
        const struct history_event *event =
            index_event(index, index->incidents[index->harmful[i]]);
        const struct history_host *host = index_host(index, event->host);
        if (event->kind == HISTORY_CLONE && host && strcmp(host->node, node) == 0)
            return true;
    }
    return false;
}

bool index_fault_active(const struct index *index, const char *prefix, uint32_t host, size_t from,
                        size_t to, uint64_t recovering_ns)
{
    for (size_t i = 0; i < index->fault_count && index->faults[i].at <= to; i++) {
        const struct index_fault *fault = &index->faults[i];
        bool lasts = fault->end >= from ||
                     index_time(index, fault->end) + recovering_ns > index_time(index, from);
        if (lasts && (fault->host == host || fault->host == HISTORY_NO_HOST) &&
            begins(fault->name, prefix))
            return true;
    }
    return false;
}

static bool ends_being_up(enum history_kind kind)
{
    return kind == HISTORY_STOPPING || kind == HISTORY_DOWN || kind == HISTORY_CRASH ||
           kind == HISTORY_PAUSE;
}

bool index_is_up(const struct index *index, uint32_t host, size_t at, size_t until,
                 uint64_t settled_ns, uint64_t after_ns)
{
    bool stopping = false;
    size_t up = INDEX_NEVER;
    uint64_t until_ns = index_time(index, until) + after_ns;
    for (size_t i = 0; i < index->incident_count; i++) {
        const struct history_event *event = index_event(index, index->incidents[i]);
        if (index->incidents[i] > until && (after_ns == 0 || event->time_ns > until_ns))
            break;
        if (event->host != host)
            continue;
        if (event->kind == HISTORY_UP || event->kind == HISTORY_STOPPING)
            stopping = event->kind == HISTORY_STOPPING;
        if ((event->kind == HISTORY_UP || event->kind == HISTORY_RESUME) &&
            index->incidents[i] <= at && !stopping)
            up = index->incidents[i];
        else if (ends_being_up(event->kind))
            up = INDEX_NEVER;
    }
    return up != INDEX_NEVER && index_time(index, up) + settled_ns <= index_time(index, at);
}

const struct check_hash *index_log_key(const struct index *index, const char *node)
{
    for (uint32_t i = 0; i < history_host_count(index->history); i++) {
        const struct history_host *host = index_host(index, i);
        if (strcmp(host->node, node) == 0 && !check_hash_is_zero(&host->log_key))
            return &host->log_key;
    }
    return NULL;
}

const struct check_hash *index_receipt_key(const struct index *index, const char *hub)
{
    for (uint32_t i = 0; i < history_host_count(index->history); i++) {
        const struct history_host *host = index_host(index, i);
        if (strcmp(host->node, hub) == 0 && !check_hash_is_zero(&host->receipt_key))
            return &host->receipt_key;
    }
    return NULL;
}

bool index_is_malicious_host(const struct index *index, uint32_t host)
{
    const struct history_host *found = index_host(index, host);
    return found && found->malicious;
}

bool index_is_malicious(const struct index *index, const char *node)
{
    for (uint32_t i = 0; i < history_host_count(index->history); i++)
        if (index_host(index, i)->malicious && strcmp(index_host(index, i)->node, node) == 0)
            return true;
    return false;
}
