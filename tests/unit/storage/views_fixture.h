/* A views store in a folder of its own, with rules that notice every mistake of a fold. */
#ifndef TESTS_UNIT_STORAGE_VIEWS_FIXTURE_H
#define TESTS_UNIT_STORAGE_VIEWS_FIXTURE_H

#include "storage/views.h"
#include "tests/unit/storage/history.h"

/* The rules of the tests. Every record
 *   - is chained to those before it under "chain" (any other order gives other content),
 *   - counts under "count" and "kind/<kind>", persons and erased persons under "person", "absent",
 *   - stands under "record/<incarnation>/<position>", spread by a hash under "spread/<hash>",
 *   - deletes the entry "window/<n>" that came ten records earlier (tombstones).
 * ERR_REFUSED for a record whose actor is "refused", and what the view says. */
enum err fixture_fold(void *context, struct view *view, const struct record_header *header,
                      struct bytes facts, struct bytes person, bool person_absent);

struct views_fixture {
    char folder[FOLDER_PATH_SIZE];
    struct views_options options;
    struct views *views;
};

void views_fixture_open(struct views_fixture *fixture);
enum err views_fixture_reopen(struct views_fixture *fixture);
void views_fixture_close(struct views_fixture *fixture);

/* Folds until nothing is left, `budget` records a call; gives the number of calls. */
unsigned views_fixture_fold(struct views_fixture *fixture, struct log_store *logs, uint64_t budget);
/* A whole round of looking at everything, about `budget` entries a call. */
enum err views_fixture_scrub(struct views_fixture *fixture, uint64_t budget);
/* 64 hexadecimal digits of the own node's digest. */
struct digest_text {
    char text[65];
};
struct digest_text views_fixture_digest(struct views_fixture *fixture);
/* What a rebuild from nothing, in one go and in a store of its own, gives. */
struct digest_text views_fixture_rebuilt(struct log_store *logs);

/* Entries stored for all generations. */
uint64_t views_fixture_entries(struct views_fixture *fixture);

#endif
