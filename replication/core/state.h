/* Private state of the core: peers, links, logs, and what passes between a link and a log. */
#ifndef REPLICATION_CORE_STATE_H
#define REPLICATION_CORE_STATE_H

#include "replication/core/core.h"

struct log;
struct link;

/* A configured node at the other end. */
struct peer {
    struct core_peer options;
    size_t hub_index;  /* place of its receipts in struct log; CORE_HUB_MAX for a province */
    struct link *link; /* its live session, or NULL */
    bool connecting;
    uint64_t connect_at_ms; /* UINT64_MAX: not to be connected, or already in work */
    unsigned attempts;      /* since a link to it was last useful */
    bool heads_known;       /* it has announced everything at least once */
    unsigned alarms;        /* raised since its last good hello, one bit each */
    /* Two processes with one identity push each other out; see on_link.c. */
    uint64_t displaced_at_ms;
    unsigned displaced_count;
};

/* What a WANT says. */
struct order {
    uint64_t next, pending;
    bool names_branch;
    bool found; /* it is the branch that is being sent already */
    struct hash root;
};

/* One log on one link, both directions. */
struct flow {
    struct log *log;
    uint64_t offered;   /* what the peer says, or shows, that it holds */
    uint64_t announced; /* what we have told it that we hold */
    bool unheld;        /* counted in link->unheld_count: nothing of the log was held */
    bool announce;      /* tell it at the next opportunity, whatever it was told */
    bool asked;         /* it asked, and we had nothing for it: tell it when we do */
    bool waiting;       /* we would ask, once the link is admitted */
    unsigned
        declined; /* of a forked log: the branches (a bit each) of which it has no more for us */
    uint64_t retry_at_ms; /* it gave what does not verify: not asked before; UINT64_MAX: trusted */
    unsigned alarms;      /* of states, raised over this link, one bit each */
    /* sending */
    bool subscribed; /* the peer asked for the log */
    bool names_branch; /* it named the branch: its order ends when it has all that is held of it */
    bool branch;       /* the other branch of a forked log is sent */
    bool shown_once; /* a checkpoint was shown since it asked */
    uint64_t next;   /* the first record to send */
    uint64_t shown;  /* the checkpoint the peer has, and was shown last */
    bool reading;    /* the shell is at work on it */
    bool again;      /* the peer asked anew meanwhile: begin with this */
    struct order again_order;
    bool ready; /* stands in the link's queue of flows with something to send */
    struct flow *ready_next;
};

enum link_state { LINK_HELLO, LINK_READY };

struct link {
    uint64_t id;
    struct peer *peer;
    bool outbound;
    bool closed; /* forgotten; freed at the end of the step */
    enum link_state state;
    uint32_t version; /* of the protocol, that both sides speak */
    struct hash binding;
    uint64_t opened_at_ms, heard_at_ms, pinged_at_ms;
    bool heads_complete; /* the peer has announced everything it offers */

    uint64_t credit_send;    /* package bytes we may still send */
    uint64_t credit_receive; /* package bytes the peer may still send */
    uint64_t credit_due;     /* taken in and stored, not yet given back */
    bool reading;            /* a SEND_CHECKPOINT or SEND_RECORDS is not answered yet */
    uint64_t reading_since_ms;
    uint64_t batch_size;
    struct flow *ready_first, *ready_last;

    bool announce_due; /* some flow has grown that the peer does not follow */
    uint64_t announce_at_ms;

    enum catchup_state catchup;
    bool throttled;        /* admitted once, now waiting: its credit is kept back */
    uint64_t ticket;       /* place in the queue */
    uint64_t quantum_left; /* records until it gives way to a waiting link */
    uint64_t moved_at_ms;  /* admitted, or brought on by a record, at this time */
    size_t big_count;      /* logs far behind that are fetched over it */
    size_t unheld_count;   /* flows of logs of which nothing is held */

    struct flow **flows; /* ascending by log id */
    size_t flow_count, flow_capacity;
};

/* See mending.c. */
#define MEND_MAX 8
struct mends {
    struct mend {
        uint64_t first, end;
    } list[MEND_MAX];
    unsigned count;
};

struct log {
    struct log_id id;
    struct cursor held;
    bool own;
    bool live;         /* this process writes it */
    bool closing;      /* asked to be closed */
    bool reopen_due;   /* to be closed, for this reason, when that may be asked for again */
    enum incarnation_reason reopen_reason;
    uint64_t named;    /* the largest size by which a held log names it */
    bool has_parents;  /* of its own author, as far as was seen when it came */
    bool passed_over;  /* an incarnation was opened with it here; see incarnation.c */
    uint64_t cosigned; /* the largest size this hub has cosigned */
    bool receipt_due;  /* not signed for want of an erasure, or not signed or kept for want of room */
    bool signing;
    uint64_t receipts[CORE_HUB_MAX];
    uint64_t hub_holds[CORE_HUB_MAX]; /* less than its receipt: it lost the rest. UINT64_MAX: all */

    bool frozen; /* forked: nobody writes it, no receipt is given; both branches are fetched */
    bool proven;
    struct peer *fork_peer; /* who showed the other branch */
    struct cursor branch; /* the other branch; nothing pending: it is not known yet which that is */

    /* fetching: from one link at a time */
    struct link *source;
    bool fetch_branch; /* of a frozen log: the other branch is asked for */
    uint64_t expected; /* the position after everything taken in, stored or under way */
    uint64_t shown;    /* size of the last checkpoint taken in since we asked; 0 none */
    struct hash shown_root;
    struct mends *mends; /* damaged records, to be asked for again; NULL: none were found */
    bool mending;        /* what was asked for last is the first of them */
    bool mend_taken;     /* all of that has come and is on its way into the store */
    bool resync;          /* a gap was refused; what follows it on the way is dropped */
    bool big;             /* counted in source->big_count */
    unsigned storing;     /* store effects not answered yet, whatever link they came from */
    unsigned stale_count; /* times that it was asked anew for that, since it last grew */
    uint64_t retry_at_ms; /* not asked for before; UINT64_MAX: not paused */

    unsigned alarms; /* raised, one bit each */
    size_t flow_count;
    bool queued; /* stands in core->work */
    struct log *work_next;
};

struct core {
    struct core_options options;
    struct peer *peers;
    size_t peer_count, hub_count;
    char software[64];

    struct log **logs; /* ascending by id */
    size_t log_count, log_capacity;
    struct log *work_first, *work_last; /* logs to look at: is there something to ask for? */
    uint64_t retry_at_ms;               /* the earliest of the logs', or earlier */
    size_t receipt_due_count;
    uint64_t receipt_at_ms;             /* when those are tried that found no room; UINT64_MAX */

    struct link **links; /* in the order of their opening */
    size_t link_count;

    bool started, may_write;
    uint64_t start_at_ms;
    bool merge_check; /* an own log was handed back */
    uint64_t merge_at_ms, merge_delay_ms;
    uint64_t reopen_at_ms, reopen_delay_ms; /* incarnations that peers demand; see incarnation.c */
    bool reopen_due;                        /* some live log waits for that */
    uint64_t tickets;
    uint64_t random;

    /* of the current step */
    uint64_t now_ms;
    struct effects *out;
    struct effect lost;     /* stands in for an effect that found no room */
    struct message scratch; /* large: for building messages */
};

/* ---- tables.c: finding and making; NULL from the makers is a reached limit, alarmed ---- */
struct peer *core_peer_find(struct core *core, const char *node);
struct link *core_link_find(struct core *core, uint64_t id);
struct log *core_log_find(struct core *core, const struct log_id *id);
struct log *core_log_make(struct core *core, const struct log_id *id);
struct flow *core_flow_find(struct link *link, const struct log *log);
struct flow *core_flow_make(struct core *core, struct link *link, struct log *log);
/* For a log that a peer speaks of: NULL when it is none of our business, or too many are unheld. */
struct flow *core_flow_of_stranger(struct core *core, struct link *link, const struct log_id *id);
/* Frees flows, and logs that are nothing but somebody's announcement. */
void core_link_free(struct core *core, struct link *link);
void core_log_free(struct log *log);
/* Forgets a log that nobody announces any more and of which nothing is held or under way. */
void core_log_release(struct core *core, struct log *log);

/* ---- policy.c: who may hold what (R12) ---- */
bool core_policy_may_hold(const struct core *core, const char *node, enum node_role role,
                          const struct log_id *log);
bool core_policy_we_follow(const struct core *core, const struct log_id *log);
bool core_policy_peer_may_hold(const struct core *core, const struct peer *peer,
                               const struct log_id *log);

/* ---- effects.c ---- */
struct effect *core_effect_add(struct core *core, enum effect_type type);
void core_send_message(struct core *core, struct link *link, const struct message *message);
void core_send_refusal(struct core *core, struct link *link, const struct log *log,
                       enum refusal_code code, uint64_t next, const char *text);
/* Once per log and kind. */
void core_alarm_log(struct core *core, struct log *log, enum alarm alarm, const char *node,
                    uint64_t held, uint64_t seen);
/* Of a state that ends and may come again: once while it lasts, and once a link. */
void core_alarm_state(struct core *core, struct flow *flow, enum alarm alarm, const char *node,
                      uint64_t held, uint64_t seen);
void core_alarm_over(struct log *log, enum alarm alarm);
/* Once per peer and kind, until a good hello. */
void core_alarm_peer(struct core *core, struct peer *peer, enum alarm alarm, uint64_t seen);

/* ---- links.c ---- */
/* Ends a link from this side: CLOSE is sent, everything about it is forgotten. */
void core_link_close(struct core *core, struct link *link, enum close_code code, const char *text);
/* Forgets it without a word. */
void core_link_forget(struct core *core, struct link *link);
/* It did something worth having: the next reconnect is quick. */
void core_link_useful(struct link *link);

/* ---- fetching.c: what we ask for ---- */
/* Of what is being fetched, or was last: the log, or the other branch of a forked one. */
struct cursor *core_log_fetch_cursor(struct log *log);
void core_fetch_look(struct core *core, struct log *log);  /* queue it for a look */
void core_fetch_run(struct core *core);                    /* look at all that are queued */
void core_fetch_stop(struct core *core, struct log *log);  /* no source any more */
void core_fetch_pause(struct core *core, struct log *log); /* nor for a while */
/* What its source gave was no good: that link is not asked for a while, others may be. */
void core_fetch_distrust(struct core *core, struct log *log);
/* What its source sends does not go on where the store stands: it is asked anew, from there. */
void core_fetch_again(struct core *core, struct log *log);
/* The link is not asked for it for a while. */
void core_fetch_avoid(struct core *core, struct link *link, struct log *log);
/* A peer gave all it has of a branch, and not all of that could be stored: asked again in a while.
 */
void core_fetch_spoilt(struct core *core, struct link *link, struct log *log, bool branch);
void core_fetch_resume_due(struct core *core);
/* The store answered: this is what is held now. `from`: whose data that was, NULL when it is gone.
 */
void core_fetch_stored(struct core *core, struct log *log, bool branch, const struct cursor *cursor,
                       const struct link *from);
/* It says so of a log of ours: it should hold no more than we do, nor less than it has cosigned. */
void core_own_offered(struct core *core, struct link *link, struct flow *flow, uint64_t size);
/* The peer holds `size` records of it, as it says or shows. */
void core_fetch_offered(struct core *core, struct link *link, struct flow *flow, uint64_t size);
/* When a link has announced everything: what we lack though a held log names it, it may have. */
void core_fetch_missing(struct core *core, struct link *link);
/* The parents that a held log names. */
void core_fetch_parents(struct core *core, struct log *child, const struct log_head *parents,
                        size_t count);

/* ---- mending.c: damaged records that are held ---- */
/* True when they are asked for. */
bool core_mend_ask(struct core *core, struct log *log);
/* A package up to `end` is on its way into the store. */
void core_mend_came(struct core *core, struct link *link, struct log *log, uint64_t end);
/* The store's answer to one. */
void core_mend_stored(struct core *core, struct link *link, struct log *log,
                      const struct event_stored *event);

/* ---- admission.c ---- */
bool core_admission_ask(struct core *core, struct link *link);
/* Frees places that are not used; true when another link was admitted. */
bool core_admission_sweep(struct core *core);
uint64_t core_admission_deadline(const struct core *core);
void core_admission_spend(struct core *core, struct link *link, uint64_t records);
void core_credit_give_back(struct core *core, struct link *link, uint64_t size);

/* ---- sending.c: what we send to those who asked ---- */
void core_sending_begin(struct core *core, struct link *link, struct flow *flow,
                        const struct order *order);
/* Something was sent, or will not be. */
void core_sending_go_on(struct core *core, struct link *link, struct flow *flow);
void core_sending_stop(struct flow *flow);
void core_sending_ready(struct link *link, struct flow *flow);
void core_sending_run(struct core *core, struct link *link);

/* ---- announcing.c ---- */
bool core_log_is_tip(const struct log *log);
void core_announce_all(struct core *core, struct link *link);
void core_announce_growth(struct core *core, struct log *log); /* `covered` has grown */
/* Either branch of a forked log has grown, by what came from there: who else asked in vain may ask
 * again. */
void core_announce_branch(struct core *core, struct log *log, const struct link *from);
void core_announce_one(struct core *core, struct link *link, struct log *log);
void core_announce_run(struct core *core, struct link *link);

/* ---- incarnation.c: when the own node should write, and anew ---- */
void core_incarnation_start(struct core *core);
void core_incarnation_hubs_answered(struct core *core);
void core_incarnation_need(struct core *core, struct log *log, enum incarnation_reason reason);
void core_incarnation_merge(struct core *core);
/* More has come of an own log: what could not be named before may be now. */
void core_incarnation_look(struct core *core);
/* What was put off: see core_incarnation_need(). */
void core_incarnation_tick(struct core *core);

/* ---- on_stored.c ---- */
/* What a store effect failed with says that the peer's data is wrong, not that our store is full,
 * out of memory, busy or damaged. */
bool core_err_is_of_data(enum err err);

/* ---- receipts.c ---- */
void core_receipt_consider(struct core *core, struct log *log);
void core_receipt_later(struct core *core, struct log *log); /* the store had no room for it */
void core_receipt_resume_due(struct core *core);             /* it may have room again */
void core_receipt_retry(struct core *core, const char *node); /* more of that node is stored */
/* Of an own log: what a hub's receipt is good for, as far as is known. */
uint64_t core_receipted(const struct log *log, size_t hub_index);
/* A hub says, or shows, how much of an own log it holds: less than it gave a receipt for, more again. */
void core_hub_says(struct core *core, struct flow *flow, const struct peer *hub, uint64_t size);
void core_hub_has(struct log *log, const struct peer *hub, uint64_t size);
/* It has announced everything: own logs that it would have had to name, and did not. */
void core_hub_lacks(struct core *core, struct link *link);

/* ---- forking.c ---- */
/* `other`: what is held, and to be fetched, of the other branch. */
void core_fork_freeze(struct core *core, struct log *log, struct peer *peer, uint64_t seen,
                      const struct cursor *other);
void core_fork_proven(struct core *core, struct log *log, const struct peer *except);
void core_fork_tell_all(struct core *core, struct link *link);
/* The peer that writes the log, or NULL when that is this node. */
struct peer *core_log_author(struct core *core, const struct log *log);

/* ---- backoff.c ---- */
uint64_t core_random(struct core *core); /* splitmix64 */
void core_backoff_schedule(struct core *core, struct peer *peer);
/* For whoever was pushed out by a newer session of its own node: that one has 16 s in peace. */
void core_backoff_displaced(struct core *core, struct peer *peer);
void core_backoff_run(struct core *core);

/* ---- one for each event: on_*.c ---- */
void core_on_log_loaded(struct core *core, const struct event_log_loaded *event);
void core_on_start(struct core *core);
void core_on_tick(struct core *core);
void core_on_link_opened(struct core *core, const struct event_link_opened *event);
void core_on_link_heard(struct core *core, const struct event_link *event);
void core_on_link_closed(struct core *core, const struct event_link *event);
void core_on_connect_failed(struct core *core, const struct event_connect_failed *event);
void core_on_message(struct core *core, const struct event_message *event);
void core_on_log_opened(struct core *core, const struct event_own_log *event);
void core_on_log_advanced(struct core *core, const struct event_own_log *event);
void core_on_log_closed(struct core *core, const struct event_own_log *event);
void core_on_log_put_back(struct core *core, const struct event_log_put_back *event);
void core_on_log_damaged(struct core *core, const struct event_log_damaged *event);
void core_on_checkpoint_sent(struct core *core, const struct event_checkpoint_sent *event);
void core_on_records_sent(struct core *core, const struct event_records_sent *event);
void core_on_checkpoint_stored(struct core *core, const struct event_stored *event);
void core_on_package_stored(struct core *core, const struct event_stored *event);
void core_on_receipt_signed(struct core *core, const struct event_receipt_signed *event);
void core_on_receipt_stored(struct core *core, const struct event_receipt_stored *event);
void core_on_fork_stored(struct core *core, const struct event_fork_stored *event);
void core_on_branch_found(struct core *core, const struct event_branch_found *event);
void core_on_want_unsent(struct core *core, const struct event_want_unsent *event);

/* ---- one for each message: on_*.c; the link is ready, save for the hello ---- */
void core_on_hello(struct core *core, struct link *link, const struct message_hello *hello);
void core_on_heads(struct core *core, struct link *link, const struct message_heads *heads);
void core_on_want(struct core *core, struct link *link, const struct message_want *want);
void core_on_checkpoint(struct core *core, struct link *link,
                        const struct message_checkpoint *message);
void core_on_package(struct core *core, struct link *link, const struct message_package *message,
                     uint64_t size);
void core_on_receipt(struct core *core, struct link *link, const struct message_receipt *message);
void core_on_credit(struct core *core, struct link *link, const struct message_credit *message);
void core_on_refusal(struct core *core, struct link *link, const struct message_refusal *message);
void core_on_fork(struct core *core, struct link *link, const struct message_fork *message);

#endif
