/* The audit: do the provinces' stores and the hub's hold the same records?
 *
 * It reads the stored batches themselves and believes nothing that is stored beside them: leaf
 * hashes, commitments, roots and signatures are computed again, the tree by plain_tree.h. Nothing
 * of replication/ is used. */
#ifndef NODE_CLI_AUDIT_H
#define NODE_CLI_AUDIT_H

#include "node/cli/local.h"
#include "node/cli/snapshot.h"
#include "node/cli/table.h"

#include <jansson.h>

/* What remains of one record. */
struct audit_record {
    struct hash leaf, facts,
        person; /* leaf: of the header's bytes; person: opened with the data key */
    enum audit_person { PERSON_NONE, PERSON_PRESENT, PERSON_ABSENT } person_state;
    bool sound; /* header is of this place, facts and person match their commitments */
    bool request;
    struct hash key, code; /* requests: of (client, idempotency key), and of the tracking code */
};

struct audit_log {
    struct log_id id;
    uint32_t number;
    size_t count, room;
    struct audit_record *records;
};

struct audit {
    const struct local *hub;
    const struct snapshot *cut_from, *cut_to, *held_before; /* or NULL */
    /* the answer */
    uint64_t registered;       /* requests that the provinces recorded */
    uint64_t hub_holds;        /* of them, exactly as recorded at the hub */
    uint64_t missing, altered; /* records of any kind */
    uint64_t duplicated; /* requests that stand at the hub more often than at their province */
    uint64_t extra;      /* records at the hub that no province has */
    uint64_t checkpoints, checkpoints_wrong;
    uint64_t receipts, receipts_wrong, receipts_pending;
    uint64_t while_cut, held_while_cut;
    struct table *table; /* a line a log; may be NULL */
    json_t *problems;    /* sentences; the caller's array */
    enum err err;        /* sticky: reading was not possible */
    /* every request seen, for `duplicated` */
    struct audit_keys {
        struct hash *hashes;
        size_t count, room;
    } hub_keys, hub_codes, province_keys, province_codes;
};

/* Adds one province. */
void audit_province(struct audit *audit, const struct local *province);
/* After all provinces: counts duplicates. */
void audit_finish(struct audit *audit);
void audit_close(struct audit *audit);
/* "verified", "pending" (some are not covered yet) or "wrong". */
const char *audit_receipts(const struct audit *audit);
bool audit_is_good(const struct audit *audit);

/* Reads a log as it is stored. `log` may be uninitialised; free log->records. */
enum err audit_log_read(struct audit_log *log, const struct local *local, uint32_t number);

#endif
