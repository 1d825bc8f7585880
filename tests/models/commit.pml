/* One node: decide, commit to the store and write to the journal at the same time, answer, flush the
 * memory table; crashes at every step, also while the last one is being repaired; and the loss of
 * either device.
 *
 * A crash keeps any part of what was not synced: of a commit of the store all or nothing (its root is
 * written last), of the journal's newest entry all, nothing, or a torn one that its checksum shows.
 * At start the ends of the two are compared and the shorter is made whole from the other, one group
 * at a time; then the log is folded and the writer opens. A group that the store refuses is taken back
 * from the journal before anybody is told. README.md says which function is which, and what is left out.
 *
 *   sizes      COMMANDS of clients, who ask again until they are answered; STOPS: crashes, failed
 *              syncs and refusals for want of room; LOSSES of a device; JOURNAL 1, or 0 without one
 *   broken     one of the names below, each a mistake that must be found:
 *              ACK_BEFORE_SYNC ACK_ONE RETRY_SYNC ANSWER_FAILED NO_REPAIR REPAIR_BLIND NO_TRUNCATE
 *              REPLAY_TORN FLUSH_UNDURABLE CURSOR_APART READ_UNCOMMITTED */

#ifndef JOURNAL
#define JOURNAL 1
#endif
#ifndef COMMANDS
#define COMMANDS 3
#endif
#ifndef STOPS
#define STOPS 3
#endif
#ifndef LOSSES
#define LOSSES JOURNAL
#endif
#define GROUP 2                    /* records in one group at most */
#define ROOM  (2 * COMMANDS + 2)   /* a broken variant may write more than one record for a command */

/* ---- on the devices: records, known by the command that made them ------------------------------- */

byte store[ROOM], store_size;      /* log/: committed groups */
byte journal[ROOM], journal_size;  /* entries that are whole */
byte torn_at;                      /* 1 + where a torn entry lies in the journal; 0: nowhere */
byte views_cursor, views_content;  /* views/: the applied position, and what really is folded in */

/* ---- in memory ----------------------------------------------------------------------------------- */

mtype = { DOWN, REPAIRING, RUNNING };
mtype state = DOWN;
byte memory[ROOM], memory_size;    /* the writer's log: durable, in flight, gathering; and its folds */
bool known[COMMANDS + 1];          /* by their idempotency keys: in `memory` */
byte durable;                      /* engine->durable_group, in records */
byte flight_end;                   /* records [durable, flight_end) are on their way; 0: none */
bool store_synced, journal_synced; /* of the flight */
bool store_refused;                /* its transaction failed, and was aborted */
byte frozen_end;                   /* the frozen memory table ends here; 0: none */

/* ---- the judge's --------------------------------------------------------------------------------- */

byte stops, losses;
bool acknowledged[COMMANDS + 1];   /* «created», «duplicate», or shown to a reader */
bool refused[COMMANDS + 1];        /* «failed, nothing happened» */
bool degraded;                     /* a device was lost and is not whole again: the other must not go */

hidden byte i, j, n;
#define SAY printf

inline acknowledge(command)
{
    assert(!refused[command]);
    acknowledged[command] = true
}

/* ---- the decider ---------------------------------------------------------------------------------- */

/* A client asks, or asks again with the same key: decider_decide. */
proctype client(byte me)
{
end:
    do
    :: d_step { /* not found: a record, folded into the memory table, so that the next try finds it */
        state == RUNNING && !acknowledged[me] && !known[me] && memory_size < durable + 2 * GROUP ->
        known[me] = true;
        refused[me] = false;
        memory[memory_size] = me;
        memory_size++;
        SAY("command %d: record %d\n", me, memory_size - 1)
       }
#ifdef READ_UNCOMMITTED
    :: d_step { state == RUNNING && !acknowledged[me] && known[me] -> acknowledge(me) }
#endif                /* else E1: a second try waits for the group that it looked at */
    od
}

proctype decider()
{
end:
    do
    :: d_step { /* decider_hand_over: one group flies, the next gathers (E3) */
        state == RUNNING && flight_end == 0 && memory_size > durable ->
        flight_end = (memory_size > durable + GROUP -> durable + GROUP : memory_size);
        store_synced = false;
        journal_synced = (JOURNAL == 0);
        SAY("group: records %d to %d\n", durable, flight_end - 1)
       }
    :: d_step { /* writer_freeze, between two groups (E7): what the flight holds may be in it */
        state == RUNNING && frozen_end == 0 &&
        (flight_end > views_cursor || (flight_end == 0 && durable > views_cursor)) ->
        frozen_end = (flight_end > 0 -> flight_end : durable)
       }
    od
}

inline forget_memory()
{
    for (i : 0 .. ROOM - 1) { memory[i] = 0 }
    for (i : 1 .. COMMANDS) { known[i] = false }
    memory_size = 0;
    durable = 0;
    flight_end = 0;
    store_synced = false;
    journal_synced = false;
    store_refused = false;
    frozen_end = 0;
    state = DOWN
}

/* ---- opening: what every start and every reopening must find -------------------------------------- */

/* What a reader of the journal finds: up to the first entry that its checksum refuses. */
#define READABLE (torn_at > 0 && torn_at - 1 < journal_size -> torn_at - 1 : journal_size)

/* Every acknowledged command is there, each once, on both devices; views are behind the log. */
inline judge_recovered()
{
    for (j : 1 .. COMMANDS) {
        n = 0;
        for (i : 0 .. ROOM - 1) {
            if
            :: i < store_size && store[i] == j -> n++
            :: else
            fi
        }
        assert(n <= 1);                       /* nothing is there twice (I3, I4) */
        assert(!acknowledged[j] || n == 1);   /* nothing acknowledged is lost (I1) */
        assert(!refused[j] || n == 0);        /* «failed» was true */
        acknowledged[j] = n == 1;             /* from now on readers see it */
        known[j] = n == 1
    }
    for (i : 0 .. ROOM - 1) {
        assert(i >= store_size || store[i] != 0);
        assert(JOURNAL == 0 || i >= store_size || journal[i] == store[i])
    }
    assert(JOURNAL == 0 || journal_size == store_size);
    assert(views_cursor <= store_size);       /* never ahead of the durable log (D5, T4) */
    assert(views_content == views_cursor)     /* content and cursor say the same (V1) */
}

/* The tail is folded, the writer opens. */
inline open_writer()
{
    judge_recovered();
    for (i : 0 .. ROOM - 1) { memory[i] = (i < store_size -> store[i] : 0) }
    memory_size = store_size;
    durable = store_size;
    state = RUNNING
}

/* ---- the two devices: log_transact, and the journal's thread -------------------------------------- */

/* Whatever was under way when the power went: kept or not, each device by its own chance. */
#define STORE_OPEN   (state == RUNNING && flight_end > 0 && !store_synced && !store_refused)
#define JOURNAL_OPEN (state == RUNNING && flight_end > 0 && !journal_synced)

inline write_store()
{
    for (i : durable .. flight_end - 1) {
        store[i] = memory[i]
    }
    store_size = flight_end
}

/* After a torn entry nothing is found by the next reader: the writer must have removed it. */
inline write_journal()
{
    for (i : durable .. flight_end - 1) {
        journal[i] = memory[i]
    }
    journal_size = flight_end
}

proctype devices()
{
end:
    do
    :: d_step { /* store_commit has returned OK */
        STORE_OPEN ->
        write_store();
        store_synced = true
       }
    :: d_step { /* one pwritev and fdatasync */
        state == RUNNING && flight_end > 0 && !journal_synced ->
        write_journal();
        journal_synced = true
       }
    :: d_step { /* FAILING: journal_undo, synced; then «failed» is said, and the writer opens again */
        state == RUNNING && store_refused && journal_synced ->
        for (n : durable .. memory_size - 1) { refused[memory[n]] = true }
#ifndef ANSWER_FAILED
        journal_size = (JOURNAL -> durable : 0);
#endif
        forget_memory();
        open_writer()
       }
#ifdef ACK_BEFORE_SYNC
    :: d_step { state == RUNNING && flight_end > 0 ->
        for (n : durable .. flight_end - 1) { acknowledged[memory[n]] = true }
        n = 0
       }
#endif
    :: d_step { /* log_release_flight, durable_advance: both have it */
#ifdef ACK_ONE
        state == RUNNING && flight_end > 0 && (store_synced || journal_synced) ->
#else
        state == RUNNING && flight_end > 0 && store_synced && journal_synced ->
#endif
        SAY("durable: %d\n", flight_end);
        for (n : durable .. flight_end - 1) { acknowledge(memory[n]) }
        durable = flight_end;
        flight_end = 0;
        store_synced = false;
        journal_synced = false
       }
    od
}

/* ---- the views thread ------------------------------------------------------------------------------ */

proctype flusher()
{
end:
    do
#ifdef CURSOR_APART
    :: d_step { state == RUNNING && frozen_end > 0 && frozen_end <= durable && views_content < frozen_end ->
        views_content = frozen_end }
    :: d_step { state == RUNNING && frozen_end > 0 && frozen_end <= durable && views_content == frozen_end ->
        views_cursor = frozen_end;
        frozen_end = 0
       }
#else
    :: d_step { /* views_flush: content and cursor in one transaction, of durable groups only (D5, T4) */
#ifdef FLUSH_UNDURABLE
        state == RUNNING && frozen_end > 0 ->
#else
        state == RUNNING && frozen_end > 0 && frozen_end <= durable ->
#endif
        views_content = frozen_end;
        views_cursor = frozen_end;
        frozen_end = 0
       }
#endif
    od
}

/* ---- what ends it ---------------------------------------------------------------------------------- */

proctype nature()
{
    byte keep;
end:
    do
    :: d_step { stops < STOPS || losses < LOSSES -> stops = STOPS; losses = LOSSES } /* it was all */
    :: atomic { stops < STOPS && state != DOWN -> /* kill -9, power cut, EIO: engine_fail */
        stops++;
        if
        :: STORE_OPEN -> d_step { write_store(); SAY("crash: the store keeps the group\n") }
        :: SAY("crash\n")
        fi;
        if
        :: JOURNAL_OPEN && torn_at == 0 -> d_step { write_journal(); SAY("crash: the journal keeps it\n") }
        :: JOURNAL_OPEN && torn_at == 0 -> d_step { torn_at = journal_size + 1; SAY("crash: the journal is torn\n") }
        :: skip
        fi;
        d_step { forget_memory(); i = 0 }
       }
#ifdef RETRY_SYNC
    :: d_step { /* fdatasync failed; the pages count as clean, and the second call says OK */
        stops < STOPS && JOURNAL_OPEN ->
        stops++;
        journal_synced = true;
        journal_size = durable
       }
    :: d_step {
        stops < STOPS && STORE_OPEN ->
        stops++;
        store_synced = true;
        store_size = durable
       }
#endif
    :: d_step { /* no room: ERR_FULL, the transaction was aborted */
        stops < STOPS && STORE_OPEN ->
        stops++;
        store_refused = true;
        SAY("the store has no room\n")
       }
    :: d_step { /* the store's device is gone or damaged, and noticed to be: ERR_CORRUPT, other heads */
        losses < LOSSES && !degraded ->
        SAY("loses the store\n");
        losses++;
        degraded = true;
        forget_memory();
        for (i : 0 .. ROOM - 1) { store[i] = 0 }
        store_size = 0;
        views_cursor = 0; /* on the same device: folded again */
        views_content = 0
       }
    :: d_step {
        losses < LOSSES && !degraded ->
        SAY("loses the journal\n");
        losses++;
        degraded = true;
        forget_memory();
        for (i : 0 .. ROOM - 1) { journal[i] = 0 }
        journal_size = 0;
        torn_at = 0
       }
    od
}

/* ---- starting --------------------------------------------------------------------------------------- */

proctype starter()
{
end:
    do
    :: d_step { state == DOWN ->
        state = REPAIRING;
        SAY("starts: store %d, journal %d\n", store_size, READABLE)
       }
#ifndef NO_TRUNCATE
    :: d_step { /* the torn end is cut off, and synced, before anything is written behind it */
        state == REPAIRING && torn_at > 0 ->
#ifdef REPLAY_TORN
        journal_size = torn_at; /* taken for an entry: what it holds is not what was decided */
#endif
        torn_at = 0
       }
#endif
#ifndef NO_REPAIR
    :: d_step { /* the journal has more: replayed into the store, one group at a time */
#ifdef NO_TRUNCATE
        state == REPAIRING && JOURNAL && READABLE > store_size ->
#else
        state == REPAIRING && torn_at == 0 && JOURNAL && journal_size > store_size ->
#endif
#ifdef REPAIR_BLIND
        journal_size = store_size; /* the store is believed, whatever became of it */
#else
        store[store_size] = journal[store_size];
        store_size++
#endif
       }
    :: d_step { /* the store has more: written to the journal again */
#ifdef NO_TRUNCATE
        state == REPAIRING && JOURNAL && journal_size < store_size ->
#else
        state == REPAIRING && torn_at == 0 && JOURNAL && journal_size < store_size ->
#endif
        journal[journal_size] = store[journal_size];
        journal_size++
       }
#endif
    :: d_step { /* both say the same: fold the tail, open the writer */
#if defined(NO_REPAIR)
        state == REPAIRING && torn_at == 0 ->
#elif defined(NO_TRUNCATE)
        state == REPAIRING && (JOURNAL == 0 || (READABLE <= store_size && journal_size >= store_size)) ->
#else
        state == REPAIRING && torn_at == 0 && (JOURNAL == 0 || journal_size == store_size) ->
#endif
        open_writer();
        degraded = false
       }
    od
}

bool answered;

/* When nothing moves any more, every client has been answered (and is held, as the last start showed). */
active proctype judge()
{
end:
    timeout;
    d_step {
        assert(state == RUNNING);
        for (i : 1 .. COMMANDS) { assert(acknowledged[i]) }
        assert(views_cursor == durable);
        answered = true
    }
}

ltl everybody_is_answered { <> answered }

init {
    atomic {
        for (i : 1 .. COMMANDS) { run client(i) }
        run decider();
        run devices();
        run flusher();
        run starter();
        run nature()
    }
}
