/* Writes a log as c2sp.org/tlog-tiles: what tools that we did not write can check.
 *
 *   checkpoint                        the signed note over `size` entries
 *   tile/<L>/<N>[.p/<W>]              hashes of level 8*L, 256 a tile, the last one partial
 *   tile/entries/<N>[.p/<W>]          entries: u16 size, then the record's header
 *   vkey                              the key that signed, as a C2SP verifier key
 *
 * <N> is written in groups of three digits, all but the last with an x before: x001/x234/067. */
#ifndef NODE_CLI_TILES_H
#define NODE_CLI_TILES_H

#include "proto/secure/merkle.h"

#define TILE_WIDTH     256
#define TILE_LEVEL_MAX 8

struct tiles {
    const char *folder;
    uint64_t size; /* entries so far */
    struct buffer entries;
    struct tile_level {
        uint64_t done; /* full tiles written */
        size_t count;
        struct hash hashes[TILE_WIDTH];
    } levels[TILE_LEVEL_MAX];
    enum err err;             /* sticky */
    char failure[4096 + 128]; /* the file and why */
};

/* `tiles` may be uninitialised; tiles_close() gives its memory back. `folder` is made. */
void tiles_begin(struct tiles *tiles, const char *folder);
void tiles_add(struct tiles *tiles, struct bytes entry, const struct hash *leaf);
/* Writes what is left: partial tiles, then vkey and, last, the checkpoint: whoever reads while this
 * writes finds every tile of the checkpoint that it sees. */
enum err tiles_end(struct tiles *tiles, struct bytes checkpoint, const char *vkey);
void tiles_close(struct tiles *tiles);
/* "tile/<level>/<index>[.p/<width>]". */
void tile_name(char out[256], const char *level, uint64_t index, size_t width);

#endif
