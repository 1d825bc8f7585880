/* Copies of a simulated disk's folder: snapshots of a running machine, and what is put in its place. */
#include "tests/sim/disk_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COPY_PIECE_SIZE = 64 * 1024 };

/* Calls back for each entry; a folder is not entered. Stops at the first error. */
static enum err each_entry(const char *path,
                           enum err (*on_entry)(void *, const char *path, const char *name),
                           void *context)
{
    enum err err = OK;
    DIR *folder = opendir(path);
    const struct dirent *entry;
    if (!folder)
        return ERR_NOT_FOUND;
    while (err == OK && (entry = readdir(folder)) != NULL) {
        char below[DISK_PATH_SIZE];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below)
            err = ERR_TOO_LARGE;
        else
            err = on_entry(context, below, entry->d_name);
    }
    closedir(folder);
    return err;
}

/* ---- removing -------------------------------------------------------------------------------- */

static enum err remove_entry(void *context, const char *path, const char *name)
{
    struct stat status;
    (void)context;
    (void)name;
    if (lstat(path, &status) != 0)
        return ERR_IO;
    if (!S_ISDIR(status.st_mode))
        return sys_unlink(path) == 0 ? OK : ERR_IO;
    enum err err = each_entry(path, remove_entry, NULL);
    return err == OK && sys_rmdir(path) != 0 ? ERR_IO : err;
}

/* ---- copying --------------------------------------------------------------------------------- */

struct copy {
    const char *to;
    struct disk *disk; /* whose pending changes are settled in the copy, or NULL */
    const struct disk_draw *draw;
};

static bool is_zero(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* Zeros become a hole: most of a file that is extended ahead is nothing else. */
static bool copy_content(int from, int to, uint64_t size)
{
    static uint8_t piece[COPY_PIECE_SIZE];
    uint64_t at = 0;
    while (at < size) {
        ssize_t more = sys_pread(from, piece, sizeof piece, at);
        if (more <= 0)
            return false;
        if (!is_zero(piece, (size_t)more) && sys_pwrite(to, piece, (size_t)more, at) != more)
            return false;
        at += (uint64_t)more;
    }
    return sys_ftruncate(to, size) == 0;
}

static enum err copy_file(const struct copy *copy, const char *path, const char *to,
                          const struct stat *status)
{
    int source = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    int target = sys_open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, status->st_mode & 07777);
    bool good = source >= 0 && target >= 0 &&
                copy_content(source, target, (uint64_t)status->st_size);
    struct disk_file *file = copy->disk ? disk_file_find(copy->disk, status) : NULL;
    if (good && file)
        disk_file_settle(file, target, copy->draw);
    if (source >= 0)
        sys_close(source);
    if (target >= 0)
        sys_close(target);
    return good ? OK : ERR_IO;
}

static enum err copy_entry(void *context, const char *path, const char *name)
{
    struct copy *copy = context;
    char to[DISK_PATH_SIZE];
    struct stat status;
    if (snprintf(to, sizeof to, "%s/%s", copy->to, name) >= (int)sizeof to)
        return ERR_TOO_LARGE;
    if (lstat(path, &status) != 0)
        return ERR_IO;
    if (!S_ISDIR(status.st_mode))
        return copy_file(copy, path, to, &status);
    struct copy inner = { .to = to, .disk = copy->disk, .draw = copy->draw };
    if (sys_mkdir(to, status.st_mode & 07777) != 0)
        return ERR_IO;
    return each_entry(path, copy_entry, &inner);
}

enum err disk_snapshot(struct disk *disk, const char *path, enum disk_fate fate)
{
    struct disk_draw draw = disk_draw(disk, fate);
    struct copy copy = { .to = path, .disk = disk, .draw = &draw };
    struct disk_counters before = disk->counters;
    if (sys_mkdir(path, 0700) != 0)
        return errno == EEXIST ? ERR_EXISTS : ERR_IO;
    enum err err = each_entry(disk->path, copy_entry, &copy);
    disk->counters = before; /* the disk itself lost nothing */
    return err;
}

static bool put_back(void *context, const char *from, const char *to)
{
    struct stat status;
    return lstat(from, &status) == 0 && copy_file(context, from, to, &status) == OK;
}

enum err disk_snapshot_chosen(struct disk *disk, const char *path,
                              const struct disk_choice *choice)
{
    struct disk_draw draw = { .choice = choice };
    struct copy copy = { .to = path, .disk = disk, .draw = &draw };
    struct disk_counters before = disk->counters;
    if (sys_mkdir(path, 0700) != 0)
        return errno == EEXIST ? ERR_EXISTS : ERR_IO;
    enum err err = each_entry(disk->path, copy_entry, &copy);
    if (err == OK && !disk_names_undo_in(disk, path, choice->names, put_back, &copy))
        err = ERR_IO;
    disk->counters = before;
    return err;
}

enum err disk_restore(struct disk *disk, const char *path)
{
    struct copy copy = { .to = disk->path };
    disk_plug(disk, DISK_KEEP_ALL);
    enum err err = each_entry(disk->path, remove_entry, NULL);
    if (err == OK && *path)
        err = each_entry(path, copy_entry, &copy);
    disk_measure(disk);
    return err;
}

/* The folder or file, gone for good; pending changes become durable before, as by a disk that is taken
 * out in order. */
enum err disk_remove(struct disk *disk, const char *name)
{
    char path[DISK_PATH_SIZE];
    struct stat status;
    disk_plug(disk, DISK_KEEP_ALL);
    if (snprintf(path, sizeof path, "%s/%s", disk->path, name) >= (int)sizeof path)
        return ERR_TOO_LARGE;
    enum err err = lstat(path, &status) == 0 ? remove_entry(NULL, path, name) : ERR_NOT_FOUND;
    disk_measure(disk);
    return err;
}

enum err disk_put_back(struct disk *disk, const char *path, const char *name)
{
    char from[DISK_PATH_SIZE];
    struct stat status;
    struct copy copy = { .to = disk->path };
    enum err err = disk_remove(disk, name);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    if (snprintf(from, sizeof from, "%s/%s", path, name) >= (int)sizeof from)
        return ERR_TOO_LARGE;
    err = lstat(from, &status) == 0 ? copy_entry(&copy, from, name) : OK;
    disk_measure(disk);
    return err;
}
