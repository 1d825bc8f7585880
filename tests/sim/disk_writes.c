/* Files of a simulated disk and their pending changes: an undo log. Undone from the newest to the
 * oldest it gives what is durable; then what a crash keeps is done again, in order. */
#include "tests/sim/disk_private.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for addresses alone: a file that outgrows it is mapped anew. */
#define MAP_SIZE ((uint64_t)256 << 20)
/* From this size on it is worth asking whether zeros are written where there are zeros. */
#define ZEROS_SIZE_MIN ((size_t)64 << 10)

void *disk_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 8;
    items = realloc(items, *capacity * item_size);
    require(items != NULL);
    return items;
}

/* ---- files ----------------------------------------------------------------------------------- */

struct disk_file *disk_file_find(struct disk *disk, const struct stat *status)
{
    for (struct disk_file *file = disk->files; file; file = file->next)
        if (file->inode == status->st_ino && file->device == status->st_dev)
            return file;
    return NULL;
}

static void file_map(struct disk_file *file, uint64_t size)
{
    if (file->map)
        sys_unmap(file->map, file->map_size);
    file->map = sys_map(file->handle, size);
    file->map_size = size;
    require(file->map != MAP_FAILED);
}

struct disk_file *disk_file_track(struct disk *disk, int open_file, const char *path)
{
    struct stat status;
    require(sys_fstat(open_file, &status) == 0);
    struct disk_file *file = disk_file_find(disk, &status);
    if (!file) {
        file = calloc(1, sizeof *file);
        require(file != NULL);
        *file = (struct disk_file){ .next = disk->files,
                                    .disk = disk,
                                    .device = status.st_dev,
                                    .inode = status.st_ino,
                                    .status = status,
                                    .size = (uint64_t)status.st_size,
                                    .handle = sys_open(path, O_RDWR | O_CLOEXEC, 0),
                                    .name = strdup(path + disk->path_size + 1) };
        require(file->handle >= 0 && file->name);
        file_map(file, MAP_SIZE);
        disk->files = file;
    }
    file->open_count++;
    return file;
}

/* Kept while something of it is pending, or its name may come back. */
void disk_file_release(struct disk_file *file)
{
    file->open_count--;
    if (file->open_count > 0 || file->write_count > 0)
        return;
    struct disk_file **at = &file->disk->files;
    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    sys_unmap(file->map, file->map_size);
    sys_close(file->handle);
    free(file->writes);
    free(file->name);
    free(file);
}

/* ---- changes --------------------------------------------------------------------------------- */

static void read_at(int handle, uint8_t *out, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t more = sys_pread(handle, out + done, size - done, offset + done);
        require(more >= 0);
        if (more == 0)
            break;
        done += (size_t)more;
    }
    memset(out + done, 0, size - done);
}

void disk_file_read(const struct disk_file *file, uint8_t *out, size_t size, uint64_t offset)
{
    uint64_t there = offset < file->size ? file->size - offset : 0;
    size_t done = there < size ? (size_t)there : size;
    require(offset + done <= file->map_size);
    memcpy(out, file->map + offset, done);
    memset(out + done, 0, size - done);
}

static bool write_at(int handle, const uint8_t *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t more = sys_pwrite(handle, data + done, size - done, offset + done);
        if (more <= 0)
            return false;
        done += (size_t)more;
    }
    return true;
}

static struct disk_write *write_add(struct disk_file *file, uint64_t offset, size_t size)
{
    file->writes = disk_grow(file->writes, file->write_count, &file->write_capacity,
                             sizeof *file->writes);
    struct disk_write *write = &file->writes[file->write_count++];
    *write = (struct disk_write){ .number = ++file->disk->number,
                                  .offset = offset,
                                  .size = size,
                                  .before = size ? malloc(size) : NULL,
                                  .file_size_before = file->size };
    require(size == 0 || write->before);
    if (size > 0)
        disk_file_read(file, write->before, size, offset);
    return write;
}

static void account(struct disk_file *file, uint64_t size_before, uint64_t size_after)
{
    file->disk->used += size_after - size_before; /* may wrap, as it may shrink */
    file->size = size_after;
}

/* Zeros into a hole change nothing that could be lost: a store writes them far ahead of its end. */
static bool writes_zeros_into_hole(const struct disk_file *file, const uint8_t *data, size_t size,
                                   uint64_t offset)
{
    if (size < ZEROS_SIZE_MIN || offset + size > file->size || data[0] != 0 ||
        memcmp(data, data + 1, size - 1) != 0)
        return false;
    off_t next = sys_next_data(file->handle, offset);
    return next < 0 ? errno == ENXIO : (uint64_t)next >= offset + size;
}

/* Through our own map: no call of the system for a page that is there. */
bool disk_file_write(struct disk_file *file, const void *data, size_t size, uint64_t offset)
{
    uint64_t end = offset + size;
    file->disk->counters.bytes_written += size;
    if (size == 0 || writes_zeros_into_hole(file, data, size, offset))
        return true;
    struct disk_write *write = write_add(file, offset, size);
    write->file_size_after = end > file->size ? end : file->size;
    if (end > file->size && sys_ftruncate(file->handle, end) != 0)
        return false;
    account(file, write->file_size_before, write->file_size_after);
    if (end > file->map_size)
        file_map(file, 2 * end);
    memcpy(file->map + offset, data, size);
    return true;
}

bool disk_file_resize(struct disk_file *file, uint64_t size)
{
    uint64_t now = file->size;
    if (size == now)
        return true;
    struct disk_write *write = write_add(file, size, size < now ? (size_t)(now - size) : 0);
    write->is_resize = true;
    write->file_size_after = size;
    if (sys_ftruncate(file->handle, size) != 0)
        return false;
    account(file, now, size);
    if (size > file->map_size)
        file_map(file, 2 * size);
    return true;
}

/* ---- what is durable ------------------------------------------------------------------------- */

/* The part of `to` that `range` covers becomes `content`. */
static void patch(struct disk_write *to, uint64_t offset, size_t size, const uint8_t *content)
{
    uint64_t from = offset > to->offset ? offset : to->offset;
    uint64_t end = offset + size < to->offset + to->size ? offset + size : to->offset + to->size;
    if (from < end)
        memcpy(to->before + (from - to->offset), content + (from - offset), (size_t)(end - from));
}

/* What the range of change `i` held after it. */
static uint8_t *content_after(const struct disk_file *file, size_t i)
{
    struct disk_write after = file->writes[i];
    after.before = malloc(after.size + 1);
    require(after.before != NULL);
    disk_file_read(file, after.before, after.size, after.offset);
    for (size_t k = file->write_count; k-- > i + 1;)
        patch(&after, file->writes[k].offset, file->writes[k].size, file->writes[k].before);
    return after.before;
}

/* Change `i` will never be undone: those before it that stay pending must not undo its bytes. */
static void write_harden(struct disk_file *file, size_t i)
{
    const struct disk_write *write = &file->writes[i];
    uint8_t *after = i > 0 ? content_after(file, i) : NULL;
    for (size_t k = 0; k < i; k++) {
        patch(&file->writes[k], write->offset, write->size, after);
        if (write->is_resize || file->writes[k].file_size_before < write->file_size_after)
            file->writes[k].file_size_before = write->file_size_after;
    }
    free(after);
    free(write->before);
    memmove(&file->writes[i], &file->writes[i + 1],
            (--file->write_count - i) * sizeof *file->writes);
}

void disk_file_harden(struct disk_file *file, uint64_t number)
{
    size_t i = 0;
    while (i < file->write_count) { /* the ordinary case: nothing stays before it */
        struct disk_write *write = &file->writes[i];
        if (write->number > number || write->doomed)
            break;
        free(write->before);
        i++;
    }
    if (i > 0)
        memmove(file->writes, file->writes + i, (file->write_count -= i) * sizeof *file->writes);
    for (i = 0; i < file->write_count;)
        if (file->writes[i].number <= number && !file->writes[i].doomed)
            write_harden(file, i);
        else
            i++;
}

void disk_file_harden_one(struct disk_file *file, uint64_t number)
{
    for (size_t i = file->write_count; i-- > 0;)
        if (file->writes[i].number == number)
            write_harden(file, i);
}

void disk_file_doom(struct disk_file *file, bool one)
{
    struct random *random = &file->disk->random;
    size_t chosen = file->write_count ? random_below(random, (uint32_t)file->write_count) : 0;
    for (size_t i = 0; i < file->write_count; i++)
        if (one ? i == chosen : random_chance(random, 0.5))
            file->writes[i].doomed = true;
}

void disk_file_forget(struct disk_file *file)
{
    for (size_t i = 0; i < file->write_count; i++)
        free(file->writes[i].before);
    file->write_count = 0;
}

/* ---- what a crash leaves --------------------------------------------------------------------- */

struct disk_draw disk_draw(struct disk *disk, enum disk_fate fate)
{
    static const double chances[] = { 0.05, 0.5, 0.5, 0.95 };
    uint64_t oldest = disk->number + 1;
    for (const struct disk_file *file = disk->files; file; file = file->next)
        if (file->write_count > 0 && file->writes[0].number < oldest)
            oldest = file->writes[0].number;
    return (struct disk_draw){
        .fate = fate,
        .until = oldest + random_below(&disk->random, (uint32_t)(disk->number + 2 - oldest)),
        .keep = chances[random_below(&disk->random, 4)],
    };
}

/* Puts back what was there; `after` gets what was undone. */
static void write_undo(const struct disk_write *write, int handle, uint8_t *after)
{
    if (after)
        read_at(handle, after, write->size, write->offset);
    require(sys_ftruncate(handle, write->file_size_before) == 0);
    uint64_t end = write->offset + write->size;
    if (end > write->file_size_before)
        end = write->file_size_before;
    if (write->offset < end)
        require(write_at(handle, write->before, (size_t)(end - write->offset), write->offset));
}

/* Whole, or in aligned pieces of which some are kept. Returns what was lost: 0 none, 1 some, 2 all. */
static int write_redo_pieces(struct disk_file *file, const struct disk_write *write, int handle,
                             const uint8_t *after, size_t piece_size, double keep)
{
    bool lost = false, kept = false;
    for (size_t at = 0; at < write->size;) {
        size_t piece = piece_size - (size_t)((write->offset + at) % piece_size);
        if (piece > write->size - at)
            piece = write->size - at;
        if (random_chance(&file->disk->random, keep)) {
            require(write_at(handle, after + at, piece, write->offset + at));
            kept = true;
        } else {
            lost = true;
        }
        at += piece;
    }
    return !lost ? 0 : kept ? 1 : 2;
}

/* The part of it that a chosen crash keeps. */
static int write_redo_chosen(const struct disk_write *write, int handle, const uint8_t *after,
                             const struct disk_choice *choice)
{
    uint64_t from = 0, to = choice->others ? UINT64_MAX : 0;
    for (size_t i = 0; i < choice->count; i++)
        if (choice->kept[i].number == write->number) {
            from = choice->kept[i].from;
            to = choice->kept[i].to;
        }
    if (from >= to)
        return 2;
    if (write->is_resize) {
        require(sys_ftruncate(handle, write->file_size_after) == 0);
        return 0;
    }
    if (to > write->size)
        to = write->size;
    require(from >= to || write_at(handle, after + from, (size_t)(to - from), write->offset + from));
    return from == 0 && to == write->size ? 0 : 1;
}

size_t disk_pending(const struct disk *disk, struct disk_pending *items, size_t max)
{
    size_t count = 0;
    for (const struct disk_file *file = disk->files; file; file = file->next)
        for (size_t i = 0; i < file->write_count; i++) {
            const struct disk_write *write = &file->writes[i];
            size_t at = count < max ? count : max;
            count++;
            while (at > 0 && items[at - 1].number > write->number) {
                if (at < max)
                    items[at] = items[at - 1];
                at--;
            }
            if (at < max)
                items[at] = (struct disk_pending){ .number = write->number,
                                                   .name = file->name,
                                                   .offset = write->offset,
                                                   .size = write->size,
                                                   .is_resize = write->is_resize };
        }
    return count;
}

static int write_redo(struct disk_file *file, const struct disk_write *write, int handle,
                      const uint8_t *after, const struct disk_draw *draw)
{
    struct random *random = &file->disk->random;
    if (draw->choice)
        return write_redo_chosen(write, handle, after, draw->choice);
    bool keep = draw->fate == DISK_KEEP_ALL ||
                (draw->fate == DISK_KEEP_PREFIX && write->number < draw->until) ||
                (draw->fate >= DISK_KEEP_WRITES && random_chance(random, draw->keep));
    if (write->is_resize) {
        if (keep)
            require(sys_ftruncate(handle, write->file_size_after) == 0);
        return keep ? 0 : 2;
    }
    if (draw->fate == DISK_KEEP_PAGES || draw->fate == DISK_KEEP_SECTORS)
        return write_redo_pieces(
            file, write, handle, after,
            draw->fate == DISK_KEEP_PAGES ? DISK_PAGE_SIZE : DISK_SECTOR_SIZE, draw->keep);
    if (keep)
        require(write_at(handle, after, write->size, write->offset));
    return keep ? 0 : 2;
}

void disk_file_settle(struct disk_file *file, int handle, const struct disk_draw *draw)
{
    size_t count = file->write_count;
    if (count == 0 || (!draw->choice && draw->fate == DISK_KEEP_ALL))
        return;
    uint8_t **after = calloc(count, sizeof *after);
    require(after != NULL);
    for (size_t i = count; i-- > 0;) {
        after[i] = malloc(file->writes[i].size + 1);
        require(after[i] != NULL);
        write_undo(&file->writes[i], handle, after[i]);
    }
    for (size_t i = 0; i < count; i++) {
        int lost = write_redo(file, &file->writes[i], handle, after[i], draw);
        file->disk->counters.writes_lost += lost == 2;
        file->disk->counters.writes_torn += lost == 1;
        free(after[i]);
    }
    free(after);
}
