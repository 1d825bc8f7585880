/* A province, its hubs, and everything that may happen to their link and to their disks.
 *
 * Every action below is one step of the replication core with the effects that belong to it
 * (replication/core, one event in, effects out) or one commit of a store. What an action is called
 * in the code stands beside it; README.md has the table and says what is left out.
 *
 *   sizes      HUBS (1, 2), K receipts make a record national, INCARNATIONS at most (4),
 *              RECORDS registered by call-takers, CAPACITY messages under way in each direction
 *   faults     FAULTS of all kinds; LOSSY of them take a disk back to its copy, or away;
 *              ONLY_LOSSY leaves the others out, NO_COPY the copies, ONE_VICTIM the hubs' disks
 *   broken     one of the names below, each a mistake that must be found:
 *              REUSE_INCARNATION RECEIPT_BEFORE_SYNC NO_VERIFY ACCEPT_GAP NO_HAND_BACK NO_PARENTS
 *              FORGET_STEP_BACK, and what the code once did: NO_COVERING SILENT_ROLLBACK
 *              HIDDEN_BY_UNPROVEN TIPS_SUFFICE NAMED_UNSAID */

#ifndef HUBS
#define HUBS 1
#endif
#ifndef K
#define K HUBS
#endif
#ifndef INCARNATIONS
#define INCARNATIONS 4
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef LOSSY
#define LOSSY 1
#endif

#define LOGS  4            /* as many as HEADS has fields */
#define NODES (HUBS + 1)   /* 0 is the province */
#define SIDES (2 * HUBS)   /* of links: h is the province's end of the link to hub h, HUBS + h the hub's */
#define NONE  15

#define NODE(side)  ((side) < HUBS -> 0 : (side) - HUBS + 1)
#define PEER(side)  ((side) < HUBS -> (side) + HUBS : (side) - HUBS)
#define AT(node, log) ((node) * LOGS + (log))
#define BIT(n)      (1 << (n))

/* ---- what is on the disks ------------------------------------------------------------------- */

typedef stored {        /* of one log at one node: struct cursor, core/event.h */
    byte size;          /* records held, 0..size-1 */
    byte covered;       /* the largest accepted checkpoint that is wholly held */
    byte pending;       /* the newest accepted one */
    byte notes;         /* sizes of all accepted ones, one bit each: table `notes` */
    byte receipt        /* hub: the largest size it cosigned; not used by the province */
};
stored disk[NODES * LOGS];
byte receipts[HUBS * LOGS];    /* the province's: table `receipts`, newest of each hub */

stored copy[NODES * LOGS];     /* a backup or snapshot of each node */
byte copy_receipts[HUBS * LOGS];
bool copied[NODES];

/* What the first record of a log names: fixed for ever when that record is written. */
byte names[LOGS * LOGS];
byte opened;                   /* incarnations written so far; their ids are never drawn twice */

/* ---- what the processes remember ------------------------------------------------------------ */

typedef flow {                 /* one log on one end of a link: struct flow, core/state.h */
    byte offered, announced;
    bool announce, asked, receipt_due;
    bool subscribed, shown_once;
    byte next, shown            /* sending */
};
flow flows[SIDES * LOGS];

typedef fetch {                /* one log at one node: the fetching part of struct log */
    byte source;               /* the link's end it is followed over, or NONE */
    byte expected, shown;
    bool paused
};
fetch fetches[NODES * LOGS];
byte named[NODES * LOGS];      /* the largest size by which a held log names this one: struct log */

byte declined_log[SIDES];      /* a WANT is answered «I hold only so much»: before all else that leaves */
byte declined_size[SIDES];
bool heads_known[HUBS];        /* the province has heard all heads of that hub since it started */
byte holds[HUBS * LOGS];       /* a hub has shown since that it holds only so much: hub_holds; NONE: not so */
bool damaged[HUBS];            /* a frame was lost or doubled: the channel's next check ends the link */

typedef job { byte which, first; bool wrong };
job store_job[NODES];          /* a package verified and not yet committed, of a log; NONE: none */

byte live = NONE;              /* the log this province process writes */
byte registered;               /* records acknowledged to call-takers as recorded */

/* ---- the network: authentic, in order, lost with its link ----------------------------------- */

mtype = { HEADS_ALL, HEADS, WANT, CHECKPOINT, PACKAGE, RECEIPT };
/* HEADS: size of log 0..3, NONE is not mentioned.  WANT: log, next, pending.  CHECKPOINT: log, size,
 * from.  PACKAGE: log, first, against, 1 when the record is not what its author wrote.  RECEIPT: log, size. */
chan inbox[SIDES] = [CAPACITY] of { mtype, byte, byte, byte, byte };

/* ---- the judge's own knowledge: no action looks at it ---------------------------------------- */

byte faults, lossy;
byte written[LOGS];            /* by the author, ever */
byte national[LOGS];           /* the largest size ever shown as national */
bool node_rollback, node_rollback_seen; /* the province lacks what a hub holds; the alarm */
bool hub_rollback, hub_rollback_seen;
bool exhausted;                /* the model has no further incarnation to give: nothing is concluded */
bool settled;

/* scratch of single steps: not part of the state */
hidden byte i, j, n, l, from, most;
hidden byte a, b, c, d;
hidden mtype kind;
hidden byte yes;

#define SAY printf            /* seen when a trail is replayed; no part of the search */

#define D(node, log)  disk[AT(node, log)]
#define F(side, log)  flows[AT(side, log)]
#define G(node, log)  fetches[AT(node, log)]
#define RECEIPTED(hub, log) /* core_receipted */ \
    (receipts[AT(hub, log)] < holds[AT(hub, log)] -> receipts[AT(hub, log)] : holds[AT(hub, log)])
#define LIVE(node, log) ((node) == 0 && (log) == live)

#define TIP(node, log) (D(node, log).covered > named[AT(node, log)]) /* core_log_is_tip */
/* Held, and not to be shown to anybody yet: what it names cannot be learned from it. */
#ifdef HIDDEN_BY_UNPROVEN
#define ANY_UNPROVEN(node) false
#else
#define UNPROVEN(node, log) (D(node, log).size > 0 && D(node, log).covered == 0)
#define ANY_UNPROVEN(node) \
    (UNPROVEN(node, 0) || UNPROVEN(node, 1) || UNPROVEN(node, 2) || UNPROVEN(node, 3))
#endif

/* replica_cursor: the largest accepted checkpoint that is wholly held. */
inline set_covered(node, log)
{
    for (j : 1 .. D(node, log).size) {
        if
        :: D(node, log).notes & BIT(j) -> D(node, log).covered = j
        :: else
        fi
    }
}

/* ---- announcing.c ---------------------------------------------------------------------------- */

inline announce_one(side, log)
{
    if
    :: D(NODE(side), log).covered > 0 &&
       (F(side, log).announced != D(NODE(side), log).covered || F(side, log).asked) ->
        F(side, log).announce = true;
        F(side, log).asked = false
    :: else
    fi
}

/* core_announce_growth, on one of the node's links; who is subscribed is simply sent more. */
inline announce_growth_on(side, log)
{
    if
    :: F(side, log).subscribed -> skip
    :: !F(side, log).subscribed && F(side, log).offered < D(NODE(side), log).covered &&
       (TIP(NODE(side), log) || F(side, log).asked) -> announce_one(side, log)
    :: !F(side, log).subscribed && side < HUBS && !LIVE(0, log) &&
#ifdef NAMED_UNSAID
       F(side, log).offered >= D(NODE(side), log).covered &&
#endif
       RECEIPTED(side, log) < D(0, log).covered ->
        announce_one(side, log)
    :: else
    fi
}

inline announce_growth(node, log)
{
    for (i : 0 .. SIDES - 1) {
        if
        :: NODE(i) == node -> announce_growth_on(i, log)
        :: else
        fi
    }
}

/* ---- fetching.c ------------------------------------------------------------------------------ */

/* core_fetch_stop */
inline forget_fetch(node, log)
{
    G(node, log).source = NONE;
    G(node, log).expected = 0;
    G(node, log).shown = 0
}

/* A held log names it, or its author signed a checkpoint of it: the peer may have it. suppose(). */
inline suppose(side, log)
{
    from = named[AT(NODE(side), log)];
#ifndef SILENT_ROLLBACK
    from = (D(NODE(side), log).pending > from -> D(NODE(side), log).pending : from);
#endif
    if
    :: D(NODE(side), log).size < from && F(side, log).offered < from &&
       G(NODE(side), log).source != side ->
        F(side, log).offered = from
    :: else
    fi
}

/* core_fetch_parents, when record 0 of a log has come or was written. */
inline fetch_parents(node, child)
{
    for (l : 0 .. LOGS - 1) {
        if
        :: names[AT(child, l)] > named[AT(node, l)] -> named[AT(node, l)] = names[AT(child, l)]
        :: else
        fi;
        if
        :: names[AT(child, l)] > 0 && node > 0 && D(node, l).covered > names[AT(child, l)] ->
            node_rollback_seen = true; /* named_too_small: ALARM_ROLLBACK */
            announce_one(HUBS + node - 1, l)
        :: else
        fi;
#ifndef NO_PARENTS
        for (i : 0 .. SIDES - 1) {
            if
            :: names[AT(child, l)] > 0 && NODE(i) == node -> suppose(i, l)
            :: else
            fi
        }
#endif
    }
}

/* fetch_consider: may the log be asked for over this end of a link? The code takes the hub that offers
 * most; here any will do that offers more than is held, or can show how much of it is right. */
#ifdef NO_COVERING
#define OFFERS_MORE(side, log) (F(side, log).offered > D(NODE(side), log).size)
#else
#define OFFERS_MORE(side, log) (F(side, log).offered > D(NODE(side), log).covered)
#endif
#define ASK(side, log) \
    (!LIVE(NODE(side), log) && !G(NODE(side), log).paused && \
     store_job[NODE(side)].which != log && OFFERS_MORE(side, log) && \
     (G(NODE(side), log).source == NONE || \
      (G(NODE(side), log).source != side && !OFFERS_MORE(G(NODE(side), log).source, log))))

/* ---- sending.c ------------------------------------------------------------------------------- */

#define HAS_WORK(side, log) \
    (F(side, log).subscribed && D(NODE(side), log).covered > F(side, log).next && \
     D(NODE(side), log).covered >= F(side, log).shown)
#define SHOWING(side, log) (!F(side, log).shown_once || F(side, log).next >= F(side, log).shown)

/* ---- on_heads.c ------------------------------------------------------------------------------ */

/* core_hub_says: what a receipt is good for. */
inline hub_says(side, log, sz)
{
    if
    :: side < HUBS && sz < receipts[AT(side, log)] ->
        holds[AT(side, log)] = sz;
        hub_rollback_seen = true
    :: side < HUBS && sz >= receipts[AT(side, log)] -> holds[AT(side, log)] = NONE
    :: else
    fi
}

/* core_hub_lacks: what a hub does not announce it lacks, unless a later log may name it. */
inline hub_lacks(side)
{
    yes = true;
    most = 0;
    for (l : 0 .. LOGS - 1) {
        yes = yes && F(side, l).offered <= D(0, l).size;
        most = most || F(side, l).offered > 0
    }
    for (l : 0 .. LOGS - 1) {
        if
        :: yes && F(side, l).offered == 0 &&
           receipts[AT(side, l)] > (most -> named[AT(0, l)] : 0) -> hub_says(side, l, 0)
        :: else
        fi
    }
}

inline compare_own(side, log, sz)
{
    if
    :: NODE(side) == 0 && sz > D(0, log).size -> node_rollback_seen = true
    :: else
    fi;
    hub_says(side, log, sz)
}

inline on_head(side, log, sz)
{
    F(side, log).offered = sz;
    compare_own(side, log, sz);
    if /* order_ended */
    :: G(NODE(side), log).source == side &&
       (G(NODE(side), log).shown > 0 || sz <= D(NODE(side), log).size) -> forget_fetch(NODE(side), log)
    :: else
    fi;
    if /* compare_with_author */
    :: side >= HUBS ->
        from = named[AT(NODE(side), log)];
        if
        :: (from > 0 && sz > from) || sz < D(NODE(side), log).covered -> node_rollback_seen = true
        :: else
        fi;
        F(side, log).receipt_due = F(side, log).receipt_due || D(NODE(side), log).receipt > 0
    :: else
    fi;
    if
    :: sz < D(NODE(side), log).covered && !F(side, log).subscribed -> announce_one(side, log)
    :: else
    fi
}

inline on_heads(side)
{
    if :: a != NONE -> on_head(side, 0, a) :: else fi;
    if :: b != NONE -> on_head(side, 1, b) :: else fi;
    if :: c != NONE -> on_head(side, 2, c) :: else fi;
    if :: d != NONE -> on_head(side, 3, d) :: else fi
}

/* core_fetch_missing, when a peer has announced everything. */
inline on_heads_complete(side)
{
    if
    :: side < HUBS -> hub_lacks(side)
    :: else
    fi;
#ifndef NO_PARENTS
    for (l : 0 .. LOGS - 1) { suppose(side, l) }
#endif
    if
    :: side < HUBS -> heads_known[side] = true
    :: else
    fi
}

inline stop_sending(side, log)
{
    F(side, log).subscribed = false;
    F(side, log).shown_once = false;
    F(side, log).next = 0;
    F(side, log).shown = 0
}

/* ---- on_want.c: a is the log, b its next, c what is pending ---------------------------------- */

inline on_want(side)
{
    hub_says(side, a, b);
#ifndef SILENT_ROLLBACK
    if
    :: side < HUBS && b > D(0, a).size -> node_rollback_seen = true
    :: else
    fi;
#endif
    F(side, a).announce = false;
    if
    :: b >= D(NODE(side), a).covered -> /* decline: says how much it has */
        stop_sending(side, a);
        F(side, a).asked = true;
        F(side, a).announced = D(NODE(side), a).covered;
        declined_log[side] = a;
        declined_size[side] = D(NODE(side), a).covered
    :: else ->
        F(side, a).asked = false;
        F(side, a).subscribed = true;
        F(side, a).shown_once = false;
        F(side, a).next = b;
#ifdef FORGET_STEP_BACK
        F(side, a).shown = c
#else
        F(side, a).shown = (c <= D(NODE(side), a).covered -> c : b)
#endif
    fi
}

/* core_fetch_stored, after the log's notes or records have grown. */
inline after_stored(node, log)
{
    from = D(node, log).covered;
    set_covered(node, log);
    if
    :: D(node, log).covered > from ->
        announce_growth(node, log);
        if /* core_receipt_consider, log_cosign: persisted, then to be sent */
        :: node > 0 && D(node, log).covered > D(node, log).receipt ->
            D(node, log).receipt = D(node, log).covered;
            F(HUBS + node - 1, log).receipt_due = true
        :: else
        fi
    :: else
    fi
}

/* ---- on_checkpoint.c, replica_store_checkpoint: a log, b size, c from ------------------------- */

inline on_checkpoint(side)
{
    n = NODE(side);
    if
    :: G(n, a).source == side && b > G(n, a).shown ->
        G(n, a).shown = b;
        if
        :: b > F(side, a).offered -> F(side, a).offered = b
        :: else
        fi;
        yes = c == D(n, a).size && c < D(n, a).pending && b < D(n, a).pending && b > D(n, a).size;
        if
        :: yes || (b > D(n, a).pending && c == D(n, a).pending) ->
            D(n, a).pending = b; /* compare-and-advance, or the step back */
            D(n, a).notes = D(n, a).notes | BIT(b)
        :: !yes && b <= D(n, a).size -> /* judge_known: of what is held, so it is covered from now on */
#ifndef NO_COVERING
            D(n, a).notes = D(n, a).notes | BIT(b);
            D(n, a).pending = (b > D(n, a).pending -> b : D(n, a).pending);
            after_stored(n, a)
#endif
        :: !yes && b > D(n, a).size && b == D(n, a).pending -> skip
        :: else -> forget_fetch(n, a)                                          /* ERR_STALE: ask anew */
        fi
    :: else /* shown already, or not asked for */
    fi
}

/* ---- on_package.c: a log, b first, c against, d: it does not verify --------------------------- */

inline on_package(side)
{
    n = NODE(side);
    if
    :: G(n, a).source != side || G(n, a).shown == 0 -> skip
    :: G(n, a).source == side && G(n, a).shown > 0 && c < G(n, a).shown -> forget_fetch(n, a)
    :: G(n, a).source == side && G(n, a).shown > 0 && c >= G(n, a).shown ->
        if
#ifdef ACCEPT_GAP
        :: false
#else
        :: b > G(n, a).expected -> skip /* R4: refused, and dropped */
#endif
#ifdef NO_VERIFY
        :: false
#else
        :: b <= G(n, a).expected && (d || c != D(n, a).pending) -> /* replica_verify, check_proof */
            forget_fetch(n, a);
            G(n, a).paused = true
#endif
        :: else ->
            G(n, a).expected = (b + 1 > G(n, a).expected -> b + 1 : G(n, a).expected);
            store_job[n].which = a;
            store_job[n].first = b;
            store_job[n].wrong = d
        fi
    fi
}

inline hub_has(side, log, sz)
{
    if
    :: holds[AT(side, log)] != NONE && sz > holds[AT(side, log)] ->
        holds[AT(side, log)] = (sz < receipts[AT(side, log)] -> sz : NONE)
    :: else
    fi
}

/* ---- on_receipt.c: a log, b size -------------------------------------------------------------- */

inline on_receipt(side)
{
    if
    :: b > D(0, a).covered ->
        if
        :: F(side, a).offered < b ->
            F(side, a).offered = b;
            compare_own(side, a, b)
        :: else
        fi
    :: b <= D(0, a).covered && b <= receipts[AT(side, a)] -> hub_has(side, a, b)
    :: b <= D(0, a).covered && b > receipts[AT(side, a)] ->
        receipts[AT(side, a)] = b;
        hub_has(side, a, b);
        /* national_size: what K hubs have receipted is shown as national from here on */
        most = 0;
        for (i : 0 .. HUBS - 1) {
            n = 0;
            for (j : 0 .. HUBS - 1) {
                if
                :: RECEIPTED(j, a) >= RECEIPTED(i, a) -> n++
                :: else
                fi
            }
            if
            :: n >= K && RECEIPTED(i, a) > most -> most = RECEIPTED(i, a)
            :: else
            fi
        }
        if
        :: most > national[a] -> national[a] = most
        :: else
        fi
    :: else
    fi
}

#define MAY_SEND(side) (declined_log[side] == NONE)

/* One end of one link: what leaves when the channel has room ... */
proctype sender(byte me)
{
end:
    do
    :: d_step { /* decline */
        declined_log[me] != NONE && nfull(inbox[PEER(me)]) ->
        inbox[PEER(me)]!HEADS,
            (declined_log[me] == 0 -> declined_size[me] : NONE),
            (declined_log[me] == 1 -> declined_size[me] : NONE),
            (declined_log[me] == 2 -> declined_size[me] : NONE),
            (declined_log[me] == 3 -> declined_size[me] : NONE);
        declined_log[me] = NONE;
        declined_size[me] = 0
       }
    :: d_step { /* core_announce_run, once a second at most */
        MAY_SEND(me) && nfull(inbox[PEER(me)]) &&
        (F(me, 0).announce || F(me, 1).announce || F(me, 2).announce || F(me, 3).announce) ->
        a = NONE; b = NONE; c = NONE; d = NONE;
        yes = false;
        for (l : 0 .. LOGS - 1) {
            if
            :: F(me, l).announce && !F(me, l).subscribed ->
                i = D(NODE(me), l).covered;
                F(me, l).announced = i;
                yes = true;
                if
                :: l == 0 -> a = i
                :: l == 1 -> b = i
                :: l == 2 -> c = i
                :: l == 3 -> d = i
                fi
            :: else
            fi;
            F(me, l).announce = false
        }
        if
        :: yes -> inbox[PEER(me)]!HEADS,a,b,c,d
        :: else
        fi
       }
    :: d_step { /* core_sending_run: show, or one package of one record */
        MAY_SEND(me) && nfull(inbox[PEER(me)]) &&
        (HAS_WORK(me, 0) || HAS_WORK(me, 1) || HAS_WORK(me, 2) || HAS_WORK(me, 3)) ->
        if
        :: HAS_WORK(me, 0) -> l = 0
        :: else ->
            if
            :: HAS_WORK(me, 1) -> l = 1
            :: else ->
                if
                :: HAS_WORK(me, 2) -> l = 2
                :: else -> l = 3
                fi
            fi
        fi;
        n = NODE(me);
        if
        :: SHOWING(me, l) ->
            inbox[PEER(me)]!CHECKPOINT,l,D(n, l).covered,F(me, l).shown,0;
            F(me, l).shown_once = true;
            F(me, l).shown = D(n, l).covered
        :: else ->
            inbox[PEER(me)]!PACKAGE,l,F(me, l).next,F(me, l).shown,0;
            F(me, l).next++
        fi
       }
    :: d_step { /* fetch_consider, ask */
        MAY_SEND(me) && nfull(inbox[PEER(me)]) && (ASK(me, 0) || ASK(me, 1) || ASK(me, 2) || ASK(me, 3)) ->
        if
        :: ASK(me, 0) -> l = 0
        :: else ->
            if
            :: ASK(me, 1) -> l = 1
            :: else ->
                if
                :: ASK(me, 2) -> l = 2
                :: else -> l = 3
                fi
            fi
        fi;
        n = NODE(me);
        yes = F(me, l).offered > D(n, l).size; /* else only checkpoints of what is held are wanted */
        b = (yes -> D(n, l).size : D(n, l).covered);
        c = (yes -> D(n, l).pending : D(n, l).covered);
        SAY("end %d: wants log %d from %d\n", me, l, b);
        G(n, l).source = me;
        G(n, l).expected = D(n, l).size;
        G(n, l).shown = 0;
        inbox[PEER(me)]!WANT,l,b,c,0
       }
    :: d_step { /* SEND_RECEIPT, after it was persisted (R8) */
        me >= HUBS && MAY_SEND(me) && nfull(inbox[PEER(me)]) &&
        (F(me, 0).receipt_due || F(me, 1).receipt_due || F(me, 2).receipt_due || F(me, 3).receipt_due) ->
        if
        :: F(me, 0).receipt_due -> l = 0
        :: else ->
            if
            :: F(me, 1).receipt_due -> l = 1
            :: else ->
                if
                :: F(me, 2).receipt_due -> l = 2
                :: else -> l = 3
                fi
            fi
        fi;
        F(me, l).receipt_due = false;
        n = NODE(me);
        assert(D(n, l).size >= D(n, l).receipt); /* no receipt before it is durable (I9, R8) */
        inbox[PEER(me)]!RECEIPT,l,D(n, l).receipt,0,0
       }
    od
}

/* ... and what comes in; one message at a time while the store is at work. */
proctype receiver(byte me)
{
end:
    do
    :: d_step { /* EVENT_MESSAGE */
        nempty(inbox[me]) && declined_log[me] == NONE && store_job[NODE(me)].which == NONE ->
        inbox[me]?kind,a,b,c,d;
        SAY("end %d: takes %e %d %d %d %d\n", me, kind, a, b, c, d);
        if
        :: kind == HEADS_ALL -> on_heads(me); on_heads_complete(me)
        :: kind == HEADS -> on_heads(me)
        :: kind == WANT -> on_want(me)
        :: kind == CHECKPOINT -> on_checkpoint(me)
        :: kind == PACKAGE -> on_package(me)
        :: kind == RECEIPT -> on_receipt(me)
        fi
       }
    od
}

/* The store of one node: replica_store_package in its transaction, then PACKAGE_STORED. */
proctype store(byte me)
{
end:
    do
#ifdef RECEIPT_BEFORE_SYNC
    :: d_step {
        me > 0 && store_job[me].which != NONE && D(me, store_job[me].which).pending > D(me, store_job[me].which).receipt ->
        l = store_job[me].which;
        D(me, l).receipt = D(me, l).pending;
        F(HUBS + me - 1, l).receipt_due = true
       }
#endif
    :: d_step {
        store_job[me].which != NONE ->
        a = store_job[me].which;
        b = store_job[me].first;
        assert(!store_job[me].wrong);          /* only what its author wrote there (R1, R3) */
        yes = false;
        if
        :: b >= D(me, a).size ->
            assert(b == D(me, a).size);        /* no hole (R1, R4) */
            assert(b < written[a]);
            D(me, a).size = b + 1;
            yes = true
        :: else /* held already: a duplicate */
        fi;
        SAY("node %d: log %d has %d stored\n", me, a, D(me, a).size);
        store_job[me].which = NONE;
        store_job[me].first = 0;
        store_job[me].wrong = false;
        if
        :: yes && b == 0 -> fetch_parents(me, a)
        :: else
        fi;
        after_stored(me, a)
       }
    :: d_step { /* core_fetch_resume_due: a minute after a refusal */
        (G(me, 0).paused || G(me, 1).paused || G(me, 2).paused || G(me, 3).paused) ->
        for (l : 0 .. LOGS - 1) { G(me, l).paused = false }
        l = 0
       }
    od
}

/* ---- the province's writer: decider.c, writer.c, incarnation.c -------------------------------- */

#define BEING_HANDED_BACK(log) \
    (log != live && (store_job[0].which == log || \
     (G(0, log).source != NONE && F(G(0, log).source, log).offered > D(0, log).size)))
#define WANTS_MERGE(log) \
    (log != live && TIP(0, log) && (D(0, log).covered > 1 || named[AT(0, log)] > 0))

#if HUBS == 1
#define ALL_HEADS_KNOWN heads_known[0]
#else
#define ALL_HEADS_KNOWN (heads_known[0] && heads_known[1])
#endif

proctype writer()
{
end:
    do
    :: d_step { /* OPENING, after the hubs have answered or two seconds have passed */
        live == NONE && !exhausted ->
#ifdef REUSE_INCARNATION
        if
        :: opened > 0 -> /* goes on where its store ends, as if no other state had been */
            live = opened - 1;
        :: else
        fi;
#endif
        if
        :: live != NONE -> skip
        :: live == NONE && opened == INCARNATIONS -> exhausted = true
        :: else ->
            live = opened;
            opened++;
            for (l : 0 .. LOGS - 1) { /* log_tips: in the transaction that writes record 0 */
                from = named[AT(0, l)];
                if
                :: l != live && D(0, l).size > from -> names[AT(live, l)] = D(0, l).size
                :: else
                fi
            }
            assert(written[live] == 0);
            written[live] = 1;
            D(0, live).size = 1;
            D(0, live).covered = 1;
            D(0, live).pending = 1;
            D(0, live).notes = BIT(1);
            SAY("province: opens log %d, naming %d %d %d\n", live, names[AT(live, 0)],
                names[AT(live, 1)], names[AT(live, 2)]);
            fetch_parents(0, live);
            announce_growth(0, live);
            l = 0
        fi
       }
    :: d_step { /* a group: decided, committed, acknowledged; then LOG_ADVANCED */
        live != NONE && registered < RECORDS ->
        SAY("province: record at log %d, %d\n", live, D(0, live).size);
        registered++;
        b = D(0, live).size;
        assert(written[live] == b); /* two records never share (log, position) (I3) */
        written[live] = b + 1;
        D(0, live).size = b + 1;
        D(0, live).covered = b + 1;
        D(0, live).pending = b + 1;
        D(0, live).notes = D(0, live).notes | BIT(b + 1);
        announce_growth(0, live);
        l = 0
       }
#ifndef NO_HAND_BACK
    :: d_step { /* core_incarnation_merge, once everything that is on its way has come; LOG_CLOSED */
        live != NONE && !BEING_HANDED_BACK(0) && !BEING_HANDED_BACK(1) &&
        !BEING_HANDED_BACK(2) && !BEING_HANDED_BACK(3) &&
        (WANTS_MERGE(0) || WANTS_MERGE(1) || WANTS_MERGE(2) || WANTS_MERGE(3)) ->
        SAY("province: closes log %d to merge\n", live);
        live = NONE
       }
#endif
    od
}

/* ---- what may go wrong ------------------------------------------------------------------------ */

/* Both ends forget the link; a new one is there at once. How long it takes changes nothing: until the
 * first message is taken up, nothing passes. */
inline link_end_all(h)
{
    SAY("link %d: ends\n", h);
    do
    :: nempty(inbox[h]) -> inbox[h]?_,_,_,_,_
    :: empty(inbox[h]) -> break
    od;
    do
    :: nempty(inbox[HUBS + h]) -> inbox[HUBS + h]?_,_,_,_,_
    :: empty(inbox[HUBS + h]) -> break
    od;
    for (l : 0 .. LOGS - 1) {
        forget_flow(h, l);
        forget_flow(HUBS + h, l);
    }
    declined_log[h] = NONE;
    declined_size[h] = 0;
    declined_log[HUBS + h] = NONE;
    declined_size[HUBS + h] = 0;
    damaged[h] = false;
    announce_all(h);
    announce_all(HUBS + h)
}

/* core_announce_all, the first message after the hello. */
inline announce_all(side)
{
    n = NODE(side);
    for (l : 0 .. LOGS - 1) {
        if
        :: D(n, l).covered > 0 &&
           (TIP(n, l) || ANY_UNPROVEN(n) ||
            (side < HUBS && !LIVE(0, l) && RECEIPTED(side, l) < D(0, l).covered)) ->
            F(side, l).announced = D(n, l).covered
        :: else
        fi
    }
    SAY("end %d: announces all: %d %d %d %d\n", side, F(side, 0).announced, F(side, 1).announced,
        F(side, 2).announced, F(side, 3).announced);
    inbox[PEER(side)]!HEADS_ALL,
        (F(side, 0).announced > 0 -> F(side, 0).announced : NONE),
        (F(side, 1).announced > 0 -> F(side, 1).announced : NONE),
        (F(side, 2).announced > 0 -> F(side, 2).announced : NONE),
        (F(side, 3).announced > 0 -> F(side, 3).announced : NONE)
}

inline forget_flow(side, log)
{
    F(side, log).offered = 0;
    F(side, log).announced = 0;
    F(side, log).announce = false;
    F(side, log).asked = false;
    F(side, log).receipt_due = false;
    stop_sending(side, log);
    if
    :: G(NODE(side), log).source == side -> forget_fetch(NODE(side), log)
    :: else
    fi
}

/* Kill and start: what was in memory is gone, EVENT_LOG_LOADED for what is on the disk. */
inline restart(node)
{
    SAY("node %d: starts anew with %d %d %d %d\n", node, D(node, 0).size, D(node, 1).size,
        D(node, 2).size, D(node, 3).size);
    store_job[node].which = NONE;
    store_job[node].first = 0;
    store_job[node].wrong = false;
    for (l : 0 .. LOGS - 1) {
        forget_fetch(node, l);
        G(node, l).paused = false;
        named[AT(node, l)] = 0
    }
    for (l : 0 .. LOGS - 1) {
        for (j : 0 .. LOGS - 1) {
            if
            :: D(node, l).size > 0 && names[AT(l, j)] > named[AT(node, j)] ->
                named[AT(node, j)] = names[AT(l, j)]
            :: else
            fi
        }
    }
    if
    :: node == 0 ->
        live = NONE;
#ifndef TIPS_SUFFICE
        for (l : 0 .. LOGS - 1) { /* alarm_what_lacks: what is held names it */
            node_rollback_seen = node_rollback_seen || named[AT(0, l)] > D(0, l).size
        }
#endif
        for (i : 0 .. HUBS - 1) { heads_known[i] = false }
        for (l : 0 .. HUBS * LOGS - 1) { holds[l] = NONE }
    :: else
    fi;
    for (i : 0 .. HUBS - 1) {
        if
        :: node == 0 || node == i + 1 -> link_end_all(i)
        :: else
        fi
    }
}

#define COPY_LOG(to, from) \
    to.size = from.size; to.covered = from.covered; to.pending = from.pending; \
    to.notes = from.notes; to.receipt = from.receipt

inline take_copy(node)
{
    SAY("node %d: is copied\n", node);
    for (l : 0 .. LOGS - 1) {
        COPY_LOG(copy[AT(node, l)], D(node, l));
    }
    if
    :: node == 0 ->
        for (l : 0 .. HUBS * LOGS - 1) { copy_receipts[l] = receipts[l] }
    :: else
    fi
}

inline put_copy_back(node)
{
    for (l : 0 .. LOGS - 1) {
        COPY_LOG(D(node, l), copy[AT(node, l)]);
    }
    if
    :: node == 0 ->
        for (l : 0 .. HUBS * LOGS - 1) { receipts[l] = copy_receipts[l] }
    :: else
    fi
}

/* No use any more: fewer states. */
inline forget_copies()
{
    for (n : 0 .. NODES - 1) {
        copied[n] = false;
        for (l : 0 .. LOGS - 1) {
            copy[AT(n, l)].size = 0;
            copy[AT(n, l)].covered = 0;
            copy[AT(n, l)].pending = 0;
            copy[AT(n, l)].notes = 0;
            copy[AT(n, l)].receipt = 0
        }
    }
    for (l : 0 .. HUBS * LOGS - 1) { copy_receipts[l] = 0 }
}

/* What must be noticed from here on, and what must still be somewhere. */
inline judge_loss(node)
{
    if
    :: node == 0 -> node_rollback = false; node_rollback_seen = false
    :: else -> hub_rollback = false; hub_rollback_seen = false
    fi;
    for (l : 0 .. LOGS - 1) {
        most = 0;
        for (i : 0 .. NODES - 1) {
            most = (D(i, l).size > most -> D(i, l).size : most)
        }
        assert(most >= national[l]); /* no record acknowledged as national is lost (I2) */
        if
        :: node == 0 -> node_rollback = node_rollback || most > D(0, l).size
        :: node > 0 -> hub_rollback = hub_rollback || D(node, l).size < receipts[AT(node - 1, l)]
        fi
    }
}

#define MAY_FAIL  (faults < FAULTS)
#ifdef ONE_VICTIM
#define MAY_LOSE  (lossy < LOSSY && faults < FAULTS && me == 0)
#else
#define MAY_LOSE  (lossy < LOSSY && faults < FAULTS)
#endif
#ifdef ONLY_LOSSY
#define MAY_ERR   false
#else
#define MAY_ERR   MAY_FAIL
#endif

proctype link_faults(byte me)
{
end:
    do
    :: d_step { MAY_ERR || damaged[me] -> /* the link ends, with what was under way */
        faults = (damaged[me] -> faults : faults + 1);
        link_end_all(me);
       }
    :: d_step { MAY_ERR && nempty(inbox[me]) -> faults++; damaged[me] = true; inbox[me]?kind,_,_,_,_;
        SAY("link %d: %e to the province lost\n", me, kind) }
    :: d_step { MAY_ERR && nempty(inbox[HUBS + me]) ->
        faults++; damaged[me] = true; inbox[HUBS + me]?kind,_,_,_,_;
        SAY("link %d: %e to the hub lost\n", me, kind) }
    :: d_step { MAY_ERR && nempty(inbox[me]) && nfull(inbox[me]) -> /* comes again, later */
        faults++; damaged[me] = true;
        inbox[me]?<kind,a,b,c,d>; inbox[me]!kind,a,b,c,d }
    :: d_step { MAY_ERR && nempty(inbox[HUBS + me]) && nfull(inbox[HUBS + me]) ->
        faults++; damaged[me] = true;
        inbox[HUBS + me]?<kind,a,b,c,d>; inbox[HUBS + me]!kind,a,b,c,d }
    :: d_step { MAY_ERR && len(inbox[me]) == 1 && inbox[me]?[PACKAGE,a,b,c,0] -> /* a liar, or bad memory */
        faults++;
        inbox[me]?PACKAGE,a,b,c,d; inbox[me]!PACKAGE,a,b,c,1 }
    :: d_step { MAY_ERR && len(inbox[HUBS + me]) == 1 && inbox[HUBS + me]?[PACKAGE,a,b,c,0] ->
        faults++;
        inbox[HUBS + me]?PACKAGE,a,b,c,d; inbox[HUBS + me]!PACKAGE,a,b,c,1 }
    od
}

proctype node_faults(byte me)
{
end:
    do
    :: d_step { MAY_ERR -> restart(me); faults++ }
#ifndef NO_COPY
    :: d_step { MAY_LOSE && !copied[me] -> take_copy(me); copied[me] = true }
#endif
    :: d_step { MAY_LOSE -> /* the copy is put back, or an empty disk */
        put_copy_back(me);
        judge_loss(me);
        restart(me);
        faults++;
        lossy++;
        if
        :: lossy == LOSSY -> forget_copies()
        :: else
        fi
       }
    od
}

/* ---- the judge: looks when nothing moves any more --------------------------------------------- */

active proctype judge()
{
end:
    timeout;
    d_step {
        for (l : 0 .. LOGS - 1) {
            for (i : 1 .. HUBS) {
                if
                :: !exhausted ->
                    /* the hub holds what the province recorded, and the province knows it */
                    assert(D(i, l).covered == D(0, l).covered);
                    assert(D(i, l).receipt == D(0, l).covered);
                    assert(RECEIPTED(i - 1, l) == D(0, l).covered)
                :: else
                fi
            }
            assert(exhausted || l == live || !TIP(0, l) || D(0, l).covered <= 1) /* all is decided on */
        }
        assert(exhausted || registered == RECORDS);
        assert(!node_rollback || hub_rollback || node_rollback_seen); /* I11 */
        assert(!hub_rollback || node_rollback || hub_rollback_seen);
        settled = true
    }
}

ltl every_run_settles { <> settled }

init {
    atomic {
        for (i : 0 .. SIDES - 1) {
            inbox[i]!HEADS_ALL,NONE,NONE,NONE,NONE;
            declined_log[i] = NONE
        }
        for (n : 0 .. NODES - 1) {
            store_job[n].which = NONE;
            for (l : 0 .. LOGS - 1) { G(n, l).source = NONE }
        }
        for (l : 0 .. HUBS * LOGS - 1) {
            holds[l] = NONE
        }
        run writer();
        run store(0);
        run store(1);
        run sender(0);
        run receiver(0);
        run sender(HUBS);
        run receiver(HUBS);
        run link_faults(0);
        run node_faults(0);
        run node_faults(1);
#if HUBS == 2
        run store(2);
        run sender(1);
        run receiver(1);
        run sender(HUBS + 1);
        run receiver(HUBS + 1);
        run link_faults(1);
        run node_faults(2);
#endif
    }
}
