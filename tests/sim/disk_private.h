/* What the files of the simulated device share: disk.c (a disk and its faults), disk_calls.c (the
 * program's calls), disk_writes.c (pending content), disk_names.c (pending names), disk_copy.c
 * (copies of folders), disk_flip.c and disk_harm.c (damage), disk_at.c (calls relative to a folder). Nobody else includes it. */
#ifndef TESTS_SIM_DISK_PRIVATE_H
#define TESTS_SIM_DISK_PRIVATE_H

#include "tests/sim/disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define DISK_PATH_SIZE   1024
#define DISK_PAGE_SIZE   4096
#define DISK_SECTOR_SIZE 512
#define DISK_SIZE_UNLIMITED ((uint64_t)1 << 40)

/* One un-synced change of a file: `before` is what the range held, zeros beyond the file's end.
 * A resize that grows has size 0; one that shrinks has the lost end as its range. */
struct disk_write {
    uint64_t number; /* of the disk: the order of all changes */
    uint64_t offset;
    size_t size;
    uint8_t *before;
    uint64_t file_size_before, file_size_after;
    bool is_resize;
    bool doomed; /* a sync of it failed or lied: later syncs do not save it */
};

struct disk_file {
    struct disk_file *next;
    struct disk *disk;
    dev_t device;
    ino_t inode;
    int handle; /* of our own: keeps the inode and works when the program has closed it */
    uint8_t *map; /* the whole of it, for us: what the program reads and maps is the same pages */
    uint64_t map_size; /* may be more than the file has */
    unsigned open_count;
    struct stat status; /* when it was first opened */
    uint64_t size; /* all that changes it comes through here */
    char *name;    /* below the folder of the disk */
    struct disk_write *writes;
    size_t write_count, write_capacity;
};

enum disk_name_kind { NAME_CREATE, NAME_RENAME, NAME_UNLINK, NAME_MKDIR, NAME_RMDIR };

/* One change of a folder that was not synced. */
struct disk_name {
    enum disk_name_kind kind;
    char *path, *to;      /* `to` of a rename */
    char *kept;           /* a link to the file that was replaced or removed, or NULL */
    ino_t folders[2];     /* where it takes place */
    mode_t mode;
};

struct disk {
    struct disk *next;
    struct disk_options options;
    char *path;
    size_t path_size;
    char *kept_path; /* the folder of files that may come back */
    struct random random;
    struct disk_faults faults;
    int fail_next[DISK_ACTION_COUNT]; /* errno or 0 */
    uint64_t capacity, used;
    bool unplugged;
    uint64_t number; /* of the newest change */
    struct disk_file *files;
    struct disk_name *names;
    size_t name_count, name_capacity;
    uint64_t kept_number;
    struct disk_counters counters;
};

/* ---- disk.c ---- */
struct disk *disk_of_path(const char *path);
/* A descriptor that keeps a file for the simulator, not one of the program. */
bool disk_owns(int file);
/* The hooks, counted. */
void disk_begin(const struct disk_call *call);
void disk_end(struct disk_call *call, int error);
/* 0 or the errno that an injected fault gives this call; an unplugged disk refuses changes. */
int disk_fault(struct disk *disk, const struct disk_call *call);
/* A file is opened that is there. */
int disk_open_fault(struct disk *disk, const char *path);
bool disk_chance(struct disk *disk, double chance);
/* Whether `more` bytes fit; how many do. */
uint64_t disk_room(const struct disk *disk, uint64_t more);
void disk_measure(struct disk *disk);
void *disk_grow(void *items, size_t count, size_t *capacity, size_t item_size);

/* ---- disk_writes.c ---- */
struct disk_file *disk_file_find(struct disk *disk, const struct stat *status);
struct disk_file *disk_file_track(struct disk *disk, int file, const char *path);
void disk_file_release(struct disk_file *file);
/* Beyond its end are zeros. */
void disk_file_read(const struct disk_file *file, uint8_t *out, size_t size, uint64_t offset);
/* Writes to the cache and keeps what was there; all or nothing unless the system fails. */
bool disk_file_write(struct disk_file *file, const void *data, size_t size, uint64_t offset);
bool disk_file_resize(struct disk_file *file, uint64_t size);
/* Changes up to `number` become durable, but those that are doomed. */
void disk_file_harden(struct disk_file *file, uint64_t number);
void disk_file_harden_one(struct disk_file *file, uint64_t number);
/* A sync that failed, or lied: some, or one, of the changes are doomed. */
void disk_file_doom(struct disk_file *file, bool one);
void disk_file_forget(struct disk_file *file);
/* What a crash leaves of the file's pending changes. */
struct disk_draw {
    const struct disk_choice *choice; /* not drawn: `fate` does not count then */
    enum disk_fate fate;
    uint64_t until; /* of a prefix */
    double keep;    /* chance of a piece or write */
};
struct disk_draw disk_draw(struct disk *disk, enum disk_fate fate);
void disk_file_settle(struct disk_file *file, int handle, const struct disk_draw *draw);

/* ---- disk_names.c ---- */
int disk_rename(struct disk *disk, const char *from, const char *to);
int disk_unlink(struct disk *disk, const char *path);
int disk_mkdir(struct disk *disk, const char *path, mode_t mode);
int disk_rmdir(struct disk *disk, const char *path);
void disk_created(struct disk *disk, const char *path);
void disk_names_harden(struct disk *disk, ino_t folder);
void disk_names_harden_all(struct disk *disk);
/* Undoes in a copy of the folder, at `copy`, what a crash that keeps the first `kept` names loses.
 * `put_back` copies a file that was kept aside to a path in the copy. */
bool disk_names_undo_in(struct disk *disk, const char *copy, size_t kept,
                        bool (*put_back)(void *context, const char *from, const char *to),
                        void *context);
void disk_names_settle(struct disk *disk, const struct disk_draw *draw);

/* ---- disk_calls.c ---- */
bool disk_has_open_files(const struct disk *disk);

/* ---- the system itself ---- */
static inline int sys_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
static inline int sys_close(int file)
{
    return (int)syscall(SYS_close, file);
}
static inline int sys_fstat(int file, struct stat *out)
{
    return (int)syscall(SYS_fstat, file, out);
}
static inline ssize_t sys_pread(int file, void *data, size_t size, uint64_t offset)
{
    return syscall(SYS_pread64, file, data, size, offset);
}
static inline ssize_t sys_pwrite(int file, const void *data, size_t size, uint64_t offset)
{
    return syscall(SYS_pwrite64, file, data, size, offset);
}
static inline int sys_ftruncate(int file, uint64_t size)
{
    return (int)syscall(SYS_ftruncate, file, size);
}
static inline off_t sys_next_data(int file, uint64_t offset)
{
    return (off_t)syscall(SYS_lseek, file, offset, SEEK_DATA);
}
static inline uint8_t *sys_map(int file, uint64_t size)
{
    return (uint8_t *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0L);
}
static inline void sys_unmap(uint8_t *map, uint64_t size)
{
    syscall(SYS_munmap, map, size);
}
static inline int sys_rename(const char *from, const char *to)
{
    return (int)syscall(SYS_rename, from, to);
}
static inline int sys_unlink(const char *path)
{
    return (int)syscall(SYS_unlink, path);
}
static inline int sys_link(const char *from, const char *to)
{
    return (int)syscall(SYS_link, from, to);
}
static inline int sys_mkdir(const char *path, mode_t mode)
{
    return (int)syscall(SYS_mkdir, path, mode);
}
static inline int sys_rmdir(const char *path)
{
    return (int)syscall(SYS_rmdir, path);
}

#endif
