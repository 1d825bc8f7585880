/* I22: a registration at a node that is up, with a healthy disk, is taken, whatever the network, the
 * hubs and the clocks do: within ten seconds at worst, and 99 of 100 within 50 ms and the time of a
 * dozen syncs as this history's disks do them.
 *
 * A node counts as up 15 seconds after its start (it first asks its hubs). Excused are calls during
 * whose time the host was asked to stop (it takes no more calls, and says good-bye to its peers for
 * seconds), stopped, was paused, starved (run.…), or had a fault of its disk; and for a minute after
 * such a fault, in which the node finds out that there is room again. To refuse is not to take, unless
 * the key had been used for something else. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t STARTING_NS = UINT64_C(15) * 1000000000;
static const uint64_t LIMIT_NS = UINT64_C(10) * 1000000000;
static const uint64_t RECOVERING_NS = UINT64_C(60) * 1000000000;
static const uint64_t STOPPING_NS = UINT64_C(1000000000); /* client and driver may see it in either order */
static const uint64_t P99_NS = UINT64_C(50) * 1000000;
enum { CALLS_FOR_PERCENTILE = 200, SYNCS_ALLOWED = 12 };

static int number_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool counts(const struct index *index, const struct index_call *call)
{
    const struct history_host *host = index_host(index, call->host);
    size_t end = call->ended_at != INDEX_NEVER ? call->ended_at : call->invoked_at;
    return strcmp(call->call->operation, "register") == 0 && *call->call->client && host &&
           !host->malicious && !host->hub && call->ended_at != INDEX_NEVER &&
           index_is_up(index, call->host, call->invoked_at, end, STARTING_NS, STOPPING_NS) &&
           !index_fault_active(index, "disk.", call->host, call->invoked_at, end,
                               RECOVERING_NS + index->lateness_ns) &&
           !index_fault_active(index, "rest.", call->host, 0, end, 0) &&
           !index_fault_active(index, "run.", call->host, call->invoked_at, end, 0);
}

/* How long a sync of the log takes, on the average of all hosts. */
static uint64_t sync_ns(const struct index *index)
{
    uint64_t begun[64] = { 0 }, sum = 0, count = 0;
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = index_event(index, at);
        bool begins = event->kind == HISTORY_SYNC_BEGIN;
        if ((!begins && event->kind != HISTORY_SYNC_END) || event->host >= 64 ||
            strcmp(event->sync.device, "log") != 0)
            continue;
        if (!begins && begun[event->host]) {
            sum += event->time_ns - begun[event->host];
            count++;
        }
        begun[event->host] = begins ? event->time_ns : 0;
    }
    return count ? sum / count : 0;
}

static int key_order(const void *a, const void *b)
{
    const struct index_call *x = *(const struct index_call *const *)a;
    const struct index_call *y = *(const struct index_call *const *)b;
    int order = strcmp(x->call->client, y->call->client);
    return order ? order : strcmp(x->call->key, y->call->key);
}

struct asked {
    const struct index_call **calls; /* registrations, by client and key */
    size_t count;
};

static bool asked_read(struct asked *asked, const struct index *index)
{
    asked->calls = calloc(index->call_count + 1, sizeof(const struct index_call *));
    for (size_t i = 0; asked->calls && i < index->call_count; i++)
        if (strcmp(index->calls[i].call->operation, "register") == 0)
            asked->calls[asked->count++] = &index->calls[i];
    if (asked->count > 0)
        qsort(asked->calls, asked->count, sizeof(const struct index_call *), key_order);
    return asked->calls != NULL;
}

static bool is_other_content(const struct history_call *a, const struct history_call *b)
{
    return !check_hash_equal(&a->facts, &b->facts) || !check_hash_equal(&a->person, &b->person);
}

/* 422: the key had been used with other content, by this client. Any other refusal of what its driver
 * took for a good request is none of the client's fault. */
static bool is_refused_rightly(const struct asked *asked, const struct index_call *call)
{
    if (call->end != HISTORY_FAIL || !call->answer || call->answer->status != 422)
        return false;
    size_t low = 0, high = asked->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_order(&asked->calls[middle], &call) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < asked->count && key_order(&asked->calls[low], &call) == 0; low++)
        if (asked->calls[low]->invoked_at < call->ended_at &&
            is_other_content(asked->calls[low]->call, call->call))
            return true;
    return false;
}

void check_i22(const struct index *index, struct check_report *report)
{
    uint64_t *times = calloc(index->call_count + 1, sizeof *times);
    struct asked asked = { 0 };
    size_t count = 0;
    bool good = asked_read(&asked, index) && times;
    report->failed |= !good;
    for (size_t i = 0; good && i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (!counts(index, call) || is_refused_rightly(&asked, call))
            continue;
        uint64_t time = index_time(index, call->ended_at) - index_time(index, call->invoked_at);
        check_looked(report);
        if (call->end != HISTORY_OK)
            check_violated(report, "%s, up and with a healthy disk, did not take call %llu: %s %u",
                           index_host(index, call->host)->name,
                           (unsigned long long)call->call->call, history_kind_name(call->end),
                           call->answer ? call->answer->status : 0);
        else if (time > LIMIT_NS)
            check_violated(report, "%s took %.1f s for call %llu",
                           index_host(index, call->host)->name, (double)time / 1e9,
                           (unsigned long long)call->call->call);
        else
            times[count++] = time;
    }
    if (count >= CALLS_FOR_PERCENTILE) {
        uint64_t sync = sync_ns(index);
        qsort(times, count, sizeof *times, number_order);
        if (times[count * 99 / 100] > P99_NS + SYNCS_ALLOWED * sync)
            check_violated(report,
                           "1 of 100 registrations took %.1f ms and more; a sync takes %.1f ms",
                           (double)times[count * 99 / 100] / 1e6, (double)sync / 1e6);
    }
    free(asked.calls);
    free(times);
}
