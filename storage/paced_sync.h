/* Syncing a large commit so that the small ones of another store get through.
 *
 * A commit of LMDB writes its pages and syncs them in one call. For a flush of the views that is
 * some 38,000 writes at random places, with a million requests: they fill the device's queue, and
 * each commit of the log, which people wait for, stands behind all of them. Paced, the pages are
 * written back a piece of the file at a time, each waited for, before the sync; the log's few pages
 * then wait for one piece.
 *
 * LMDB has no place between writing and syncing, so its archive is linked in and its fdatasync(2)
 * comes here (--wrap=fdatasync; the process's other calls do too, and go through). How durable a
 * commit is does not change: the sync follows, and an error of a piece is the sync's error. */
#ifndef STORAGE_PACED_SYNC_H
#define STORAGE_PACED_SYNC_H

/* From begin to end the calling thread's fdatasync() is paced. */
void paced_sync_begin(void);
void paced_sync_end(void);

#endif
