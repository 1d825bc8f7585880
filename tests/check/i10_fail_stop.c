/* I10: after a device of the log has failed the process writes no more commit, takes nothing new and
 * ends within a minute; only a new start goes on. After the journal's device has failed the journal is
 * written no more, and nothing new is taken before an alarm says so. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

static const uint64_t END_WITHIN_NS = UINT64_C(60) * 1000000000;

/* The event that ends the process, or the end of the history. */
static size_t end_of_process(const struct index *index, uint32_t host, size_t from)
{
    for (size_t i = 0; i < index->incident_count; i++) {
        size_t at = index->incidents[i];
        const struct history_event *event = index_event(index, at);
        if (at > from && event->host == host &&
            (event->kind == HISTORY_DOWN || event->kind == HISTORY_CRASH ||
             event->kind == HISTORY_UP))
            return at;
    }
    return history_count(index->history);
}

static void judge_syncs(const struct index *index, struct check_report *report, size_t from,
                        size_t to)
{
    const struct history_event *error = index_event(index, from);
    for (size_t at = from + 1; at < to; at++) {
        const struct history_event *event = index_event(index, at);
        if (event->kind == HISTORY_SYNC_BEGIN && event->host == error->host &&
            strcmp(event->sync.device, error->sync.device) == 0) {
            check_violated(report, "%s syncs %s again (sync %llu) after an error of it",
                           index_host(index, error->host)->name, error->sync.device,
                           (unsigned long long)event->sync.number);
            return;
        }
    }
}

static void judge_calls(const struct index *index, struct check_report *report, size_t from,
                        size_t to)
{
    const struct history_event *error = index_event(index, from);
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (call->host == error->host && call->invoked_at > from && call->promised_at < to &&
            strcmp(call->call->operation, "register") == 0 && !call->answer->duplicate)
            check_violated(report, "%s acknowledged call %llu, made after an error of %s",
                           index_host(index, error->host)->name,
                           (unsigned long long)call->call->call, error->sync.device);
    }
}

static bool is_alarmed(const struct index *index, uint32_t host, size_t from, size_t to)
{
    for (size_t at = from + 1; at < to; at++) {
        const struct history_event *event = index_event(index, at);
        if (event->kind == HISTORY_ALARM && event->host == host &&
            strcmp(event->alarm.name, "journal") == 0)
            return true;
    }
    return false;
}

static void judge_journal_error(const struct index *index, struct check_report *report, size_t from)
{
    uint32_t host = index_event(index, from)->host;
    size_t end = end_of_process(index, host, from);
    check_looked(report);
    judge_syncs(index, report, from, end);
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (call->host == host && call->invoked_at > from && call->promised_at < end &&
            strcmp(call->call->operation, "register") == 0 && !call->answer->duplicate &&
            !is_alarmed(index, host, from, call->promised_at)) {
            check_violated(report, "%s acknowledged call %llu on one device, and no alarm says that "
                                   "the journal has failed",
                           index_host(index, host)->name, (unsigned long long)call->call->call);
            return;
        }
    }
}

static void judge_error(const struct index *index, struct check_report *report, size_t at)
{
    uint32_t host = index_event(index, at)->host;
    size_t count = history_count(index->history), end = end_of_process(index, host, at);
    uint64_t until = index_time(index, end < count ? end : count - 1);
    check_looked(report);
    judge_syncs(index, report, at, end);
    judge_calls(index, report, at, end);
    if (until - index_time(index, at) > END_WITHIN_NS + index->lateness_ns &&
        !index_fault_active(index, "run.", host, at, end < count ? end : count - 1, 0))
        check_violated(report, "%s still runs a minute after an error of %s",
                       index_host(index, host)->name, index_event(index, at)->sync.device);
}

void check_i10(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->incident_count; i++) {
        const struct history_event *event = index_event(index, index->incidents[i]);
        if (event->kind != HISTORY_IO_ERROR || !index_host(index, event->host))
            continue;
        if (strcmp(event->sync.device, "log") == 0)
            judge_error(index, report, index->incidents[i]);
        else if (strcmp(event->sync.device, "journal") == 0)
            judge_journal_error(index, report, index->incidents[i]);
    }
}
