#include "tests/sim/disk_private.h"

#include "proto/base/require.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64, CLOSED_FILES_MAX = 16 };

static struct disk *disks;

/* ---- a disk ---------------------------------------------------------------------------------- */

enum err disk_new(struct disk **out, const struct disk_options *options)
{
    char kept[DISK_PATH_SIZE];
    struct stat status;
    *out = NULL;
    if (stat(options->path, &status) != 0 || !S_ISDIR(status.st_mode))
        return ERR_NOT_FOUND;
    struct disk *disk = calloc(1, sizeof *disk);
    if (!disk)
        return ERR_NOMEM;
    snprintf(kept, sizeof kept, "%s.kept", options->path);
    disk->options = *options;
    disk->path = strdup(options->path);
    disk->kept_path = strdup(kept);
    if (!disk->path || !disk->kept_path) {
        free(disk->path);
        free(disk->kept_path);
        free(disk);
        return ERR_NOMEM;
    }
    disk->path_size = strlen(disk->path);
    disk->random = random_of(options->seed, 0x6469736b, 0);
    disk_measure(disk);
    disk->next = disks;
    disks = disk;
    *out = disk;
    return OK;
}

static void disk_forget_all(struct disk *disk)
{
    require(!disk_has_open_files(disk));
    disk_names_harden_all(disk);
    while (disk->files) {
        struct disk_file *file = disk->files;
        disk_file_forget(file);
        file->open_count = 1;
        disk_file_release(file);
    }
}

void disk_free(struct disk *disk)
{
    if (!disk)
        return;
    disk_forget_all(disk);
    struct disk **at = &disks;
    while (*at != disk)
        at = &(*at)->next;
    *at = disk->next;
    sys_rmdir(disk->kept_path);
    free(disk->names);
    free(disk->kept_path);
    free(disk->path);
    free(disk);
}

struct disk *disk_of_path(const char *path)
{
    for (struct disk *disk = disks; disk; disk = disk->next)
        if (strncmp(path, disk->path, disk->path_size) == 0 &&
            (path[disk->path_size] == '/' || path[disk->path_size] == '\0'))
            return disk;
    return NULL;
}

bool disk_owns(int handle)
{
    for (const struct disk *disk = disks; disk; disk = disk->next)
        for (const struct disk_file *file = disk->files; file; file = file->next)
            if (file->handle == handle)
                return true;
    return false;
}

const struct disk_counters *disk_counters(const struct disk *disk)
{
    return &disk->counters;
}

/* ---- room ------------------------------------------------------------------------------------ */

static uint64_t size_below(const char *path)
{
    uint64_t total = 0;
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        char below[DISK_PATH_SIZE];
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int size = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (size >= (int)sizeof below || lstat(below, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode))
            total += size_below(below);
        else if (S_ISREG(status.st_mode))
            total += (uint64_t)status.st_size;
    }
    if (folder)
        closedir(folder);
    return total;
}

void disk_measure(struct disk *disk)
{
    disk->used = size_below(disk->path);
}

void disk_set_capacity(struct disk *disk, uint64_t size)
{
    disk->capacity = size;
}

uint64_t disk_used(const struct disk *disk)
{
    return disk->used;
}

uint64_t disk_room(const struct disk *disk, uint64_t more)
{
    if (disk->capacity == 0)
        return more;
    uint64_t room = disk->used < disk->capacity ? disk->capacity - disk->used : 0;
    return room < more ? room : more;
}

/* ---- calls and their faults ------------------------------------------------------------------ */

void disk_begin(const struct disk_call *call)
{
    struct disk *disk = call->disk;
    disk->counters.calls[call->action]++;
    if (disk->options.on_begin)
        disk->options.on_begin(disk->options.context, call);
}

/* The kernel writes back what is old: a cache has an end. */
static void disk_write_back(struct disk *disk)
{
    struct disk_file *oldest = NULL;
    unsigned closed = 0;
    if (disk->name_count > NAMES_MAX)
        disk_names_harden_all(disk);
    for (struct disk_file *file = disk->files; file; file = file->next)
        if (file->open_count == 0) {
            closed++;
            oldest = file; /* new ones come first */
        }
    if (closed > CLOSED_FILES_MAX) {
        disk_file_forget(oldest);
        oldest->open_count = 1;
        disk_file_release(oldest);
    }
}

void disk_end(struct disk_call *call, int error)
{
    struct disk *disk = call->disk;
    call->error = error;
    if (disk->options.on_end)
        disk->options.on_end(disk->options.context, call);
    if (!disk->unplugged)
        disk_write_back(disk);
}

bool disk_chance(struct disk *disk, double chance)
{
    return chance > 0 && random_chance(&disk->random, chance);
}

void disk_set_faults(struct disk *disk, const struct disk_faults *faults)
{
    disk->faults = *faults;
    memset(disk->fail_next, 0, sizeof disk->fail_next);
}

void disk_fail_next(struct disk *disk, enum disk_action action, int error)
{
    disk->fail_next[action] = error;
}

static int fault_by_chance(struct disk *disk, enum disk_action action)
{
    const struct disk_faults *faults = &disk->faults;
    bool writes = action == DISK_WRITE || action == DISK_WRITE_SYNCED;
    if (action == DISK_READ)
        return disk_chance(disk, faults->read_error)    ? EIO
               : disk_chance(disk, faults->interrupted) ? EINTR
                                                        : 0;
    if (writes && disk_chance(disk, faults->write_error))
        return EIO;
    if ((writes || action == DISK_RESIZE) && disk_chance(disk, faults->interrupted))
        return EINTR;
    if ((writes || action == DISK_RESIZE) && disk_chance(disk, faults->no_room))
        return ENOSPC;
    if ((action == DISK_SYNC || action == DISK_SYNC_FOLDER) &&
        disk_chance(disk, faults->sync_error))
        return EIO;
    return 0;
}

int disk_fault(struct disk *disk, const struct disk_call *call)
{
    if (disk->unplugged)
        return call->action == DISK_READ ? 0 : EIO;
    int error = disk->fail_next[call->action];
    disk->fail_next[call->action] = 0;
    if (error == 0 && disk->options.on_fault)
        error = disk->options.on_fault(disk->options.context, call);
    if (error == 0)
        error = fault_by_chance(disk, call->action);
    disk->counters.errors += error != 0;
    return error;
}

int disk_open_fault(struct disk *disk, const char *path)
{
    struct disk_call call = { .disk = disk,
                              .action = DISK_OPEN,
                              .name = path[disk->path_size] ? path + disk->path_size + 1 : "" };
    if (disk->unplugged || !disk->options.on_fault)
        return 0;
    int error = disk->options.on_fault(disk->options.context, &call);
    disk->counters.errors += error > 0;
    return error > 0 ? error : 0;
}

/* ---- crashes --------------------------------------------------------------------------------- */

void disk_unplug(struct disk *disk)
{
    disk->unplugged = true;
    disk->counters.crashes++;
}

bool disk_is_unplugged(const struct disk *disk)
{
    return disk->unplugged;
}

enum disk_fate disk_draw_fate(struct disk *disk)
{
    return (enum disk_fate)random_below(&disk->random, DISK_FATE_COUNT);
}

/* Content before names: a name that is lost takes its file with it. */
void disk_plug(struct disk *disk, enum disk_fate fate)
{
    require(!disk_has_open_files(disk));
    struct disk_draw draw = disk_draw(disk, fate);
    for (struct disk_file *file = disk->files; file; file = file->next)
        disk_file_settle(file, file->handle, &draw);
    disk_names_settle(disk, &draw);
    disk_forget_all(disk);
    disk_measure(disk);
    disk->unplugged = false;
}

void disk_plug_process(struct disk *disk)
{
    require(!disk_has_open_files(disk));
    disk->unplugged = false;
}
