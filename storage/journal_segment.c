/* Segments as files. A segment is written with zeros and synced before its header, and the header
 * before it gets its name: so what has the name of a segment was complete once. */
#include "storage/journal_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_MAGIC     "samadjnl"
#define HEADER_FORMAT    1
#define HEADER_COPY_SIZE (SEGMENT_HEADER_SIZE / 2)
#define HEADER_SUM_SIZE  32
#define ZERO_SIZE        ((size_t)64 << 10)
#define SPARE_NAME       "next"
#define SPARE_SYNC_SIZE  ((uint64_t)4 << 20) /* a group never waits for more zeros than these */

static void segment_name(char out[64], uint32_t number)
{
    snprintf(out, 64, "segment-%08u", number);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

enum err segment_write(struct journal *journal, int file, const void *data, size_t size,
                       uint64_t at)
{
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t written = pwrite(file, from, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return journal_fail(journal, "write", written < 0 ? errno : EIO);
        from += written;
        size -= (size_t)written;
        at += (uint64_t)written;
    }
    return OK;
}

enum err segment_zero(struct journal *journal, int file, uint64_t at, uint64_t size)
{
    static const uint8_t zeros[ZERO_SIZE];
    enum err err = OK;
    while (size > 0 && err == OK) {
        size_t step = size < sizeof zeros ? (size_t)size : sizeof zeros;
        err = segment_write(journal, file, zeros, step, at);
        at += step;
        size -= step;
    }
    return err;
}

enum err segment_sync(struct journal *journal, int file)
{
#ifdef SAMAD_NO_SYNC
    (void)journal, (void)file;
    return OK;
#else
    return fdatasync(file) == 0 ? OK : journal_fail(journal, "fdatasync", errno);
#endif
}

enum err segment_read(struct journal *journal, int file, void *data, size_t size, uint64_t at)
{
    uint8_t *to = data;
    while (size > 0) {
        ssize_t got = pread(file, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return journal_fail(journal, "read", errno);
        if (got == 0)
            return ERR_CORRUPT; /* shorter than it was */
        to += got;
        size -= (size_t)got;
        at += (uint64_t)got;
    }
    return OK;
}

/* ---- the header ------------------------------------------------------------------------------- */

static void header_sum(uint8_t out[HEADER_SUM_SIZE], const uint8_t *copy)
{
    crypto_generichash(out, HEADER_SUM_SIZE, copy, HEADER_COPY_SIZE - HEADER_SUM_SIZE, NULL, 0);
}

static void header_make(const struct journal *journal, const struct segment *segment,
                        uint8_t out[SEGMENT_HEADER_SIZE])
{
    size_t name_size = strlen(journal->node);
    memset(out, 0, SEGMENT_HEADER_SIZE);
    memcpy(out, HEADER_MAGIC, 8);
    put_u32(out + 8, HEADER_FORMAT);
    put_u32(out + 12, segment->number);
    put_u64(out + 16, segment->size);
    put_u64(out + 24, segment->first_sequence);
    memcpy(out + 32, segment->key, JOURNAL_KEY_SIZE);
    put_u32(out + 48, (uint32_t)name_size);
    memcpy(out + 52, journal->node, name_size);
    header_sum(out + HEADER_COPY_SIZE - HEADER_SUM_SIZE, out);
    memcpy(out + HEADER_COPY_SIZE, out, HEADER_COPY_SIZE);
}

static enum err header_copy_read(const struct journal *journal, const uint8_t *copy,
                                 struct segment *segment)
{
    uint8_t sum[HEADER_SUM_SIZE];
    header_sum(sum, copy);
    if (memcmp(copy, HEADER_MAGIC, 8) != 0 ||
        memcmp(sum, copy + HEADER_COPY_SIZE - HEADER_SUM_SIZE, sizeof sum) != 0)
        return ERR_CORRUPT;
    if (get_u32(copy + 8) != HEADER_FORMAT)
        return ERR_VERSION;
    uint32_t name_size = get_u32(copy + 48);
    if (name_size > NODE_NAME_SIZE_MAX)
        return ERR_CORRUPT;
    if (!bytes_equal(bytes_of(copy + 52, name_size), bytes_of_string(journal->node)))
        return ERR_CONFLICT;
    segment->number = get_u32(copy + 12);
    segment->size = get_u64(copy + 16);
    segment->first_sequence = get_u64(copy + 24);
    memcpy(segment->key, copy + 32, JOURNAL_KEY_SIZE);
    return OK;
}

enum err segment_header_read(struct journal *journal, struct bytes header, struct segment *segment,
                             bool *whole)
{
    struct segment other;
    *whole = false;
    if (header.size < SEGMENT_HEADER_SIZE)
        return ERR_CORRUPT;
    enum err first = header_copy_read(journal, header.data, segment);
    enum err second = header_copy_read(journal, header.data + HEADER_COPY_SIZE, &other);
    *whole = first == OK && second == OK;
    if (first != ERR_CORRUPT)
        return first;
    if (second == OK)
        *segment = other;
    return second;
}

/* ---- the list --------------------------------------------------------------------------------- */

struct segment *segment_find(struct journal *journal, uint32_t number)
{
    for (size_t i = journal->segment_count; i > 0; i--)
        if (journal->segments[i - 1].number == number)
            return &journal->segments[i - 1];
    return NULL;
}

enum err segment_add(struct journal *journal, const struct segment *segment)
{
    struct segment *grown =
        realloc(journal->segments, (journal->segment_count + 1) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    journal->segments = grown;
    grown[journal->segment_count++] = *segment;
    return OK;
}

/* ---- files ------------------------------------------------------------------------------------ */

enum err segment_open(struct journal *journal, uint32_t number, int *file)
{
    char name[64];
    segment_name(name, number);
    *file = openat(journal->folder, name, O_RDWR | O_CLOEXEC);
    return *file >= 0 ? OK : journal_fail(journal, "open a segment", errno);
}

enum err folder_sync(struct journal *journal)
{
#ifdef SAMAD_NO_SYNC
    (void)journal;
    return OK;
#else
    return fsync(journal->folder) == 0 ? OK : journal_fail(journal, "fsync of the folder", errno);
#endif
}

enum err segment_remove(struct journal *journal, uint32_t number)
{
    char name[64];
    segment_name(name, number);
    if (unlinkat(journal->folder, name, 0) != 0 && errno != ENOENT)
        return journal_fail(journal, "remove a segment", errno);
    return folder_sync(journal);
}

static void spare_drop(struct journal *journal)
{
    if (journal->spare >= 0)
        close(journal->spare);
    unlinkat(journal->folder, SPARE_NAME, 0);
    journal->spare = -1;
    journal->spare_ready = false;
    journal->spare_zeroed = 0;
}

static enum err spare_open(struct journal *journal, uint64_t size)
{
    spare_drop(journal);
    journal->spare = openat(journal->folder, SPARE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
                            0600);
    journal->spare_size = size;
    return journal->spare >= 0 ? OK : journal_fail(journal, "make a segment", errno);
}

/* Writes zeros up to `end`. Lack of room is not a failure of the journal. */
static enum err spare_zero(struct journal *journal, uint64_t end)
{
    uint64_t begin = journal->spare_zeroed;
    enum err err = segment_zero(journal, journal->spare, begin, end - begin);
    if (err == OK)
        journal->spare_zeroed = end;
    bool is_whole = end == journal->spare_size;
    if (err == OK && (is_whole || begin / SPARE_SYNC_SIZE != end / SPARE_SYNC_SIZE))
        err = segment_sync(journal, journal->spare);
    journal->spare_ready = err == OK && is_whole;
    journal->no_space = err == ERR_FULL;
    if (err == ERR_FULL) {
        journal->failed = false;
        spare_drop(journal); /* the room it took is for others until there is enough */
    }
    return err;
}

enum err journal_prepare(struct journal *journal, size_t size)
{
    enum err err = OK;
    if (journal->failed)
        return ERR_IO;
    if (journal->spare_ready)
        return OK;
    if (journal->spare < 0)
        err = spare_open(journal, journal->segment_size);
    if (err != OK) {
        journal->no_space = err == ERR_FULL;
        journal->failed = err != ERR_FULL;
        return err;
    }
    uint64_t left = journal->spare_size - journal->spare_zeroed;
    return spare_zero(journal, journal->spare_zeroed + (size < left ? size : left));
}

static enum err spare_name(struct journal *journal, struct segment *segment)
{
    uint8_t header[SEGMENT_HEADER_SIZE];
    char name[64];
    header_make(journal, segment, header);
    enum err err = segment_write(journal, journal->spare, header, sizeof header, 0);
    if (err == OK)
        err = segment_sync(journal, journal->spare);
    if (err != OK)
        return err;
    segment_name(name, segment->number);
    if (renameat(journal->folder, SPARE_NAME, journal->folder, name) != 0)
        return journal_fail(journal, "name a segment", errno);
    return folder_sync(journal);
}

enum err segment_begin(struct journal *journal, size_t size)
{
    uint64_t wanted = SEGMENT_HEADER_SIZE + (((uint64_t)size + 4095) / 4096) * 4096;
    if (wanted < journal->segment_size)
        wanted = journal->segment_size;
    enum err err = OK;
    if (journal->spare < 0 || journal->spare_size < wanted)
        err = spare_open(journal, wanted);
    if (err == OK && !journal->spare_ready)
        err = spare_zero(journal, journal->spare_size);
    if (err != OK) {
        journal->no_space = err == ERR_FULL;
        journal->failed = err != ERR_FULL;
        return err;
    }
    size_t count = journal->segment_count;
    struct segment segment = { .number = count ? journal->segments[count - 1].number + 1 : 1,
                               .size = journal->spare_size,
                               .first_sequence = journal->sequence,
                               .used = SEGMENT_HEADER_SIZE };
    randombytes_buf(segment.key, sizeof segment.key);
    err = spare_name(journal, &segment);
    if (err == OK)
        err = segment_add(journal, &segment);
    if (err != OK) {
        journal->failed = true;
        return err;
    }
    if (journal->file >= 0)
        close(journal->file);
    journal->file = journal->spare;
    journal->spare = -1;
    journal->spare_ready = false;
    journal->spare_zeroed = 0;
    journal->last_offset = 0;
    return OK;
}
