/* I3: every request record was asked for, by a client with a name, in these very words, before it was
 * there, and not only by calls that were refused. Every erasure of a record was asked for by code. And
 * nobody is answered who has no right to it: a call without a client, a look-up with a wrong factor. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <stdlib.h>
#include <string.h>

/* Calls of one operation, by what they are looked up with. */
struct asked {
    const struct index_call **calls;
    size_t count;
    bool by_code;
};

static int compare(const struct index_call *call, bool by_code, const char *first,
                   const char *second)
{
    int order = strcmp(by_code ? call->call->code : call->call->client, first);
    return order || by_code ? order : strcmp(call->call->key, second);
}

static int by_key(const void *a, const void *b)
{
    const struct index_call *x = *(const struct index_call *const *)a;
    const struct index_call *y = *(const struct index_call *const *)b;
    return compare(x, false, y->call->client, y->call->key);
}

static int by_code(const void *a, const void *b)
{
    const struct index_call *x = *(const struct index_call *const *)a;
    const struct index_call *y = *(const struct index_call *const *)b;
    return compare(x, true, y->call->code, "");
}

static bool asked_read(struct asked *asked, const struct index *index, const char *operation)
{
    asked->calls = calloc(index->call_count + 1, sizeof(const struct index_call *));
    for (size_t i = 0; asked->calls && i < index->call_count; i++)
        if (strcmp(index->calls[i].call->operation, operation) == 0 && *index->calls[i].call->client)
            asked->calls[asked->count++] = &index->calls[i];
    if (asked->count > 0)
        qsort(asked->calls, asked->count, sizeof *asked->calls, asked->by_code ? by_code : by_key);
    return asked->calls != NULL;
}

/* The first of those that match. */
static size_t asked_find(const struct asked *asked, const char *first, const char *second)
{
    size_t low = 0, high = asked->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(asked->calls[middle], asked->by_code, first, second) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool says_the_same(const struct index_call *call, const struct dump_record *record)
{
    return check_hash_equal(&call->call->facts, &record->facts_content) &&
           (!record->person_opened || check_hash_equal(&call->call->person, &record->person_content));
}

static void judge_request(const struct index *index, struct check_report *report,
                          const struct asked *asked, const struct index_dump *dump,
                          const struct index_request *request)
{
    const struct dump_record *record = request->record;
    const char *wrong = "nobody asked for it";
    for (size_t i = asked_find(asked, record->client, record->key);
         i < asked->count && compare(asked->calls[i], false, record->client, record->key) == 0;
         i++) {
        const struct index_call *call = asked->calls[i];
        const struct history_host *host = index_host(index, call->host);
        if (!host || strcmp(host->node, request->log->node) != 0 || call->invoked_at > dump->at)
            continue;
        if (!says_the_same(call, record)) {
            wrong = "it was asked for in other words";
            continue;
        }
        if (call->end != HISTORY_FAIL)
            return;
        wrong = "all who asked for it were refused";
    }
    check_violated(report, "record %llu of %s at %s (client %s, key %s, code %s): %s",
                   (unsigned long long)record->position, request->log->origin, dump->host->name,
                   record->client, record->key, record->code, wrong);
}

static bool was_asked_for(const struct asked *asked, const char *code)
{
    size_t i = asked_find(asked, code, "");
    return i < asked->count && strcmp(asked->calls[i]->call->code, code) == 0;
}

/* The record that is erased may be damaged in one copy of its log, and not have come to another. */
static void judge_erasure(const struct index *index, struct check_report *report,
                          const struct asked *asked, const struct index_dump *dump,
                          const struct dump_log *log, const struct dump_record *record)
{
    const struct index_log *target = index_log_of(index, record->erased_log);
    for (size_t i = 0; target && i < target->copy_count; i++) {
        const struct dump_record *erased =
            index_record(target->copies[i].log, record->erased_position);
        if (erased && *erased->code && was_asked_for(asked, erased->code))
            return;
    }
    check_violated(report, "record %llu of %s at %s erases %s %llu, which nobody asked for",
                   (unsigned long long)record->position, log->origin, dump->host->name,
                   record->erased_log, (unsigned long long)record->erased_position);
}

/* A record that stands in several stores is judged once, in the first. */
static bool was_judged(const struct index *index, const struct index_dump *dump,
                       const struct dump_log *log, const struct dump_record *record)
{
    const struct index_log *all = index_log_of(index, log->origin);
    for (size_t i = 0; all && i < all->copy_count && all->copies[i].dump != dump; i++) {
        const struct dump_record *there = index_record(all->copies[i].log, record->position);
        if (there && check_hash_equal(&there->hash, &record->hash) &&
            there->person_opened == record->person_opened)
            return true;
    }
    return false;
}

static void judge_dump(const struct index *index, struct check_report *report,
                       const struct asked *registered, const struct asked *erased,
                       const struct index_dump *dump)
{
    for (size_t i = 0; i < dump->request_count; i++) {
        const struct index_request *request = &dump->requests[i];
        if (index_is_malicious(index, request->log->node) ||
            was_judged(index, dump, request->log, request->record))
            continue;
        check_looked(report);
        judge_request(index, report, registered, dump, request);
    }
    for (size_t i = 0; i < dump->dump->log_count; i++) {
        const struct dump_log *log = &dump->dump->logs[i];
        for (size_t k = 0; k < log->record_count && !index_is_malicious(index, log->node); k++)
            if (log->records[k].kind == 3 && !log->records[k].damaged &&
                !was_judged(index, dump, log, &log->records[k])) {
                check_looked(report);
                judge_erasure(index, report, erased, dump, log, &log->records[k]);
            }
    }
}

static void judge_refusals(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        bool guess = strcmp(call->call->operation, "guess") == 0;
        if (!guess && *call->call->client)
            continue;
        check_looked(report);
        if (call->promised_at != INDEX_NEVER)
            check_violated(report, "call %llu (%s, code %s) %s, and was answered %u",
                           (unsigned long long)call->call->call, call->call->operation,
                           call->call->code, guess ? "had a wrong factor" : "had no client",
                           call->answer->status);
    }
}

void check_i03(const struct index *index, struct check_report *report)
{
    struct asked registered = { .by_code = false }, erased = { .by_code = true };
    bool good = asked_read(&registered, index, "register");
    good &= asked_read(&erased, index, "erase");
    report->failed |= !good;
    judge_refusals(index, report);
    /* A history without calls tells of stores alone. */
    for (size_t i = 0; good && index->call_count > 0 && i < index->dump_count; i++)
        if (!index->dumps[i].host->malicious)
            judge_dump(index, report, &registered, &erased, &index->dumps[i]);
    free(registered.calls);
    free(erased.calls);
}
