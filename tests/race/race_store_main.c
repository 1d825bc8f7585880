/* Readers of a store while its map grows and others write: to be run under the thread sanitizer,
 * which does not work inside of Criterion.
 *
 * Every transaction writes one number under two keys; a reader must find the same one under both,
 * whatever happens to the map meanwhile.
 *
 * race-store [transactions]   exit 0 and one line: transactions, reads */
#include "proto/base/require.h"
#include "storage/store.h"
#include "tests/support/folder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { READERS = 3, GROW_EVERY = 40, GROW_MAX = 6 };

static struct store *store;
static atomic_bool finished;
static atomic_ulong reads;

static void *read_all(void *unused)
{
    (void)unused;
    while (!atomic_load(&finished)) {
        struct bytes left, right;
        struct store_txn txn = store_begin_read(store);
        enum err found = store_get(&txn, 0, bytes_of_string("left"), &left);
        if (found == OK) {
            require(store_get(&txn, 0, bytes_of_string("right"), &right) == OK);
            require(bytes_equal(left, right));
        }
        require(txn.err == OK);
        store_abort(&txn);
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

static void write_both(uint32_t number)
{
    uint8_t value[4];
    put_u32(value, number);
    struct store_txn txn = store_begin_write(store);
    store_put(&txn, 0, bytes_of_string("left"), BYTES_OF_ARRAY(value));
    store_put(&txn, 0, bytes_of_string("right"), BYTES_OF_ARRAY(value));
    require(store_commit(&txn) == OK);
}

int main(int argc, char **argv)
{
    static const char *const tables[] = { "numbers" };
    char folder[FOLDER_PATH_SIZE];
    uint32_t transactions = argc > 1 ? (uint32_t)atoi(argv[1]) : 2000;
    pthread_t threads[READERS];
    folder_make(folder);
    struct store_options options = { .path = folder,
                                     .tables = tables,
                                     .table_count = 1,
                                     .map_size = 1 << 20,
                                     .reserve_size = 1 << 20 };
    require(store_open(&store, &options) == OK);
    for (int i = 0; i < READERS; i++)
        require(pthread_create(&threads[i], NULL, read_all, NULL) == 0);
    for (uint32_t i = 0; i < transactions; i++) {
        struct store_space space;
        write_both(i);
        if (i % GROW_EVERY == 0 && i / GROW_EVERY < GROW_MAX)
            require(store_grow(store) == OK);
        require(store_extend(store) == OK && store_space_update(store, &space) == OK);
    }
    atomic_store(&finished, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    store_close(store);
    folder_remove(folder);
    printf("race-store: transactions=%u reads=%lu\n", transactions, atomic_load(&reads));
    return 0;
}
