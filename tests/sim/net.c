#include "tests/sim/net.h"

#include "proto/base/require.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <uv.h>

#define SEGMENT_SIZE   ((size_t)16 * 1024)
#define WINDOW_SIZE    ((size_t)256 * 1024) /* on the way and not yet read */
#define ACK_LIMIT_NS   (900 * SIM_S)        /* a peer that takes nothing for so long is gone */
#define CONNECT_LIMIT_NS (127 * SIM_S)
#define BACKLOG_MAX    128
#define SYN_SIZE       60
#define RECORDING_SIZE ((size_t)32 * 1024)

enum segment_kind { SEGMENT_DATA, SEGMENT_END, SEGMENT_RESET, SEGMENT_SYN, SEGMENT_SYN_ACK,
                    SEGMENT_REFUSED };

struct segment {
    struct segment *next;
    enum segment_kind kind;
    int64_t arrives_ns;
    size_t size, read;
    uint8_t data[];
};

struct segments {
    struct segment *first, **last;
};

/* One direction of a connection. */
struct pipe {
    struct connection *connection;
    unsigned to; /* index of the end at which it arrives */
    struct segments under_way;
    size_t size; /* of what is under way */
    int64_t last_arrives_ns; /* of what was sent last: what follows is not earlier */
    int64_t busy_until_ns; /* bandwidth */
    int64_t waits_since_ns; /* the path is cut; 0: it is not */
    struct sim_event event;
};

struct connection {
    struct connection *next, **previous;
    const struct sim_node *nodes[2];
    struct socket *ends[2]; /* [0] connected; NULL: closed */
    struct pipe pipes[2];   /* [i] arrives at end i */
    uint16_t port;
    bool silent; /* broken, and nobody is told */
    unsigned held; /* somebody is at work on it: not to be freed */
};

struct socket {
    struct socket *next, **previous; /* of all */
    struct sim_node *node;
    struct connection *connection;
    unsigned end;
    bool listening, ended, shut;
    int connect_status, error;
    uint16_t port;
    struct socket *backlog[BACKLOG_MAX];
    unsigned backlog_count;
    struct segments unread;
    size_t unread_size;
    void (*changed)(void *owner);
    void *owner;
};

struct net_counters net_counters;

static struct {
    struct net_path paths[SIM_NODE_MAX][SIM_NODE_MAX];
    bool host_gone[SIM_NODE_MAX];
    struct socket *sockets;
    struct connection *connections;
    uint16_t next_port;
    struct {
        uint8_t data[RECORDING_SIZE];
        size_t size;
        const struct connection *connection; /* while it is being recorded */
    } recordings[NET_RECORDING_COUNT];
    unsigned recording_count;
} net;

/* ---- paths ----------------------------------------------------------------------------------- */

struct net_path *net_path(const struct sim_node *from, const struct sim_node *to)
{
    return &net.paths[from->index][to->index];
}

void net_address(const struct sim_node *node, char out[16])
{
    snprintf(out, 16, "10.111.0.%u", node->index + 1);
}

static struct sim_node *node_of_address(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    if (address->sa_family != AF_INET)
        return NULL;
    uint32_t number = ntohl(in->sin_addr.s_addr);
    uint32_t index = (number & 0xffff) - 1;
    return number >> 16 == (10u << 8 | 111u) && index < world.node_count ? &world.nodes[index]
                                                                        : NULL;
}

/* ---- segments -------------------------------------------------------------------------------- */

static void segments_init(struct segments *segments)
{
    segments->first = NULL;
    segments->last = &segments->first;
}

static void segments_push(struct segments *segments, struct segment *segment)
{
    segment->next = NULL;
    *segments->last = segment;
    segments->last = &segment->next;
}

static struct segment *segments_pop(struct segments *segments)
{
    struct segment *segment = segments->first;
    segments->first = segment->next;
    if (segments->first == NULL)
        segments->last = &segments->first;
    return segment;
}

static void segments_clear(struct segments *segments)
{
    while (segments->first != NULL)
        free(segments_pop(segments));
}

static struct segment *segment_new(enum segment_kind kind, struct bytes content)
{
    struct segment *segment = malloc(sizeof *segment + content.size);
    require(segment != NULL);
    *segment = (struct segment){ .kind = kind, .size = content.size };
    if (content.size > 0)
        memcpy(segment->data, content.data, content.size);
    return segment;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void socket_changed(struct socket *socket)
{
    if (socket->changed != NULL)
        socket->changed(socket->owner);
}

static void connection_release(struct connection *connection)
{
    if (connection->held > 0)
        return;
    for (unsigned end = 0; end < 2; end++)
        if (connection->ends[end] != NULL || connection->pipes[end].under_way.first != NULL)
            return;
    for (unsigned end = 0; end < 2; end++)
        sim_cancel(&connection->pipes[end].event);
    for (unsigned i = 0; i < net.recording_count; i++)
        if (net.recordings[i].connection == connection)
            net.recordings[i].connection = NULL;
    *connection->previous = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    free(connection);
}

static struct net_path *pipe_path(const struct pipe *pipe)
{
    const struct connection *connection = pipe->connection;
    return net_path(connection->nodes[1 - pipe->to], connection->nodes[pipe->to]);
}

static int64_t pipe_arrival(struct pipe *pipe, const struct segment *segment)
{
    const struct net_path *path = pipe_path(pipe);
    struct dice *dice = random_stream(STREAM_NET);
    int64_t now = sim_now_ns(), leaves = now > pipe->busy_until_ns ? now : pipe->busy_until_ns;
    if (path->bandwidth > 0)
        leaves += (int64_t)((segment->size + SYN_SIZE) * (uint64_t)SIM_S / path->bandwidth);
    pipe->busy_until_ns = leaves;
    int64_t arrives = leaves + path->delay_ns;
    if (path->jitter_ns > 0)
        arrives += dice_between(dice, 0, path->jitter_ns);
    if (path->loss_percent > 0 && dice_chance(dice, path->loss_percent, 100)) {
        arrives += dice_between(dice, 200 * SIM_MS, 3 * SIM_S);
        net_counters.lost++;
        sim_fault(pipe->connection->nodes[pipe->to], "segment lost");
    }
    if (arrives < pipe->last_arrives_ns)
        arrives = pipe->last_arrives_ns; /* in order */
    pipe->last_arrives_ns = arrives;
    return arrives;
}

static void pipe_schedule(struct pipe *pipe)
{
    if (pipe->under_way.first != NULL && !sim_is_scheduled(&pipe->event))
        sim_at(&pipe->event, pipe->under_way.first->arrives_ns);
}

static void pipe_push(struct pipe *pipe, struct segment *segment)
{
    segment->arrives_ns = pipe_arrival(pipe, segment);
    segments_push(&pipe->under_way, segment);
    pipe->size += segment->size;
}

/* Damage of the stream itself. */
static void pipe_damage(struct pipe *pipe, struct segment *segment)
{
    const struct net_path *path = pipe_path(pipe);
    struct dice *dice = random_stream(STREAM_NET);
    if (segment->kind != SEGMENT_DATA ||
        (path->corrupt | path->duplicate | path->reorder | path->drop) == 0)
        return;
    if (dice_chance(dice, path->corrupt, 1000000)) {
        uint64_t bit = dice_below(dice, segment->size * 8);
        segment->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        net_counters.damaged++;
        sim_fault(pipe->connection->nodes[pipe->to], "byte corrupted");
    }
    if (dice_chance(dice, path->duplicate, 1000000)) {
        struct segment *twin = segment_new(SEGMENT_DATA, bytes_of(segment->data, segment->size));
        pipe_push(pipe, twin);
        net_counters.damaged++;
        sim_fault(pipe->connection->nodes[pipe->to], "segment duplicated");
    }
    if (dice_chance(dice, path->drop, 1000000) && segment->size > 1) {
        pipe->size -= segment->size / 2;
        segment->size -= segment->size / 2;
        net_counters.damaged++;
        sim_fault(pipe->connection->nodes[pipe->to], "bytes dropped");
    }
}

static void pipe_swap_first(struct pipe *pipe)
{
    struct segment *a = pipe->under_way.first, *b = a ? a->next : NULL;
    const struct net_path *path = pipe_path(pipe);
    if (b == NULL || a->kind != SEGMENT_DATA || b->kind != SEGMENT_DATA ||
        !dice_chance(random_stream(STREAM_NET), path->reorder, 1000000))
        return;
    a->next = b->next;
    b->next = a;
    pipe->under_way.first = b;
    if (a->next == NULL)
        pipe->under_way.last = &a->next;
    net_counters.damaged++;
    sim_fault(pipe->connection->nodes[pipe->to], "segments reordered");
}

static void pipe_send(struct pipe *pipe, struct segment *segment)
{
    pipe_push(pipe, segment);
    net_counters.segments++;
    net_counters.bytes += segment->size;
    pipe_damage(pipe, segment);
    pipe_schedule(pipe);
}

static void connection_fail(struct connection *connection, int error)
{
    for (unsigned end = 0; end < 2; end++) {
        struct socket *socket = connection->ends[end];
        segments_clear(&connection->pipes[end].under_way);
        connection->pipes[end].size = 0;
        sim_cancel(&connection->pipes[end].event);
        if (socket == NULL)
            continue;
        connection->ends[end] = NULL;
        socket->connection = NULL;
        if (socket->connect_status == 0)
            socket->connect_status = error;
        socket->error = error;
        socket_changed(socket);
    }
    connection_release(connection);
}

/* ---- arrivals -------------------------------------------------------------------------------- */

static struct socket *socket_make(struct sim_node *node)
{
    struct socket *socket = calloc(1, sizeof *socket);
    require(socket != NULL);
    socket->node = node;
    segments_init(&socket->unread);
    socket->next = net.sockets;
    socket->previous = &net.sockets;
    if (net.sockets != NULL)
        net.sockets->previous = &socket->next;
    net.sockets = socket;
    return socket;
}

static struct socket *listener_of(const struct sim_node *node, uint16_t port)
{
    for (struct socket *socket = net.sockets; socket != NULL; socket = socket->next)
        if (socket->node == node && socket->listening && socket->port == port)
            return socket;
    return NULL;
}

static void arrive_syn(struct pipe *pipe)
{
    struct connection *connection = pipe->connection;
    struct sim_node *node = &world.nodes[connection->nodes[1]->index];
    struct socket *listener = listener_of(node, connection->port);
    if (net.host_gone[node->index])
        return; /* the limit of connecting will end it */
    if (listener == NULL || listener->backlog_count == BACKLOG_MAX) {
        pipe_send(&connection->pipes[0], segment_new(SEGMENT_REFUSED, BYTES_NONE));
        return;
    }
    struct socket *socket = socket_make(node);
    socket->connection = connection;
    socket->end = 1;
    socket->connect_status = 1;
    socket->port = connection->port;
    connection->ends[1] = socket;
    listener->backlog[listener->backlog_count++] = socket;
    pipe_send(&connection->pipes[0], segment_new(SEGMENT_SYN_ACK, BYTES_NONE));
    socket_changed(listener);
}

static void arrive_reset(struct connection *connection, struct socket *socket, int error)
{
    net_counters.resets++;
    if (socket != NULL)
        connection_fail(connection, error);
}

/* Nobody is there any more: the sender learns it. */
static void arrive_nowhere(struct pipe *pipe, enum segment_kind kind)
{
    struct connection *connection = pipe->connection;
    struct pipe *back = &connection->pipes[1 - pipe->to];
    if (kind == SEGMENT_DATA && connection->ends[1 - pipe->to] != NULL && !connection->silent)
        pipe_send(back, segment_new(SEGMENT_RESET, BYTES_NONE));
}

static void pipe_arrive(struct pipe *pipe, struct segment *segment)
{
    struct connection *connection = pipe->connection;
    struct socket *socket = connection->ends[pipe->to];
    sim_trace(connection->nodes[pipe->to], "segment", segment->kind, segment->size);
    enum segment_kind kind = segment->kind;
    if (kind == SEGMENT_DATA && socket != NULL) {
        segments_push(&socket->unread, segment);
        socket->unread_size += segment->size;
        socket_changed(socket);
        return;
    }
    free(segment);
    if (kind == SEGMENT_SYN) {
        arrive_syn(pipe);
    } else if (socket == NULL) {
        arrive_nowhere(pipe, kind);
    } else if (kind == SEGMENT_SYN_ACK) {
        socket->connect_status = 1;
        socket_changed(socket);
    } else if (kind == SEGMENT_END) {
        socket->ended = true;
        socket_changed(socket);
    } else {
        arrive_reset(connection, socket, kind == SEGMENT_REFUSED ? UV_ECONNREFUSED
                                                                 : UV_ECONNRESET);
    }
}

static void pipe_on_event(struct sim_event *event)
{
    struct pipe *pipe = (struct pipe *)((char *)event - offsetof(struct pipe, event));
    struct connection *connection = pipe->connection;
    const struct net_path *path = pipe_path(pipe);
    int64_t now = sim_now_ns();
    bool host_gone = net.host_gone[connection->nodes[pipe->to]->index];
    if (path->cut || connection->silent || host_gone) {
        if (pipe->waits_since_ns == 0) {
            pipe->waits_since_ns = now;
            int64_t limit = pipe->under_way.first->kind == SEGMENT_SYN ? CONNECT_LIMIT_NS
                                                                        : ACK_LIMIT_NS;
            sim_at(event, now + limit);
            return;
        }
        sim_sometimes("connection timed out");
        connection_fail(connection, UV_ETIMEDOUT);
        return;
    }
    pipe->waits_since_ns = 0;
    if (now < path->clogged_until_ns) {
        sim_at(event, path->clogged_until_ns);
        return;
    }
    pipe_swap_first(pipe);
    struct segment *segment = segments_pop(&pipe->under_way);
    pipe->size -= segment->size;
    pipe_schedule(pipe);
    connection->held++;
    pipe_arrive(pipe, segment);
    connection->held--;
    connection_release(connection);
}

void net_path_opened(const struct sim_node *from, const struct sim_node *to)
{
    struct net_path *path = net_path(from, to);
    for (struct connection *connection = net.connections; connection != NULL;
         connection = connection->next)
        for (unsigned end = 0; end < 2; end++) {
            struct pipe *pipe = &connection->pipes[end];
            if (connection->nodes[end] != to || connection->nodes[1 - end] != from ||
                pipe->under_way.first == NULL)
                continue;
            if (pipe->waits_since_ns == 0) { /* was clogged, if anything */
                sim_at(&pipe->event, pipe->under_way.first->arrives_ns);
                continue;
            }
            /* TCP tries again after a while that has doubled with each try. */
            int64_t waited = sim_now_ns() - pipe->waits_since_ns;
            int64_t pause = waited < 60 * SIM_S ? waited : 60 * SIM_S;
            pipe->waits_since_ns = 0;
            sim_at(&pipe->event,
                   sim_now_ns() + path->delay_ns +
                       dice_between(random_stream(STREAM_NET), 0, pause + SIM_MS));
        }
}

void net_break(const struct sim_node *a, const struct sim_node *b, bool silently)
{
    struct connection *next;
    for (struct connection *connection = net.connections; connection != NULL; connection = next) {
        next = connection->next;
        bool between = (connection->nodes[0] == a && connection->nodes[1] == b) ||
                       (connection->nodes[0] == b && connection->nodes[1] == a);
        if (!between)
            continue;
        if (silently)
            connection->silent = true;
        else
            connection_fail(connection, UV_ECONNRESET);
    }
}

/* ---- sockets --------------------------------------------------------------------------------- */

struct socket *socket_new(struct sim_node *node)
{
    return socket_make(node);
}

void socket_on_change(struct socket *socket, void (*changed)(void *owner), void *owner)
{
    socket->changed = changed;
    socket->owner = owner;
}

int socket_listen(struct socket *socket, uint16_t port)
{
    if (port == 0)
        port = (uint16_t)(20000 + net.next_port++ % 20000);
    if (listener_of(socket->node, port) != NULL)
        return UV_EADDRINUSE;
    socket->listening = true;
    socket->port = port;
    return 0;
}

static void connection_init(struct connection *connection, struct socket *socket,
                            const struct sim_node *from, const struct sim_node *to, uint16_t port)
{
    connection->nodes[0] = from;
    connection->nodes[1] = to;
    connection->ends[0] = socket;
    connection->port = port;
    for (unsigned end = 0; end < 2; end++) {
        struct pipe *pipe = &connection->pipes[end];
        pipe->connection = connection;
        pipe->to = end;
        pipe->event.run = pipe_on_event;
        segments_init(&pipe->under_way);
    }
    connection->next = net.connections;
    connection->previous = &net.connections;
    if (net.connections != NULL)
        net.connections->previous = &connection->next;
    net.connections = connection;
}

void socket_connect(struct socket *socket, const struct sockaddr *address)
{
    socket_connect_from(socket, socket->node, address);
}

void socket_connect_from(struct socket *socket, const struct sim_node *from,
                         const struct sockaddr *address)
{
    const struct sim_node *to = node_of_address(address);
    struct connection *connection = to ? calloc(1, sizeof *connection) : NULL;
    if (connection == NULL) {
        socket->connect_status = UV_ENETUNREACH;
        socket_changed(socket);
        return;
    }
    connection_init(connection, socket, from, to,
                    ntohs(((const struct sockaddr_in *)address)->sin_port));
    socket->connection = connection;
    socket->end = 0;
    socket->port = (uint16_t)(40000 + net.next_port++ % 20000);
    net_counters.connections++;
    pipe_send(&connection->pipes[1], segment_new(SEGMENT_SYN, BYTES_NONE));
}

int socket_connect_status(const struct socket *socket)
{
    return socket->connect_status;
}

struct socket *socket_accept(struct socket *listener)
{
    if (listener->backlog_count == 0)
        return NULL;
    struct socket *socket = listener->backlog[0];
    listener->backlog_count--;
    memmove(listener->backlog, listener->backlog + 1,
            listener->backlog_count * sizeof listener->backlog[0]);
    return socket;
}

unsigned socket_backlog(const struct socket *listener)
{
    return listener->backlog_count;
}

/* The first connections' callers are recorded. */
static void record(const struct socket *socket, struct bytes content)
{
    unsigned i = 0;
    if (socket->end != 0 || socket->node == NULL)
        return;
    while (i < net.recording_count && net.recordings[i].connection != socket->connection)
        i++;
    if (i == NET_RECORDING_COUNT)
        return;
    if (i == net.recording_count)
        net.recordings[net.recording_count++].connection = socket->connection;
    size_t room = RECORDING_SIZE - net.recordings[i].size;
    size_t size = content.size < room ? content.size : room;
    memcpy(net.recordings[i].data + net.recordings[i].size, content.data, size);
    net.recordings[i].size += size;
}

unsigned net_recording_count(void)
{
    return net.recording_count;
}

struct bytes net_recording(uint64_t draw)
{
    if (net.recording_count == 0)
        return BYTES_NONE;
    unsigned i = (unsigned)(draw % net.recording_count);
    return bytes_of(net.recordings[i].data, net.recordings[i].size);
}

size_t socket_write(struct socket *socket, struct bytes content)
{
    struct connection *connection = socket->connection;
    if (connection == NULL || socket->shut)
        return content.size; /* into the void: the error is told by socket_error() */
    struct pipe *pipe = &connection->pipes[1 - socket->end];
    const struct socket *peer = connection->ends[1 - socket->end];
    size_t held = pipe->size + (peer ? peer->unread_size : 0), written = 0;
    while (written < content.size && held < WINDOW_SIZE) {
        size_t now = content.size - written;
        if (now > SEGMENT_SIZE)
            now = SEGMENT_SIZE;
        record(socket, bytes_of(content.data + written, now));
        pipe_send(pipe, segment_new(SEGMENT_DATA, bytes_of(content.data + written, now)));
        written += now;
        held += now;
    }
    return written;
}

void socket_shutdown(struct socket *socket)
{
    if (socket->connection == NULL || socket->shut)
        return;
    socket->shut = true;
    pipe_send(&socket->connection->pipes[1 - socket->end], segment_new(SEGMENT_END, BYTES_NONE));
}

size_t socket_read(struct socket *socket, void *out, size_t size)
{
    size_t taken = 0;
    while (taken < size && socket->unread.first != NULL) {
        struct segment *segment = socket->unread.first;
        size_t now = segment->size - segment->read;
        if (now > size - taken)
            now = size - taken;
        memcpy((uint8_t *)out + taken, segment->data + segment->read, now);
        segment->read += now;
        taken += now;
        if (segment->read == segment->size)
            free(segments_pop(&socket->unread));
    }
    socket->unread_size -= taken;
    if (taken > 0 && socket->connection != NULL) { /* its peer may go on writing */
        struct socket *peer = socket->connection->ends[1 - socket->end];
        if (peer != NULL)
            socket_changed(peer);
    }
    return taken;
}

size_t socket_readable(const struct socket *socket)
{
    return socket->unread_size;
}

bool socket_at_end(const struct socket *socket)
{
    return socket->ended && socket->unread_size == 0;
}

int socket_error(const struct socket *socket)
{
    return socket->error;
}

uint16_t socket_port(const struct socket *socket)
{
    return socket->port;
}

const struct sim_node *socket_node(const struct socket *socket)
{
    return socket->node;
}

const struct sim_node *socket_peer(const struct socket *socket)
{
    return socket->connection ? socket->connection->nodes[1 - socket->end] : NULL;
}

void socket_close(struct socket *socket, bool reset)
{
    struct connection *connection = socket->connection;
    for (unsigned i = 0; i < socket->backlog_count; i++)
        socket_close(socket->backlog[i], true);
    if (connection != NULL) {
        struct pipe *out = &connection->pipes[1 - socket->end];
        connection->ends[socket->end] = NULL;
        if (!connection->silent && (reset || socket->unread_size > 0))
            pipe_send(out, segment_new(SEGMENT_RESET, BYTES_NONE));
        else if (!socket->shut && !connection->silent)
            pipe_send(out, segment_new(SEGMENT_END, BYTES_NONE));
        connection_release(connection);
    }
    segments_clear(&socket->unread);
    *socket->previous = socket->next;
    if (socket->next != NULL)
        socket->next->previous = socket->previous;
    free(socket);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct socket *socket_of(const struct sim_node *node)
{
    struct socket *socket = net.sockets;
    while (socket != NULL && socket->node != node)
        socket = socket->next;
    return socket;
}

void net_killed(struct sim_node *node, bool host_gone)
{
    net.host_gone[node->index] = host_gone;
    for (struct connection *connection = net.connections; connection != NULL;
         connection = connection->next)
        if (host_gone && (connection->nodes[0] == node || connection->nodes[1] == node))
            connection->silent = true;
    for (struct socket *socket = net.sockets; socket != NULL; socket = socket->next)
        if (socket->node == node) {
            socket->changed = NULL;
            socket->backlog_count = 0; /* those are among the node's, too */
        }
    for (struct socket *socket; (socket = socket_of(node)) != NULL;)
        socket_close(socket, true);
}

/* Its peers' connections are unknown there: what they send is answered by a reset. */
void net_host_back(struct sim_node *node)
{
    if (!net.host_gone[node->index])
        return;
    net.host_gone[node->index] = false;
    for (struct connection *connection = net.connections; connection != NULL;
         connection = connection->next)
        for (unsigned end = 0; end < 2; end++) {
            struct pipe *pipe = &connection->pipes[end];
            if (connection->nodes[end] != node || connection->ends[end] != NULL)
                continue;
            connection->silent = false;
            if (pipe->waits_since_ns == 0)
                continue;
            pipe->waits_since_ns = 0;
            sim_at(&pipe->event,
                   sim_now_ns() + dice_between(random_stream(STREAM_NET), SIM_MS, 60 * SIM_S));
        }
}

void net_begin(void)
{
    for (struct socket *socket = net.sockets; socket != NULL; socket = socket->next) {
        socket->changed = NULL;
        socket->backlog_count = 0;
    }
    while (net.sockets != NULL)
        socket_close(net.sockets, true);
    while (net.connections != NULL)
        connection_fail(net.connections, UV_ECONNRESET);
    memset(&net, 0, sizeof net);
    net_counters = (struct net_counters){ 0 };
}
