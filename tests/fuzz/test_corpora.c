/* Replays every file of tests/fuzz/corpus/<name>/ through fuzz_<name>(): what a fuzzer once found,
 * and the seeds it starts from, stay ordinary tests. A new target is a new row here. */
#include "proto/base/bytes.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row a target: tests/fuzz/fuzz_<name>.c with FUZZ_TARGET(<name>). */
#define TARGETS(ROW) \
    ROW(facts)         \
    ROW(frame)         \
    ROW(handshake)     \
    ROW(journal)       \
    ROW(message)       \
    ROW(note)          \
    ROW(origin)        \
    ROW(persian)       \
    ROW(proof)         \
    ROW(receipt_file)  \
    ROW(record)        \
    ROW(request_input) \
    ROW(skim)

#define DECLARE(name) void fuzz_##name(struct bytes input);
TARGETS(DECLARE)

static const struct target {
    const char *name;
    void (*run)(struct bytes input);
} targets[] = {
#define TARGET_ROW(name) { #name, fuzz_##name },
    TARGETS(TARGET_ROW)
};
enum { TARGET_COUNT = sizeof targets / sizeof *targets };

static const char fuzz_folder[] = SAMAD_SOURCE_DIR "/tests/fuzz";

static bool is_target(const char *name, size_t size)
{
    for (size_t i = 0; i < TARGET_COUNT; i++)
        if (strlen(targets[i].name) == size && memcmp(targets[i].name, name, size) == 0)
            return true;
    return false;
}

/* The input lies at the end of memory of its own size, so that the address sanitizer sees a read
 * behind it. */
static void replay_file(const struct target *target, const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(size ? size : 1);
    cr_assert_eq(fread(data, 1, size, file), size);
    fclose(file);
    target->run(bytes_of(data, size));
    free(data);
}

static size_t replay_corpus(const struct target *target)
{
    char folder[4096], path[4096 + 256];
    size_t count = 0;
    snprintf(folder, sizeof folder, "%s/corpus/%s", fuzz_folder, target->name);
    DIR *listing = opendir(folder);
    cr_assert_not_null(listing, "%s", folder);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        fprintf(stderr, "%s/%s\n", target->name, entry->d_name); /* names the one that crashes */
        replay_file(target, path);
        count++;
    }
    closedir(listing);
    return count;
}

Test(corpora, every_file_of_every_corpus_passes_its_target)
{
    for (size_t i = 0; i < TARGET_COUNT; i++)
        cr_assert_gt(replay_corpus(&targets[i]), 0, "%s has no corpus", targets[i].name);
}

Test(corpora, every_target_takes_the_empty_input)
{
    for (size_t i = 0; i < TARGET_COUNT; i++)
        targets[i].run(BYTES_NONE);
}

Test(corpora, every_fuzz_target_and_every_corpus_has_its_row)
{
    char corpora[4096];
    snprintf(corpora, sizeof corpora, "%s/corpus", fuzz_folder);
    DIR *listing = opendir(corpora);
    cr_assert_not_null(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        cr_expect(entry->d_name[0] == '.' || is_target(entry->d_name, strlen(entry->d_name)),
                  "corpus/%s has no target", entry->d_name);
    closedir(listing);

    listing = opendir(fuzz_folder);
    cr_assert_not_null(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        size_t size = strlen(entry->d_name);
        bool source = size > 7 && memcmp(entry->d_name, "fuzz_", 5) == 0 &&
                      strcmp(entry->d_name + size - 2, ".c") == 0;
        cr_expect(!source || is_target(entry->d_name + 5, size - 7), "%s has no row",
                  entry->d_name);
    }
    closedir(listing);
}
