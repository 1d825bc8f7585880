/* One connection, from accept or look-up to its last handle. Callbacks note what happened and call
 * one plain function; link_close() is the only end, on_handle_closed() the only one that frees. */
#include "node/transport/links_private.h"

#include "node/config.h"
#include "node/runtime/log.h"

#include <netdb.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Written out in pieces of this size, so that a long answer does not pile up in one buffer. */
#define WRITE_SIZE ((size_t)256 * 1024)
#define MESSAGE_LIMIT (1024 * 1024) /* MESSAGE_SIZE_MAX; the links know no messages */

struct write {
    uv_write_t request;
    struct link *link;
    struct buffer content;
};

static void link_receive(struct link *link, struct bytes input);

/* ---- the end ---- */

static void link_free(struct link *link)
{
    struct links *links = link->links;
    const struct links_options *options = &links->options;
    if (link->announced)
        options->events.closed(options->context, link, link->why);
    else if (link->outbound)
        options->events.connect_failed(options->context, link->peer->node, link->why);
    if (link->half_open)
        links->half_open--;
    *link->previous = link->next;
    if (link->next)
        link->next->previous = link->previous;
    if (link->addresses)
        uv_freeaddrinfo(link->addresses);
    channel_free(link->channel);
    buffer_close(&link->out);
    buffer_close(&link->spare);
    free(link);
    links_release(links);
}

static void link_unhold(struct link *link)
{
    if (--link->handles == 0)
        link_free(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
    link_unhold(handle->data);
}

void link_close(struct link *link, const char *why)
{
    if (link->state == LINK_CLOSED)
        return;
    if (!link->announced && !link->outbound && !link->links->closing) {
        link->links->counters.failed += link->half_open;
        links_complain(link->links, link->address, why);
    }
    link->state = LINK_CLOSED;
    if (!link->why)
        link->why = why;
    if (link->resolving)
        uv_cancel((uv_req_t *)&link->lookup);
    if (!uv_is_closing((uv_handle_t *)&link->tcp)) /* it is while the next address is waited for */
        uv_close((uv_handle_t *)&link->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
}

void link_drop(struct link *link, const char *why)
{
    link_close(link, why);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    struct link *link = write->link;
    buffer_close(&link->spare);
    if (link_queue_size(link) > 0)
        link->spare = write->content;
    else
        buffer_close(&write->content);
    free(write);
    if (link->state == LINK_CLOSED)
        return;
    if (status < 0)
        link_close(link, uv_strerror(status));
    else if (link->state == LINK_OPEN && link_queue_size(link) < LINKS_QUEUE_LOW)
        link->links->options.events.drained(link->links->options.context, link);
}

void link_flush(struct link *link)
{
    if (link->state == LINK_CLOSED || link->out.size == 0)
        return;
    struct write *write = calloc(1, sizeof *write);
    if (!write || link->out.err != OK) {
        free(write);
        link_close(link, "out of memory");
        return;
    }
    write->link = link;
    write->content = link->out;
    link->out = link->spare;
    link->spare = (struct buffer){ 0 };
    buffer_clear(&link->out);
    link->bytes_sent += write->content.size;
    uv_buf_t piece = uv_buf_init((char *)write->content.data, (unsigned)write->content.size);
    int status = uv_write(&write->request, (uv_stream_t *)&link->tcp, &piece, 1, on_written);
    if (status < 0) {
        buffer_close(&write->content);
        free(write);
        link_close(link, uv_strerror(status));
    }
}

void link_send(struct link *link, struct bytes message)
{
    if (link->state != LINK_OPEN)
        return;
    enum err err = channel_send(link->channel, message, &link->out);
    if (err != OK)
        link_close(link, err_text(err));
    else if (link->out.size >= WRITE_SIZE)
        link_flush(link);
}

size_t link_queue_size(const struct link *link)
{
    return link->out.size + uv_stream_get_write_queue_size((const uv_stream_t *)&link->tcp);
}

/* ---- reading ---- */

static enum err on_message(void *context, struct bytes message);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct link *link = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)link->links->read_buffer, LINKS_READ_SIZE);
}

/* The stream is over. In order only after the peer's own end: otherwise it was cut. */
static void link_on_eof(struct link *link)
{
    link_close(link, link->peer_ended || link->state == LINK_ENDING ? "ended"
                     : link->state == LINK_OPEN ? "cut before its end"
                                                : "gone during the handshake");
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct link *link = stream->data;
    if (count == UV_EOF)
        link_on_eof(link);
    else if (count < 0)
        link_close(link, uv_strerror((int)count));
    else if (count > 0)
        link_receive(link, bytes_of(buf->base, (size_t)count));
}

void link_pause(struct link *link, bool paused)
{
    if (link->state != LINK_OPEN || link->paused == paused)
        return;
    link->paused = paused;
    if (paused)
        uv_read_stop((uv_stream_t *)&link->tcp);
    else
        uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
}

/* ---- ending in order ---- */

static void on_end_limit(uv_timer_t *timer)
{
    link_close(timer->data, "ended; the peer did not");
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct link *link = request->handle->data;
    (void)status;
    link->shut_down = true;
    if (link->peer_ended)
        link_close(link, "ended");
}

void link_end(struct link *link)
{
    if (link->state != LINK_OPEN) {
        if (link->state != LINK_ENDING)
            link_close(link, "ended before it was open");
        return;
    }
    link_pause(link, false); /* unread bytes would turn the end into a reset that loses our last words */
    channel_end(link->channel, &link->out);
    link_flush(link);
    if (link->state != LINK_OPEN)
        return;
    link->state = LINK_ENDING;
    uv_timer_start(&link->timer, on_end_limit, LINKS_END_LIMIT_MS, 0);
    if (uv_shutdown(&link->shutting, (uv_stream_t *)&link->tcp, on_shut_down) != 0)
        link_close(link, "ended");
}

static void link_on_peer_end(struct link *link)
{
    link->peer_ended = true;
    if (link->state == LINK_OPEN) {
        link->why = "ended by the peer";
        link_end(link);
    } else if (link->shut_down) {
        link_close(link, "ended");
    }
}

/* ---- open ---- */

static void on_rekey(uv_timer_t *timer)
{
    struct link *link = timer->data;
    if (channel_rekey(link->channel, &link->out) != OK)
        link_close(link, "rekeying failed");
    else
        link_flush(link);
}

static void link_announce(struct link *link)
{
    struct links *links = link->links;
    const struct links_peer *peer = links_peer_of(links, channel_peer(link->channel));
    link->state = LINK_OPEN;
    if (!peer) /* stays counted as half open: strangers cannot use up anything else */
        links_complain(links, link->address, "its key is not configured here");
    if (peer && link->half_open) {
        link->half_open = false;
        links->half_open--;
    }
    link->peer = peer;
    link->announced = true;
    links->counters.opened++;
    uv_timer_start(&link->timer, on_rekey, LINKS_REKEY_MS, LINKS_REKEY_MS);
    links->options.events.opened(links->options.context, link);
}

static enum err on_message(void *context, struct bytes message)
{
    struct link *link = context;
    if (!link->announced)
        link_announce(link);
    if (link->state == LINK_ENDING)
        return OK; /* what was under way when we ended it */
    if (link->state != LINK_OPEN)
        return ERR_CLOSED;
    if (!link->peer)
        return ERR_AUTH;
    const struct links_options *options = &link->links->options;
    return options->events.message(options->context, link, message);
}

static void link_receive(struct link *link, struct bytes input)
{
    const struct links_options *options = &link->links->options;
    link->bytes_received += input.size;
    enum err err = channel_receive(link->channel, input, &link->out, on_message, link);
    if (link->state == LINK_CLOSED)
        return;
    if (err != OK) {
        link_flush(link);
        link_close(link, err_text(err));
        return;
    }
    if (!link->announced && channel_peer(link->channel))
        link_announce(link);
    if (link->state == LINK_OPEN && uv_now(options->loop) - link->heard_at_ms >= 1000) {
        link->heard_at_ms = uv_now(options->loop);
        options->events.heard(options->context, link);
    }
    link_flush(link);
    if (link->state != LINK_CLOSED && !link->peer_ended && channel_peer_ended(link->channel))
        link_on_peer_end(link);
}

/* ---- beginning ---- */

struct link *link_new(struct links *links)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->links = links;
    link->id = ++links->next_id;
    link->next = links->first;
    link->previous = &links->first;
    if (links->first)
        links->first->previous = &link->next;
    links->first = link;
    uv_tcp_init(links->options.loop, &link->tcp);
    uv_timer_init(links->options.loop, &link->timer);
    link->tcp.data = link->timer.data = link;
    link->handles = 2;
    return link;
}

static void on_handshake_limit(uv_timer_t *timer)
{
    struct link *link = timer->data;
    link_close(link, link->state == LINK_CONNECTING ? "no connection in time"
                                                    : "the handshake took too long");
}

static void link_begin(struct link *link)
{
    struct link_key ephemeral;
    uint8_t seed[KEY_SIZE];
    randombytes_buf(seed, sizeof seed);
    link_key_from_seed(&ephemeral, seed);
    struct channel_config config = {
        .role = link->outbound ? NOISE_INITIATOR : NOISE_RESPONDER,
        .local_static = &link->links->key,
        .local_ephemeral = &ephemeral,
        .purpose = CHANNEL_LINK,
        .remote_static = link->outbound ? &link->peer->key : NULL,
        .message_size_max = MESSAGE_LIMIT,
    };
    enum err err = channel_new(&link->channel, &config);
    if (err == OK)
        err = channel_start(link->channel, &link->out);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(&ephemeral, sizeof ephemeral);
    link->state = LINK_HANDSHAKE;
    uv_tcp_nodelay(&link->tcp, 1);
    if (err != OK || uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read) != 0)
        link_close(link, err != OK ? err_text(err) : "cannot be read");
    link_flush(link);
}

/* The other end's address without the port: limits count addresses. */
static void link_name(struct link *link)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    if (uv_tcp_getpeername(&link->tcp, (struct sockaddr *)&address, &size) != 0)
        return;
    if (address.ss_family == AF_INET6)
        uv_ip6_name((struct sockaddr_in6 *)&address, link->address, sizeof link->address);
    else
        uv_ip4_name((struct sockaddr_in *)&address, link->address, sizeof link->address);
}

static unsigned half_open_of(const struct links *links, const char *address)
{
    unsigned count = 0;
    for (const struct link *link = links->first; link; link = link->next)
        count += link->half_open && strcmp(link->address, address) == 0;
    return count;
}

static const char *accept_limit(const struct links *links, const struct link *link)
{
    if (links->half_open >= LINKS_HALF_OPEN_MAX)
        return "too many connections without a handshake";
    if (half_open_of(links, link->address) >= LINKS_HALF_OPEN_ADDRESS_MAX)
        return "too many connections without a handshake from this address";
    return NULL;
}

void link_accept(struct links *links)
{
    struct link *link = link_new(links);
    if (!link)
        return; /* it stays in the backlog, or is reset with it */
    if (uv_accept((uv_stream_t *)&links->listener, (uv_stream_t *)&link->tcp) != 0) {
        link_close(link, "cannot be accepted");
        return;
    }
    link_name(link);
    const char *limit = accept_limit(links, link);
    if (limit) {
        links->counters.refused++;
        link_close(link, limit);
        return;
    }
    links->counters.accepted++;
    link->half_open = true;
    links->half_open++;
    uv_timer_start(&link->timer, on_handshake_limit,
                   link->links->options.handshake_limit_ms, 0);
    link_begin(link);
}

static void link_try(struct link *link);

static void on_first_try_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    if (link->state == LINK_CLOSED) {
        link_unhold(link);
        return;
    }
    uv_tcp_init(link->links->options.loop, &link->tcp);
    link->tcp.data = link;
    link_try(link);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct link *link = request->handle->data;
    if (link->state == LINK_CLOSED)
        return;
    if (status == 0) {
        link_name(link);
        link_begin(link);
    } else if (link->next_address) {
        uv_close((uv_handle_t *)&link->tcp, on_first_try_closed);
    } else {
        link_close(link, uv_strerror(status));
    }
}

static void link_try(struct link *link)
{
    const struct addrinfo *address = link->next_address;
    link->next_address = address->ai_next;
    int status = uv_tcp_connect(&link->connecting, &link->tcp, address->ai_addr, on_connected);
    if (status != 0)
        link_close(link, uv_strerror(status));
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct link *link = request->data;
    link->resolving = false;
    link->addresses = link->next_address = found;
    if (link->state == LINK_CONNECTING && status != 0)
        link_close(link, uv_strerror(status));
    else if (link->state == LINK_CONNECTING)
        link_try(link);
    link_unhold(link);
}

void link_connect(struct links *links, const struct links_peer *peer)
{
    char host[256], port[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct link *link = link_new(links);
    if (!link) {
        links->options.events.connect_failed(links->options.context, peer->node, "out of memory");
        return;
    }
    link->outbound = true;
    link->peer = peer;
    uv_timer_start(&link->timer, on_handshake_limit,
                   link->links->options.handshake_limit_ms, 0);
    int status = address_split(peer->address, host, port) == OK ? 0 : UV_EINVAL;
    link->lookup.data = link;
    if (status == 0)
        status = uv_getaddrinfo(links->options.loop, &link->lookup, on_looked_up, host, port, &hints);
    if (status != 0) {
        link_close(link, uv_strerror(status));
        return;
    }
    link->resolving = true;
    link->handles++;
}

/* ---- what the owner asks ---- */

uint64_t link_id(const struct link *link)
{
    return link->id;
}

const char *link_node(const struct link *link)
{
    return link->peer ? link->peer->node : "";
}

const char *link_address(const struct link *link)
{
    return link->address;
}

bool link_is_outbound(const struct link *link)
{
    return link->outbound;
}

struct hash link_binding(const struct link *link)
{
    struct hash binding;
    channel_binding(link->channel, binding.bytes);
    return binding;
}

uint64_t link_bytes_sent(const struct link *link)
{
    return link->bytes_sent;
}

uint64_t link_bytes_received(const struct link *link)
{
    return link->bytes_received;
}

void link_set_owner(struct link *link, void *owner)
{
    link->owner = owner;
}

void *link_owner(const struct link *link)
{
    return link->owner;
}
