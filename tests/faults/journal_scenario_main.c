/* journal-scenario DIR: what a node does with its journal, one entry after the other, said aloud.
 *
 *   open | ack COUNT | erased COUNT | error NAME | done
 *
 * "ack" and "erased" come only after the call has returned. After an error other than lack of room it
 * tries twice more, so that a test can see that nothing is acknowledged any more. Run under
 * libfaults.so by test_journal_faults.c. */
#include "proto/base/require.h"
#include "storage/journal.h"
#include "tests/support/records.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_COUNT 8
#define RETRY_COUNT 2
#define RECORDS     20 /* of about 600 bytes: two segments are begun on the way */

static void say(const char *what, const char *rest)
{
    char line[128];
    int size = snprintf(line, sizeof line, "%s%s%s\n", what, *rest ? " " : "", rest);
    require(write(STDOUT_FILENO, line, (size_t)size) == size);
}

static void say_count(const char *what, unsigned count)
{
    char text[16];
    snprintf(text, sizeof text, "%u", count);
    say(what, text);
}

static enum err append(struct journal *journal, struct merkle_frontier *frontier)
{
    static const struct seal_key key = { { 1 } };
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct batch_builder batch;
    struct journal_entry entry = { 0 };
    struct buffer value = { 0 };
    batch_begin(&batch, frontier);
    sample_batch(&batch, &id, 7, RECORDS, 400, &key);
    size_t size = batch_size(&batch, 0);
    uint8_t *room = buffer_reserve(&value, size);
    require(room);
    batch_write(&batch, BYTES_NONE, room);
    journal_entry_batch(&entry, &id, batch.first, bytes_of(room, size));
    enum err err = journal_make_room(journal, journal_entry_size(&entry));
    if (err == OK)
        err = journal_append(journal, &entry);
    if (err == OK)
        *frontier = batch.frontier;
    journal_entry_close(&entry);
    buffer_close(&value);
    batch_close(&batch);
    return err;
}

/* Appends, and erases one person part of what was appended. */
static enum err step(struct journal *journal, struct merkle_frontier *frontier, unsigned *acked)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    enum err err = append(journal, frontier);
    if (err != OK)
        return err;
    say_count("ack", ++*acked);
    err = journal_erase(journal, &id, frontier->size - 1);
    if (err == OK)
        say_count("erased", *acked);
    return err == OK ? journal_prepare(journal, 8192) : err;
}

int main(int argc, char **argv)
{
    struct journal_options options = { .path = argc > 1 ? argv[1] : "",
                                       .node = "ardabil",
                                       .segment_size = JOURNAL_SEGMENT_SIZE_MIN,
                                       .keep_size = UINT64_MAX };
    struct journal *journal;
    struct journal_report report;
    struct merkle_frontier frontier = { 0 };
    unsigned acked = 0, errors = 0;
    enum err err = journal_open(&journal, &options, &report);
    if (err != OK) {
        say("error", err_name(err));
        return 1;
    }
    say("open", "");
    while (acked < ENTRY_COUNT && errors <= RETRY_COUNT) {
        err = step(journal, &frontier, &acked);
        if (err != OK) {
            say("error", err_name(err));
            errors++;
        }
    }
    if (errors == 0 || acked == ENTRY_COUNT)
        say("done", "");
    journal_close(journal);
    return 0;
}
