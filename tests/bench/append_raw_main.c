/* append-raw: what the log store alone can take. One thread seals, hashes, signs and commits groups
 * of records of about 650 bytes, with one log or with many; then it reads them all again, opened
 * and checked (scan), and verifies the whole store. One JSON line per case.
 *
 *   append-raw [--folder DIR] [--seconds S] [--reserve MIB] */
#include "proto/base/require.h"
#include "storage/verify.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_COUNT_MAX 31
#define HEADER_FILL   40
#define FACTS_SIZE    180
#define PERSON_SIZE   270

struct bench {
    struct log_store *logs;
    struct sign_key key;
    struct log_id ids[LOG_COUNT_MAX];
    uint32_t numbers[LOG_COUNT_MAX];
    struct merkle_frontier frontiers[LOG_COUNT_MAX];
    struct buffer header;
    uint8_t facts[FACTS_SIZE], person[PERSON_SIZE];
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void add_record(struct bench *bench, struct batch_builder *batch, const struct log_id *id)
{
    struct record_header header = { .kind = RECORD_REQUEST, .log = *id, .has_person = true };
    struct record record = { .facts = BYTES_OF_ARRAY(bench->facts),
                             .person = BYTES_OF_ARRAY(bench->person) };
    struct hash leaf;
    header.position = batch->first + batch->count;
    header.time_ms = 1700000000000;
    memset(header.actor, 'a', HEADER_FILL);
    put_u64(bench->facts, header.position); /* no two alike */
    put_u64(bench->person, header.position);
    record_commit(&header.facts, record.facts);
    record_commit(&header.person, record.person);
    buffer_clear(&bench->header);
    require(record_header_encode(&bench->header, &header) == OK);
    record.header = buffer_bytes(&bench->header);
    merkle_leaf_hash(&leaf, record.header);
    batch_add(batch, &record, &leaf, log_store_data_key(bench->logs));
}

static void commit_group(struct bench *bench, uint32_t index, uint32_t count)
{
    struct store *store = log_store_environment(bench->logs);
    const struct log_id *id = &bench->ids[index];
    struct batch_builder batch;
    struct buffer note = { 0 };
    batch_begin(&batch, &bench->frontiers[index]);
    for (uint32_t i = 0; i < count; i++)
        add_record(bench, &batch, id);
    struct checkpoint checkpoint = { .log = *id, .size = batch.frontier.size };
    merkle_frontier_root(&batch.frontier, &checkpoint.root);
    checkpoint_sign(&note, &checkpoint, &bench->key);
    if (store_needs_growth(store, batch_size(&batch, note.size)))
        require(store_grow(store) == OK);
    store_extend(store);
    struct store_txn txn = store_begin_write(store);
    log_append(bench->logs, &txn, bench->numbers[index], &batch, buffer_bytes(&note));
    require(store_commit(&txn) == OK);
    bench->frontiers[index] = batch.frontier;
    buffer_close(&note);
    batch_close(&batch);
}

static void bench_open(struct bench *bench, const char *folder, uint32_t log_count, size_t reserve)
{
    struct log_store_options options = { .path = folder,
                                         .node = "bench",
                                         .create = true,
                                         .map_size = (size_t)1 << 30,
                                         .reserve_size = reserve };
    uint8_t seed[KEY_SIZE] = { 1 }, incarnation[INCARNATION_SIZE] = { 0 };
    memset(bench, 0, sizeof *bench);
    memset(bench->facts, 'f', sizeof bench->facts);
    memset(bench->person, 'p', sizeof bench->person);
    sign_key_from_seed(&bench->key, seed);
    require(log_store_open(&bench->logs, &options) == OK);
    struct store_txn txn = store_begin_write(log_store_environment(bench->logs));
    for (uint32_t i = 0; i < log_count; i++) {
        incarnation[0] = (uint8_t)i;
        require(log_id_init(&bench->ids[i], bytes_of_string("bench"), bytes_of_string("hub"),
                            incarnation) == OK);
        require(log_create(bench->logs, &txn, &bench->ids[i], &bench->numbers[i]) == OK);
    }
    require(store_commit(&txn) == OK);
}

static enum err count_record(void *context, uint64_t position, const struct record *record,
                             const struct record_header *header, const struct hash *leaf)
{
    (void)position;
    (void)header;
    (void)leaf;
    *(uint64_t *)context += record->person.size > 0;
    return OK;
}

static double scan_rate(struct bench *bench, uint32_t log_count)
{
    uint64_t records = 0;
    struct store_txn txn = store_begin_read(log_store_environment(bench->logs));
    double start = seconds_now();
    for (uint32_t i = 0; i < log_count; i++)
        require(log_scan(bench->logs, &txn, bench->numbers[i], 0, UINT64_MAX, true, count_record,
                         &records) == OK);
    double elapsed = seconds_now() - start;
    store_abort(&txn);
    return (double)records / elapsed;
}

static double verify_rate(struct bench *bench)
{
    struct verify verify;
    struct store_txn txn = store_begin_read(log_store_environment(bench->logs));
    double start = seconds_now();
    require(verify_open(&verify, bench->logs, NULL, NULL) == OK);
    while (verify_step(&verify, &txn, 16 << 20) == OK)
        ;
    require(verify.report.failures == 0);
    double rate = (double)verify.report.records / (seconds_now() - start);
    verify_close(&verify);
    store_abort(&txn);
    return rate;
}

static void run_case(const char *base, uint32_t log_count, uint32_t group, double seconds,
                     size_t reserve)
{
    char folder[FOLDER_PATH_SIZE];
    struct bench bench;
    struct store_space space;
    folder_make_in(folder, base);
    bench_open(&bench, folder, log_count, reserve);
    uint64_t groups = 0;
    double start = seconds_now(), elapsed;
    do {
        commit_group(&bench, (uint32_t)(groups % log_count), group);
        groups++;
        elapsed = seconds_now() - start;
    } while (elapsed < seconds);
    store_space_update(log_store_environment(bench.logs), &space);
    double records = (double)groups * group;
    printf("{\"bench\":\"append-raw\",\"logs\":%u,\"group\":%u,\"record_bytes\":%zu,"
           "\"records\":%.0f,\"records_per_s\":%.0f,\"commits_per_s\":%.0f,"
           "\"disk_bytes_per_record\":%.0f,\"scan_records_per_s\":%.0f,"
           "\"verify_records_per_s\":%.0f,\"durable\":\"fdatasync per group\"}\n",
           log_count, group, bench.header.size + FACTS_SIZE + PERSON_SIZE, records,
           records / elapsed, (double)groups / elapsed, (double)space.used_size / records,
           scan_rate(&bench, log_count), verify_rate(&bench));
    fflush(stdout);
    buffer_close(&bench.header);
    log_store_close(bench.logs);
    folder_remove(folder);
}

int main(int argc, char **argv)
{
    const char *folder = "."; /* on the disk that is to be measured */
    double seconds = 2;
    size_t reserve = 64;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--folder") == 0)
            folder = argv[i + 1];
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--reserve") == 0)
            reserve = (size_t)atol(argv[i + 1]);
    }
    static const uint32_t groups[] = { 1, 16, 64, 256 }, logs[] = { 1, LOG_COUNT_MAX };
    for (size_t l = 0; l < 2; l++)
        for (size_t g = 0; g < 4; g++)
            run_case(folder, logs[l], groups[g], seconds, reserve << 20);
    return 0;
}
