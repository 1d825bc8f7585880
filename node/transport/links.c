/* The set of links: listening, limits, the peers' keys, the end of all. */
#include "node/transport/links_private.h"

#include "node/config.h"
#include "node/runtime/log.h"

#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_BACKLOG 128
#define COMPLAINTS_PER_SECOND 10

static void on_connection(uv_stream_t *listener, int status)
{
    struct links *links = listener->data;
    if (status == 0)
        link_accept(links);
}

/* The real address of the listener, for the log and for tests that let the system choose. */
static void name_address(struct links *links)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    char host[LINKS_ADDRESS_SIZE] = "";
    if (uv_tcp_getsockname(&links->listener, (struct sockaddr *)&address, &size) != 0)
        return;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        uv_ip6_name(in6, host, sizeof host);
        snprintf(links->address, sizeof links->address, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        uv_ip4_name(in, host, sizeof host);
        snprintf(links->address, sizeof links->address, "%s:%u", host, ntohs(in->sin_port));
    }
}

static enum err say(struct buffer *problem, const char *address, const char *what, enum err err)
{
    buffer_append_string(problem, "replication: listen = \"");
    buffer_append_string(problem, address);
    buffer_append_string(problem, "\": ");
    buffer_append_string(problem, what);
    return err;
}

static enum err listen_on(struct links *links, const char *address, struct buffer *problem)
{
    char host[256], port[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    if (address_split(address, host, port) != OK)
        return say(problem, address, "is not host:port", ERR_INVALID);
    int status = getaddrinfo(host, port, &hints, &found);
    if (status != 0)
        return say(problem, address, gai_strerror(status), ERR_INVALID);
    uv_tcp_init(links->options.loop, &links->listener);
    links->listener.data = links;
    links->listening = true;
    status = uv_tcp_bind(&links->listener, found->ai_addr, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&links->listener, LISTEN_BACKLOG, on_connection);
    freeaddrinfo(found);
    if (status != 0)
        return say(problem, address, uv_strerror(status), ERR_IO);
    name_address(links);
    return OK;
}

enum err links_open(struct links **out, const struct links_options *options,
                    struct buffer *problem)
{
    struct links *links = calloc(1, sizeof *links);
    if (!links)
        return ERR_NOMEM;
    links->options = *options;
    if (links->options.handshake_limit_ms == 0)
        links->options.handshake_limit_ms = LINKS_HANDSHAKE_LIMIT_MS;
    links->key = *options->key;
    links->read_buffer = malloc(LINKS_READ_SIZE);
    enum err err = links->read_buffer ? OK : ERR_NOMEM;
    if (err == OK && options->listen)
        err = listen_on(links, options->listen, problem);
    if (err == OK)
        *out = links;
    else
        links_close(links, NULL, NULL);
    return err;
}

const char *links_address(const struct links *links)
{
    return links->address;
}

void links_counters(const struct links *links, struct links_counters *out)
{
    *out = links->counters;
}

const struct links_peer *links_peer_of(const struct links *links, const struct link_public *key)
{
    for (size_t i = 0; i < links->options.peer_count; i++)
        if (sodium_memcmp(links->options.peers[i].key.bytes, key->bytes, KEY_SIZE) == 0)
            return &links->options.peers[i];
    return NULL;
}

void links_complain(struct links *links, const char *address, const char *why)
{
    uint64_t second = uv_now(links->options.loop) / 1000;
    if (second != links->complain_second) {
        if (links->complained > COMPLAINTS_PER_SECOND)
            log_event(LOG_EVENT_WARNING, "link.refused", "reason", "more of the same", "count",
                      log_number((int64_t)links->complained - COMPLAINTS_PER_SECOND), NULL);
        links->complain_second = second;
        links->complained = 0;
    }
    if (links->complained++ < COMPLAINTS_PER_SECOND)
        log_event(LOG_EVENT_WARNING, "link.refused", "address", address, "reason", why, NULL);
}

void links_connect(struct links *links, const char *node)
{
    for (size_t i = 0; i < links->options.peer_count; i++)
        if (strcmp(links->options.peers[i].node, node) == 0 && links->options.peers[i].address) {
            link_connect(links, &links->options.peers[i]);
            return;
        }
}

/* ---- the end ---- */

void links_release(struct links *links)
{
    if (!links->closing || links->listening || links->first)
        return;
    void (*closed)(void *) = links->closed;
    void *context = links->closed_context;
    sodium_memzero(&links->key, sizeof links->key);
    free(links->read_buffer);
    free(links);
    if (closed)
        closed(context);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct links *links = handle->data;
    links->listening = false;
    links_release(links);
}

void links_close(struct links *links, void (*done)(void *context), void *context)
{
    if (!links)
        return;
    links->closing = true;
    links->closed = done;
    links->closed_context = context;
    struct link *next;
    for (struct link *link = links->first; link; link = next) {
        next = link->next;
        if (link->state == LINK_OPEN)
            link_end(link);
        else if (link->state != LINK_ENDING)
            link_close(link, "stopping");
    }
    if (links->listening)
        uv_close((uv_handle_t *)&links->listener, on_listener_closed);
    else
        links_release(links);
}
