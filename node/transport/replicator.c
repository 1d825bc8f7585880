/* The replicator's life, its step, and the order in which it ends. */
#include "node/transport/replicator_private.h"

#include "node/runtime/log.h"
#include "node/version.h"
#include "proto/base/require.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t replicator_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

int64_t replicator_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- effects ---- */

static void need_incarnation(struct replicator *replicator,
                             const struct effect_need_incarnation *effect)
{
    log_event(LOG_EVENT_INFO, "log.reopening", "reason", incarnation_reason_name(effect->reason),
              NULL);
    engine_reopen(replicator->options.engine, INCARNATION_MERGE);
}

static void send_effect(struct replicator *replicator, const struct effect *effect)
{
    struct session *session;
    switch (effect->type) {
    case EFFECT_SEND:
        if ((session = session_find(replicator, effect->send.link)) != NULL)
            session_send(session, effect_message(&replicator->effects, &effect->send));
        break;
    case EFFECT_CLOSE:
        if ((session = session_find(replicator, effect->close.link)) != NULL) {
            log_event(LOG_EVENT_INFO, "link.closing", "peer", session->node, "reason",
                      effect->close.text, NULL);
            session_end(session, effect->close.code, effect->close.text);
        }
        break;
    case EFFECT_DROP:
        if ((session = session_find(replicator, effect->close.link)) != NULL)
            link_drop(session->link, session->peer_said ? "closed by the peer" : "unreachable");
        break;
    case EFFECT_SEND_CHECKPOINT:
        if ((session = session_find(replicator, effect->send_checkpoint.link)) != NULL)
            session_read(session, effect);
        break;
    case EFFECT_SEND_WANT:
        if ((session = session_find(replicator, effect->send_want.link)) != NULL)
            session_read(session, effect);
        break;
    case EFFECT_FIND_BRANCH:
        if ((session = session_find(replicator, effect->find_branch.link)) != NULL)
            session_read(session, effect);
        break;
    case EFFECT_SEND_RECORDS:
        if ((session = session_find(replicator, effect->send_records.link)) != NULL)
            session_read(session, effect);
        break;
    default:
        if ((session = session_find(replicator, effect->send_log.link)) != NULL)
            session_read(session, effect);
    }
}

static void carry_out(struct replicator *replicator, const struct effect *effect)
{
    const struct replicator_options *options = &replicator->options;
    switch (effect->type) {
    case EFFECT_SEND:
    case EFFECT_SEND_CHECKPOINT:
    case EFFECT_SEND_RECORDS:
    case EFFECT_SEND_RECEIPT:
    case EFFECT_SEND_FORK:
    case EFFECT_SEND_WANT:
    case EFFECT_FIND_BRANCH:
    case EFFECT_CLOSE:
    case EFFECT_DROP:
        send_effect(replicator, effect);
        break;
    case EFFECT_STORE_CHECKPOINT:
    case EFFECT_STORE_PACKAGE:
    case EFFECT_STORE_RECEIPT:
    case EFFECT_STORE_FORK:
    case EFFECT_SIGN_RECEIPT:
        lane_store(replicator, effect);
        break;
    case EFFECT_CONNECT:
        links_connect(replicator->links, effect->connect.node);
        break;
    case EFFECT_ALARM:
        status_alarm(replicator, &effect->alarm);
        break;
    case EFFECT_MAY_WRITE:
        options->may_write(options->context,
                           effect->may_write.hubs_unasked ? INCARNATION_HUBS_UNASKED : 0);
        break;
    case EFFECT_NEED_INCARNATION:
        need_incarnation(replicator, &effect->need_incarnation);
        break;
    }
}

/* ---- the step ---- */

static void on_tick(uv_timer_t *timer)
{
    struct replicator *replicator = timer->data;
    struct event event = { .type = EVENT_TICK };
    replicator->tick_at_ms = UINT64_MAX;
    replicator_step(replicator, &event);
}

static void set_tick(struct replicator *replicator)
{
    uint64_t deadline = core_deadline(replicator->core);
    if (deadline == replicator->tick_at_ms)
        return;
    replicator->tick_at_ms = deadline;
    if (deadline == UINT64_MAX) {
        uv_timer_stop(&replicator->tick);
        return;
    }
    uint64_t now = replicator_now_ms();
    uv_update_time(replicator->options.loop); /* timers count from the loop's own, older time */
    uv_timer_start(&replicator->tick, on_tick, deadline > now ? deadline - now : 0, 0);
}

void replicator_step(struct replicator *replicator, struct event *event)
{
    if (replicator->closing)
        return;
    require(!replicator->stepping); /* no effect is answered before its step has ended */
    replicator->stepping = true;
    event->now_ms = replicator_now_ms();
    effects_clear(&replicator->effects);
    core_step(replicator->core, event, &replicator->effects);
    if (replicator->effects.err != OK)
        replicator->options.failed(replicator->options.context, replicator->effects.err,
                                   "the replication core");
    for (size_t i = 0; i < replicator->effects.count; i++)
        carry_out(replicator, &replicator->effects.items[i]);
    replicator->stepping = false;
    session_flush_dirty(replicator);
    set_tick(replicator);
    status_touch(replicator);
}

/* ---- the links' events ---- */

static void note_connected(struct peer_note *peer, bool connected)
{
    peer->connected = connected;
    peer->since_ms = replicator_wall_ms();
    peer->connects += connected;
}

static void on_opened(void *context, struct link *link)
{
    struct replicator *replicator = context;
    struct peer_note *peer = status_peer(replicator, link_node(link));
    if (replicator->closing) {
        link_drop(link, "stopping");
        return;
    }
    session_open(replicator, link);
    if (!session_of(link))
        return;
    if (peer) {
        note_connected(peer, true);
        log_event(LOG_EVENT_INFO, "link.opened", "peer", peer->node, "address", link_address(link),
                  "direction", link_is_outbound(link) ? "out" : "in", NULL);
    }
    struct event event = { .type = EVENT_LINK_OPENED,
                           .link_opened = { .link = link_id(link),
                                            .outbound = link_is_outbound(link),
                                            .node = link_node(link),
                                            .binding = link_binding(link) } };
    replicator_step(replicator, &event);
}

static void on_heard(void *context, struct link *link)
{
    struct event event = { .type = EVENT_LINK_HEARD, .link = { .link = link_id(link) } };
    replicator_step(context, &event);
}

#define PEER_SAID "the peer: "

/* At most `max` bytes of valid UTF-8, cut between characters: JSON takes nothing else. */
static size_t whole_characters(struct bytes text, size_t max)
{
    if (text.size <= max)
        return text.size;
    while (max > 0 && (text.data[max] & 0xc0) == 0x80)
        max--;
    return max;
}

/* The peer's own words on why it closes. */
static void note_close(struct replicator *replicator, struct link *link)
{
    const struct message_close *close = &replicator->message->close;
    struct peer_note *peer = status_peer(replicator, link_node(link));
    bool in_order = close->code == CLOSE_NORMAL || close->code == CLOSE_SHUTDOWN;
    session_of(link)->peer_said = true;
    if (!peer)
        return;
    snprintf(peer->last_error, sizeof peer->last_error, PEER_SAID "%.*s",
             (int)whole_characters(close->text, 80), (const char *)close->text.data);
    log_event(in_order ? LOG_EVENT_INFO : LOG_EVENT_WARNING, "link.closed_by_peer", "peer",
              peer->node, "reason", peer->last_error + sizeof PEER_SAID - 1, NULL);
}

static enum err on_message(void *context, struct link *link, struct bytes bytes)
{
    struct replicator *replicator = context;
    enum err err = message_decode(replicator->message, bytes);
    if (err != OK)
        return err;
    struct peer_note *peer = status_peer(replicator, link_node(link));
    if (replicator->message->type == MESSAGE_REFUSAL && peer)
        peer->refusals++;
    if (replicator->message->type == MESSAGE_CLOSE)
        note_close(replicator, link);
    struct event event = { .type = EVENT_MESSAGE,
                           .message = { .link = link_id(link),
                                        .message = replicator->message,
                                        .size = bytes.size } };
    replicator_step(replicator, &event);
    return OK;
}

static void on_drained(void *context, struct link *link)
{
    (void)context;
    if (session_of(link))
        session_drained(session_of(link));
}

static bool is_connected(const struct replicator *replicator, const char *node)
{
    for (const struct session *session = replicator->sessions; session; session = session->next)
        if (session->link && strcmp(session->node, node) == 0)
            return true;
    return false;
}

static void on_closed(void *context, struct link *link, const char *why)
{
    struct replicator *replicator = context;
    struct session *session = session_of(link);
    struct peer_note *peer = status_peer(replicator, link_node(link));
    if (peer) {
        peer->bytes_sent += link_bytes_sent(link);
        peer->bytes_received += link_bytes_received(link);
        if (strcmp(why, "ended") != 0 && !(session && session->peer_said))
            snprintf(peer->last_error, sizeof peer->last_error, "%s", why);
        log_event(LOG_EVENT_INFO, "link.closed", "peer", peer->node, "reason", why, "sent",
                  log_number((int64_t)link_bytes_sent(link)), "received",
                  log_number((int64_t)link_bytes_received(link)), NULL);
    }
    if (session)
        session_close(session);
    if (peer && !is_connected(replicator, peer->node))
        note_connected(peer, false);
    struct event event = { .type = EVENT_LINK_CLOSED, .link = { .link = link_id(link) } };
    replicator_step(replicator, &event);
}

static void on_connect_failed(void *context, const char *node, const char *why)
{
    struct replicator *replicator = context;
    struct peer_note *peer = status_peer(replicator, node);
    if (peer) {
        if (strcmp(peer->last_error, why) != 0) /* once, not at every try */
            log_event(LOG_EVENT_WARNING, "link.connect_failed", "peer", node, "reason", why, NULL);
        snprintf(peer->last_error, sizeof peer->last_error, "%s", why);
    }
    struct event event = { .type = EVENT_CONNECT_FAILED, .connect_failed = { .node = node } };
    replicator_step(replicator, &event);
}

static void on_wake(uv_async_t *wake)
{
    struct replicator *replicator = wake->data;
    struct own_news news;
    pthread_mutex_lock(&replicator->lock);
    own_news_take(replicator, &news);
    pthread_mutex_unlock(&replicator->lock);
    own_news_grown(replicator, &news);
    lane_answer(replicator); /* of everything stored before that: a cursor never goes back */
    own_news_put_back(replicator, &news);
    own_news_damaged(replicator, &news);
    replicator_release(replicator);
}

/* ---- keys ---- */

static enum err find_log_key(void *context, const char *node, struct sign_public *key)
{
    const struct replicator *replicator = context;
    const struct config *config = replicator->options.config;
    if (strcmp(config->node, node) == 0) { /* a suffix of ours that is handed back */
        *key = replicator->options.keyring->log.public;
        return OK;
    }
    for (size_t i = 0; i < config->province_count; i++)
        if (strcmp(config->provinces[i].name, node) == 0) {
            *key = config->provinces[i].log_key;
            return OK;
        }
    for (size_t i = 0; i < config->hub_count; i++)
        if (strcmp(config->hubs[i].name, node) == 0) {
            *key = config->hubs[i].log_key;
            return OK;
        }
    return ERR_NOT_FOUND;
}

enum err replicator_receipt_key(void *context, const char *hub, struct sign_public *key)
{
    const struct config *config = ((struct replicator *)context)->options.config;
    for (size_t i = 0; i < config->hub_count; i++)
        if (strcmp(config->hubs[i].name, hub) == 0) {
            *key = config->hubs[i].receipt_key;
            return OK;
        }
    return ERR_NOT_FOUND;
}

/* ---- opening ---- */

/* Two hubs have each other's address: the one whose name sorts first connects. */
static bool connects_to(const struct config *config, const struct config_hub *hub)
{
    return config->role == ROLE_PROVINCE || strcmp(config->node, hub->name) < 0;
}

static enum err make_peers(struct replicator *replicator, struct core_peer **core_peers)
{
    const struct config *config = replicator->options.config;
    size_t count = config->hub_count + (config->role == ROLE_HUB ? config->province_count : 0);
    replicator->link_peers = calloc(count + 1, sizeof *replicator->link_peers);
    replicator->peers = calloc(count + 1, sizeof *replicator->peers);
    *core_peers = calloc(count + 1, sizeof **core_peers);
    if (!replicator->link_peers || !replicator->peers || !*core_peers)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        bool is_hub = i < config->hub_count;
        const struct config_hub *hub = is_hub ? &config->hubs[i] : NULL;
        const struct config_province *province =
            is_hub ? NULL : &config->provinces[i - config->hub_count];
        const char *name = is_hub ? hub->name : province->name;
        struct links_peer *link = &replicator->link_peers[i];
        memcpy(link->node, name, sizeof link->node);
        link->key = is_hub ? hub->link_key : province->link_key;
        link->address = is_hub ? hub->address : NULL;
        struct peer_note *note = &replicator->peers[i];
        memcpy(note->node, name, sizeof note->node);
        note->role = is_hub ? ROLE_HUB : ROLE_PROVINCE;
        struct core_peer *peer = &(*core_peers)[i];
        memcpy(peer->node, name, sizeof peer->node);
        peer->role = note->role;
        peer->connect = is_hub && connects_to(config, hub);
        if (is_hub && replicator->hub_count < CORE_HUB_MAX)
            replicator->hubs[replicator->hub_count++] = link->node;
    }
    replicator->peer_count = count;
    return OK;
}

/* All windows together bound what a hub holds in memory when every province catches up at once: each
 * byte of credit is held about twice, received and ready to be stored. */
#define CREDIT_ALL     ((uint64_t)64 << 20)
#define CREDIT_ONE     ((uint64_t)4 << 20)
#define CREDIT_ONE_MIN (4 * (uint64_t)PACKAGE_ROOM)

static uint64_t credit_window(size_t peers)
{
    uint64_t share = CREDIT_ALL / (peers > 0 ? peers : 1);
    return share > CREDIT_ONE ? CREDIT_ONE : share < CREDIT_ONE_MIN ? CREDIT_ONE_MIN : share;
}

static enum err make_core(struct replicator *replicator, const struct core_peer *peers)
{
    const struct config *config = replicator->options.config;
    struct core_options options = { .role = config->role,
                                    .peers = peers,
                                    .peer_count = replicator->peer_count,
                                    .software = bytes_of_string(VERSION_SOFTWARE),
                                    .credit_window = credit_window(replicator->peer_count),
                                    .catchup_links_max = config->catch_ups_max };
    memcpy(options.node, config->node, sizeof options.node);
    randombytes_buf(&options.seed, sizeof options.seed);
    replicator->core = core_new(&options);
    return replicator->core ? OK : ERR_INVALID;
}

static void on_loaded(void *context, const struct event_log_loaded *loaded)
{
    struct replicator *replicator = context;
    struct event event = { .type = EVENT_LOG_LOADED, .log_loaded = *loaded };
    replicator_step(replicator, &event);
}

static void init_handles(struct replicator *replicator)
{
    uv_loop_t *loop = replicator->options.loop;
    uv_timer_init(loop, &replicator->tick);
    uv_timer_init(loop, &replicator->refresh);
    uv_timer_init(loop, &replicator->fold);
    uv_async_init(loop, &replicator->wake, on_wake);
    replicator->tick.data = replicator->refresh.data = replicator->fold.data =
        replicator->wake.data = replicator;
    replicator->handles = 4;
}

static enum err open_all(struct replicator *replicator, struct buffer *problem)
{
    const struct config *config = replicator->options.config;
    struct core_peer *core_peers = NULL;
    struct replica_options replica_options = { .logs = engine_logs(replicator->options.engine),
                                               .node = config->node,
                                               .receipt_key = &replicator->options.keyring->receipt,
                                               .log_key = find_log_key,
                                               .receipt_key_of = replicator_receipt_key,
                                               .context = replicator };
    enum err err = make_peers(replicator, &core_peers);
    if (err == OK)
        err = make_core(replicator, core_peers);
    free(core_peers);
    if (err == ERR_INVALID)
        buffer_append_string(problem, "the configured peers: a name stands twice, is this node's "
                                      "own, or there are more than 8 hubs");
    if (err == OK)
        err = replica_new(&replicator->replica, &replica_options);
    if (err == OK)
        err = replica_load(replicator->replica, replicator->hubs, replicator->hub_count, on_loaded,
                           replicator);
    struct links_options links_options = {
        .loop = replicator->options.loop,
        .key = &replicator->options.keyring->link,
        .peers = replicator->link_peers,
        .peer_count = replicator->peer_count,
        .listen = config->replication_listen,
        .events = { on_opened, on_heard, on_message, on_drained, on_closed, on_connect_failed },
        .context = replicator,
    };
    if (err == OK)
        err = links_open(&replicator->links, &links_options, problem);
    return err;
}

enum err replicator_open(struct replicator **out, const struct replicator_options *options,
                         struct buffer *problem)
{
    struct replicator *replicator = calloc(1, sizeof *replicator);
    if (!replicator)
        return ERR_NOMEM;
    replicator->options = *options;
    replicator->tick_at_ms = UINT64_MAX;
    replicator->done_last = &replicator->done_first;
    replicator->own.put_back_last = &replicator->own.put_back_first;
    pthread_mutex_init(&replicator->lock, NULL);
    init_handles(replicator);
    replicator->message = calloc(1, sizeof *replicator->message);
    enum err err = replicator->message ? open_all(replicator, problem) : ERR_NOMEM;
    if (err != OK) {
        replicator->unopened = true;
        replicator_close(replicator, NULL, NULL);
        return err;
    }
    *out = replicator;
    struct event start = { .type = EVENT_START };
    replicator_step(replicator, &start);
    status_refresh(&replicator->refresh);
    return OK;
}

const char *replicator_address(const struct replicator *replicator)
{
    return links_address(replicator->links);
}

/* ---- closing ---- */

void replicator_free(struct replicator *replicator)
{
    if (!replicator)
        return;
    core_free(replicator->core);
    replica_free(replicator->replica);
    put_back_free(replicator->own.put_back_first);
    effects_close(&replicator->effects);
    pthread_mutex_destroy(&replicator->lock);
    free(replicator->link_peers);
    free(replicator->peers);
    free(replicator->roots);
    free(replicator->message);
    free(replicator);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct replicator *replicator = handle->data;
    if (--replicator->handles > 0)
        return;
    if (replicator->unopened)
        replicator_free(replicator);
    else
        replicator->closed(replicator->closed_context);
}

void replicator_release(struct replicator *replicator)
{
    if (!replicator->closing || !replicator->links_closed || replicator->under_way > 0 ||
        uv_is_closing((uv_handle_t *)&replicator->wake))
        return;
    pthread_mutex_lock(&replicator->lock);
    replicator->deaf = true;
    pthread_mutex_unlock(&replicator->lock);
    uv_close((uv_handle_t *)&replicator->tick, on_handle_closed);
    uv_close((uv_handle_t *)&replicator->refresh, on_handle_closed);
    uv_close((uv_handle_t *)&replicator->fold, on_handle_closed);
    uv_close((uv_handle_t *)&replicator->wake, on_handle_closed);
}

static void on_links_closed(void *context)
{
    struct replicator *replicator = context;
    replicator->links_closed = true;
    replicator_release(replicator);
}

void replicator_close(struct replicator *replicator, void (*done)(void *context), void *context)
{
    replicator->closing = true;
    replicator->closed = done;
    replicator->closed_context = context;
    for (struct session *session = replicator->sessions; session; session = session->next)
        if (session->link)
            session_end(session, CLOSE_SHUTDOWN, "the node is stopping");
    if (replicator->links) {
        links_close(replicator->links, on_links_closed, replicator);
        return;
    }
    replicator->links_closed = true;
    replicator_release(replicator);
}
