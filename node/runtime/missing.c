/* What the node knows to be missing of its own records, so that nobody is told «there is no such
 * request» of one that was acknowledged (guarantee I1).
 *
 * Three things tell of records: the journal (what waits in it, and what it gave up because hubs
 * hold it), the logs in log/ (parents they name, checkpoints accepted for them), and what a peer
 * has just handed back. A hub's word without a signature of this node's is none of them: it could
 * keep the node from ever saying that there is no such request.
 *
 * What was handed back, or put back behind it, is answered from when it is folded, which is when an
 * incarnation opens: so that is when it is counted anew. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "proto/base/bug.h"

#include <string.h>

/* Not that of the memory table, which is written out when it is full: what does not fit here is not known, and
 * its keys are taken again. Estimated, not measured: 300,000 requests of some 600 bytes, a month of a large province, would
 * be 200 MB. */
#define WAITING_SIZE_MAX ((size_t)512 << 20)

enum err missing_open(struct engine *engine)
{
    struct waiting_options options = { .node = engine->node,
                                       .audience = engine->audience,
                                       .rules = engine->options.rules,
                                       .size_max = WAITING_SIZE_MAX };
    enum err err = waiting_new(&engine->waiting, engine->logs, engine->journal, &options);
    /* The fold meets damage as well, and what follows is decided there. */
    return err == ERR_CORRUPT ? OK : err;
}

struct waiting *engine_waiting(struct engine *engine)
{
    return engine->waiting;
}

/* What the log thread puts back from now on is counted as missing once more, and folded by the
 * incarnation that is opened for it. */
uint64_t missing_begin(struct engine *engine)
{
    engine_lock(engine);
    engine->handed_back = false;
    uint64_t journalled = engine->journal_status.waiting + engine->journal_status.given_up;
    engine_unlock(engine);
    return journalled;
}

static void missing_tell(uint64_t before, uint64_t records)
{
    if (before == 0 && records > 0)
        log_event(
            LOG_EVENT_ERROR, "records.missing", "records", log_number((int64_t)records), "note",
            "of this node's own; the hubs hand them back. Until then it is not said of a request "
            "that is not found that there is none",
            NULL);
    else if (before > 0 && records == 0)
        log_event(LOG_EVENT_INFO, "records.complete", NULL);
}

enum err missing_end(struct engine *engine, uint64_t journalled)
{
    uint64_t records, before;
    struct store_txn txn = store_begin_read(log_store_environment(engine->logs));
    enum err err = order_missing(engine->logs, &txn, engine->node, engine->audience, &records);
    store_abort(&txn);
    if (err != OK)
        return err;
    records += journalled;
    engine_lock(engine);
    before = engine->missing;
    engine->missing = records;
    if (records > 0 && engine->missing_since_ms == 0)
        engine->missing_since_ms = engine_wall_ms();
    else if (records == 0 && !engine->handed_back)
        engine->missing_since_ms = 0;
    bool whole = records == 0 && !engine->handed_back;
    engine_unlock(engine);
    missing_tell(before, records);
    if (whole)
        waiting_clear(engine->waiting);
    return OK;
}

void engine_handed_back(struct engine *engine, const struct log_id *log)
{
    if (strcmp(log->audience, engine->audience) != 0)
        return;
    engine_lock(engine);
    engine->handed_back = true;
    if (engine->missing_since_ms == 0)
        engine->missing_since_ms = engine_wall_ms();
    engine_unlock(engine);
}

uint64_t engine_missing(struct engine *engine)
{
    if (SAMAD_BUG(MISSING_DENIED))
        return 0;
    engine_lock(engine);
    uint64_t records = engine->missing > 0 ? engine->missing : engine->handed_back;
    engine_unlock(engine);
    return records;
}
