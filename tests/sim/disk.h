/* A simulated device under a real folder: the write-back cache of a disk that may lose its power.
 *
 * disk.c defines open, pwrite, fdatasync, rename and their kin for the whole program, LMDB included.
 * Calls on files below a disk's folder take part; all others go straight to the system. The files
 * are real, so what is read (also through a map) is what a process would see in the page cache; the
 * disk remembers the bytes that each un-synced write replaced, and a power cut puts some of them back.
 *
 *   written  -> pending      the bytes before are kept
 *   synced   -> durable      fdatasync or fsync of the file; the write itself when opened O_DSYNC
 *   named    -> pending      create, rename, unlink, mkdir, rmdir: durable by fsync of the folder,
 *                            and never later than a durable one that came after
 *
 * A crash: disk_unplug() (every later change is dropped and fails), the program's own way to its end
 * (stores closed), disk_plug() (decides what the device holds). Where a program can be killed on the
 * spot its descriptors are closed and disk_plug() is all.
 *
 * One thread. Not seen, because nothing durable depends on them: writes through a shared map (LMDB's
 * lock table only), mmap itself, reads by stdio. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "proto/base/bytes.h"

#include "tests/workload/random.h"

struct disk;

enum disk_action {
    DISK_READ,
    DISK_WRITE,
    DISK_WRITE_SYNCED, /* through a descriptor opened with O_DSYNC */
    DISK_SYNC,         /* fdatasync, fsync of a file */
    DISK_RESIZE,       /* ftruncate, posix_fallocate */
    DISK_NAME,         /* create, rename, unlink, mkdir, rmdir */
    DISK_SYNC_FOLDER,
    DISK_OPEN, /* of a file that is there; on_fault alone is asked */
    DISK_ACTION_COUNT
};

#define DISK_SHORT (-1)

/* One call of the program on the disk. */
struct disk_call {
    struct disk *disk;
    enum disk_action action;
    const char *name; /* below the disk's folder: "log/data.mdb"; valid during the call */
    uint64_t offset, size;
    int error; /* at its end: 0 or the errno that the program sees */
};

struct disk_options {
    const char *path; /* an existing folder; absolute, without a slash at its end */
    uint64_t seed;    /* of this disk's own stream */
    /* Optional. `on_begin` may let virtual time pass: other fibers run, the disk may be unplugged, the
     * caller may be killed and never come back. A write is in the cache by then, and nothing has
     * become durable: not by a sync that is under way, nor by a write through O_DSYNC. Names and
     * sizes change after it. `on_end` follows it once, unless the caller was killed. */
    void (*on_begin)(void *context, const struct disk_call *call);
    void (*on_end)(void *context, const struct disk_call *call);
    /* Optional: the errno with which this call fails, 0, or DISK_SHORT for a write that takes less than
     * asked. Asked once a call, before anything is done; not of a disk that is unplugged. */
    int (*on_fault)(void *context, const struct disk_call *call);
    void *context;
};

/* ERR_NOT_FOUND, ERR_NOMEM. What the folder holds is durable. Any number of disks at a time. */
enum err disk_new(struct disk **out, const struct disk_options *options);
/* The folder stays as it is. No file of it may be open. */
void disk_free(struct disk *disk);

/* ---- faults while it runs: chances for each call, 0 to 1 ---- */

struct disk_faults {
    double read_error;  /* EIO */
    double write_error; /* EIO; a part of it may have been written */
    double short_write; /* less than asked, no error */
    double interrupted; /* EINTR, nothing done */
    double no_room;     /* ENOSPC of a write or resize */
    double sync_error;  /* EIO; what was pending may never become durable, later syncs say OK */
    double lying_sync;  /* says OK; one pending write is not durable: a broken device, not in F */
};
/* All zero: a healthy disk. What disk_fail_next() asked for and did not happen is forgotten. */
void disk_set_faults(struct disk *disk, const struct disk_faults *faults);
/* The next call of this kind fails with `error` (EIO, ENOSPC, EINTR), once. */
void disk_fail_next(struct disk *disk, enum disk_action action, int error);
/* All files together may have this many bytes (0: no limit). A file that grows beyond it gives
 * ENOSPC; statvfs tells it. May be less than is used: a balloon. */
void disk_set_capacity(struct disk *disk, uint64_t size);
uint64_t disk_used(const struct disk *disk);

/* ---- crashes ---- */

enum disk_fate {
    DISK_KEEP_NONE,   /* only what was synced */
    DISK_KEEP_ALL,    /* the cache was written back in time */
    DISK_KEEP_PREFIX, /* the writes up to some moment */
    DISK_KEEP_WRITES, /* each write or none of it, independently: the device reorders */
    DISK_KEEP_PAGES,  /* torn: each 4 KiB piece independently */
    DISK_KEEP_SECTORS, /* torn: each 512 bytes */
    DISK_FATE_COUNT
};

/* The program is gone: its descriptors of this disk are closed. */
void disk_close_all(struct disk *disk);
/* From now on nothing reaches the device: each change fails with EIO and is not done, not even in
 * the cache. */
void disk_unplug(struct disk *disk);
bool disk_is_unplugged(const struct disk *disk);
/* After a power cut; all its files are closed. Decides by the disk's stream what of the pending
 * changes the device holds, all of which is durable then. */
void disk_plug(struct disk *disk, enum disk_fate fate);
/* After the process alone has died: the page cache is as it was, pending changes stay pending. */
void disk_plug_process(struct disk *disk);
/* The fate of a crash when the caller does not care: drawn. */
enum disk_fate disk_draw_fate(struct disk *disk);

/* ---- copies: VM snapshots, clones, backups that are too old ---- */

/* Copies the folder as a crash at this moment would leave it; the disk itself goes on. `path` must
 * not exist. Files may be open. */
enum err disk_snapshot(struct disk *disk, const char *path, enum disk_fate fate);
/* ---- crashes that are enumerated instead of drawn ---- */

/* A change of content that no sync covers. */
struct disk_pending {
    uint64_t number; /* of the disk: the order of all changes */
    const char *name; /* of its file; valid until the next call on the disk */
    uint64_t offset, size;
    bool is_resize;
};
/* The first `max` by number; returns how many there are. */
size_t disk_pending(const struct disk *disk, struct disk_pending *items, size_t max);
/* Changes of names that no sync covers. */
size_t disk_pending_names(const struct disk *disk);

/* What survives of one change: [from, to) of a write; of a resize all if from < to, else nothing. A
 * change that is not named survives whole when `others` says so. */
struct disk_kept {
    uint64_t number, from, to;
};
struct disk_choice {
    const struct disk_kept *kept;
    size_t count;
    bool others;
    size_t names; /* how many of the pending names, from the oldest */
};
/* As disk_snapshot(), of exactly this crash; what its files are called is that of the crash, too. */
enum err disk_snapshot_chosen(struct disk *disk, const char *path,
                              const struct disk_choice *choice);

/* Replaces the contents by that of `path`, durable; "" leaves an empty folder: a new device. No file
 * of the disk may be open. */
enum err disk_restore(struct disk *disk, const char *path);
/* The same with one file or folder of it: gone, or as in that copy (gone when it is not there). */
enum err disk_remove(struct disk *disk, const char *name);
enum err disk_put_back(struct disk *disk, const char *path, const char *name);

/* ---- damage at rest ---- */

/* Flips a bit inside a value of an LMDB file ("log/data.mdb") whose key has `key_size` bytes and that
 * is at least `size_min` bytes long: a stored batch, never LMDB's own structure, which would end the
 * process (that is judged in child processes). False when there is none. `offset` says where. It may
 * hit a page that is no longer used. */
bool disk_flip(struct disk *disk, const char *name, size_t key_size, size_t size_min,
               uint64_t *offset);

/* The first page of a value on pages of its own stands at that of another such value, too, but for its
 * first sector, which has LMDB's header: as a write to a wrong place leaves it. `offset`: where. */
bool disk_misdirect(struct disk *disk, const char *name, size_t key_size, size_t size_min,
                    uint64_t *offset);

/* Of any file of a disk that stands still. Overwrites some bytes, cuts it to a part, or makes its
 * beginning zeros; `used` counts from the last byte that is not zero. False: there is no such file, or
 * nothing in it. */
bool disk_scribble(struct disk *disk, const char *name, unsigned times);
bool disk_cut(struct disk *disk, const char *name);
/* Some sectors of it stand at another place of it, too. */
bool disk_misplace(struct disk *disk, const char *name);
bool disk_behead(struct disk *disk, const char *name, uint64_t size);

struct disk_counters {
    uint64_t calls[DISK_ACTION_COUNT];
    uint64_t errors;       /* injected, of any kind */
    uint64_t bytes_written;
    uint64_t crashes, writes_lost, writes_torn, names_lost;
    uint64_t flips;
};
const struct disk_counters *disk_counters(const struct disk *disk);

#endif
