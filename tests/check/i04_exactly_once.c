/* I4: one idempotency key of one client at one node is one request.
 *
 * In the logs of a node the key stands twice only where the two writers could not know of each other:
 * neither log names the other as held that far. In the answers code and case are always the same, and
 * other content is never accepted, unless the node was put back, cloned or lost its log before the later
 * one, or could not know of the first (could_not_know), or (content) the request was erased. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <stdlib.h>
#include <string.h>

/* ---- in the logs --------------------------------------------------------------------------- */

static void judge_pair(const struct index *index, struct check_report *report,
                       const struct index_dump *dump, const struct index_request *a,
                       const struct index_request *b)
{
    bool same_log = strcmp(a->log->origin, b->log->origin) == 0;
    if (strcmp(a->log->node, b->log->node) != 0 || (same_log && a->log->branch != b->log->branch))
        return;
    if (!same_log && !index_knew(index, a, b) && !index_knew(index, b, a))
        return;
    check_violated(report,
                   "client %s, key %s stands twice at %s: record %llu of %s (code %s) and record "
                   "%llu of %s (code %s), whose writer knew of the other",
                   a->record->client, a->record->key, dump->host->name,
                   (unsigned long long)a->record->position, a->log->origin, a->record->code,
                   (unsigned long long)b->record->position, b->log->origin, b->record->code);
}

static void judge_logs(const struct index *index, struct check_report *report,
                       const struct index_dump *dump)
{
    for (size_t i = 0, count; i < dump->request_count; i += count) {
        const struct index_request *group = &dump->requests[i];
        index_requests(dump, group->record->client, group->record->key, &count);
        check_looked(report);
        for (size_t a = 0; a < count && !index_is_malicious(index, group->log->node); a++)
            for (size_t b = a + 1; b < count; b++)
                judge_pair(index, report, dump, &group[a], &group[b]);
    }
}

/* ---- in the answers ------------------------------------------------------------------------ */

struct answered {
    const struct index_call *call;
    const char *node;
};

static int answered_order(const void *a, const void *b)
{
    const struct answered *x = a, *y = b;
    int order = strcmp(x->node, y->node);
    if (order == 0)
        order = strcmp(x->call->call->client, y->call->call->client);
    if (order == 0)
        order = strcmp(x->call->call->key, y->call->call->key);
    return order ? order : (x->call->promised_at > y->call->promised_at) -
                               (x->call->promised_at < y->call->promised_at);
}

static bool was_erased(const struct index *index, const char *code)
{
    for (size_t i = 0; i < index->call_count; i++)
        if (strcmp(index->calls[i].call->operation, "erase") == 0 &&
            strcmp(index->calls[i].call->code, code) == 0)
            return true;
    return false;
}

/* Both are kept then, as one case with two codes. */
static bool could_not_know(const struct index *index, const struct answered *a,
                           const struct answered *b)
{
    const struct index_dump *dump = index_last_dump(index, b->call->host);
    const struct index_request *first = dump ? index_request_of(dump, a->call) : NULL;
    const struct index_request *second = dump ? index_request_of(dump, b->call) : NULL;
    return first && second &&
           index_could_not_know(index, b->call->host, first, second, a->call->promised_at,
                                b->call->promised_at);
}

static void judge_answers(const struct index *index, struct check_report *report,
                          const struct answered *a, const struct answered *b)
{
    const struct history_answer *x = a->call->answer, *y = b->call->answer;
    bool same_content = check_hash_equal(&a->call->call->facts, &b->call->call->facts) &&
                        check_hash_equal(&a->call->call->person, &b->call->call->person);
    if (index_node_was_put_back(index, a->node, b->call->promised_at) ||
        could_not_know(index, a, b))
        return;
    if (strcmp(x->code, y->code) != 0 || strcmp(x->case_id, y->case_id) != 0)
        check_violated(report,
                       "client %s, key %s at %s: code %s (call %llu), then code %s (call %llu)",
                       a->call->call->client, a->call->call->key, a->node, x->code,
                       (unsigned long long)a->call->call->call, y->code,
                       (unsigned long long)b->call->call->call);
    else if (!same_content && !was_erased(index, x->code))
        check_violated(report,
                       "client %s, key %s at %s: other content was accepted (calls %llu and %llu)",
                       a->call->call->client, a->call->call->key, a->node,
                       (unsigned long long)a->call->call->call,
                       (unsigned long long)b->call->call->call);
}

static void judge_calls(const struct index *index, struct check_report *report)
{
    size_t count = 0;
    struct answered *answered = calloc(index->call_count + 1, sizeof *answered);
    report->failed |= !answered;
    for (size_t i = 0; answered && i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        const struct history_host *host = index_host(index, call->host);
        if (strcmp(call->call->operation, "register") == 0 && call->promised_at != INDEX_NEVER &&
            host && !host->malicious)
            answered[count++] = (struct answered){ call, host->node };
    }
    if (count > 0)
        qsort(answered, count, sizeof *answered, answered_order);
    for (size_t i = 1; i < count; i++) {
        const struct history_call *a = answered[i - 1].call->call, *b = answered[i].call->call;
        if (strcmp(answered[i - 1].node, answered[i].node) != 0 ||
            strcmp(a->client, b->client) != 0 || strcmp(a->key, b->key) != 0)
            continue;
        check_looked(report);
        judge_answers(index, report, &answered[i - 1], &answered[i]);
    }
    free(answered);
}

void check_i04(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->dump_count; i++)
        if (!index->dumps[i].host->malicious && index->dumps[i].last)
            judge_logs(index, report, &index->dumps[i]);
    judge_calls(index, report);
}
