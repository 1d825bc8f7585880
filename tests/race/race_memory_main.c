/* One writer, several readers of a memory table, without locks between them: to be run under the
 * thread sanitizer, which does not work inside of Criterion.
 *
 * The writer moves amounts between accounts in commands of two puts, and freezes and drops tables
 * meanwhile (what is dropped is carried over first, as the views store would). Readers add all
 * accounts up: between two commands the sum is always the same.
 *
 * race-memory [commands]   exit 0 and one line: commands, reads */
#include "proto/base/require.h"
#include "storage/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS = 64, AMOUNT = 1000, READERS = 3 };

static struct memory *memory;
static atomic_bool finished;
static atomic_ulong reads;

static void account_put(unsigned account, uint64_t group, uint32_t amount)
{
    uint8_t key[4], value[4];
    put_u32(key, account * UINT32_C(2654435761));
    put_u32(value, amount);
    require(memory_put(memory, group, BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value)) == OK);
}

static void sum_up(bool backward)
{
    struct memory_pin pin;
    struct bytes key, value, at = backward ? bytes_of("\xff\xff\xff\xff\xff", 5) : BYTES_NONE;
    uint8_t from[5];
    uint64_t group, sum = 0;
    unsigned count = 0;
    memory_pin(memory, &pin);
    while (memory_seek(&pin, at, backward, NULL, &key, &value, &group) == OK) {
        sum += get_u32(value.data);
        count++;
        put_u32(from, get_u32(key.data));
        from[4] = 0;
        at = bytes_of(from, backward ? 4 : 5);
    }
    memory_unpin(&pin);
    require(count == ACCOUNTS && sum == ACCOUNTS * AMOUNT);
}

static void *reader_main(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !atomic_load(&finished); i++) {
        sum_up(i % 2 == 1);
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

static uint32_t amounts[ACCOUNTS];

static void write_all(uint64_t group)
{
    for (unsigned i = 0; i < ACCOUNTS; i++)
        account_put(i, group, amounts[i]);
    memory_publish(memory);
}

static void command(uint64_t group, uint32_t random)
{
    unsigned from = random % ACCOUNTS, to = random / ACCOUNTS % ACCOUNTS;
    uint32_t amount = amounts[from] < 10 ? amounts[from] : 10;
    amounts[from] -= amount;
    account_put(from, group, amounts[from]);
    amounts[to] += amount;
    account_put(to, group, amounts[to]);
    memory_publish(memory);
}

int main(int argc, char **argv)
{
    uint64_t commands = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    pthread_t readers[READERS];
    require(memory_new(&memory, 1 << 20) == OK);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        amounts[i] = AMOUNT;
    write_all(1);
    for (int i = 0; i < READERS; i++)
        require(pthread_create(&readers[i], NULL, reader_main, NULL) == 0);
    uint32_t random = 42;
    for (uint64_t i = 0; i < commands; i++) {
        random = random * 1664525 + 1013904223;
        command(i, random >> 8);
        if (i % 1000 == 500)
            require(memory_freeze(memory, i) == OK);
        if (i % 1000 == 999) {
            write_all(i); /* the accounts that only the frozen table holds */
            memory_frozen_drop(memory);
        }
    }
    atomic_store(&finished, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    memory_free(memory);
    printf("race-memory: commands=%llu reads=%lu\n", (unsigned long long)commands,
           atomic_load(&reads));
    return 0;
}
