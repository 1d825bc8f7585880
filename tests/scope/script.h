/* What may happen next in a world: the events of the script, each line in its own order; what is
 * under way; and, as long as some are left, faults.
 *
 *   a    registers, commits, registers, commits
 *   b    registers, commits
 *   a's link comes up, goes down, comes up       b's link comes up
 *   a restarts                                   the hub restarts
 *
 * Or, where a log is to fork:
 *
 *   a    restarts, registers, commits, registers, commits
 *   a twin of a starts, registers and commits      a's link comes up      b's link comes up
 *
 * A twin is a clone with the state of a's random generator: each opens the same incarnation next.
 *
 *   under way    what is on a way arrives (see enum grain); a store commits;
 *                a province connects; a node that crashed starts
 *   faults       a!     a crashes, what is not committed is lost       hub!  b!
 *                a!!    it crashes between a commit and its answers
 *                a/     its link breaks, both ends notice, what is on the way is lost; with
 *                a/hub2 the first two on the way to the hub arrive before
 *                a//    its end breaks: what is on the way to the hub arrives, later
 *                a~     its link falls silent, nobody notices
 *                a>hub: the next message to the hub arrives twice
 *                a<     it is put back to its last copy (likewise the hub); one a world
 *                a+     a clone of it starts, registers and commits; one a world
 *
 * Each has a name of a few letters; the names of what happened, in order, are the name of a case.
 */
#ifndef TESTS_SCOPE_SCRIPT_H
#define TESTS_SCOPE_SCRIPT_H

#include "tests/scope/scope.h"

#define CHOICE_MAX 64

/* How finely what is under way is taken apart. Faults may come at any point, whatever the grain. */
enum grain {
    GRAIN_BURST, /* all that is on one way arrives at once, and is committed before anything else */
    GRAIN_STORE, /* the commit waits like everything else */
    GRAIN_MESSAGE, /* every message arrives by itself */
};

struct choice {
    char name[16];
    bool is_fault, is_event;
    void (*happen)(struct scope *scope, const struct choice *choice);
    enum scope_place place; /* of whom, or whose link */
    int end;                /* of the wire; or a variant */
    size_t wire, count;
    unsigned line;
};

struct script {
    enum grain grain;
    unsigned fault_max;
    bool is_short;     /* a and b register and commit once, and their links come up */
    bool one_province; /* nothing happens at b */
    bool forks;        /* the other script, in which a log of a forks */
};

/* Those that are possible now, in a fixed order. */
size_t script_choices(struct scope *scope, const struct script *script, struct choice *choices);
/* To be called inside of the arena. */
void script_happen(struct scope *scope, const struct choice *choice);
/* Everything of the script has happened, and nothing is under way. */
bool script_is_over(struct scope *scope, const struct script *script);

#endif
