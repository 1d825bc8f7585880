#include "tests/check/dump.h"
#include "tests/check/note.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOLDEN SAMAD_SOURCE_DIR "/tests/golden/format-1"

static const struct dump_log *log_of(const struct dump *dump, const char *node, bool branch)
{
    for (size_t i = 0; i < dump->log_count; i++)
        if (strcmp(dump->logs[i].node, node) == 0 && dump->logs[i].branch == branch)
            return &dump->logs[i];
    cr_assert_fail("no log of %s", node);
    return NULL;
}

/* The golden store's evidence of a fork is a placeholder, older than the form of evidence. */
static bool is_golden_placeholder(const struct dump_problem *problem)
{
    return strcmp(problem->text, "an entry of `forks` is not of the form") == 0;
}

Test(dump, the_golden_store_of_format_1_is_read_whole_and_without_a_problem)
{
    struct dump *dump = dump_read(GOLDEN, &(struct dump_options){ .label = "golden" });
    cr_assert(dump->readable);
    cr_assert_str_eq(dump->node, "ardabil");
    for (size_t i = 0; i < dump->problem_count; i++)
        cr_assert(is_golden_placeholder(&dump->problems[i]), "%s", dump->problems[i].text);
    const struct dump_log *own = log_of(dump, "ardabil", false);
    cr_assert_eq(own->record_count, own->size);
    cr_assert_eq(own->records[0].kind, 1);
    cr_assert_eq(own->records[1].kind, 2);
    cr_assert_str_eq(own->records[1].client, "desk");
    cr_assert_eq(own->records[1].person, PERSON_HELD);
    cr_assert_eq(own->records[4].person, PERSON_ABSENT);
    cr_assert_eq(own->records[8].erased_position, 4);
    cr_assert_gt(own->checkpoint_count, 0);
    cr_assert_gt(log_of(dump, "gilan", false)->fork_count, 0);
    dump_free(dump);
}

Test(dump, the_data_key_opens_person_parts_and_a_wrong_one_does_not)
{
    struct check_hash wrong = { { 1 } };
    struct dump *dump =
        dump_read(GOLDEN, &(struct dump_options){ .label = "golden", .data_key = wrong.bytes });
    const struct dump_log *own = log_of(dump, "ardabil", false);
    cr_assert_eq(own->records[1].person, PERSON_DAMAGED);
    cr_assert(own->records[1].damaged);
    dump_free(dump);
}

Test(dump, a_store_that_is_not_there_or_is_none_gives_an_empty_dump_that_says_so)
{
    struct dump *dump = dump_read("/nowhere", &(struct dump_options){ .label = "x" });
    cr_assert_not(dump->readable);
    cr_assert_eq(dump->log_count, 0);
    cr_assert_eq(dump->problem_count, 1);
    dump_free(dump);
}

/* ---- damage -------------------------------------------------------------------------------- */

struct copy {
    char folder[64], log[80], file[100];
    uint8_t *bytes;
    size_t size;
};

static struct copy copy_of_golden(void)
{
    struct copy copy = { .folder = "/tmp/dump-XXXXXX" };
    struct stat status;
    cr_assert(mkdtemp(copy.folder));
    snprintf(copy.log, sizeof copy.log, "%s/log", copy.folder);
    snprintf(copy.file, sizeof copy.file, "%s/data.mdb", copy.log);
    cr_assert(mkdir(copy.log, 0700) == 0);
    int descriptor = open(GOLDEN "/log/data.mdb", O_RDONLY);
    cr_assert(descriptor >= 0 && fstat(descriptor, &status) == 0);
    copy.size = (size_t)status.st_size;
    copy.bytes = malloc(copy.size);
    cr_assert(read(descriptor, copy.bytes, copy.size) == (ssize_t)copy.size);
    close(descriptor);
    return copy;
}

static struct dump *read_copy(const struct copy *copy, size_t size)
{
    FILE *file = fopen(copy->file, "w");
    cr_assert(file && fwrite(copy->bytes, 1, size, file) == size);
    fclose(file);
    return dump_read(copy->folder, &(struct dump_options){ .label = "copy" });
}

static void copy_remove(struct copy *copy)
{
    unlink(copy->file);
    rmdir(copy->log);
    rmdir(copy->folder);
    free(copy->bytes);
}

Test(dump, any_single_flipped_bit_is_survived_and_one_of_a_record_is_seen)
{
    struct copy copy = copy_of_golden();
    struct dump *whole = read_copy(&copy, copy.size);
    struct check_hash hash = log_of(whole, "ardabil", false)->records[1].hash;
    size_t seen = 0, flips = 0;
    for (size_t at = 0; at < copy.size; at += 61) {
        copy.bytes[at] ^= (uint8_t)(1u << (at % 8));
        struct dump *dump = read_copy(&copy, copy.size);
        seen += dump->problem_count > whole->problem_count;
        flips++;
        for (size_t i = 0; i < dump->log_count; i++) {
            const struct dump_log *log = &dump->logs[i];
            bool is_it = strstr(log->origin, "/1111") && log->record_count > 1;
            if (is_it && log->records[1].position == 1 && !log->records[1].damaged)
                cr_assert(memcmp(&log->records[1].hash, &hash, sizeof hash) == 0, "at %zu", at);
        }
        dump_free(dump);
        copy.bytes[at] ^= (uint8_t)(1u << (at % 8));
    }
    cr_assert_gt(seen, flips / 20, "%zu of %zu", seen, flips); /* most of the file is unused */
    dump_free(whole);
    copy_remove(&copy);
}

Test(dump, a_file_cut_off_anywhere_is_survived_and_said)
{
    struct copy copy = copy_of_golden();
    for (size_t size = 0; size < copy.size; size += 4096 + 77) {
        struct dump *dump = read_copy(&copy, size);
        cr_assert_gt(dump->problem_count, 0, "%zu", size);
        dump_free(dump);
    }
    copy_remove(&copy);
}

Test(dump, every_changed_byte_of_facts_names_the_record)
{
    struct copy copy = copy_of_golden();
    uint8_t *code = memmem(copy.bytes, copy.size, "10002618781632", 14);
    cr_assert(code);
    *code ^= 1;
    struct dump *dump = read_copy(&copy, copy.size);
    bool named = false;
    for (size_t i = 0; i < dump->problem_count; i++)
        named |= dump->problems[i].position == 1 &&
                 strcmp(dump->problems[i].text, "its facts are not what its header commits to") == 0;
    cr_assert(named || !strstr((char *)code, "desk")); /* or it was a page no longer in use */
    dump_free(dump);
    copy_remove(&copy);
}

/* ---- notes --------------------------------------------------------------------------------- */

/* proto/README.md, 4.4 */
static const char EXAMPLE[] =
    "samad/ardabil/hub/00112233445566778899aabbccddeeff\n"
    "3\n"
    "Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n"
    "\n"
    "\xe2\x80\x94 samad/ardabil/hub/00112233445566778899aabbccddeeff "
    "TdgfR0gUpGQsSekFIxAnBEF9Vz2VAEZOZWrpRCu+P4yJ3L9EsUgd1Hqggga5/1LH2adjjQaaQXIQkYAWIVyllHwh/"
    "g8=\n"
    "\xe2\x80\x94 samad/hub-1/receipt "
    "teSSMgAAAABkGFDLp0qOnvlCqIiKLVtlKZyJzxiG1R+il8ecavLn4WLme1lzhnVxpX8G1E1EfhmxqQKbQZ56FjUnyMWqp"
    "jEhjWK6CA==\n";

static struct check_hash key_of(const char *base64)
{
    struct check_hash key;
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[33] = { 0 };
    for (size_t i = 0; i < 44; i++) {
        size_t digit = (size_t)(strchr(DIGITS, base64[i]) - DIGITS);
        for (size_t bit = 0; bit < 6; bit++)
            if (digit >> (5 - bit) & 1)
                bytes[(6 * i + bit) / 8] |= (uint8_t)(0x80u >> ((6 * i + bit) % 8));
    }
    memcpy(key.bytes, bytes + 1, 32); /* behind the type */
    return key;
}

Test(note, the_example_of_the_specification_verifies)
{
    struct check_note note;
    uint64_t time_s = 0;
    struct check_hash log = key_of("AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
    struct check_hash hub = key_of("BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X");
    cr_assert(check_note_read(&note, EXAMPLE));
    cr_assert_str_eq(note.node, "ardabil");
    cr_assert_eq(note.size, 3);
    cr_assert_eq(check_note_signed(&note, &log), SIGNATURE_GOOD);
    cr_assert_eq(check_note_signed(&note, &hub), SIGNATURE_MISSING);
    cr_assert_eq(check_note_cosigned(&note, "hub-1", &hub, &time_s), SIGNATURE_GOOD);
    cr_assert_eq(time_s, 1679315147);
    cr_assert_eq(check_note_cosigned(&note, "hub-2", &hub, NULL), SIGNATURE_MISSING);
}

Test(note, no_changed_character_leaves_both_signatures_good)
{
    struct check_hash log = key_of("AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
    struct check_hash hub = key_of("BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X");
    char text[sizeof EXAMPLE];
    for (size_t i = 0; i + 1 < sizeof EXAMPLE; i++) {
        struct check_note note;
        memcpy(text, EXAMPLE, sizeof EXAMPLE);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        cr_assert(!check_note_read(&note, text) ||
                      check_note_signed(&note, &log) != SIGNATURE_GOOD ||
                      check_note_cosigned(&note, "hub-1", &hub, NULL) != SIGNATURE_GOOD,
                  "at %zu", i);
    }
}
