/* I6: of two observations of one log at one holder the earlier is a prefix of the later, unless the
 * later one tells of a fork; then it is a prefix of one of the branches. A holder that was put back,
 * lost its disk or was damaged may hold less, but nothing else; of what it has told of its own logs not
 * even that, once its other device has made it good. What the copy that it was put back to holds stands.
 *
 * One thing else there is: of a log whose author wrote two histories, a holder that lost the one may
 * meet the other first. It cannot know better until both meet, and then I12 judges it. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

/* The earlier one is a prefix of this, or the later one was cut but agrees. */
static bool goes_on(const struct dump_log *earlier, const struct dump_log *later, bool may_shrink)
{
    return later && index_difference(earlier, later) == UINT64_MAX &&
           (may_shrink || later->size >= earlier->size);
}

static bool author_wrote_two(const struct index *index, const struct dump_log *log)
{
    const struct index_log *all = index_log_of(index, log->origin);
    return all && all->other &&
           (index_node_was_cloned(index, log->node) || index_is_malicious(index, log->node));
}

static void judge_pair(const struct index *index, struct check_report *report,
                       const struct index_dump *earlier, const struct index_dump *later,
                       const struct dump_log *log)
{
    const struct dump_log *main = index_dump_log(later, log->origin, false);
    const struct dump_log *branch = index_dump_log(later, log->origin, true);
    bool may_shrink =
        index_harms_of_copies(index, later->dump->host, earlier->at, later->at) != 0;
    check_looked(report);
    if (may_shrink && (!main || author_wrote_two(index, log)))
        return;
    if (goes_on(log, main, may_shrink) ||
        ((log->branch || (main && main->fork_count > 0)) && goes_on(log, branch, may_shrink)))
        return;
    check_violated(report, "%s held %llu records of %s at «%s»; they are not the beginning of the "
                           "%llu at «%s»",
                   later->host->name, (unsigned long long)log->size, log->origin,
                   earlier->dump->label, (unsigned long long)(main ? main->size : 0),
                   later->dump->label);
}

static const struct index_dump *next_of(const struct index *index, uint32_t host, size_t at)
{
    const struct index_dump *next = NULL;
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->dump->host == host && dump->at > at && (!next || dump->at < next->at))
            next = dump;
    }
    return next;
}

static bool is_of_node(const char *origin, const char *node)
{
    size_t size = strlen(node);
    return strncmp(origin, "samad/", 6) == 0 && strncmp(origin + 6, node, size) == 0 &&
           origin[6 + size] == '/';
}

static bool is_excused(const struct index *index, const char *origin, size_t from,
                       const struct index_dump *next)
{
    bool own = is_of_node(origin, next->host->node);
    /* Damage stays: what it could tell of from memory may have been unreadable already. */
    if (next->dump->problem_count > 0 &&
        (index_harms(index, next->dump->host, 0, next->at) & HARM_REST))
        return true;
    return (own ? index_harms : index_harms_of_copies)(index, next->dump->host, from, next->at) != 0;
}

/* A head that a holder told of stands, with that root, in its next store. */
static void judge_claim(const struct index *index, struct check_report *report, size_t at)
{
    const struct history_event *event = index_event(index, at);
    const struct index_dump *next = next_of(index, event->host, at);
    if (!next || next->host->malicious || is_excused(index, event->claim.log, at, next))
        return;
    const struct dump_log *log = index_dump_log(next, event->claim.log, false);
    const struct index_log *all = index_log_of(index, event->claim.log);
    check_looked(report);
    if ((log ? log->size : 0) < event->claim.size)
        check_violated(report, "%s said that it holds %llu records of %s; later it has %llu",
                       next->host->name, (unsigned long long)event->claim.size, event->claim.log,
                       (unsigned long long)(log ? log->size : 0));
    else if (event->claim.size > 0 && !check_hash_is_zero(&event->claim.root) &&
             index_root_is_wrong(all, event->claim.size, &event->claim.root))
        check_violated(report, "%s told a root of %llu records of %s that they do not have",
                       next->host->name, (unsigned long long)event->claim.size, event->claim.log);
}

static const struct index_dump *previous_of(const struct index *index, uint32_t host, size_t at)
{
    const struct index_dump *previous = NULL;
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->dump->host == host && dump->at < at && (!previous || dump->at > previous->at))
            previous = dump;
    }
    return previous;
}

static void judge_dumps(const struct index *index, struct check_report *report,
                        const struct index_dump *earlier, const struct index_dump *later)
{
    for (size_t i = 0; i < earlier->dump->log_count; i++)
        if (*earlier->dump->logs[i].origin)
            judge_pair(index, report, earlier, later, &earlier->dump->logs[i]);
}

/* Against the one before, and against the last one of which nothing may be lost. */
static void judge_dump(const struct index *index, struct check_report *report,
                       const struct index_dump *later)
{
    uint32_t host = later->dump->host;
    const struct index_dump *before = previous_of(index, host, later->at), *whole = before;
    while (whole && index_harms_of_copies(index, host, whole->at, later->at) != 0)
        whole = previous_of(index, host, whole->at);
    if (before)
        judge_dumps(index, report, before, later);
    if (whole && whole != before)
        judge_dumps(index, report, whole, later);
}

void check_i06(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->dump_count; i++)
        if (!index->dumps[i].host->malicious)
            judge_dump(index, report, &index->dumps[i]);
    for (size_t at = 0; at < history_count(index->history); at++)
        if (index_event(index, at)->kind == HISTORY_HEAD)
            judge_claim(index, report, at);
}
