/* The memory of a world whose states can be put back: what is allocated between arena_enter() and
 * arena_leave() lies in one piece at one address, so that a copy of it is a copy of the world, its
 * pointers included. malloc and its kin are defined here for the whole program. */
#ifndef TESTS_SCOPE_ARENA_H
#define TESTS_SCOPE_ARENA_H

#include <stddef.h>

/* From here on allocations belong to the world; not nested. */
void arena_enter(void);
void arena_leave(void);

/* Bytes whose content means nothing between two steps: not worth copying. Forgotten when freed. */
void arena_ignore(const void *memory, size_t size);

/* One state; its memory is kept for the next arena_save(). All zero is empty. */
struct arena_state {
    void *bytes;
    size_t size, capacity;
};
void arena_save(struct arena_state *state);
void arena_restore(const struct arena_state *state);
void arena_state_close(struct arena_state *state);

#endif
