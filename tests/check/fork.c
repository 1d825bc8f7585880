#include "tests/check/fork.h"

#include "tests/check/note.h"
#include "tests/check/pick.h"
#include "tests/check/tree.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_COUNT = 128 };

struct branch {
    char text[CHECK_NOTE_SIZE_MAX + 1];
    struct check_note note;
    struct check_hash leaf, path[PATH_MAX_COUNT];
    size_t path_count;
};

static void note_read(struct pick *pick, struct branch *branch)
{
    struct span note = pick_bin(pick);
    if (pick->bad || note.size > CHECK_NOTE_SIZE_MAX) {
        pick->bad = true;
        return;
    }
    memcpy(branch->text, note.data, note.size);
    branch->text[note.size] = '\0';
    if (strlen(branch->text) != note.size || !check_note_read(&branch->note, branch->text))
        pick->bad = true;
}

static void path_read(struct pick *pick, struct branch *branch)
{
    pick_bin_of(pick, 32, branch->leaf.bytes);
    branch->path_count = pick_array(pick);
    if (branch->path_count > PATH_MAX_COUNT)
        pick->bad = true;
    for (size_t i = 0; i < branch->path_count && !pick->bad; i++)
        pick_bin_of(pick, 32, branch->path[i].bytes);
}

static bool includes(const struct branch *branch, uint64_t position)
{
    return tree_includes(&branch->leaf, position, branch->note.size, &branch->note.root,
                         branch->path, branch->path_count);
}

static const char *judge(const struct branch *a, const struct branch *b, bool has_position,
                         uint64_t position, const char *origin, const struct check_hash *key)
{
    if (strcmp(a->note.origin, origin) != 0 || strcmp(b->note.origin, origin) != 0)
        return "it is about another log";
    if (check_note_signed(&a->note, key) != SIGNATURE_GOOD ||
        check_note_signed(&b->note, key) != SIGNATURE_GOOD)
        return "a note in it is not signed by the log";
    if (!has_position)
        return a->note.size == b->note.size && !check_hash_equal(&a->note.root, &b->note.root)
                   ? NULL
                   : "its notes do not contradict each other";
    if (!includes(a, position) || !includes(b, position))
        return "a path in it does not lead to its root";
    return check_hash_equal(&a->leaf, &b->leaf) ? "its leaves are the same" : NULL;
}

static const char *read_and_judge(struct span proof, struct branch *a, struct branch *b,
                                  const char *origin, const struct check_hash *key)
{
    struct pick pick = pick_of(proof);
    uint64_t position = 0;
    pick_array_of(&pick, 8);
    if (pick_uint(&pick) != 1)
        pick.bad = true;
    note_read(&pick, a);
    note_read(&pick, b);
    bool has_position = !pick_nil(&pick);
    if (has_position) {
        position = pick_uint(&pick);
        path_read(&pick, a);
        path_read(&pick, b);
    } else {
        for (int i = 0; i < 4; i++)
            pick.bad |= !pick_nil(&pick);
    }
    if (!pick_at_end(&pick))
        return "it is not of the form";
    return judge(a, b, has_position, position, origin, key);
}

const char *check_fork_proof(const char *hex, const char *origin, const struct check_hash *key)
{
    size_t room = strlen(hex) / 2 + 1, size = 0;
    uint8_t *bytes = malloc(room);
    struct branch *branches = calloc(2, sizeof *branches);
    const char *wrong = "no memory";
    if (bytes && branches) {
        wrong = "it is not hexadecimal";
        if (sodium_hex2bin(bytes, room, hex, strlen(hex), NULL, &size, NULL) == 0)
            wrong = read_and_judge((struct span){ bytes, size }, &branches[0], &branches[1], origin,
                                   key);
    }
    free(bytes);
    free(branches);
    return wrong;
}
