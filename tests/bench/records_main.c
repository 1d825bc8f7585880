/* records: how many records a node holds and how many bytes they have, whatever the store does with
 * them: header, facts and person as they are hashed and sent, salts included. One JSON line.
 *
 *   records CONFIG      the node's configuration file */
#include "node/config.h"
#include "node/keyring.h"
#include "storage/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct sizes {
    uint64_t records, header, facts, person;
};

static enum err add_record(void *context, uint64_t position, const struct record *record,
                           const struct record_header *header, const struct hash *leaf)
{
    struct sizes *sizes = context;
    (void)position;
    (void)header;
    (void)leaf;
    sizes->records++;
    sizes->header += record->header.size;
    sizes->facts += record->facts.size;
    sizes->person += record->person.size;
    return OK;
}

static enum err add_logs(struct log_store *logs, struct sizes *sizes)
{
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint32_t count = log_count(logs, &txn);
    enum err err = OK;
    for (uint32_t number = 0; err == OK && number < count; number++)
        err = log_scan(logs, &txn, number, 0, UINT64_MAX, true, add_record, sizes);
    store_abort(&txn);
    return err;
}

int main(int argc, char **argv)
{
    struct config *config = NULL;
    struct keyring keyring;
    struct log_store *logs = NULL;
    struct sizes sizes = { 0 };
    struct buffer problem = { 0 };
    char path[4200];
    if (argc != 2) {
        fputs("records CONFIG\n", stderr);
        return 2;
    }
    enum err err = config_load(&config, argv[1], &problem);
    if (err == OK)
        err = keyring_load(&keyring, config->keys, &problem);
    if (err == OK) {
        snprintf(path, sizeof path, "%s/log", config->data);
        struct log_store_options options = { .path = path,
                                             .node = config->node,
                                             .data_key = keyring.data,
                                             .map_size = config->map_size,
                                             .read_only = true };
        err = log_store_open(&logs, &options);
        keyring_close(&keyring);
    }
    if (err == OK) {
        err = add_logs(logs, &sizes);
        log_store_close(logs);
    }
    config_free(config);
    if (err != OK)
        fprintf(stderr, "records: %s: %s %.*s\n", argv[1], err_text(err), (int)problem.size,
                problem.data ? (const char *)problem.data : "");
    else
        printf("{\"records\":%" PRIu64 ",\"header_bytes\":%" PRIu64 ",\"facts_bytes\":%" PRIu64
               ",\"person_bytes\":%" PRIu64 "}\n",
               sizes.records, sizes.header, sizes.facts, sizes.person);
    buffer_close(&problem);
    return err == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
