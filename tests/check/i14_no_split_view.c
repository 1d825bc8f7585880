/* I14: whatever was signed about one log fits together. A node never signs two histories of its log,
 * a hub never cosigns two; where the signer is malicious, or is two machines copied with the state of
 * their random generator, the contradiction is a fork, and I12 judges what becomes of it. */
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

/* A hub's receipts lie on one history. */
static void judge_hub(const struct index *index, struct check_report *report, const struct run *run,
                      uint32_t hub)
{
    const struct index_log *log = index_log_of(index, run->notes->note.origin);
    const struct index_note *last = NULL;
    unsigned fits = ~0u; /* the histories that have all of them */
    for (size_t i = 0; i < run->count; i++) {
        const struct index_note *note = &run->notes[i];
        if (!index_is_cosigned(note, hub))
            continue;
        check_looked(report);
        unsigned histories = index_histories(log, note->note.size, &note->note.root);
        fits &= histories ? histories : ~0u;
        if ((last && last->note.size == note->note.size &&
             !check_hash_equal(&last->note.root, &note->note.root)) ||
            !fits) {
            check_violated(report, "hub %s cosigned two histories of %s (at %llu)",
                           index_host(index, hub)->name, note->note.origin, (unsigned long long)note->note.size);
            return;
        }
        last = note;
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
