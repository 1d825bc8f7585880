/* A province and a hub on disk, as two daemons would have left them: configurations, keys, stores;
 * the hub holds the province's log and the province the hub's receipt. */
#ifndef TESTS_UNIT_NODE_PAIR_FIXTURE_H
#define TESTS_UNIT_NODE_PAIR_FIXTURE_H

#include "node/keyring.h"
#include "storage/log.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

struct pair_fixture {
    char folder[FOLDER_PATH_SIZE];
    char province_conf[FOLDER_PATH_SIZE], hub_conf[FOLDER_PATH_SIZE];
    struct keyring province_keys, hub_keys;
    struct log_id log;
};

/* `count` records in batches of at most 7, the first one an incarnation. */
void pair_fixture_open(struct pair_fixture *pair, uint32_t count);
void pair_fixture_close(struct pair_fixture *pair);

/* One of the stores, to be changed and closed; the log has number 0. */
struct log_store *pair_fixture_store(struct pair_fixture *pair, bool hub);
/* Appends a record; a request of the same content has the same seed and another position. */
void pair_fixture_append(struct pair_fixture *pair, bool hub, struct sample *sample);

#endif
