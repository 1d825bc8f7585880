#include "tests/sim/bugs.h"

#include "proto/base/bug.h"

#include <string.h>

#ifdef SAMAD_BUGS
enum bug bug_chosen;

static const struct seeded_bug bugs[] = {
#define BUG_ROW(name, breaks, text) { #name, breaks, text },
    BUG_LIST(BUG_ROW)
#undef BUG_ROW
    { NULL, NULL, NULL }
};

static void choose(size_t index)
{
    bug_chosen = (enum bug)(index + 1);
}
#else
static const struct seeded_bug bugs[] = { { NULL, NULL, NULL } };

static void choose(size_t index)
{
    (void)index;
}
#endif

static const struct seeded_bug *chosen;

const char *bug_name(void)
{
    return chosen != NULL ? chosen->name : NULL;
}

const struct seeded_bug *bug_at(size_t index)
{
    for (const struct seeded_bug *bug = bugs; bug->name; bug++)
        if (index-- == 0)
            return bug;
    return NULL;
}

bool bug_choose(const char *name)
{
    for (size_t i = 0; bug_at(i) != NULL; i++)
        if (strcmp(bug_at(i)->name, name) == 0) {
            choose(i);
            chosen = bug_at(i);
            return true;
        }
    return false;
}
