/* Names of a simulated disk. Changes of folders reach the device in their order, as with a journalling
 * file system: a crash keeps a prefix of those that were not synced. What a later change removed is
 * kept aside by a link, so that it can come back. */
#include "tests/sim/disk_private.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ino_t folder_of(const char *path)
{
    char folder[DISK_PATH_SIZE];
    struct stat status;
    int size = snprintf(folder, sizeof folder, "%s", path);
    require(size > 0 && size < (int)sizeof folder);
    char *slash = strrchr(folder, '/');
    require(slash != NULL);
    *slash = '\0';
    return stat(folder, &status) == 0 ? status.st_ino : 0;
}

static struct disk_name *name_add(struct disk *disk, enum disk_name_kind kind, const char *path,
                                  const char *to)
{
    disk->names = disk_grow(disk->names, disk->name_count, &disk->name_capacity,
                            sizeof *disk->names);
    struct disk_name *name = &disk->names[disk->name_count++];
    *name = (struct disk_name){ .kind = kind,
                                .path = strdup(path),
                                .to = to ? strdup(to) : NULL,
                                .folders = { folder_of(path), to ? folder_of(to) : 0 } };
    require(name->path && (!to || name->to));
    return name;
}

static void name_close(struct disk_name *name)
{
    if (name->kept) {
        sys_unlink(name->kept);
        free(name->kept);
    }
    free(name->path);
    free(name->to);
}

/* A second name for the file at `path`, outside the disk; NULL when there is none. */
static char *keep_aside(struct disk *disk, const char *path)
{
    char kept[DISK_PATH_SIZE];
    snprintf(kept, sizeof kept, "%s/%llu", disk->kept_path,
             (unsigned long long)++disk->kept_number);
    sys_mkdir(disk->kept_path, 0700);
    return sys_link(path, kept) == 0 ? strdup(kept) : NULL;
}

static void forget_size(struct disk *disk, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
        disk->used -= (uint64_t)status.st_size;
}

int disk_rename(struct disk *disk, const char *from, const char *to)
{
    struct stat status;
    char *kept = keep_aside(disk, to);
    if (kept)
        forget_size(disk, to);
    if (sys_rename(from, to) != 0) {
        int error = errno;
        if (kept)
            sys_unlink(kept);
        free(kept);
        return error;
    }
    name_add(disk, NAME_RENAME, from, to)->kept = kept;
    struct disk_file *file = stat(to, &status) == 0 ? disk_file_find(disk, &status) : NULL;
    if (file) {
        free(file->name);
        file->name = strdup(to + disk->path_size + 1);
        require(file->name != NULL);
    }
    return 0;
}

int disk_unlink(struct disk *disk, const char *path)
{
    char *kept = keep_aside(disk, path);
    if (!kept)
        return errno;
    forget_size(disk, path);
    if (sys_unlink(path) != 0) {
        int error = errno;
        sys_unlink(kept);
        free(kept);
        return error;
    }
    name_add(disk, NAME_UNLINK, path, NULL)->kept = kept;
    return 0;
}

int disk_mkdir(struct disk *disk, const char *path, mode_t mode)
{
    if (sys_mkdir(path, mode) != 0)
        return errno;
    name_add(disk, NAME_MKDIR, path, NULL);
    return 0;
}

int disk_rmdir(struct disk *disk, const char *path)
{
    struct stat status = { 0 };
    stat(path, &status);
    if (sys_rmdir(path) != 0)
        return errno;
    name_add(disk, NAME_RMDIR, path, NULL)->mode = status.st_mode & 07777;
    return 0;
}

void disk_created(struct disk *disk, const char *path)
{
    name_add(disk, NAME_CREATE, path, NULL);
}

/* ---- what is durable ------------------------------------------------------------------------- */

static void names_forget(struct disk *disk, size_t count)
{
    for (size_t i = 0; i < count; i++)
        name_close(&disk->names[i]);
    disk->name_count -= count;
    if (disk->name_count > 0)
        memmove(disk->names, disk->names + count, disk->name_count * sizeof *disk->names);
}

void disk_names_harden(struct disk *disk, ino_t folder)
{
    size_t count = disk->name_count;
    while (count > 0 && disk->names[count - 1].folders[0] != folder &&
           disk->names[count - 1].folders[1] != folder)
        count--;
    names_forget(disk, count);
}

void disk_names_harden_all(struct disk *disk)
{
    names_forget(disk, disk->name_count);
}

static void name_undo(struct disk_name *name)
{
    switch (name->kind) {
    case NAME_CREATE:
        require(sys_unlink(name->path) == 0);
        break;
    case NAME_RENAME:
        require(sys_rename(name->to, name->path) == 0);
        if (name->kept)
            require(sys_rename(name->kept, name->to) == 0);
        break;
    case NAME_UNLINK:
        require(sys_rename(name->kept, name->path) == 0);
        break;
    case NAME_MKDIR:
        require(sys_rmdir(name->path) == 0);
        break;
    case NAME_RMDIR:
        require(sys_mkdir(name->path, name->mode) == 0);
        break;
    }
}

size_t disk_pending_names(const struct disk *disk)
{
    return disk->name_count;
}

static void path_in(char out[DISK_PATH_SIZE], const struct disk *disk, const char *copy,
                    const char *path)
{
    int size = snprintf(out, DISK_PATH_SIZE, "%s%s", copy, path + disk->path_size);
    require(size > 0 && size < DISK_PATH_SIZE);
}

bool disk_names_undo_in(struct disk *disk, const char *copy, size_t kept,
                        bool (*put_back)(void *context, const char *from, const char *to),
                        void *context)
{
    char path[DISK_PATH_SIZE], to[DISK_PATH_SIZE];
    bool good = true;
    for (size_t i = disk->name_count; good && i-- > kept;) {
        const struct disk_name *name = &disk->names[i];
        path_in(path, disk, copy, name->path);
        path_in(to, disk, copy, name->to ? name->to : name->path);
        switch (name->kind) {
        case NAME_CREATE:
            good = sys_unlink(path) == 0;
            break;
        case NAME_RENAME:
            good = sys_rename(to, path) == 0 && (!name->kept || put_back(context, name->kept, to));
            break;
        case NAME_UNLINK:
            good = put_back(context, name->kept, path);
            break;
        case NAME_MKDIR:
            good = sys_rmdir(path) == 0;
            break;
        case NAME_RMDIR:
            good = sys_mkdir(path, name->mode) == 0;
            break;
        }
    }
    return good;
}

void disk_names_settle(struct disk *disk, const struct disk_draw *draw)
{
    size_t count = disk->name_count, kept = random_below(&disk->random, (uint32_t)count + 1);
    if (draw->fate == DISK_KEEP_NONE)
        kept = 0;
    else if (draw->fate == DISK_KEEP_ALL)
        kept = count;
    for (size_t i = count; i-- > kept;) {
        name_undo(&disk->names[i]);
        disk->counters.names_lost++;
    }
    names_forget(disk, count);
}
