/* The journal on the simulated disk: what a failed sync leaves behind. */
#include "storage/journal.h"
#include "tests/sim/disk.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

struct rig {
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    struct disk *disk;
    struct journal *journal;
    struct journal_report report;
    struct log_id log;
};

static void rig_open_journal(struct rig *rig)
{
    struct journal_options options = { .path = rig->path,
                                       .node = "ardabil",
                                       .segment_size = JOURNAL_SEGMENT_SIZE_MIN,
                                       .keep_size = UINT64_MAX };
    cr_assert_eq(journal_open(&rig->journal, &options, &rig->report), OK);
}

static void rig_open(struct rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    folder_make(rig->folder);
    folder_path(rig->path, rig->folder, "journal");
    cr_assert_eq(log_id_from_origin(&rig->log,
                                    bytes_of_string("samad/ardabil/hub/"
                                                    "00112233445566778899aabbccddeeff")),
                 OK);
    cr_assert_eq(disk_new(&rig->disk, &(struct disk_options){ .path = rig->folder, .seed = seed }), OK);
    rig_open_journal(rig);
}

static void rig_close(struct rig *rig)
{
    journal_close(rig->journal);
    disk_free(rig->disk);
    folder_remove(rig->folder);
}

static enum err rig_append(struct rig *rig, const char *hub, uint64_t size)
{
    struct journal_entry entry = { 0 };
    journal_entry_receipt(&entry, &rig->log, hub, size, bytes_of_string("a receipt"));
    enum err err = journal_make_room(rig->journal, journal_entry_size(&entry));
    if (err == OK)
        err = journal_append(rig->journal, &entry);
    journal_entry_close(&entry);
    return err;
}

static size_t receipts(const struct rig *rig)
{
    const struct journal_log *log = journal_log_find(rig->journal, &rig->log);
    return log ? log->receipt_count : 0;
}

static void power_cut(struct rig *rig)
{
    disk_unplug(rig->disk);
    journal_close(rig->journal);
    disk_plug(rig->disk, DISK_KEEP_NONE);
    rig_open_journal(rig);
}

Test(disk_journal, an_entry_stands_after_a_power_cut)
{
    struct rig rig;
    rig_open(&rig, 5);
    cr_assert_eq(rig_append(&rig, "hub-1", 1), OK);
    power_cut(&rig);
    cr_assert_eq(receipts(&rig), 1);
    rig_close(&rig);
}

/* log/ had it, so the next start finds both equal and relies on it: then it must be there. */
Test(disk_journal, an_entry_whose_sync_failed_and_that_a_start_has_read_stands_after_a_power_cut)
{
    for (uint64_t seed = 0; seed < 16; seed++) { /* a sync that fails may have done it all the same */
        struct rig rig;
        rig_open(&rig, seed);
        cr_assert_eq(rig_append(&rig, "hub-1", 1), OK);
        disk_fail_next(rig.disk, DISK_SYNC, EIO);
        cr_assert_eq(rig_append(&rig, "hub-2", 1), ERR_IO);
        journal_close(rig.journal); /* the process ends, the page cache stays */
        disk_plug_process(rig.disk);
        rig_open_journal(&rig);
        cr_assert_eq(receipts(&rig), 2);
        power_cut(&rig);
        cr_assert_eq(receipts(&rig), 2, "seed %llu", (unsigned long long)seed);
        cr_assert_not(journal_is_damaged(&rig.report));
        rig_close(&rig);
    }
}
