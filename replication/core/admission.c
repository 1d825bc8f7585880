/* Who may catch up now (R11), and the credit that paces everybody (R10).
 *
 *   NONE -- far behind, a place is free --> ADMITTED -- all fetched, or closed --> NONE
 *     |                                       |  ^
 *     +-- far behind, no place --> WAITING <--+  | its turn (first come, first served)
 *                                     |    quantum used up, or nothing came for half a minute, and
 *                                     |    somebody waits
 *                                     +----------+
 *
 * A waiting link has its small logs served as always. One that has given way keeps its orders, but
 * the credit for what it sent is kept back until its turn comes again. */
#include "replication/core/state.h"

#include "proto/base/bug.h"

/* A place that is not used for this long is given to a link that waits for one. */
#define IDLE_LIMIT_MS 30000

static size_t admitted_count(const struct core *core)
{
    size_t count = 0;
    for (size_t i = 0; i < core->link_count; i++)
        count += !core->links[i]->closed && core->links[i]->catchup == CATCHUP_ADMITTED;
    return count;
}

static struct link *first_waiting(const struct core *core)
{
    struct link *first = NULL;
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        if (!link->closed && link->catchup == CATCHUP_WAITING &&
            (!first || link->ticket < first->ticket))
            first = link;
    }
    return first;
}

static void credit_flush(struct core *core, struct link *link)
{
    if (link->throttled || link->closed || link->credit_due < core->options.credit_window / 4)
        return;
    core->scratch.type = MESSAGE_CREDIT;
    core->scratch.credit.size = link->credit_due;
    link->credit_receive += link->credit_due;
    link->credit_due = 0;
    core_send_message(core, link, &core->scratch);
}

void core_credit_give_back(struct core *core, struct link *link, uint64_t size)
{
    if (SAMAD_BUG(CREDIT_LEAK))
        return;
    link->credit_due += size;
    credit_flush(core, link);
}

static void admit(struct core *core, struct link *link)
{
    link->catchup = CATCHUP_ADMITTED;
    link->quantum_left = core->options.catchup_quantum;
    link->throttled = false;
    link->moved_at_ms = core->now_ms;
    credit_flush(core, link);
    for (size_t i = 0; i < link->flow_count; i++)
        if (link->flows[i]->waiting)
            core_fetch_look(core, link->flows[i]->log);
}

static void wait_for_turn(struct core *core, struct link *link)
{
    link->catchup = CATCHUP_WAITING;
    link->ticket = ++core->tickets;
}

bool core_admission_ask(struct core *core, struct link *link)
{
    if (link->catchup == CATCHUP_ADMITTED)
        return true;
    if (link->catchup == CATCHUP_WAITING)
        return false;
    if (first_waiting(core) || admitted_count(core) >= core->options.catchup_links_max) {
        wait_for_turn(core, link);
        return false;
    }
    admit(core, link);
    return true;
}

/* It keeps its orders, like one that has used up its quantum. */
static void give_way(struct core *core, struct link *link)
{
    link->throttled = true;
    wait_for_turn(core, link);
}

static bool is_idle(const struct core *core, const struct link *link)
{
    return !link->closed && link->catchup == CATCHUP_ADMITTED &&
           core->now_ms - link->moved_at_ms >= IDLE_LIMIT_MS;
}

uint64_t core_admission_deadline(const struct core *core)
{
    uint64_t deadline = UINT64_MAX;
    if (!first_waiting(core))
        return deadline;
    for (size_t i = 0; i < core->link_count; i++) {
        const struct link *link = core->links[i];
        if (!link->closed && link->catchup == CATCHUP_ADMITTED &&
            link->moved_at_ms + IDLE_LIMIT_MS < deadline)
            deadline = link->moved_at_ms + IDLE_LIMIT_MS;
    }
    return deadline;
}

bool core_admission_sweep(struct core *core)
{
    for (size_t i = 0; i < core->link_count; i++) {
        struct link *link = core->links[i];
        if (link->big_count > 0)
            continue;
        if (link->catchup == CATCHUP_ADMITTED)
            link->catchup = CATCHUP_NONE;
        if (link->throttled) { /* what was on the way was all there was */
            link->throttled = false;
            credit_flush(core, link);
        }
    }
    struct link *next = first_waiting(core);
    for (size_t i = 0; next && i < core->link_count; i++)
        if (is_idle(core, core->links[i]))
            give_way(core, core->links[i]);
    if (!next || admitted_count(core) >= core->options.catchup_links_max)
        return false;
    admit(core, next);
    return true;
}

void core_admission_spend(struct core *core, struct link *link, uint64_t records)
{
    if (link->catchup != CATCHUP_ADMITTED)
        return;
    link->moved_at_ms = core->now_ms;
    link->quantum_left -= records < link->quantum_left ? records : link->quantum_left;
    if (link->quantum_left > 0)
        return;
    if (first_waiting(core)) {
        give_way(core, link); /* the sweep at the end of the step admits the next */
    } else {
        link->quantum_left = core->options.catchup_quantum;
    }
}
