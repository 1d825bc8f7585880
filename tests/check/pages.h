/* Reads an LMDB 0.9 file without LMDB: every page number, size and offset is checked before it is
 * followed, so that a file damaged anywhere is read as far as it is good.
 *
 * The file is a row of pages of 4,096 bytes; integers are little-endian. Pages 0 and 1 are two
 * versions of the root («meta»), the one with the higher transaction number counts. */
#ifndef CHECK_PAGES_H
#define CHECK_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *data;
    size_t size;
};

struct pages {
    const uint8_t *file;
    size_t size;
    uint64_t last; /* the highest page that the root knows */
    uint64_t transaction;
    uint64_t main_root;
    uint8_t *seen; /* one byte a page: 1 when it was read as part of a table */
    void *context;
    /* Called for each thing that is wrong; the walk goes on with what is good. */
    void (*problem)(void *context, const char *text);
};

struct pages_table {
    uint64_t root;    /* UINT64_MAX: empty */
    uint64_t entries; /* as the table's own row says */
};

/* Maps the file. false: *why says why not. pages->context and ->problem are set before. */
bool pages_open(struct pages *pages, const char *path, const char **why);
void pages_close(struct pages *pages);

/* false: there is no such table. */
bool pages_table(struct pages *pages, const char *name, struct pages_table *table);

/* Every entry in the order of the keys. Values are ranges of the mapped file. Reports a problem when
 * keys do not ascend or their number is not the table's. */
typedef void pages_entry(void *context, struct span key, struct span value);
void pages_walk(struct pages *pages, const struct pages_table *table, pages_entry *entry,
                void *context);

#endif
