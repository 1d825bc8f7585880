#include "tests/unit/node/pair_fixture.h"
#include "tests/unit/node/cli_capture.h"

#include "proto/base/require.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_MAX 7
#define SEED      11

static void key_hex(char out[65], const uint8_t key[KEY_SIZE])
{
    hex_encode(out, bytes_of(key, KEY_SIZE));
}

static void write_conf(struct pair_fixture *pair, bool hub, const char *section)
{
    const char *path = hub ? pair->hub_conf : pair->province_conf;
    const char *node = hub ? "centre" : "ardabil";
    FILE *file = fopen(path, "w");
    require(file);
    fprintf(file,
            "node = \"%s\"\nrole = \"%s\"\ndata = \"%s/%s\"\nkeys = \"%s/%s/keys\"\n"
            "storage { map_mib = 16 }\n%s",
            node, hub ? "hub" : "province", pair->folder, node, pair->folder, node, section);
    fclose(file);
}

static void make_keys(struct pair_fixture *pair, bool hub, struct keyring *keyring)
{
    char path[FOLDER_PATH_SIZE];
    struct buffer problem = { 0 };
    folder_path(path, pair->folder, hub ? "centre" : "ardabil");
    require(mkdir(path, 0700) == 0);
    folder_path(path, pair->folder, hub ? "centre/keys" : "ardabil/keys");
    require(keyring_create(path, &problem) == OK);
    require(keyring_load(keyring, path, &problem) == OK);
}

static void write_confs(struct pair_fixture *pair)
{
    char section[512], link[65], log[65], receipt[65];
    folder_path(pair->province_conf, pair->folder, "ardabil.conf");
    folder_path(pair->hub_conf, pair->folder, "centre.conf");
    key_hex(link, pair->hub_keys.link.public.bytes);
    key_hex(log, pair->hub_keys.log.public.bytes);
    key_hex(receipt, pair->hub_keys.receipt.public.bytes);
    snprintf(section, sizeof section,
             "hub \"centre\" { address = \"127.0.0.1:1\" link_key = \"%s\" log_key = \"%s\" "
             "receipt_key = \"%s\" }\n",
             link, log, receipt);
    write_conf(pair, false, section);
    key_hex(link, pair->province_keys.link.public.bytes);
    key_hex(log, pair->province_keys.log.public.bytes);
    snprintf(section, sizeof section,
             "province \"ardabil\" { link_key = \"%s\" log_key = \"%s\" }\n", link, log);
    write_conf(pair, true, section);
}

static struct log_store *open_store(struct pair_fixture *pair, bool hub, bool create)
{
    char path[FOLDER_PATH_SIZE];
    struct log_store *logs;
    folder_path(path, pair->folder, hub ? "centre/log" : "ardabil/log");
    struct log_store_options options = {
        .path = path,
        .node = hub ? "centre" : "ardabil",
        .data_key = hub ? pair->hub_keys.data : pair->province_keys.data,
        .map_size = 16 << 20,
        .create = create,
    };
    require(log_store_open(&logs, &options) == OK);
    return logs;
}

struct log_store *pair_fixture_store(struct pair_fixture *pair, bool hub)
{
    return open_store(pair, hub, false);
}

/* Fills one store; the province's batches carry notes. Appends the last note to `note`. */
static void fill(struct pair_fixture *pair, struct log_store *logs, uint32_t count, bool hub,
                 struct buffer *note)
{
    uint32_t number, size = 0;
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    require(log_create(logs, &txn, &pair->log, &number) == OK);
    while (size < count) {
        struct merkle_frontier frontier;
        struct batch_builder batch;
        uint32_t now = count - size < BATCH_MAX ? count - size : BATCH_MAX;
        require(log_frontier(logs, &txn, number, &frontier) == OK);
        batch_begin(&batch, &frontier);
        sample_batch(&batch, &pair->log, SEED, now, 60, log_store_data_key(logs));
        buffer_clear(note);
        sample_note(note, &pair->log, &batch.frontier, &pair->province_keys.log);
        require(log_append(logs, &txn, number, &batch, hub ? BYTES_NONE : buffer_bytes(note)) ==
                OK);
        batch_close(&batch);
        size += now;
    }
    require(store_commit(&txn) == OK);
}

static void give_receipt(struct pair_fixture *pair, struct log_store *province, uint32_t count,
                         struct bytes note)
{
    struct buffer receipt = { 0 };
    char name[NOTE_NAME_SIZE_MAX + 1];
    receipt_key_name(name, "centre");
    require(receipt_sign(&receipt, note, bytes_of_string(name), 1763700000,
                         &pair->hub_keys.receipt) == OK);
    struct store_txn txn = store_begin_write(log_store_environment(province));
    require(log_receipt_put(province, &txn, 0, "centre", count, buffer_bytes(&receipt)) == OK);
    require(store_commit(&txn) == OK);
    buffer_close(&receipt);
}

void pair_fixture_open(struct pair_fixture *pair, uint32_t count)
{
    struct buffer note = { 0 };
    memset(pair, 0, sizeof *pair);
    folder_make(pair->folder);
    make_keys(pair, false, &pair->province_keys);
    make_keys(pair, true, &pair->hub_keys);
    write_confs(pair);
    pair->log = sample_log("ardabil", "hub", 5);
    struct log_store *hub = open_store(pair, true, true);
    fill(pair, hub, count, true, &note);
    log_store_close(hub);
    struct log_store *province = open_store(pair, false, true);
    fill(pair, province, count, false, &note);
    give_receipt(pair, province, count, buffer_bytes(&note));
    log_store_close(province);
    buffer_close(&note);
}

void pair_fixture_close(struct pair_fixture *pair)
{
    keyring_close(&pair->province_keys);
    keyring_close(&pair->hub_keys);
    folder_remove(pair->folder);
}

void pair_fixture_append(struct pair_fixture *pair, bool hub, struct sample *sample)
{
    struct log_store *logs = pair_fixture_store(pair, hub);
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    require(log_frontier(logs, &txn, 0, &frontier) == OK);
    batch_begin(&batch, &frontier);
    batch_add(&batch, &sample->record, &sample->leaf, log_store_data_key(logs));
    require(log_append(logs, &txn, 0, &batch, BYTES_NONE) == OK);
    require(store_commit(&txn) == OK);
    batch_close(&batch);
    log_store_close(logs);
}
