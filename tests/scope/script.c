#include "tests/scope/script.h"

#include "proto/base/require.h"

#include <stdarg.h>
#include <stdio.h>

/* Beyond the longest delay between two attempts. */
#define CONNECT_MS 61000
/* A node and its clone push each other out for ever; further links are for the end. */
#define LINK_MAX 3

static const char *const NAMES[PLACE_COUNT] = { "a", "b", "hub", "a.2" };

struct list {
    struct scope *scope;
    struct choice *choices;
    size_t count;
};

__attribute__((format(printf, 3, 4))) static struct choice *
offer(struct list *list, void (*happen)(struct scope *, const struct choice *), const char *format,
      ...)
{
    va_list arguments;
    require(list->count < CHOICE_MAX);
    struct choice *choice = &list->choices[list->count++];
    *choice = (struct choice){ .happen = happen };
    va_start(arguments, format);
    vsnprintf(choice->name, sizeof choice->name, format, arguments);
    va_end(arguments);
    return choice;
}

static bool is_up(const struct scope *scope, enum scope_place place)
{
    return scope->nodes[place].core != NULL;
}

/* ---- the script --------------------------------------------------------------------------------
 */

static void take_copy(struct scope_node *node)
{
    store_close(&node->copy);
    store_copy(&node->copy, &node->store);
    node->copy_clock = ++node->clock;
}

static void happen_register(struct scope *scope, const struct choice *choice)
{
    scope_register(&scope->nodes[choice->place]);
}

static void happen_commit(struct scope *scope, const struct choice *choice)
{
    struct scope_node *node = &scope->nodes[choice->place];
    take_copy(node);
    scope_group(node);
}

static void happen_up(struct scope *scope, const struct choice *choice)
{
    scope->allowed[choice->place] = true;
}

static void happen_down(struct scope *scope, const struct choice *choice)
{
    struct wire *wire = scope_wire_of(scope, &scope->nodes[choice->place]);
    scope->allowed[choice->place] = false;
    if (wire != NULL)
        scope_cut(scope, wire);
}

/* What is decided and what waits for the store is settled before a stop. */
static void happen_restart(struct scope *scope, const struct choice *choice)
{
    struct scope_node *node = &scope->nodes[choice->place];
    if (choice->place == PLACE_HUB)
        take_copy(node);
    scope_group(node);
    scope_commit(node, true);
    scope_end(scope, node);
    scope_tell(node, HISTORY_DOWN, node->starts, NULL, NULL);
    scope_start(scope, node);
}

static void clone_start(struct scope *scope, struct scope_node *node);

/* A copied machine has the state of the random generator, too: what it opens next is what the other one
 * opens next, with other records in it. That log forks. */
static void happen_twin(struct scope *scope, const struct choice *choice)
{
    struct scope_node *node = &scope->nodes[choice->place], *clone = &scope->nodes[PLACE_CLONE];
    clone->generator = node->generator;
    clone->opened = node->opened;
    clone_start(scope, node);
}

struct line_event {
    const char *name;
    void (*happen)(struct scope *scope, const struct choice *choice);
};

static const struct line {
    enum scope_place place;
    bool needs_up;
    unsigned in_short, count;
    struct line_event events[5];
} LINES[] = {
    { PLACE_A,
      true,
      2,
      4,
      { { "reg", happen_register },
        { "com", happen_commit },
        { "reg", happen_register },
        { "com", happen_commit } } },
    { PLACE_A, false, 1, 3, { { "up", happen_up }, { "down", happen_down }, { "up", happen_up } } },
    { PLACE_A, true, 0, 1, { { "restart", happen_restart } } },
    { PLACE_HUB, true, 0, 1, { { "restart", happen_restart } } },
    { PLACE_B, true, 2, 2, { { "reg", happen_register }, { "com", happen_commit } } },
    { PLACE_B, false, 1, 1, { { "up", happen_up } } },
};
#define LINE_COUNT (sizeof LINES / sizeof *LINES)

static const struct line FORK_LINES[] = {
    { PLACE_A,
      true,
      3,
      5,
      { { "restart", happen_restart },
        { "reg", happen_register },
        { "com", happen_commit },
        { "reg", happen_register },
        { "com", happen_commit } } },
    { PLACE_A, true, 1, 1, { { "twin", happen_twin } } },
    { PLACE_A, false, 1, 1, { { "up", happen_up } } },
    { PLACE_B, false, 1, 1, { { "up", happen_up } } },
};
#define FORK_LINE_COUNT (sizeof FORK_LINES / sizeof *FORK_LINES)

static void offer_script(struct list *list, const struct script *script)
{
    const struct line *lines = script->forks ? FORK_LINES : LINES;
    for (unsigned i = 0; i < (script->forks ? FORK_LINE_COUNT : LINE_COUNT); i++) {
        const struct line *line = &lines[i];
        unsigned at = list->scope->at[i], count = script->is_short ? line->in_short : line->count;
        if (at >= count || (script->one_province && line->place == PLACE_B) ||
            (line->events[at].happen == happen_twin && list->scope->rolled_back) ||
            (line->needs_up && !is_up(list->scope, line->place)))
            continue;
        const struct line_event *event = &line->events[at];
        struct choice *choice =
            offer(list, event->happen, "%s.%s", NAMES[line->place], event->name);
        choice->place = line->place;
        choice->is_event = true;
        choice->line = i;
    }
}

/* ---- what is under way -------------------------------------------------------------------------
 */

static void happen_arrive(struct scope *scope, const struct choice *choice)
{
    uint64_t id = scope->wires[choice->wire]->id;
    for (size_t i = 0; i < choice->count; i++) {
        struct wire *wire = scope_wire(scope, id);
        if (wire != NULL)
            scope_deliver(scope, wire, choice->end, false);
    }
}

static void happen_store(struct scope *scope, const struct choice *choice)
{
    scope_commit(&scope->nodes[choice->place], true);
}

static void happen_start(struct scope *scope, const struct choice *choice)
{
    scope_start(scope, &scope->nodes[choice->place]);
}

static void happen_connect(struct scope *scope, const struct choice *choice)
{
    struct scope_node *node = &scope->nodes[choice->place];
    uint64_t until_ms = scope->now_ms + CONNECT_MS;
    if (node->calling)
        scope_link(scope, node);
    while (scope_wire_of(scope, node) == NULL && scope->now_ms < until_ms)
        scope_tick(scope, until_ms);
    if (scope_wire_of(scope, node) == NULL)
        scope->gave_up[choice->place] = true; /* what comes of it is judged at the end */
}

static bool may_connect(struct scope *scope, enum scope_place place)
{
    return place < PLACE_HUB && is_up(scope, place) && is_up(scope, PLACE_HUB) &&
           scope->allowed[place] && !scope->gave_up[place] && scope->wires_made[place] < LINK_MAX &&
           scope_wire_of(scope, &scope->nodes[place]) == NULL;
}

/* The wire's way, as "a>hub"; older wires of the same ends that are not closed yet come with a
 * number. */
static void name_way(const struct scope *scope, size_t wire, int end, char name[12])
{
    const struct wire *this = scope->wires[wire];
    unsigned before = 0;
    for (size_t i = 0; i < wire; i++)
        before += scope->wires[i]->ends[0] == this->ends[0];
    snprintf(name, 12, "%s>%s", NAMES[this->ends[!end]->place], NAMES[this->ends[end]->place]);
    if (before > 0)
        snprintf(name + strlen(name), 12 - strlen(name), "%u", before + 1);
}

static void offer_ways(struct list *list, enum grain grain)
{
    struct scope *scope = list->scope;
    for (size_t i = 0; i < scope->wire_count; i++)
        for (int end = 0; end < 2; end++) {
            char way[12];
            size_t count = scope_on_the_way(scope->wires[i], end);
            if (count == 0)
                continue;
            name_way(scope, i, end, way);
            struct choice *choice = offer(list, happen_arrive, "%s", way);
            choice->wire = i;
            choice->end = end;
            choice->count = grain == GRAIN_MESSAGE ? 1 : count;
        }
}

static void offer_under_way(struct list *list, enum grain grain)
{
    offer_ways(list, grain);
    for (int i = 0; i < PLACE_COUNT; i++) {
        enum scope_place place = (enum scope_place)i;
        const struct scope_node *node = &list->scope->nodes[place];
        if (node->work_first != NULL)
            offer(list, happen_store, "%s.store", NAMES[place])->place = place;
        if (node->used && node->core == NULL && !node->retired)
            offer(list, happen_start, "%s.start", NAMES[place])->place = place;
        if (may_connect(list->scope, place))
            offer(list, happen_connect, "%s.link", NAMES[place])->place = place;
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static void crash(struct scope *scope, struct scope_node *node)
{
    scope_end(scope, node);
    scope_tell(node, HISTORY_CRASH, node->starts, NULL, NULL);
}

static void happen_crash(struct scope *scope, const struct choice *choice)
{
    crash(scope, &scope->nodes[choice->place]);
}

static void happen_crash_committed(struct scope *scope, const struct choice *choice)
{
    scope_commit(&scope->nodes[choice->place], false);
    crash(scope, &scope->nodes[choice->place]);
}

static void happen_restore(struct scope *scope, const struct choice *choice)
{
    struct scope_node *node = &scope->nodes[choice->place];
    crash(scope, node);
    scope_agree(scope);
    scope_tell(node, HISTORY_RESTORE, node->copy_clock, NULL, NULL);
    store_close(&node->store);
    store_copy(&node->store, &node->copy);
    store_copy(&scope->restored, &node->copy);
    scope->restored_place = (int)choice->place;
    scope->rolled_back = true;
    scope_agree(scope);
}

/* The clone and the hub talk until both have said all; what comes of it may meet anything. */
static void talk(struct scope *scope, struct scope_node *clone)
{
    struct scope_node *hub = &scope->nodes[PLACE_HUB];
    struct wire *wire = scope_wire_of(scope, clone);
    while (wire != NULL && (wire->first[0] != NULL || wire->first[1] != NULL ||
                            clone->work_first != NULL || hub->work_first != NULL)) {
        uint64_t id = wire->id;
        for (int end = 0; wire != NULL && end < 2; end++) {
            scope_deliver(scope, wire, end, false);
            wire = scope_wire(scope, id);
        }
        scope_commit(clone, true);
        scope_commit(hub, true);
        wire = scope_wire(scope, id);
    }
}

static void clone_start(struct scope *scope, struct scope_node *node)
{
    struct scope_node *clone = &scope->nodes[PLACE_CLONE];
    scope_agree(scope);
    scope_tell(node, HISTORY_CLONE, scope->nodes[PLACE_A].used + scope->nodes[PLACE_B].used + 1u,
               NULL, NULL);
    scope_agree(scope);
    store_copy(&clone->store, &node->store);
    scope->allowed[PLACE_CLONE] = true;
    scope->rolled_back = true;
    scope_start(scope, clone);
    scope_register(clone);
    scope_group(clone);
    if (clone->calling && is_up(scope, PLACE_HUB))
        scope_link(scope, clone);
    talk(scope, clone);
}

static void happen_clone(struct scope *scope, const struct choice *choice)
{
    clone_start(scope, &scope->nodes[choice->place]);
}

static void happen_cut(struct scope *scope, const struct choice *choice)
{
    uint64_t id = scope->wires[choice->wire]->id;
    happen_arrive(scope, choice);
    struct wire *wire = scope_wire(scope, id);
    if (wire != NULL)
        scope_cut(scope, wire);
}

static void happen_half_cut(struct scope *scope, const struct choice *choice)
{
    struct wire *wire = scope->wires[choice->wire];
    struct scope_node *node = wire->ends[0];
    struct event closed = { .type = EVENT_LINK_CLOSED, .link.link = wire->id };
    scope_hang_up(scope, wire, 0);
    scope_step(node, &closed);
    scope_due_run(node);
}

static void happen_mute(struct scope *scope, const struct choice *choice)
{
    scope_mute(scope->wires[choice->wire]);
}

static void happen_twice(struct scope *scope, const struct choice *choice)
{
    scope_deliver(scope, scope->wires[choice->wire], choice->end, true);
}

static struct choice *offer_on_wire(struct list *list, size_t wire,
                                    void (*happen)(struct scope *, const struct choice *),
                                    const char *mark)
{
    const struct scope_node *node = list->scope->wires[wire]->ends[0];
    struct choice *choice = offer(list, happen, "%s%s", NAMES[node->place], mark);
    choice->wire = wire;
    return choice;
}

/* Cut with the first few of a way arrived; where every message arrives by itself, that is a cut
 * after their arrivals. */
static void offer_late_cuts(struct list *list, size_t wire, int end)
{
    size_t on_the_way = scope_on_the_way(list->scope->wires[wire], end);
    for (size_t count = 1; count < on_the_way; count++) {
        char mark[32];
        snprintf(mark, sizeof mark, "/%s%zu", end == 0 ? "" : "hub", count);
        struct choice *choice = offer_on_wire(list, wire, happen_cut, mark);
        choice->end = end;
        choice->count = count;
    }
}

static void offer_wire_faults(struct list *list, size_t index, enum grain grain)
{
    const struct wire *wire = list->scope->wires[index];
    if (!wire->open[0])
        return;
    if (!wire->mute && wire->open[1]) {
        offer_on_wire(list, index, happen_cut, "/");
        offer_on_wire(list, index, happen_half_cut, "//");
        offer_on_wire(list, index, happen_mute, "~");
        for (int end = 0; grain != GRAIN_MESSAGE && end < 2; end++)
            offer_late_cuts(list, index, end);
    }
    for (int end = 0; end < 2; end++) {
        char way[12];
        if (wire->first[end] == NULL || wire->first[end]->is_end)
            continue;
        name_way(list->scope, index, end, way);
        struct choice *choice = offer(list, happen_twice, "%s:", way);
        choice->wire = index;
        choice->end = end;
    }
}

static void offer_faults(struct list *list, enum grain grain)
{
    struct scope *scope = list->scope;
    size_t first = list->count;
    for (int i = 0; i < PLACE_CLONE; i++) {
        enum scope_place place = (enum scope_place)i;
        if (!is_up(scope, place))
            continue;
        offer(list, happen_crash, "%s!", NAMES[place])->place = place;
        if (scope->nodes[place].work_first != NULL)
            offer(list, happen_crash_committed, "%s!!", NAMES[place])->place = place;
        if (!scope->rolled_back && place != PLACE_B)
            offer(list, happen_restore, "%s<", NAMES[place])->place = place;
    }
    if (!scope->rolled_back && is_up(scope, PLACE_A))
        offer(list, happen_clone, "a+")->place = PLACE_A;
    for (size_t i = 0; i < scope->wire_count; i++)
        offer_wire_faults(list, i, grain);
    while (first < list->count)
        list->choices[first++].is_fault = true;
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

/* Commits that are not to wait. */
static bool offer_stores(struct list *list)
{
    for (int i = 0; i < PLACE_COUNT && list->count == 0; i++)
        if (list->scope->nodes[i].work_first != NULL)
            offer(list, happen_store, "%s.store", NAMES[i])->place = (enum scope_place)i;
    return list->count > 0;
}

static void offer_all(struct list *list, const struct script *script)
{
    if (script->grain == GRAIN_BURST && offer_stores(list))
        return;
    offer_script(list, script);
    offer_under_way(list, script->grain);
}

size_t script_choices(struct scope *scope, const struct script *script, struct choice *choices)
{
    struct list list = { .scope = scope, .choices = choices };
    offer_all(&list, script);
    if (scope->faults < script->fault_max)
        offer_faults(&list, script->grain);
    return list.count;
}

void script_happen(struct scope *scope, const struct choice *choice)
{
    scope_say("%s", choice->name);
    scope->faults += choice->is_fault;
    scope->at[choice->line] += choice->is_event;
    choice->happen(scope, choice);
}

bool script_is_over(struct scope *scope, const struct script *script)
{
    struct choice choices[CHOICE_MAX];
    struct list list = { .scope = scope, .choices = choices };
    offer_all(&list, script);
    return list.count == 0;
}
