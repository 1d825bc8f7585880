#include "node/store_problem.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct said {
    char data[FOLDER_PATH_SIZE];
    struct buffer what, next;
};

static void begin(struct said *said)
{
    *said = (struct said){ 0 };
    folder_make(said->data);
}

/* The two texts of `err`; freed by the next call or end(). */
static void ask(struct said *said, enum err err, bool read_only)
{
    buffer_clear(&said->what);
    buffer_clear(&said->next);
    store_problem(said->data, err, read_only, &said->what, &said->next);
    buffer_append_u8(&said->what, 0);
    buffer_append_u8(&said->next, 0);
}

static void end(struct said *said)
{
    buffer_close(&said->what);
    buffer_close(&said->next);
    folder_remove(said->data);
}

static bool has(const struct buffer *text, const char *words)
{
    return strstr((const char *)text->data, words) != NULL;
}

Test(store_problem, every_error_of_opening_has_a_place_a_reason_and_a_next_step)
{
    static const enum err ERRORS[] = { ERR_CORRUPT, ERR_MALFORMED, ERR_COMMITMENT, ERR_VERSION,
                                       ERR_BUSY,    ERR_CONFLICT,  ERR_SIGNATURE,  ERR_AUTH,
                                       ERR_FULL,    ERR_NOT_FOUND, ERR_IO };
    struct said said;
    begin(&said);
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        ask(&said, ERRORS[i], false);
        cr_expect(has(&said.what, said.data), "%s", err_name(ERRORS[i]));
        cr_expect(!has(&said.what, err_text(ERRORS[i])), "%s: a sentence of its own",
                  (char *)said.what.data);
        cr_expect(said.next.size > 1, "%s", err_name(ERRORS[i]));
        cr_expect(!memchr(said.what.data, '\n', said.what.size));
    }
    end(&said);
}

Test(store_problem, the_version_and_the_damage_are_told_apart)
{
    struct said said;
    begin(&said);
    ask(&said, ERR_VERSION, false);
    cr_expect(has(&said.what, "format") && has(&said.next, "version that wrote it"));
    ask(&said, ERR_CORRUPT, false);
    cr_expect(has(&said.what, "damaged") && has(&said.next, "hand back"));
    end(&said);
}

Test(store_problem, a_file_in_the_place_of_a_folder_is_named)
{
    struct said said;
    char path[FOLDER_PATH_SIZE];
    begin(&said);
    folder_path(path, said.data, "views");
    FILE *file = fopen(path, "w");
    cr_assert(file && fclose(file) == 0);
    ask(&said, ERR_NOT_FOUND, false);
    cr_expect(has(&said.what, path) && has(&said.what, "is not a folder"), "%s",
              (char *)said.what.data);
    end(&said);
}
