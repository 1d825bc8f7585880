/* views-raw: what the memory table and the views store alone can take. One thread changes a view as
 * registrations do (three random keys, three ascending ones, five counters that are read first),
 * freezes the table every N records (16,000) and flushes it; then it looks random requests up, each with
 * a reader of its own. One JSON line a size.
 *
 *   views-raw [--folder DIR] [--reserve MIB] [--flush N] [RECORDS...] */
#include "proto/base/require.h"
#include "storage/views.h"
#include "tests/bench/measure.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUPS 100000

struct bench {
    struct views *views;
    struct log_head head;
    uint64_t group;
    int64_t change_ns, flush_ns, flush_worst_ns;
    uint64_t flushes, keys;
    uint64_t flush_records;
};

static enum err no_fold(void *context, struct view *view, const struct record_header *header,
                        struct bytes facts, struct bytes person, bool person_absent)
{
    (void)context, (void)view, (void)header, (void)facts, (void)person, (void)person_absent;
    return ERR_INVALID; /* nothing is folded here */
}

/* Any number gives another one that looks random; the same each time. */
static uint64_t spread(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

static void put(struct view *view, char letter, uint64_t first, uint64_t second, size_t value_size)
{
    uint8_t key[32] = { (uint8_t)letter }, value[96] = { 0 };
    put_u64(key + 1, first);
    put_u64(key + 9, second);
    view_put(view, BYTES_OF_ARRAY(key), bytes_of(value, value_size));
}

static void count(struct view *view, char letter, uint64_t what)
{
    uint8_t key[6] = { 'C', (uint8_t)letter }, value[8] = { 0 };
    struct bytes found;
    put_u32(key + 2, (uint32_t)what);
    if (view_get(view, BYTES_OF_ARRAY(key), &found) == OK)
        memcpy(value, found.data, sizeof value);
    put_u64(value, get_u64(value) + 1);
    view_put(view, BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value));
}

static void register_one(struct view *view, uint64_t number)
{
    struct bytes found;
    uint8_t code[32] = { 'R' };
    put_u64(code + 1, spread(number));
    put_u64(code + 9, number);
    require(view_get(view, BYTES_OF_ARRAY(code), &found) == ERR_NOT_FOUND);
    put(view, 'R', spread(number), number, 90);
    put(view, 'P', spread(number ^ UINT64_C(1) << 60), number, 1);
    put(view, 'N', spread(number ^ UINT64_C(1) << 61), number, 1);
    put(view, 'I', number, number, 31);
    put(view, 'T', number, number, 1);
    put(view, 'L', number, number, 15);
    count(view, 't', 0);
    count(view, 'k', number % 9);
    count(view, 'c', number % 7);
    count(view, 's', spread(number) % 60);
    count(view, 'd', number / 20000);
}

static void flush(struct bench *bench, uint64_t records)
{
    struct memory *memory = views_memory(bench->views);
    bench->head.size = records;
    require(memory_freeze(memory, bench->group) == OK);
    bench->keys += memory_frozen_keys(memory);
    int64_t start = now_ns();
    require(views_flush(bench->views, &bench->head) == OK);
    int64_t took = now_ns() - start;
    bench->flush_ns += took;
    bench->flush_worst_ns = took > bench->flush_worst_ns ? took : bench->flush_worst_ns;
    bench->flushes++;
}

static void change_all(struct bench *bench, uint64_t records)
{
    for (uint64_t number = 0; number < records;) {
        int64_t start = now_ns();
        bench->group++;
        for (uint64_t i = 0; i < bench->flush_records && number < records; i++, number++)
            register_one(views_decider_begin(bench->views, bench->group), number);
        views_decider_end(bench->views);
        bench->change_ns += now_ns() - start;
        flush(bench, number);
    }
}

static double lookup_us(struct bench *bench, uint64_t records)
{
    int64_t start = now_ns();
    for (uint64_t i = 0; i < LOOKUPS; i++) {
        struct views_reader reader;
        struct bytes value;
        uint8_t key[32] = { 'R' };
        uint64_t number = spread(i) % records;
        put_u64(key + 1, spread(number));
        put_u64(key + 9, number);
        require(views_reader_begin(bench->views, "ardabil", &reader) == OK);
        require(view_get(&reader.view, BYTES_OF_ARRAY(key), &value) == OK);
        views_reader_end(&reader);
    }
    return (double)(now_ns() - start) / LOOKUPS / 1e3;
}

static void run_case(const char *base, uint64_t records, uint64_t flush_records, size_t reserve)
{
    char folder[FOLDER_PATH_SIZE];
    struct bench bench = { .flush_records = flush_records };
    struct store_space space;
    folder_make_in(folder, base);
    const struct views_options options = {
        .path = folder,
        .node = "ardabil",
        .audience = "hub",
        .rules = { .fold = no_fold },
        .map_size = (size_t)1 << 30,
        .reserve_size = reserve,
        .memory_size_max = (size_t)256 << 20,
    };
    require(log_id_init(&bench.head.log, bytes_of_string("ardabil"), bytes_of_string("hub"),
                        (const uint8_t[INCARNATION_SIZE]){ 1 }) == OK);
    require(views_open(&bench.views, &options) == OK);
    change_all(&bench, records);
    double lookup = lookup_us(&bench, records);
    struct hash digest;
    uint64_t entries;
    int64_t start = now_ns();
    require(views_digest(bench.views, "ardabil", &digest, &entries) == OK);
    double digest_ms = (double)(now_ns() - start) / 1e6;
    require(store_space_update(views_environment(bench.views), &space) == OK);
    printf("{\"bench\":\"views-raw\",\"records\":%llu,\"change_us_per_record\":%.2f,"
           "\"flush_keys\":%.0f,\"flush_ms\":%.0f,\"flush_worst_ms\":%.0f,\"lookup_us\":%.2f,"
           "\"entries\":%llu,\"digest_entries_per_s\":%.0f,\"disk_bytes_per_record\":%.0f,"
           "\"durable\":\"fdatasync per flush of %llu records\"}\n",
           (unsigned long long)records, (double)bench.change_ns / (double)records / 1e3,
           (double)bench.keys / (double)bench.flushes,
           (double)bench.flush_ns / (double)bench.flushes / 1e6,
           (double)bench.flush_worst_ns / 1e6, lookup, (unsigned long long)entries,
           (double)entries / digest_ms * 1e3, (double)space.used_size / (double)records,
           (unsigned long long)flush_records);
    fflush(stdout);
    views_close(bench.views);
    folder_remove(folder);
}

int main(int argc, char **argv)
{
    const char *folder = "."; /* on the disk that is to be measured */
    size_t reserve = 64;
    uint64_t flush_records = 16000;
    int first = 1;
    for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
        if (strcmp(argv[first], "--folder") == 0)
            folder = argv[first + 1];
        else if (strcmp(argv[first], "--reserve") == 0)
            reserve = (size_t)atol(argv[first + 1]);
        else if (strcmp(argv[first], "--flush") == 0)
            flush_records = strtoull(argv[first + 1], NULL, 10);
    }
    if (first == argc) {
        run_case(folder, 100000, flush_records, reserve << 20);
        run_case(folder, 1000000, flush_records, reserve << 20);
    }
    for (; first < argc; first++)
        run_case(folder, strtoull(argv[first], NULL, 10), flush_records, reserve << 20);
    return 0;
}
