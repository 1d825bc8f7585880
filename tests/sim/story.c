#include "tests/sim/story.h"

#include "node/runtime/log.h"
#include "proto/base/require.h"
#include "tests/sim/clock.h"
#include "tests/sim/recorder.h"
#include "tests/sim/second.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define COUNTER_MAX 1024
#define TEXT_MAX    64

struct counter {
    char what[TEXT_MAX];
    uint64_t count;
    bool fault, wanted;
};

static struct {
    bool tell;
    struct counter counters[COUNTER_MAX];
    size_t count;
} story;

/* What a run of many seeds must have come to. */
static const char *const WANTED[] = {
    "incarnation.opened", "node.hubs_unasked", "node.failed",        "log.reopening",
    "link.opened",        "link.closed",       "link.connect_failed", "log.map_grown",
    "disk.reserve_reached", "disk.healed",     "group.failed",        "alarm FORK",
    "alarm ROLLBACK",     "client answered",   "client refused",      "client unknown",
    "507 answered",       "duplicate answered", "converged",          "log.rebuilt",
    "log.repaired",       "log.set_aside",      "journal.made",       "journal.caught_up",
    "journal.lost",       "journal.cut",        "died between the two syncs",
    "package refused",    "receipt refused",    "equivocation proven", "peer penalised",
    "suffix handed back", "admission queued",   "replayed in quiet",
};
#define WANTED_COUNT (sizeof WANTED / sizeof WANTED[0])

/* ---- counters -------------------------------------------------------------------------------- */

static struct counter *counter_of(const char *what, bool fault)
{
    for (size_t i = 0; i < story.count; i++)
        if (story.counters[i].fault == fault && strcmp(story.counters[i].what, what) == 0)
            return &story.counters[i];
    require(story.count < COUNTER_MAX);
    struct counter *counter = &story.counters[story.count++];
    *counter = (struct counter){ .fault = fault };
    snprintf(counter->what, sizeof counter->what, "%s", what);
    return counter;
}

void sim_sometimes(const char *what)
{
    counter_of(what, false)->count++;
}

void sim_fault(const struct sim_node *node, const char *what)
{
    counter_of(what, true)->count++;
    sim_trace(node, what, 0, 0);
}

uint64_t story_faults(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < story.count; i++)
        if (story.counters[i].fault)
            sum += story.counters[i].count;
    return sum;
}

unsigned story_wanted(void)
{
    return WANTED_COUNT;
}

unsigned story_reached(void)
{
    unsigned reached = 0;
    for (size_t i = 0; i < story.count; i++)
        reached += story.counters[i].wanted && story.counters[i].count > 0;
    return reached;
}

void story_print_counters(void)
{
    for (size_t i = 0; i < story.count; i++)
        printf("%s %" PRIu64 " %s\n", story.counters[i].fault ? "fault" : "reached",
               story.counters[i].count, story.counters[i].what);
}

bool story_add_line(const char *line)
{
    char kind[16], what[TEXT_MAX];
    uint64_t count;
    if (sscanf(line, "%15s %" SCNu64 " %63[^\n]", kind, &count, what) != 3)
        return false;
    bool fault = strcmp(kind, "fault") == 0;
    if (!fault && strcmp(kind, "reached") != 0)
        return false;
    counter_of(what, fault)->count += count;
    return true;
}

void story_begin(bool tell)
{
    memset(&story, 0, sizeof story);
    story.tell = tell;
    for (size_t i = 0; i < WANTED_COUNT; i++)
        counter_of(WANTED[i], false)->wanted = true;
}

/* ---- the story ------------------------------------------------------------------------------- */

static void tell_begin(const struct sim_node *node)
{
    int64_t ms = sim_now_ns() / SIM_MS, second = ms / 1000;
    printf("%3" PRId64 "d %02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 " %-18s ",
           second / 86400, second / 3600 % 24, second / 60 % 60, second % 60, ms % 1000,
           node ? node->name : "-");
}

void sim_tell(const struct sim_node *node, const char *form, ...)
{
    va_list arguments;
    if (!story.tell)
        return;
    struct sim_node *inside = sim_outside();
    tell_begin(node);
    va_start(arguments, form);
    vprintf(form, arguments);
    va_end(arguments);
    putchar('\n');
    sim_inside(inside);
}

/* ---- the product's own log ------------------------------------------------------------------- */

void log_event_threshold(enum log_level level)
{
    (void)level;
}

const char *log_number(int64_t number)
{
    static char texts[8][24];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%" PRId64, number);
    return text;
}

void log_event(enum log_level level, const char *event, ...)
{
    va_list arguments;
    struct sim_node *inside = sim_outside();
    const char *key;
    sim_trace(inside, event, (uint64_t)level, 0);
    sim_sometimes(event);
    if (inside != NULL && strcmp(event, "journal.lost") == 0)
        recorder_alarm(inside, "journal", "");
    if (inside != NULL)
        second_on_event(inside, event);
    if (story.tell) {
        tell_begin(inside);
        printf("· %s", event);
    }
    va_start(arguments, event);
    while ((key = va_arg(arguments, const char *)) != NULL) {
        const char *value = va_arg(arguments, const char *);
        if (strcmp(event, "alarm") == 0 && strcmp(key, "kind") == 0) {
            char what[TEXT_MAX];
            snprintf(what, sizeof what, "alarm %s", value);
            sim_sometimes(what);
        }
        if (story.tell)
            printf(" %s=%s", key, value ? value : "");
    }
    va_end(arguments);
    if (story.tell)
        putchar('\n');
    sim_inside(inside);
}
