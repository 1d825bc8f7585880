/* What the parts of a running node tell about themselves, for the API, metrics and samadctl. Plain
 * copies: nothing here points into anybody's memory. */
#ifndef NODE_STATUS_H
#define NODE_STATUS_H

#include "proto/record/facts.h"

#define STATUS_PEER_MAX 64
#define STATUS_LOG_MAX 256

/* One peer: a hub as seen by a province, a province as seen by a hub. */
struct peer_status {
    char node[NODE_NAME_SIZE_MAX + 1];
    uint32_t role;
    bool connected;
    int64_t since_ms;       /* wall clock of the last change of `connected` */
    uint64_t lag_records;   /* records of logs this node sends that the peer has not receipted,
                               or that this node lacks of the peer's announced sizes */
    int64_t lag_ms;         /* age of the oldest such record; 0 when none */
    uint64_t bytes_sent, bytes_received, connects, refusals;
    char last_error[96];    /* why the last connection ended; empty when never */
};

/* One log held, own or followed. */
struct log_status {
    struct log_id id;
    uint64_t size;
    struct hash root;
    bool own, live, frozen;
    uint64_t national_size; /* own: covered by as many receipts as the config asks for */
    uint64_t cosigned_size; /* followed: what this node has given a receipt for */
};

struct alarm_status {
    char kind[32]; /* fork, rollback, hub-rollback, two-writers, disk, corrupt, tokens, ... */
    char subject[LOG_ORIGIN_SIZE_MAX + 1];
    char detail[128];
    int64_t since_ms;
    char peer[NODE_NAME_SIZE_MAX + 1]; /* who caused it; empty: this node */
    unsigned severity;                 /* of a peer's: the greater, the longer it is kept */
};
#define STATUS_ALARM_MAX     64
#define STATUS_ALARM_OWN_MAX 8 /* places that the peers' alarms leave to this node's own */

struct replication_status {
    size_t peer_count, log_count, alarm_count;
    struct peer_status peers[STATUS_PEER_MAX];
    struct log_status logs[STATUS_LOG_MAX];
    struct alarm_status alarms[STATUS_ALARM_MAX];
};

#endif
