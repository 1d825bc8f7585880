/* store-scenario DIR: what a node does with its log store, one group after the other, said aloud.
 *
 *   open | ack SIZE | error NAME | done
 *
 * "ack" comes only after the group's commit has returned. After an error that must stop the
 * process it tries twice more, so that a test can see that nothing is acknowledged any more; lack
 * of space is retried a few times. Run under libfaults.so by test_store_faults.c. */
#include "proto/base/require.h"
#include "storage/log.h"
#include "tests/support/records.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP_COUNT 6
#define RETRY_COUNT 2

static void say(const char *what, const char *rest)
{
    char line[128];
    int size = snprintf(line, sizeof line, "%s%s%s\n", what, *rest ? " " : "", rest);
    require(write(STDOUT_FILENO, line, (size_t)size) == size);
}

static enum err commit_group(struct log_store *logs, uint32_t count, uint64_t *size)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct sign_key key = sample_key(3);
    struct store *store = log_store_environment(logs);
    struct merkle_frontier frontier = { 0 };
    struct batch_builder batch;
    struct buffer note = { 0 };
    uint32_t number = 0;
    store_extend(store);
    struct store_txn txn = store_begin_write(store);
    enum err err = log_find(logs, &txn, &id, &number);
    if (err == ERR_NOT_FOUND)
        err = log_create(logs, &txn, &id, &number);
    if (err == OK)
        err = log_frontier(logs, &txn, number, &frontier);
    batch_begin(&batch, &frontier);
    if (err == OK) {
        sample_batch(&batch, &id, 7, count, 1000, log_store_data_key(logs));
        sample_note(&note, &id, &batch.frontier, &key);
        err = log_append(logs, &txn, number, &batch, buffer_bytes(&note));
    }
    enum err committed = store_commit(&txn);
    *size = batch.frontier.size;
    batch_close(&batch);
    buffer_close(&note);
    return err != OK ? err : committed;
}

int main(int argc, char **argv)
{
    static const uint32_t groups[GROUP_COUNT] = { 1, 3, 20, 2, 40, 1 };
    struct log_store_options options = {
        .node = "ardabil", .map_size = 8 << 20, .reserve_size = 256 << 10, .create = true
    };
    struct log_store *logs;
    if (argc != 2)
        return 2;
    options.path = argv[1];
    enum err err = log_store_open(&logs, &options);
    if (err != OK) {
        say("error", err_name(err));
        return 1;
    }
    say("open", "");
    unsigned failures = 0;
    for (unsigned i = 0; i < GROUP_COUNT && failures <= RETRY_COUNT;) {
        uint64_t size;
        char number[32];
        err = commit_group(logs, groups[i], &size);
        if (err != OK) {
            say("error", err_name(err));
            failures++;
            continue;
        }
        snprintf(number, sizeof number, "%llu", (unsigned long long)size);
        say("ack", number);
        i++;
    }
    log_store_close(logs);
    if (failures > RETRY_COUNT)
        return 1;
    say("done", "");
    return 0;
}
