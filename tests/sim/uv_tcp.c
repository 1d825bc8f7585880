/* libuv's TCP streams over the simulated network. */
#include "tests/sim/net.h"
#include "tests/sim/uv_private.h"

#include "proto/base/require.h"

#include <arpa/inet.h>
#include <string.h>

struct pending_write {
    struct pending_write *next;
    uv_write_t *request;
    uint8_t *data; /* a copy */
    size_t size, written;
    bool done;
};

/* Belongs to the simulator; the handle points to it, and it to the handle. */
struct tcp_stream {
    struct tcp_stream *next, **previous; /* of the loop */
    uv_tcp_t *handle;
    struct socket *socket;
    struct pending_write *writes, **writes_last;
    bool reading, ended;
};

static struct tcp_stream *stream_of(const uv_tcp_t *tcp)
{
    return tcp->u.reserved[2];
}

static void on_change(void *owner)
{
    struct tcp_stream *stream = owner;
    handle_ready((uv_handle_t *)stream->handle);
}

static void stream_balance(struct tcp_stream *stream)
{
    uv_tcp_t *tcp = stream->handle;
    handle_activate((uv_handle_t *)tcp, stream->reading || tcp->connection_cb != NULL);
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp)
{
    handle_init(loop, (uv_handle_t *)tcp, UV_TCP);
    tcp->write_queue_size = 0;
    tcp->connect_req = NULL;
    tcp->shutdown_req = NULL;
    tcp->connection_cb = NULL;
    struct tcp_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return UV_ENOMEM;
    struct loop *owner = loop_of(loop);
    stream->next = owner->streams;
    stream->previous = &owner->streams;
    if (owner->streams != NULL)
        owner->streams->previous = &stream->next;
    owner->streams = stream;
    stream->handle = tcp;
    stream->writes_last = &stream->writes;
    stream->socket = socket_new(loop_of(loop)->node);
    socket_on_change(stream->socket, on_change, stream);
    tcp->u.reserved[2] = stream;
    return 0;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable)
{
    (void)tcp, (void)enable;
    return 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static int name_out(const struct sim_node *node, uint16_t port, struct sockaddr *out, int *size)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    char address[16];
    if (node == NULL)
        return UV_ENOTCONN;
    net_address(node, address);
    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(out, &in, sizeof in);
    *size = sizeof in;
    return 0;
}

int uv_tcp_getsockname(const uv_tcp_t *tcp, struct sockaddr *out, int *size)
{
    const struct socket *socket = stream_of(tcp)->socket;
    return name_out(socket_node(socket), socket_port(socket), out, size);
}

int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *out, int *size)
{
    const struct socket *socket = stream_of(tcp)->socket;
    return name_out(socket_peer(socket), 40000, out, size);
}

int uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *address, unsigned flags)
{
    uint16_t port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    (void)flags;
    return socket_listen(stream_of(tcp)->socket, port);
}

/* ---- beginning ------------------------------------------------------------------------------- */

int uv_listen(uv_stream_t *handle, int backlog, uv_connection_cb callback)
{
    (void)backlog;
    handle->connection_cb = callback;
    stream_balance(stream_of((uv_tcp_t *)handle));
    return 0;
}

int uv_accept(uv_stream_t *server, uv_stream_t *client)
{
    struct socket *socket = socket_accept(stream_of((uv_tcp_t *)server)->socket);
    struct tcp_stream *stream = stream_of((uv_tcp_t *)client);
    if (socket == NULL)
        return UV_EAGAIN;
    socket_on_change(stream->socket, NULL, NULL);
    socket_close(stream->socket, false);
    stream->socket = socket;
    socket_on_change(socket, on_change, stream);
    return 0;
}

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *address,
                   uv_connect_cb callback)
{
    request->handle = (uv_stream_t *)tcp;
    request->type = UV_CONNECT;
    request->cb = callback;
    tcp->connect_req = request;
    loop_hold(loop_of(tcp->loop));
    socket_connect(stream_of(tcp)->socket, address);
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

int uv_read_start(uv_stream_t *handle, uv_alloc_cb on_alloc, uv_read_cb on_read)
{
    struct tcp_stream *stream = stream_of((uv_tcp_t *)handle);
    if (uv_is_closing((uv_handle_t *)handle))
        return UV_EINVAL;
    handle->alloc_cb = on_alloc;
    handle->read_cb = on_read;
    stream->reading = true;
    stream_balance(stream);
    handle_ready((uv_handle_t *)handle);
    return 0;
}

int uv_read_stop(uv_stream_t *handle)
{
    struct tcp_stream *stream = stream_of((uv_tcp_t *)handle);
    stream->reading = false;
    stream_balance(stream);
    return 0;
}

static void stream_read(struct tcp_stream *stream)
{
    uv_stream_t *handle = (uv_stream_t *)stream->handle;
    uv_buf_t buf = { 0 };
    if (!stream->reading || stream->ended)
        return;
    if (socket_readable(stream->socket) > 0) {
        handle->alloc_cb((uv_handle_t *)handle, 65536, &buf);
        size_t size = socket_read(stream->socket, buf.base, buf.len);
        if (socket_readable(stream->socket) > 0 || socket_at_end(stream->socket) ||
            socket_error(stream->socket) != 0)
            handle_ready((uv_handle_t *)handle);
        handle->read_cb(handle, (ssize_t)size, &buf);
        return;
    }
    int error = socket_error(stream->socket);
    if (error == 0 && !socket_at_end(stream->socket))
        return;
    stream->ended = true;
    uv_read_stop(handle);
    handle->read_cb(handle, error != 0 ? error : UV_EOF, &buf);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Hands on what the window takes. */
static void stream_push(struct tcp_stream *stream)
{
    for (struct pending_write *write = stream->writes; write != NULL; write = write->next) {
        if (write->done)
            continue;
        size_t now = socket_write(stream->socket,
                                  bytes_of(write->data + write->written, write->size - write->written));
        write->written += now;
        stream->handle->write_queue_size -= now;
        if (write->written < write->size)
            return;
        write->done = true;
        handle_ready((uv_handle_t *)stream->handle);
    }
    if (stream->handle->shutdown_req != NULL)
        socket_shutdown(stream->socket);
}

int uv_write(uv_write_t *request, uv_stream_t *handle, const uv_buf_t bufs[], unsigned count,
             uv_write_cb callback)
{
    struct tcp_stream *stream = stream_of((uv_tcp_t *)handle);
    struct pending_write *write = calloc(1, sizeof *write);
    require(count == 1);
    if (write == NULL)
        return UV_ENOMEM;
    request->handle = handle;
    request->type = UV_WRITE;
    request->cb = callback;
    write->request = request;
    write->size = bufs[0].len;
    write->data = malloc(write->size + 1);
    require(write->data != NULL);
    memcpy(write->data, bufs[0].base, write->size);
    *stream->writes_last = write;
    stream->writes_last = &write->next;
    handle->write_queue_size += write->size;
    loop_hold(loop_of(handle->loop));
    stream_push(stream);
    return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *handle)
{
    return handle->write_queue_size;
}

int uv_shutdown(uv_shutdown_t *request, uv_stream_t *handle, uv_shutdown_cb callback)
{
    if (uv_is_closing((uv_handle_t *)handle) || handle->shutdown_req != NULL)
        return UV_ENOTCONN;
    request->handle = handle;
    request->type = UV_SHUTDOWN;
    request->cb = callback;
    handle->shutdown_req = request;
    loop_hold(loop_of(handle->loop));
    stream_push(stream_of((uv_tcp_t *)handle));
    handle_ready((uv_handle_t *)handle);
    return 0;
}

static void write_end(struct tcp_stream *stream, int status)
{
    struct pending_write *write = stream->writes;
    uv_write_t *request = write->request;
    stream->writes = write->next;
    if (stream->writes == NULL)
        stream->writes_last = &stream->writes;
    stream->handle->write_queue_size -= write->size - write->written;
    free(write->data);
    free(write);
    loop_unhold(loop_of(stream->handle->loop));
    request->cb(request, status);
}

static void stream_end_writes(struct tcp_stream *stream)
{
    uv_tcp_t *tcp = stream->handle;
    int error = socket_error(stream->socket);
    while (!uv_is_closing((uv_handle_t *)tcp) && stream->writes != NULL && stream->writes->done)
        write_end(stream, error == 0 ? 0 : error);
    if (uv_is_closing((uv_handle_t *)tcp) || tcp->shutdown_req == NULL || stream->writes != NULL)
        return;
    uv_shutdown_t *request = tcp->shutdown_req;
    tcp->shutdown_req = NULL;
    loop_unhold(loop_of(tcp->loop));
    request->cb(request, error);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void stream_connect(struct tcp_stream *stream)
{
    uv_tcp_t *tcp = stream->handle;
    uv_connect_t *request = tcp->connect_req;
    int status = request ? socket_connect_status(stream->socket) : 0;
    if (status == 0)
        return;
    tcp->connect_req = NULL;
    loop_unhold(loop_of(tcp->loop));
    request->cb(request, status == 1 ? 0 : status);
}

void tcp_dispatch(uv_tcp_t *tcp)
{
    struct tcp_stream *stream = stream_of(tcp);
    if (tcp->connection_cb != NULL) {
        for (unsigned left; (left = socket_backlog(stream->socket)) > 0;) {
            tcp->connection_cb((uv_stream_t *)tcp, 0);
            if (uv_is_closing((uv_handle_t *)tcp) || socket_backlog(stream->socket) == left)
                return; /* it did not accept: it is told again with the next one */
        }
        return;
    }
    stream_connect(stream);
    if (!uv_is_closing((uv_handle_t *)tcp) && tcp->connect_req == NULL)
        stream_push(stream);
    if (!uv_is_closing((uv_handle_t *)tcp))
        stream_read(stream);
    if (!uv_is_closing((uv_handle_t *)tcp))
        stream_end_writes(stream);
}

void tcp_close(uv_tcp_t *tcp)
{
    struct tcp_stream *stream = stream_of(tcp);
    stream->reading = false;
    socket_on_change(stream->socket, NULL, NULL);
}

static void stream_unlink(struct tcp_stream *stream)
{
    *stream->previous = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
}

void tcp_forget(struct tcp_stream *streams)
{
    for (struct tcp_stream *next; streams != NULL; streams = next) {
        next = streams->next;
        for (struct pending_write *write = streams->writes, *later; write != NULL; write = later) {
            later = write->next;
            free(write->data);
            free(write);
        }
        free(streams);
    }
}

void tcp_closed(uv_tcp_t *tcp)
{
    struct tcp_stream *stream = stream_of(tcp);
    bool cut = stream->writes != NULL && !stream->writes->done;
    if (tcp->connect_req != NULL) {
        uv_connect_t *request = tcp->connect_req;
        tcp->connect_req = NULL;
        loop_unhold(loop_of(tcp->loop));
        request->cb(request, UV_ECANCELED);
    }
    while (stream->writes != NULL)
        write_end(stream, stream->writes->done ? 0 : UV_ECANCELED);
    if (tcp->shutdown_req != NULL) {
        uv_shutdown_t *request = tcp->shutdown_req;
        tcp->shutdown_req = NULL;
        loop_unhold(loop_of(tcp->loop));
        request->cb(request, UV_ECANCELED);
    }
    socket_close(stream->socket, cut);
    stream_unlink(stream);
    free(stream);
    tcp->u.reserved[2] = NULL;
}
