/* libuv's loop in virtual time: timers, asyncs, the pool, look-ups, closing. One round is as in
 * libuv: timers, what is ready, closed handles; then the loop's fiber sleeps. */
#include "tests/sim/uv_private.h"

#include "proto/base/require.h"

#include <netdb.h>
#include <string.h>

#define POOL_SIZE 2

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_wake(struct sim_event *event)
{
    struct loop *loop = (struct loop *)((char *)event - offsetof(struct loop, wake));
    if (loop->waits != NULL)
        fiber_wake(loop->waits);
}

int uv_loop_init(uv_loop_t *uv)
{
    memset(uv, 0, sizeof *uv);
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return UV_ENOMEM;
    loop->node = sim_current();
    loop->uv = uv;
    loop->wake.run = on_wake;
    uv->internal_fields = loop;
    if (loop->node != NULL)
        loop->node->loop = uv;
    uv_update_time(uv);
    return 0;
}

static void loop_free(struct loop *loop)
{
    tcp_forget(loop->streams);
    sim_cancel(&loop->wake);
    free(loop->timers);
    free(loop);
}

int uv_loop_close(uv_loop_t *uv)
{
    struct loop *loop = loop_of(uv);
    if (loop->alive > 0)
        return UV_EBUSY;
    for (unsigned i = 0; i < loop->pool_count; i++)
        fiber_cancel(loop->pool[i]);
    if (loop->node != NULL)
        loop->node->loop = NULL;
    uv->internal_fields = NULL;
    loop_free(loop);
    return 0;
}

void uv_killed(struct sim_node *node)
{
    if (node->loop == NULL)
        return;
    loop_free(loop_of(node->loop));
    node->loop = NULL;
}

void uv_update_time(uv_loop_t *uv)
{
    uv->time = (uint64_t)clock_monotonic_ns(loop_of(uv)->node) / 1000000;
}

uint64_t uv_now(const uv_loop_t *uv)
{
    return uv->time;
}

void loop_hold(struct loop *loop)
{
    loop->alive++;
}

void loop_unhold(struct loop *loop)
{
    require(loop->alive > 0);
    loop->alive--;
}

static void loop_wake(struct loop *loop)
{
    if (loop->waits != NULL)
        fiber_wake(loop->waits);
}

/* ---- handles --------------------------------------------------------------------------------- */

void handle_init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type)
{
    handle->loop = loop;
    handle->type = type;
    handle->flags = 0;
    handle->close_cb = NULL;
    memset(&handle->u, 0, sizeof handle->u);
}

void handle_activate(uv_handle_t *handle, bool active)
{
    if (((handle->flags & HANDLE_ACTIVE) != 0) == active)
        return;
    handle->flags ^= HANDLE_ACTIVE;
    if (active)
        loop_hold(loop_of(handle->loop));
    else
        loop_unhold(loop_of(handle->loop));
}

void handle_ready(uv_handle_t *handle)
{
    struct loop *loop = loop_of(handle->loop);
    if (handle->u.reserved[1] != NULL || (handle->flags & HANDLE_CLOSED))
        return;
    handle->u.reserved[0] = NULL;
    handle->u.reserved[1] = handle;
    if (loop->ready_first == NULL)
        loop->ready_first = handle;
    else
        loop->ready_last->u.reserved[0] = handle;
    loop->ready_last = handle;
    loop_wake(loop);
}

static uv_handle_t *loop_take_ready(struct loop *loop)
{
    uv_handle_t *handle = loop->ready_first;
    if (handle == NULL)
        return NULL;
    loop->ready_first = handle->u.reserved[0];
    handle->u.reserved[1] = NULL;
    return handle;
}

static void loop_forget_ready(struct loop *loop, uv_handle_t *gone)
{
    uv_handle_t *handle = loop->ready_first;
    loop->ready_first = NULL;
    for (uv_handle_t *next; handle != NULL; handle = next) {
        next = handle->u.reserved[0];
        handle->u.reserved[1] = NULL;
        if (handle != gone)
            handle_ready(handle);
    }
}

int uv_is_active(const uv_handle_t *handle)
{
    return (handle->flags & HANDLE_ACTIVE) != 0;
}

int uv_is_closing(const uv_handle_t *handle)
{
    return (handle->flags & (HANDLE_CLOSING | HANDLE_CLOSED)) != 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb on_closed)
{
    struct loop *loop = loop_of(handle->loop);
    require(!uv_is_closing(handle));
    if (handle->type == UV_TIMER)
        uv_timer_stop((uv_timer_t *)handle);
    else if (handle->type == UV_TCP)
        tcp_close((uv_tcp_t *)handle);
    handle_activate(handle, false);
    handle->flags |= HANDLE_CLOSING;
    handle->close_cb = on_closed;
    loop_hold(loop);
    uv_handle_t **last = &loop->closing;
    while (*last != NULL)
        last = &(*last)->next_closing;
    *last = handle;
    handle->next_closing = NULL;
    loop_wake(loop);
}

static void loop_run_closing(struct loop *loop)
{
    uv_handle_t *handle = loop->closing;
    loop->closing = NULL;
    for (uv_handle_t *next; handle != NULL; handle = next) {
        next = handle->next_closing;
        loop_forget_ready(loop, handle);
        handle->flags |= HANDLE_CLOSED;
        if (handle->type == UV_TCP)
            tcp_closed((uv_tcp_t *)handle);
        loop_unhold(loop);
        if (handle->close_cb != NULL)
            handle->close_cb(handle);
    }
}

/* ---- timers ---------------------------------------------------------------------------------- */

static bool timer_before(const uv_timer_t *a, const uv_timer_t *b)
{
    return a->timeout != b->timeout ? a->timeout < b->timeout : a->start_id < b->start_id;
}

static uintptr_t timer_place(const uv_timer_t *timer)
{
    return (uintptr_t)timer->heap_node[0];
}

static void timer_put(struct loop *loop, uintptr_t place, uv_timer_t *timer)
{
    loop->timers[place] = timer;
    timer->heap_node[0] = (void *)place;
}

static void timer_sift(struct loop *loop, uv_timer_t *timer)
{
    uintptr_t place = timer_place(timer);
    for (; place > 1 && timer_before(timer, loop->timers[place / 2]); place /= 2)
        timer_put(loop, place, loop->timers[place / 2]);
    for (uintptr_t child; (child = 2 * place) <= loop->timer_count; place = child) {
        if (child < loop->timer_count &&
            timer_before(loop->timers[child + 1], loop->timers[child]))
            child++;
        if (!timer_before(loop->timers[child], timer))
            break;
        timer_put(loop, place, loop->timers[child]);
    }
    timer_put(loop, place, timer);
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    handle_init(loop, (uv_handle_t *)timer, UV_TIMER);
    timer->heap_node[0] = NULL;
    timer->repeat = 0;
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout, uint64_t repeat)
{
    struct loop *loop = loop_of(timer->loop);
    if (uv_is_closing((uv_handle_t *)timer) || callback == NULL)
        return UV_EINVAL;
    uv_timer_stop(timer);
    if (loop->timer_count + 2 > loop->timer_room) {
        loop->timer_room = loop->timer_room ? 2 * loop->timer_room : 16;
        loop->timers = realloc(loop->timers, loop->timer_room * sizeof(uv_timer_t *));
        require(loop->timers != NULL);
    }
    timer->timer_cb = callback;
    timer->timeout = timer->loop->time + timeout;
    timer->repeat = repeat;
    timer->start_id = ++loop->timer_order;
    timer_put(loop, ++loop->timer_count, timer);
    timer_sift(loop, timer);
    handle_activate((uv_handle_t *)timer, true);
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    struct loop *loop = loop_of(timer->loop);
    uintptr_t place = timer_place(timer);
    if (place == 0)
        return 0;
    uv_timer_t *last = loop->timers[loop->timer_count--];
    timer->heap_node[0] = NULL;
    if (last != timer) {
        timer_put(loop, place, last);
        timer_sift(loop, last);
    }
    handle_activate((uv_handle_t *)timer, false);
    return 0;
}

static void loop_run_timers(struct loop *loop)
{
    while (loop->timer_count > 0 && loop->timers[1]->timeout <= loop->uv->time) {
        uv_timer_t *timer = loop->timers[1];
        uv_timer_stop(timer);
        sim_trace(loop->node, "timer", timer->timeout, 0);
        if (timer->repeat > 0)
            uv_timer_start(timer, timer->timer_cb, timer->repeat, timer->repeat);
        timer->timer_cb(timer);
    }
}

/* ---- asyncs ---------------------------------------------------------------------------------- */

int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb callback)
{
    handle_init(loop, (uv_handle_t *)async, UV_ASYNC);
    async->async_cb = callback;
    async->pending = 0;
    handle_activate((uv_handle_t *)async, true);
    return 0;
}

int uv_async_send(uv_async_t *async)
{
    require(!uv_is_closing((uv_handle_t *)async));
    async->pending = 1;
    handle_ready((uv_handle_t *)async);
    return 0;
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void work_push(struct work_list *list, uv_req_t *work)
{
    work->reserved[0] = NULL;
    if (list->first == NULL)
        list->first = work;
    else
        list->last->reserved[0] = work;
    list->last = work;
}

static uv_req_t *work_pop(struct work_list *list)
{
    uv_req_t *work = list->first;
    if (work != NULL)
        list->first = work->reserved[0];
    return work;
}

static void pool_main(void *context)
{
    struct loop *loop = context;
    struct fiber *self = fiber_current();
    unsigned me = 0;
    while (loop->pool[me] != self)
        me++;
    for (;;) {
        uv_work_t *work = (uv_work_t *)work_pop(&loop->work);
        if (work == NULL) {
            loop->pool_idle[me] = true;
            fiber_park();
            loop->pool_idle[me] = false;
            continue;
        }
        work->work_cb(work);
        work_push(&loop->done, (uv_req_t *)work);
        loop_wake(loop);
    }
}

int uv_queue_work(uv_loop_t *uv, uv_work_t *work, uv_work_cb work_cb, uv_after_work_cb after)
{
    struct loop *loop = loop_of(uv);
    if (work_cb == NULL)
        return UV_EINVAL;
    work->loop = uv;
    work->type = UV_WORK;
    work->work_cb = work_cb;
    work->after_work_cb = after;
    loop_hold(loop);
    work_push(&loop->work, (uv_req_t *)work);
    for (unsigned i = 0; i < loop->pool_count; i++)
        if (loop->pool_idle[i]) {
            fiber_wake(loop->pool[i]);
            return 0;
        }
    if (loop->pool_count < POOL_SIZE) {
        struct fiber *fiber = fiber_spawn(loop->node, "pool", pool_main, loop);
        loop->pool[loop->pool_count++] = fiber;
    }
    return 0;
}

static void loop_run_done(struct loop *loop)
{
    uv_req_t *work;
    while ((work = work_pop(&loop->done)) != NULL) {
        uv_work_t *done = (uv_work_t *)work;
        loop_unhold(loop);
        done->after_work_cb(done, 0);
    }
}

/* ---- name look-ups: numeric addresses only, answered at once, in a later round ---------------- */

static void on_looked_up(uv_timer_t *timer)
{
    uv_getaddrinfo_t *lookup = timer->data;
    int status = (int)(intptr_t)lookup->reserved[1];
    struct addrinfo *found = lookup->reserved[2];
    uv_timer_stop(timer);
    lookup->reserved[3] = NULL;
    loop_unhold(loop_of(lookup->loop));
    /* the timer is no handle of the product's: it is closed without a callback */
    loop_forget_ready(loop_of(lookup->loop), (uv_handle_t *)timer);
    free(timer);
    lookup->cb(lookup, status, found);
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *lookup, uv_getaddrinfo_cb callback,
                   const char *host, const char *port, const struct addrinfo *hints)
{
    struct addrinfo numeric = hints ? *hints : (struct addrinfo){ 0 };
    struct addrinfo *found = NULL;
    uv_timer_t *timer = calloc(1, sizeof *timer);
    if (timer == NULL)
        return UV_ENOMEM;
    numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    int status = getaddrinfo(host, port, &numeric, &found) == 0 ? 0 : UV_EAI_NONAME;
    lookup->loop = loop;
    lookup->type = UV_GETADDRINFO;
    lookup->cb = callback;
    lookup->reserved[1] = (void *)(intptr_t)status;
    lookup->reserved[2] = found;
    lookup->reserved[3] = timer;
    loop_hold(loop_of(loop));
    uv_timer_init(loop, timer);
    timer->data = lookup;
    return uv_timer_start(timer, on_looked_up, 0, 0);
}

void uv_freeaddrinfo(struct addrinfo *found)
{
    if (found != NULL)
        freeaddrinfo(found);
}

/* A look-up is never under way for long: it goes on and tells what it found. */
int uv_cancel(uv_req_t *request)
{
    (void)request;
    return UV_EBUSY;
}

/* ---- running --------------------------------------------------------------------------------- */

static void loop_dispatch(struct loop *loop)
{
    uv_handle_t *end = loop->ready_last;
    for (uv_handle_t *handle; (handle = loop_take_ready(loop)) != NULL;) {
        bool last = handle == end; /* what becomes ready meanwhile waits for the next round */
        if (!uv_is_closing(handle)) {
            if (handle->type == UV_ASYNC) {
                uv_async_t *async = (uv_async_t *)handle;
                async->pending = 0;
                async->async_cb(async);
            } else {
                tcp_dispatch((uv_tcp_t *)handle);
            }
        }
        if (last)
            break;
    }
}

static void loop_wait(struct loop *loop)
{
    if (loop->ready_first != NULL || loop->closing != NULL || loop->done.first != NULL)
        return;
    if (loop->timer_count > 0) {
        int64_t at_ns = (int64_t)loop->timers[1]->timeout * 1000000;
        sim_at(&loop->wake, clock_true_of_monotonic(loop->node, at_ns));
    }
    loop->waits = fiber_current();
    fiber_park();
    loop->waits = NULL;
    sim_cancel(&loop->wake);
}

int uv_run(uv_loop_t *uv, uv_run_mode mode)
{
    struct loop *loop = loop_of(uv);
    require(mode == UV_RUN_DEFAULT);
    while (loop->alive > 0) {
        uv_update_time(uv);
        loop_run_timers(loop);
        loop_run_done(loop);
        loop_dispatch(loop);
        if (loop->closing == NULL && loop->alive > 0) {
            loop_wait(loop);
            uv_update_time(uv);
        }
        loop_run_closing(loop);
    }
    return 0;
}
