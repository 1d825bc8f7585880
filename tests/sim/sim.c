#include "tests/sim/sim.h"

#include "proto/base/require.h"
#include "tests/sim/sim_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_MAX (1u << 18)
#define TRACE_ROOM 4096

struct sim_node *sim_current_node;

static struct {
    int64_t now_ns;
    uint64_t order;
    bool stopping;
    struct sim_event *heap[HEAP_MAX]; /* from 1 */
    uint32_t count;
    crypto_generichash_state hash;
    uint8_t trace[TRACE_ROOM];
    size_t trace_size;
} sim;

/* ---- time and events ------------------------------------------------------------------------- */

int64_t sim_now_ns(void)
{
    return sim.now_ns;
}

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_put(uint32_t place, struct sim_event *event)
{
    sim.heap[place] = event;
    event->place = place;
}

static void heap_up(struct sim_event *event)
{
    uint32_t place = event->place;
    for (; place > 1 && event_before(event, sim.heap[place / 2]); place /= 2)
        heap_put(place, sim.heap[place / 2]);
    heap_put(place, event);
}

static void heap_down(struct sim_event *event)
{
    uint32_t place = event->place;
    for (;;) {
        uint32_t child = 2 * place;
        if (child > sim.count)
            break;
        if (child < sim.count && event_before(sim.heap[child + 1], sim.heap[child]))
            child++;
        if (!event_before(sim.heap[child], event))
            break;
        heap_put(place, sim.heap[child]);
        place = child;
    }
    heap_put(place, event);
}

void sim_cancel(struct sim_event *event)
{
    uint32_t place = event->place;
    if (place == 0)
        return;
    event->place = 0;
    struct sim_event *last = sim.heap[sim.count--];
    if (last == event)
        return;
    heap_put(place, last);
    heap_up(last);
    heap_down(last);
}

void sim_at(struct sim_event *event, int64_t at_ns)
{
    sim_cancel(event);
    require(event->run != NULL && sim.count + 1 < HEAP_MAX);
    event->at_ns = at_ns > sim.now_ns ? at_ns : sim.now_ns;
    event->order = ++sim.order;
    heap_put(++sim.count, event);
    heap_up(event);
}

void sim_after(struct sim_event *event, int64_t delay_ns)
{
    sim_at(event, sim.now_ns + (delay_ns > 0 ? delay_ns : 0));
}

void sim_stop(void)
{
    sim.stopping = true;
}

void sim_run(int64_t until_ns)
{
    sim.stopping = false;
    for (;;) {
        fibers_run();
        if (sim.stopping)
            return;
        struct sim_event *next = sim.count > 0 ? sim.heap[1] : NULL;
        if (next == NULL || next->at_ns > until_ns)
            break;
        sim.now_ns = next->at_ns;
        sim_cancel(next);
        next->run(next);
    }
    sim.now_ns = until_ns;
}

/* ---- whose code runs ------------------------------------------------------------------------- */

struct sim_node *sim_current(void)
{
    return sim_current_node;
}

struct sim_node *sim_enter(struct sim_node *node)
{
    struct sim_node *previous = sim_current_node;
    sim_current_node = node;
    return previous;
}

/* ---- trace ----------------------------------------------------------------------------------- */

static void trace_flush(void)
{
    crypto_generichash_update(&sim.hash, sim.trace, sim.trace_size);
    sim.trace_size = 0;
}

static void trace_add(const void *content, size_t size)
{
    if (sim.trace_size + size > TRACE_ROOM)
        trace_flush();
    memcpy(sim.trace + sim.trace_size, content, size);
    sim.trace_size += size;
}

void sim_trace(const struct sim_node *node, const char *kind, uint64_t a, uint64_t b)
{
    struct {
        int64_t now_ns;
        uint64_t node, a, b;
    } entry = { sim.now_ns, sim_node_number(node), a, b };
    trace_add(&entry, sizeof entry);
    trace_add(kind, strlen(kind) + 1);
}

void sim_trace_bytes(const struct sim_node *node, const char *kind, struct bytes content)
{
    uint8_t hash[8];
    static const uint8_t key[crypto_shorthash_KEYBYTES] = "samad-sim-trace";
    crypto_shorthash(hash, content.data, content.size, key);
    uint64_t number;
    memcpy(&number, hash, sizeof number);
    sim_trace(node, kind, content.size, number);
}

uint64_t sim_trace_hash(void)
{
    crypto_generichash_state copy;
    uint64_t hash;
    uint8_t out[16];
    trace_flush();
    copy = sim.hash;
    crypto_generichash_final(&copy, out, sizeof out);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

void sim_begin(void)
{
    sim.now_ns = 0;
    sim.order = 0;
    sim.count = 0;
    sim.trace_size = 0;
    sim_current_node = NULL;
    crypto_generichash_init(&sim.hash, NULL, 0, 16);
}
