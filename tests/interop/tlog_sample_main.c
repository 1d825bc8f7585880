/* tlog-sample DIR SIZE: writes a log of SIZE made-up entries as c2sp.org/tlog-tiles, signed and
 * cosigned, from proto's tree and notes alone: what tests/interop/run hands to other people's code.
 * Keys and entries are functions of their numbers; nothing here is secret. */
#include "proto/base/require.h"
#include "proto/secure/merkle.h"
#include "proto/secure/note.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TILE_WIDTH    256
#define PATH_SIZE_MAX 4096

static const char hub_key_name[] = "samad/hub-1/receipt";

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "tlog-sample: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            fail("mkdir", path);
        *slash = '/';
    }
}

static void write_file(const char *folder, const char *name, struct bytes content)
{
    char path[PATH_SIZE_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    make_parents(path);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(content.data, 1, content.size, file) != content.size || fclose(file) != 0)
        fail("write", path);
}

/* "tile/<level>/<index>[.p/<width>]", the index in groups of three digits. */
static void tile_name(char out[PATH_SIZE_MAX], const char *level, uint64_t index, size_t width)
{
    char number[64], part[8];
    snprintf(number, sizeof number, "%03" PRIu64, index % 1000);
    for (index /= 1000; index > 0; index /= 1000) {
        char longer[64 + 8];
        snprintf(part, sizeof part, "x%03u", (unsigned)(index % 1000));
        snprintf(longer, sizeof longer, "%s/%.56s", part, number);
        memcpy(number, longer, strlen(longer) + 1);
    }
    if (width == TILE_WIDTH)
        snprintf(out, PATH_SIZE_MAX, "tile/%s/%s", level, number);
    else
        snprintf(out, PATH_SIZE_MAX, "tile/%s/%s.p/%zu", level, number, width);
}

static size_t entry_of(uint64_t index, uint8_t out[300])
{
    size_t size = (size_t)(index * 37 % 300);
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(index * 31 + i * i);
    return size;
}

/* Hashes of the levels that tiles show: 0, 8, 16 ... */
struct levels {
    struct buffer hashes[8];
};

static void levels_on_node(void *context, unsigned level, uint64_t index, const struct hash *hash)
{
    struct levels *levels = context;
    (void)index;
    if (level % MERKLE_BLOCK_LEVEL == 0)
        buffer_append(&levels->hashes[level / MERKLE_BLOCK_LEVEL], hash->bytes, HASH_SIZE);
}

static void write_hash_tiles(const char *folder, const struct levels *levels)
{
    for (unsigned level = 0; level < 8; level++) {
        const struct buffer *hashes = &levels->hashes[level];
        char level_name[4], name[PATH_SIZE_MAX];
        snprintf(level_name, sizeof level_name, "%u", level);
        for (size_t first = 0; first < hashes->size; first += TILE_WIDTH * HASH_SIZE) {
            size_t size = hashes->size - first;
            if (size > TILE_WIDTH * HASH_SIZE)
                size = TILE_WIDTH * HASH_SIZE;
            tile_name(name, level_name, first / (TILE_WIDTH * HASH_SIZE), size / HASH_SIZE);
            write_file(folder, name, bytes_of(hashes->data + first, size));
        }
    }
}

static struct sign_key key_of(uint8_t number)
{
    uint8_t seed[KEY_SIZE];
    struct sign_key key;
    memset(seed, number, sizeof seed);
    sign_key_from_seed(&key, seed);
    return key;
}

static void write_checkpoint(const char *folder, const struct merkle_frontier *frontier)
{
    static const uint8_t incarnation[INCARNATION_SIZE] = { 1, 1, 1 };
    struct sign_key log_key = key_of(1), hub_key = key_of(2);
    struct checkpoint checkpoint = { .size = frontier->size };
    struct buffer note = { 0 }, receipt = { 0 };
    char origin[LOG_ORIGIN_SIZE_MAX + 1], vkey[VKEY_SIZE_MAX + 2];

    enum err err = log_id_init(&checkpoint.log, bytes_of_string("sample"), bytes_of_string("hub"),
                               incarnation);
    require(err == OK);
    merkle_frontier_root(frontier, &checkpoint.root);
    checkpoint_sign(&note, &checkpoint, &log_key);
    err = receipt_sign(&receipt, buffer_bytes(&note), bytes_of_string(hub_key_name), 1679315147,
                       &hub_key);
    require(err == OK);
    write_file(folder, "checkpoint", buffer_bytes(&receipt));

    log_id_origin(&checkpoint.log, origin);
    note_vkey(vkey, bytes_of_string(origin), NOTE_KEY_ED25519, &log_key.public);
    write_file(folder, "vkey", bytes_of_string(strcat(vkey, "\n")));
    note_vkey(vkey, bytes_of_string(hub_key_name), NOTE_KEY_COSIGNATURE, &hub_key.public);
    write_file(folder, "cosigners", bytes_of_string(strcat(vkey, "\n")));
    buffer_close(&note);
    buffer_close(&receipt);
}

static void write_log(const char *folder, uint64_t size)
{
    struct levels levels = { 0 };
    struct merkle_frontier frontier = { 0 };
    struct buffer bundle = { 0 };
    for (uint64_t i = 0; i < size; i++) {
        uint8_t entry[300];
        struct hash leaf;
        size_t entry_size = entry_of(i, entry);
        buffer_append_u16(&bundle, (uint16_t)entry_size);
        buffer_append(&bundle, entry, entry_size);
        merkle_leaf_hash(&leaf, bytes_of(entry, entry_size));
        levels_on_node(&levels, 0, i, &leaf);
        merkle_frontier_append(&frontier, &leaf, levels_on_node, &levels);
        size_t width = (size_t)(i % TILE_WIDTH) + 1;
        if (width == TILE_WIDTH || i + 1 == size) {
            char name[PATH_SIZE_MAX];
            tile_name(name, "entries", i / TILE_WIDTH, width);
            write_file(folder, name, buffer_bytes(&bundle));
            buffer_clear(&bundle);
        }
    }
    write_hash_tiles(folder, &levels);
    write_checkpoint(folder, &frontier);
    buffer_close(&bundle);
    for (size_t level = 0; level < 8; level++)
        buffer_close(&levels.hashes[level]);
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 3) {
        fprintf(stderr, "usage: tlog-sample DIR SIZE\n");
        return 2;
    }
    write_log(arguments[1], strtoull(arguments[2], NULL, 10));
    return 0;
}
