/* The calls of the whole program on files: on those of a simulated disk they take part in it, on all
 * others they go to the system. Only what the product and LMDB use is here; reading by stdio and maps
 * needs nothing, because the files are real. */
#undef _FORTIFY_SOURCE /* its inline functions have the names that are defined here */
#include "tests/sim/disk_private.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

/* What the program's descriptors stand for; only those of a disk have an entry. */
static struct descriptor {
    struct disk *disk;
    struct disk_file *file; /* NULL: a folder */
    ino_t folder;
    uint64_t place; /* where write() and read() go on */
    bool synced, appends; /* O_DSYNC, O_APPEND */
} *descriptors;
static size_t descriptor_count;

static struct descriptor *descriptor_of(int file)
{
    if (file < 0 || (size_t)file >= descriptor_count || !descriptors[file].disk)
        return NULL;
    return &descriptors[file];
}

static void descriptor_set(int file, struct descriptor descriptor)
{
    if ((size_t)file >= descriptor_count) {
        size_t count = (size_t)file + 64;
        descriptors = realloc(descriptors, count * sizeof *descriptors);
        require(descriptors != NULL);
        memset(descriptors + descriptor_count, 0,
               (count - descriptor_count) * sizeof *descriptors);
        descriptor_count = count;
    }
    descriptors[file] = descriptor;
}

bool disk_has_open_files(const struct disk *disk)
{
    for (size_t i = 0; i < descriptor_count; i++)
        if (descriptors[i].disk == disk)
            return true;
    return false;
}

static int fails(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

static struct disk_call call_of(const struct descriptor *descriptor, enum disk_action action,
                                uint64_t offset, uint64_t size)
{
    return (struct disk_call){ .disk = descriptor->disk,
                               .action = action,
                               .name = descriptor->file ? descriptor->file->name : "",
                               .offset = offset,
                               .size = size };
}

/* ---- open and close -------------------------------------------------------------------------- */

static struct disk_call name_call(struct disk *disk, const char *path)
{
    return (struct disk_call){ .disk = disk,
                               .action = DISK_NAME,
                               .name = path[disk->path_size] ? path + disk->path_size + 1 : "" };
}

/* 0 or an errno; the hooks are called around it. */
static int create_file(struct disk *disk, const char *path, mode_t mode)
{
    struct disk_call call = name_call(disk, path);
    disk_begin(&call);
    int error = disk_fault(disk, &call);
    int made = error ? -1 : sys_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (error == 0 && made < 0)
        error = errno;
    if (made >= 0) {
        sys_close(made);
        disk_created(disk, path);
    }
    disk_end(&call, error);
    return error;
}

static int open_on_disk(struct disk *disk, const char *path, int flags, mode_t mode)
{
    struct stat status;
    bool exists = lstat(path, &status) == 0;
    if (!exists && (flags & O_CREAT)) {
        int error = create_file(disk, path, mode);
        if (error && error != EEXIST)
            return fails(error);
        flags &= ~O_EXCL;
    }
    int refused = exists ? disk_open_fault(disk, path) : 0;
    if (refused)
        return fails(refused);
    int file = sys_open(path, flags & ~O_TRUNC, mode);
    if (file < 0)
        return -1;
    require(sys_fstat(file, &status) == 0);
    struct descriptor descriptor = { .disk = disk,
                                     .synced = (flags & O_DSYNC) != 0,
                                     .appends = (flags & O_APPEND) != 0 };
    if (S_ISREG(status.st_mode))
        descriptor.file = disk_file_track(disk, file, path);
    else
        descriptor.folder = status.st_ino;
    descriptor_set(file, descriptor);
    if (descriptor.file && (flags & O_TRUNC) && !disk->unplugged)
        disk_file_resize(descriptor.file, 0);
    return file;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    struct disk *disk = disk_of_path(path);
    return disk ? open_on_disk(disk, path, flags, mode) : sys_open(path, flags, mode);
}

static mode_t mode_of(int flags, va_list list)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(list, int) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_any(path, flags, mode);
}

/* What open becomes under _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open_any(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_any(path, flags, 0);
}

int close(int file)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (disk_owns(file))
        return 0; /* somebody closes all there are: this one is the simulator's */
    if (descriptor) {
        struct disk_file *of = descriptor->file;
        *descriptor = (struct descriptor){ 0 };
        if (of)
            disk_file_release(of);
    }
    return sys_close(file);
}

void disk_close_all(struct disk *disk)
{
    for (size_t i = 0; i < descriptor_count; i++)
        if (descriptors[i].disk == disk)
            close((int)i);
}

/* ---- reading --------------------------------------------------------------------------------- */

static ssize_t pread_any(int file, void *data, size_t size, off_t offset)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (!descriptor)
        return sys_pread(file, data, size, (uint64_t)offset);
    struct disk_call call = call_of(descriptor, DISK_READ, (uint64_t)offset, size);
    disk_begin(&call);
    int error = disk_fault(call.disk, &call);
    ssize_t count = error ? fails(error) : sys_pread(file, data, size, (uint64_t)offset);
    disk_end(&call, error);
    return count;
}

ssize_t pread(int file, void *data, size_t size, off_t offset)
{
    return pread_any(file, data, size, offset);
}

ssize_t pread64(int file, void *data, size_t size, off_t offset)
{
    return pread_any(file, data, size, offset);
}

ssize_t read(int file, void *data, size_t size)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (!descriptor || !descriptor->file)
        return syscall(SYS_read, file, data, size);
    ssize_t done = pread_any(file, data, size, (off_t)descriptor->place);
    if (done > 0)
        descriptors[file].place += (uint64_t)done;
    return done;
}

static off_t seek_any(int file, off_t offset, int whence)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (!descriptor || !descriptor->file)
        return (off_t)syscall(SYS_lseek, file, offset, whence);
    uint64_t from = whence == SEEK_SET   ? 0
                    : whence == SEEK_CUR ? descriptor->place
                                         : descriptor->file->size;
    if (whence > SEEK_END || offset < -(off_t)from)
        return fails(EINVAL);
    return (off_t)(descriptor->place = from + (uint64_t)offset);
}

off_t lseek(int file, off_t offset, int whence)
{
    return seek_any(file, offset, whence);
}

off_t lseek64(int file, off_t offset, int whence)
{
    return seek_any(file, offset, whence);
}

/* A node asks for the size of its stores every second. */
int fstat(int file, struct stat *out)
{
    const struct descriptor *descriptor = descriptor_of(file);
    if (!descriptor || !descriptor->file)
        return sys_fstat(file, out);
    *out = descriptor->file->status;
    out->st_size = (off_t)descriptor->file->size;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static size_t iov_size(const struct iovec *iov, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

/* The first `size` bytes of it. */
static bool write_iov(struct disk_file *file, const struct iovec *iov, int count, size_t size,
                      uint64_t offset)
{
    uint8_t *gathered = count == 1 ? NULL : malloc(size + 1);
    size_t at = 0;
    if (count == 1)
        return disk_file_write(file, iov[0].iov_base, size, offset);
    require(gathered != NULL);
    for (int i = 0; i < count && at < size; i++) {
        size_t part = iov[i].iov_len < size - at ? iov[i].iov_len : size - at;
        memcpy(gathered + at, iov[i].iov_base, part);
        at += part;
    }
    bool written = disk_file_write(file, gathered, size, offset);
    free(gathered);
    return written;
}

/* How much of it the device takes. */
static size_t write_size(struct disk *disk, struct disk_file *file, size_t size, uint64_t offset,
                         int *error)
{
    uint64_t now = file->size;
    uint64_t growth = offset + size > now ? offset + size - now : 0;
    if (*error == DISK_SHORT) {
        *error = 0;
        return size > 1 ? size / 2 : size;
    }
    uint64_t room = disk_room(disk, growth);
    if (*error == 0 && room < growth) {
        size_t fits = growth - room < size ? (size_t)(size - (growth - room)) : 0;
        if (fits == 0)
            *error = ENOSPC;
        return fits;
    }
    if (*error == EIO && !disk->unplugged) /* somewhere in the middle of it */
        return random_below(&disk->random, (uint32_t)(size / DISK_SECTOR_SIZE) + 1) *
               (size_t)DISK_SECTOR_SIZE;
    if (*error)
        return 0;
    if (size > 1 && disk_chance(disk, disk->faults.short_write)) {
        disk->counters.errors++;
        return 1 + random_below(&disk->random, (uint32_t)(size - 1));
    }
    return size;
}

static ssize_t write_on_disk(struct descriptor *descriptor, const struct iovec *iov, int count,
                             uint64_t offset)
{
    struct disk_file *file = descriptor->file;
    struct disk *disk = descriptor->disk;
    bool synced = descriptor->synced;
    size_t size = iov_size(iov, count);
    if (!file)
        return fails(EISDIR);
    struct disk_call call =
        call_of(descriptor, synced ? DISK_WRITE_SYNCED : DISK_WRITE, offset, size);
    int error = disk_fault(disk, &call);
    size = write_size(disk, file, size, offset, &error);
    if (size > 0 && !write_iov(file, iov, count, size, offset))
        error = errno; /* the real file system's own trouble */
    uint64_t number = disk->number;
    disk_begin(&call);
    if (error == 0 && disk->unplugged)
        error = EIO; /* the power failed: it is on its way, or it is not */
    if (synced && error == 0)
        disk_file_harden_one(file, number);
    disk_end(&call, error);
    return error ? fails(error) : (ssize_t)size;
}

static ssize_t pwrite_any(int file, const void *data, size_t size, off_t offset)
{
    struct descriptor *descriptor = descriptor_of(file);
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    return descriptor ? write_on_disk(descriptor, &iov, 1, (uint64_t)offset)
                      : sys_pwrite(file, data, size, (uint64_t)offset);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    return pwrite_any(file, data, size, offset);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return pwrite_any(file, data, size, offset);
}

static ssize_t pwritev_any(int file, const struct iovec *iov, int count, off_t offset)
{
    struct descriptor *descriptor = descriptor_of(file);
    return descriptor ? write_on_disk(descriptor, iov, count, (uint64_t)offset)
                      : syscall(SYS_pwritev, file, iov, count, offset, 0L);
}

ssize_t pwritev(int file, const struct iovec *iov, int count, off_t offset)
{
    return pwritev_any(file, iov, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *iov, int count, off_t offset)
{
    return pwritev_any(file, iov, count, offset);
}

/* At the descriptor's own place, which moves on. */
static ssize_t write_here(int file, const struct iovec *iov, int count)
{
    struct descriptor *descriptor = &descriptors[file];
    if (descriptor->appends && descriptor->file)
        descriptor->place = descriptor->file->size;
    ssize_t done = write_on_disk(descriptor, iov, count, descriptor->place);
    if (done > 0) /* others may have opened files meanwhile: the table may be elsewhere */
        descriptors[file].place += (uint64_t)done;
    return done;
}

ssize_t write(int file, const void *data, size_t size)
{
    struct descriptor *descriptor = descriptor_of(file);
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    return descriptor ? write_here(file, &iov, 1)
                      : syscall(SYS_write, file, data, size);
}

ssize_t writev(int file, const struct iovec *iov, int count)
{
    struct descriptor *descriptor = descriptor_of(file);
    return descriptor ? write_here(file, iov, count)
                      : syscall(SYS_writev, file, iov, count);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* Gives 0 or an errno. Truncating upwards makes a hole: no room is asked for. */
static int resize_on_disk(struct descriptor *descriptor, uint64_t size, bool allocates)
{
    struct disk *disk = descriptor->disk;
    struct disk_file *file = descriptor->file;
    if (!file)
        return EINVAL;
    struct disk_call call = call_of(descriptor, DISK_RESIZE, 0, size);
    disk_begin(&call);
    int error = disk_fault(disk, &call);
    uint64_t now = file->size;
    if (error == 0 && allocates && size > now && disk_room(disk, size - now) < size - now)
        error = ENOSPC;
    if (error == 0 && (size > now || !allocates) && !disk_file_resize(file, size))
        error = errno;
    disk_end(&call, error);
    return error;
}

static int ftruncate_any(int file, off_t size)
{
    struct descriptor *descriptor = descriptor_of(file);
    return descriptor ? fails(resize_on_disk(descriptor, (uint64_t)size, false))
                      : sys_ftruncate(file, (uint64_t)size);
}

int ftruncate(int file, off_t size)
{
    return ftruncate_any(file, size);
}

int ftruncate64(int file, off_t size)
{
    return ftruncate_any(file, size);
}

static int fallocate_any(int file, off_t offset, off_t size)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor)
        return resize_on_disk(descriptor, (uint64_t)offset + (uint64_t)size, true);
    return syscall(SYS_fallocate, file, 0, offset, size) == 0 ? 0 : errno;
}

int posix_fallocate(int file, off_t offset, off_t size)
{
    return fallocate_any(file, offset, size);
}

int posix_fallocate64(int file, off_t offset, off_t size)
{
    return fallocate_any(file, offset, size);
}

/* Never what the machine underneath has free: that would be another world each time. */
static void disk_statvfs(const struct disk *disk, struct statvfs *out)
{
    uint64_t size = disk->capacity ? disk->capacity : DISK_SIZE_UNLIMITED;
    uint64_t room = size > disk->used ? size - disk->used : 0;
    *out = (struct statvfs){ .f_bsize = DISK_PAGE_SIZE,
                             .f_frsize = DISK_PAGE_SIZE,
                             .f_blocks = size / DISK_PAGE_SIZE,
                             .f_bfree = room / DISK_PAGE_SIZE,
                             .f_bavail = room / DISK_PAGE_SIZE,
                             .f_namemax = 255 };
}

int fstatvfs(int file, struct statvfs *out)
{
    const struct descriptor *descriptor = descriptor_of(file);
    char link[64];
    if (descriptor) {
        disk_statvfs(descriptor->disk, out);
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return statvfs(link, out);
}

/* ---- syncs ----------------------------------------------------------------------------------- */

static int sync_file(struct descriptor *descriptor)
{
    struct disk *disk = descriptor->disk;
    struct disk_file *file = descriptor->file;
    struct disk_call call = call_of(descriptor, DISK_SYNC, 0, 0);
    uint64_t until = disk->number; /* what is written meanwhile is not waited for */
    disk_begin(&call);
    int error = disk_fault(disk, &call);
    bool lies = error == 0 && disk_chance(disk, disk->faults.lying_sync);
    if (!disk->unplugged && (error || lies)) {
        disk->counters.errors += lies;
        disk_file_doom(file, lies);
    }
    if (!disk->unplugged)
        disk_file_harden(file, until);
    disk_end(&call, error);
    return fails(error);
}

static int sync_folder(struct descriptor *descriptor)
{
    struct disk *disk = descriptor->disk;
    ino_t folder = descriptor->folder;
    struct disk_call call = call_of(descriptor, DISK_SYNC_FOLDER, 0, 0);
    disk_begin(&call);
    int error = disk_fault(disk, &call);
    if (error == 0)
        disk_names_harden(disk, folder);
    disk_end(&call, error);
    return fails(error);
}

static int sync_any(int file, long number)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (!descriptor)
        return (int)syscall(number, file);
    return descriptor->file ? sync_file(descriptor) : sync_folder(descriptor);
}

int fdatasync(int file)
{
    return sync_any(file, SYS_fdatasync);
}

int fsync(int file)
{
    return sync_any(file, SYS_fsync);
}

/* ---- names ----------------------------------------------------------------------------------- */

static int name_fault(struct disk_call *call)
{
    disk_begin(call);
    return disk_fault(call->disk, call);
}

int rename(const char *from, const char *to)
{
    struct disk *disk = disk_of_path(from);
    require(disk == disk_of_path(to)); /* no file moves between devices */
    if (!disk)
        return sys_rename(from, to);
    struct disk_call call = name_call(disk, to);
    int error = name_fault(&call);
    if (error == 0)
        error = disk_rename(disk, from, to);
    disk_end(&call, error);
    return fails(error);
}

int unlink(const char *path)
{
    struct disk *disk = disk_of_path(path);
    if (!disk)
        return sys_unlink(path);
    struct disk_call call = name_call(disk, path);
    int error = name_fault(&call);
    if (error == 0)
        error = disk_unlink(disk, path);
    disk_end(&call, error);
    return fails(error);
}

int mkdir(const char *path, mode_t mode)
{
    struct disk *disk = disk_of_path(path);
    if (!disk || path[disk->path_size] == '\0')
        return sys_mkdir(path, mode);
    struct disk_call call = name_call(disk, path);
    int error = name_fault(&call);
    if (error == 0)
        error = disk_mkdir(disk, path, mode);
    disk_end(&call, error);
    return fails(error);
}

int rmdir(const char *path)
{
    struct disk *disk = disk_of_path(path);
    if (!disk)
        return sys_rmdir(path);
    struct disk_call call = name_call(disk, path);
    int error = name_fault(&call);
    if (error == 0)
        error = disk_rmdir(disk, path);
    disk_end(&call, error);
    return fails(error);
}
