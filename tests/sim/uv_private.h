/* What uv_loop.c and uv_tcp.c share. libuv's own structures are used as the product allocates them;
 * these of their fields have a meaning here:
 *
 *   handle  u.reserved[0]  next in the loop's list of handles with something to do
 *           u.reserved[1]  non-zero: is in that list
 *           u.reserved[2]  a TCP handle's struct tcp_stream
 *           flags          the bits below
 *   timer   timeout, repeat, start_id, heap_node[0] (its place)
 *   loop    internal_fields (struct loop), time, active_reqs.count
 *   request reserved[0]    the next one of a list */
#ifndef TESTS_SIM_UV_PRIVATE_H
#define TESTS_SIM_UV_PRIVATE_H

#include "tests/sim/sim_private.h"

#include <uv.h>

enum { HANDLE_ACTIVE = 1, HANDLE_CLOSING = 2, HANDLE_CLOSED = 4 };

struct tcp_stream;

struct work_list {
    uv_req_t *first, *last;
};

#define LOOP_POOL_MAX 4

/* Belongs to the simulator, so that it can be forgotten when its node is killed. */
struct loop {
    struct sim_node *node;
    uv_loop_t *uv;
    struct fiber *waits; /* in uv_run, for something to happen */
    struct sim_event wake;
    uv_handle_t *ready_first, *ready_last;
    uv_handle_t *closing;
    uv_timer_t **timers; /* a heap, from 1 */
    unsigned timer_count, timer_room;
    uint64_t timer_order;
    struct work_list work, done; /* the pool's */
    struct fiber *pool[LOOP_POOL_MAX];
    bool pool_idle[LOOP_POOL_MAX];
    unsigned pool_count;
    struct tcp_stream *streams;
    unsigned alive; /* handles that are active or closing, and requests */
};

static inline struct loop *loop_of(const uv_loop_t *loop)
{
    return loop->internal_fields;
}

void handle_init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type);
void handle_activate(uv_handle_t *handle, bool active);
/* It has something to do: its callback runs in the loop's next round. */
void handle_ready(uv_handle_t *handle);
void loop_hold(struct loop *loop);
void loop_unhold(struct loop *loop);

/* uv_tcp.c */
void tcp_dispatch(uv_tcp_t *tcp);
void tcp_close(uv_tcp_t *tcp);
/* Callbacks of what was under way, before the close callback. */
void tcp_closed(uv_tcp_t *tcp);
/* The handles of these are gone with their node. */
void tcp_forget(struct tcp_stream *streams);

#endif
