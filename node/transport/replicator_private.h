/* What the files of the replicator share. Everything here belongs to the loop thread, but for what
 * stands under `lock` and for the jobs while they are on another thread. */
#ifndef NODE_TRANSPORT_REPLICATOR_PRIVATE_H
#define NODE_TRANSPORT_REPLICATOR_PRIVATE_H

#include "node/transport/links.h"
#include "node/transport/replicator.h"
#include "replication/core/core.h"
#include "replication/replica.h"

#include <pthread.h>

/* Store effects under way for one link, and messages that wait to leave on it, above which it is not
 * read: what the credit window does not count (checkpoints, receipts, fork proofs, answers) is
 * bounded by these. */
#define SESSION_INTAKES_MAX  512
#define SESSION_OUTGOING_MAX 512
#define STATUS_REFRESH_MS 100
#define OWN_LOG_MAX 16
#define DAMAGE_MAX  64 /* further ones are found again */
/* Folding what was followed costs as much as storing it. Little is folded within FOLD_TICK_MS; a
 * catch-up goes first, and is folded when it has nearly arrived, or after FOLD_LIMIT_MS. */
#define FOLD_TICK_MS     100
#define FOLD_LIMIT_MS    10000
#define FOLD_MISSING_MAX 1024 /* records that a peer offers and are not here; above: a catch-up */
#define FOLD_BUSY_MIN    8 /* things under way; above, another node's catch-up needs the machine */
#define FOLD_NODE_MAX    64

struct outgoing;

/* One open link, and what is to leave on it, in order. */
struct session {
    struct replicator *replicator;
    struct session *next, **previous;
    struct link *link; /* NULL once it is closed */
    uint64_t id;
    char node[NODE_NAME_SIZE_MAX + 1];
    struct outgoing *first, **last;
    unsigned reads; /* on the pool; the session lives until they are back */
    bool dirty;     /* to be flushed at the end of the step */
    bool peer_said; /* that it closes: the core then drops the link */
    struct session *dirty_next;
    bool reporting; /* `report` waits for the write queue to drain */
    struct event_records_sent report;
    unsigned intakes;   /* store effects under way */
    unsigned outgoings; /* in the list at `first` */
};

/* Store effects of one log, in order. */
struct intake;
struct lane {
    struct lane *next, **previous;
    struct log_id log;
    struct intake *first, **last; /* until their answer was given to the core */
    struct intake *waiting;       /* the first that is not with the log thread yet */
};

/* What replication knows of one peer beyond the core. */
struct peer_note {
    char node[NODE_NAME_SIZE_MAX + 1];
    enum node_role role;
    bool connected;
    int64_t since_ms;
    uint64_t bytes_sent, bytes_received; /* of ended links */
    uint64_t connects, refusals;
    char last_error[96];
};

/* Roots are made once for a size, not for each look at the status. */
struct root_note {
    struct log_id log;
    uint64_t size;
    struct hash root;
};

/* Followed records of a node that are stored and that the views thread was not told of. */
struct fold_due {
    char node[NODE_NAME_SIZE_MAX + 1];
    uint64_t since_ms;
};

struct own_log {
    struct log_id log;
    uint64_t size;
};

/* An own log of which the journal had more than was handed back, and what is held of it now. */
struct put_back {
    struct put_back *next;
    struct log_id log;
    struct replica_result held;
};

/* What verification found, with the records that have to come again. */
struct damage {
    struct log_id log;
    uint64_t first, end;
};

/* What the log thread says of own logs, and the verifier of any. */
struct own_news {
    struct own_log grown[OWN_LOG_MAX]; /* live, one after the other */
    size_t grown_count;
    struct put_back *put_back_first, **put_back_last;
    struct damage damages[DAMAGE_MAX];
    size_t damage_count;
};

struct replicator {
    struct replicator_options options;
    struct core *core;
    struct effects effects;
    struct replica *replica;
    struct links *links;
    struct session *sessions, *dirty;
    struct lane *lanes;
    struct links_peer *link_peers;
    struct peer_note *peers;
    size_t peer_count;
    const char *hubs[CORE_HUB_MAX];
    size_t hub_count;
    uv_timer_t tick, refresh, fold;
    struct fold_due folds[FOLD_NODE_MAX];
    size_t fold_count;
    uv_async_t wake;
    uint64_t tick_at_ms;
    unsigned under_way; /* jobs on the pool and intakes */
    unsigned handles;
    bool stepping, closing, links_closed, has_live;
    struct log_id live; /* the own log that is being written */
    struct message *message; /* large: decoded into, for one step */
    bool unopened; /* it failed to open: nobody has it, so it frees itself */
    void (*closed)(void *context);
    void *closed_context;

    pthread_mutex_t lock; /* of what other threads hand over, and of the status */
    struct intake *done_first, **done_last;
    struct own_news own;
    bool deaf; /* closing: the loop is not to be woken any more */
    struct replication_status status;
    int64_t oldest_ms[STATUS_PEER_MAX]; /* author's time of the oldest record behind; 0 none */
    struct root_note *roots;
    size_t root_count;
};

/* ---- replicator.c ---- */
uint64_t replicator_now_ms(void); /* monotonic: the core's time */
int64_t replicator_wall_ms(void);
/* Of a configured hub; any thread. `context` is the replicator. */
enum err replicator_receipt_key(void *context, const char *hub, struct sign_public *key);
void replicator_step(struct replicator *replicator, struct event *event);
/* Takes it off the loop when it is closing and nothing is under way. */
void replicator_release(struct replicator *replicator);

/* ---- replicator_send.c ---- */
struct session *session_find(struct replicator *replicator, uint64_t id);
struct session *session_of(struct link *link);
void session_open(struct replicator *replicator, struct link *link);
void session_close(struct session *session);
/* Effects. */
void session_send(struct session *session, struct bytes message);
void session_read(struct session *session, const struct effect *effect);
void session_end(struct session *session, enum close_code code, const char *text);
void session_drained(struct session *session);
void session_flush_dirty(struct replicator *replicator);
/* Reads the link or not, as what it has caused so far is bounded or not. */
void session_balance(struct session *session);

/* ---- replicator_store.c ---- */
void lane_store(struct replicator *replicator, const struct effect *effect);
/* Gives the core the answers that came back from the log thread. */
void lane_answer(struct replicator *replicator);
void fold_run(uv_timer_t *timer);

/* ---- replicator_own.c ---- */
/* Takes what is new, under the lock. The rest is for the loop thread. */
void own_news_take(struct replicator *replicator, struct own_news *news);
void own_news_grown(struct replicator *replicator, const struct own_news *news);
/* Frees the list. */
void own_news_put_back(struct replicator *replicator, const struct own_news *news);
void own_news_damaged(struct replicator *replicator, const struct own_news *news);
void put_back_free(struct put_back *first);

/* ---- replicator_status.c ---- */
void status_alarm(struct replicator *replicator, const struct effect_alarm *alarm);
/* Something has changed: a new copy is made soon. */
void status_touch(struct replicator *replicator);
void status_refresh(uv_timer_t *timer);
struct peer_note *status_peer(struct replicator *replicator, const char *node);

#endif
