/* I14: whatever was signed about one log fits together. A node never signs two histories of its log,
 * a hub never cosigns two, unless it lost what it knew of the first; where the signer is malicious, or is
 * two machines copied with the state of their random generator, the contradiction is a fork, and I12
 * judges what becomes of it. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

/* Notes of one log in the order of their sizes. */
struct run {
    const struct index_note *notes;
    size_t count;
};

static void judge_author(const struct index *index, struct check_report *report,
                         const struct run *run)
{
    const struct index_log *log = index_log_of(index, run->notes->note.origin);
    const struct index_note *last = NULL;
    unsigned fits = ~0u; /* the histories that have all of them */
    if (log && index_node_was_cloned(index, log->node))
        return;
    for (size_t i = 0; i < run->count; i++) {
        const struct index_note *note = &run->notes[i];
        if (!note->log_signed)
            continue;
        check_looked(report);
        unsigned histories = index_histories(log, note->note.size, &note->note.root);
        if (index_root_is_wrong(log, note->note.size, &note->note.root))
            check_violated(report, "%s signed a root at %llu that no record explains",
                           note->note.origin, (unsigned long long)note->note.size);
        if (histories && !(fits & histories))
            check_violated(report, "%s signed two histories: at %llu one, at %llu the other",
                           note->note.origin, (unsigned long long)last->note.size,
                           (unsigned long long)note->note.size);
        if (histories) {
            fits &= histories;
            last = note;
        }
        if (i > 0 && run->notes[i - 1].log_signed &&
            run->notes[i - 1].note.size == note->note.size &&
            !check_hash_equal(&run->notes[i - 1].note.root, &note->note.root))
            check_violated(report, "%s signed two roots at %llu", note->note.origin,
                           (unsigned long long)note->note.size);
    }
}

/* ---- hubs ---- */

static bool contradict(const struct index *index, const struct index_note *a,
                       const struct index_note *b)
{
    const struct index_log *log = index_log_of(index, a->note.origin);
    unsigned of_a = index_histories(log, a->note.size, &a->note.root);
    unsigned of_b = index_histories(log, b->note.size, &b->note.root);
    if (a->note.size == b->note.size)
        return !check_hash_equal(&a->note.root, &b->note.root);
    return of_a && of_b && !(of_a & of_b);
}

static bool dump_has_receipt(const struct dump *dump, const char *text)
{
    for (size_t i = 0; i < dump->log_count; i++)
        for (size_t k = 0; k < dump->logs[i].receipt_count; k++)
            if (strcmp(dump->logs[i].receipts[k].text, text) == 0)
                return true;
    return false;
}

/* At this event the hub has the note that it signed: it sends it, or its store is read. */
static bool has_at(const struct index *index, size_t at, uint32_t hub, const char *text)
{
    const struct history_event *event = index_event(index, at);
    if (event->host != hub)
        return false;
    if (event->kind == HISTORY_DUMP)
        return dump_has_receipt(history_dump_at(index->history, event->dump.index), text);
    return event->kind == HISTORY_RECEIPT && strcmp(event->note.text, text) == 0;
}

static bool lost_between(const struct index *index, uint32_t hub, size_t from, size_t to)
{
    return (index_harms_of_copies(index, hub, from, to) & (HARM_ROLLBACK | HARM_LOST_SYNC)) != 0;
}

/* Having `a`, and not having lost it, the hub had `b`. */
static bool had_both(const struct index *index, uint32_t hub, const char *a, const char *b,
                     bool *seen)
{
    for (size_t from = 0; from < history_count(index->history); from++) {
        if (!has_at(index, from, hub, a))
            continue;
        *seen = true;
        for (size_t to = from; to < history_count(index->history); to++)
            if (has_at(index, to, hub, b) && !lost_between(index, hub, from, to))
                return true;
    }
    return false;
}

/* A hub remembers what it signed by its store. When that was lost, or put back to a copy without the
 * one, it may sign the other: both are the author's. It may not, as long as it has the one. Of a note
 * that the hub was never seen to have nobody knows when it was signed. */
static bool forgot(const struct index *index, uint32_t hub, const char *a, const char *b)
{
    bool seen_a = false, seen_b = false;
    if (had_both(index, hub, a, b, &seen_a) || had_both(index, hub, b, a, &seen_b))
        return false;
    return (seen_a && seen_b) ||
           lost_between(index, hub, 0, history_count(index->history) - 1);
}

/* They lie on one history: there is nothing to look at more closely. */
static bool fit_together(const struct index *index, struct check_report *report,
                         const struct run *run, uint32_t hub)
{
    const struct index_log *log = index_log_of(index, run->notes->note.origin);
    const struct index_note *last = NULL;
    unsigned fits = ~0u; /* the histories that have all of them */
    for (size_t i = 0; i < run->count && fits; i++) {
        const struct index_note *note = &run->notes[i];
        if (!index_is_cosigned(note, hub))
            continue;
        check_looked(report);
        unsigned histories = index_histories(log, note->note.size, &note->note.root);
        fits &= histories ? histories : ~0u;
        if (last && last->note.size == note->note.size &&
            !check_hash_equal(&last->note.root, &note->note.root))
            fits = 0;
        last = note;
    }
    return fits != 0;
}

/* A hub's receipts lie on one history, as far as it remembers. */
static void judge_hub(const struct index *index, struct check_report *report, const struct run *run,
                      uint32_t hub)
{
    size_t i = fit_together(index, report, run, hub) ? run->count : 0;
    for (; i < run->count; i++)
        for (size_t k = 0; k < i; k++) {
            const struct index_note *note = &run->notes[i], *other = &run->notes[k];
            if (!index_is_cosigned(note, hub) || !index_is_cosigned(other, hub) ||
                !contradict(index, other, note) || forgot(index, hub, other->text, note->text))
                continue;
            check_violated(report, "hub %s cosigned two histories of %s (at %llu and %llu)",
                           index_host(index, hub)->name, note->note.origin,
                           (unsigned long long)other->note.size,
                           (unsigned long long)note->note.size);
            return;
        }
}

void check_i14(const struct index *index, struct check_report *report)
{
    for (size_t i = 0, end; i < index->note_count; i = end) {
        struct run run = { &index->notes[i], 0 };
        for (end = i; end < index->note_count; end++)
            if (strcmp(index->notes[end].note.origin, run.notes->note.origin) != 0)
                break;
        run.count = end - i;
        if (!index_is_malicious(index, run.notes->note.node))
            judge_author(index, report, &run);
        for (uint32_t k = 0; k < history_host_count(index->history); k++) {
            const struct history_host *hub = index_host(index, k);
            if (hub->hub && !hub->malicious)
                judge_hub(index, report, &run, k);
        }
    }
}
