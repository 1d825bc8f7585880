#include "node/cli/tiles.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE_MAX 4096

/* ---- files ----------------------------------------------------------------------------------- */

static void fail(struct tiles *tiles, const char *path)
{
    tiles->err = errno == ENOSPC ? ERR_FULL : ERR_IO;
    snprintf(tiles->failure, sizeof tiles->failure, "%s: %s", path, strerror(errno));
}

static bool make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return true;
}

static void write_file(struct tiles *tiles, const char *name, struct bytes content)
{
    char path[PATH_SIZE_MAX];
    if (tiles->err != OK)
        return;
    snprintf(path, sizeof path, "%s/%s", tiles->folder, name);
    FILE *file = fopen(path, "wb");
    if (!file && errno == ENOENT && make_parents(path))
        file = fopen(path, "wb");
    if (!file) {
        fail(tiles, path);
        return;
    }
    bool written = fwrite(content.data, 1, content.size, file) == content.size;
    if (fclose(file) != 0 || !written)
        fail(tiles, path);
}

void tile_name(char out[256], const char *level, uint64_t index, size_t width)
{
    char number[64];
    size_t at = sizeof number;
    number[--at] = '\0';
    for (bool last = true; last || index > 0; last = false, index /= 1000) {
        char group[8];
        snprintf(group, sizeof group, last ? "%03u" : "x%03u/", (unsigned)(index % 1000));
        size_t size = strlen(group);
        at -= size;
        memcpy(number + at, group, size);
    }
    if (width == TILE_WIDTH)
        snprintf(out, 256, "tile/%s/%s", level, number + at);
    else
        snprintf(out, 256, "tile/%s/%s.p/%zu", level, number + at, width);
}

/* ---- tiles ----------------------------------------------------------------------------------- */

static void write_hashes(struct tiles *tiles, unsigned level)
{
    const struct tile_level *at = &tiles->levels[level];
    char name[256], level_name[4];
    snprintf(level_name, sizeof level_name, "%u", level);
    tile_name(name, level_name, at->done, at->count);
    write_file(tiles, name, bytes_of(at->hashes, at->count * HASH_SIZE));
}

static void write_entries(struct tiles *tiles, size_t width)
{
    char name[256];
    tile_name(name, "entries", (tiles->size - 1) / TILE_WIDTH, width);
    if (tiles->entries.err != OK && tiles->err == OK)
        tiles->err = tiles->entries.err;
    write_file(tiles, name, buffer_bytes(&tiles->entries));
    buffer_clear(&tiles->entries);
}

/* A full tile becomes one hash of the level above. */
static void add_hash(struct tiles *tiles, const struct hash *hash)
{
    struct hash next = *hash;
    for (unsigned level = 0; level < TILE_LEVEL_MAX; level++) {
        struct tile_level *at = &tiles->levels[level];
        at->hashes[at->count++] = next;
        if (at->count < TILE_WIDTH)
            return;
        write_hashes(tiles, level);
        merkle_block_root(at->hashes, TILE_WIDTH, &next);
        at->done++;
        at->count = 0;
    }
}

void tiles_begin(struct tiles *tiles, const char *folder)
{
    memset(tiles, 0, sizeof *tiles);
    tiles->folder = folder;
}

void tiles_add(struct tiles *tiles, struct bytes entry, const struct hash *leaf)
{
    buffer_append_u16(&tiles->entries, (uint16_t)entry.size);
    buffer_append_bytes(&tiles->entries, entry);
    tiles->size++;
    if (tiles->size % TILE_WIDTH == 0)
        write_entries(tiles, TILE_WIDTH);
    add_hash(tiles, leaf);
}

enum err tiles_end(struct tiles *tiles, struct bytes checkpoint, const char *vkey)
{
    char line[512];
    if (tiles->size % TILE_WIDTH != 0)
        write_entries(tiles, tiles->size % TILE_WIDTH);
    for (unsigned level = 0; level < TILE_LEVEL_MAX; level++)
        if (tiles->levels[level].count > 0)
            write_hashes(tiles, level);
    snprintf(line, sizeof line, "%s\n", vkey);
    write_file(tiles, "vkey", bytes_of_string(line));
    write_file(tiles, "checkpoint", checkpoint);
    return tiles->err;
}

void tiles_close(struct tiles *tiles)
{
    buffer_close(&tiles->entries);
}
