/* Memory that is given back all at once, and strings kept only once. */
#ifndef CHECK_ARENA_H
#define CHECK_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

/* All zero is empty. */
struct arena {
    struct arena_chunk *chunks;
    const char **strings; /* open addressing, a power of two */
    size_t string_count, string_capacity;
    bool failed; /* there was no memory once */
};

void arena_close(struct arena *arena);
/* `size` zero bytes, or NULL. */
void *arena_take(struct arena *arena, size_t size);
/* The one copy of `size` bytes of text in this arena; "" for NULL and when memory ends. */
const char *arena_string(struct arena *arena, const char *text, size_t size);
const char *arena_text(struct arena *arena, const char *text);

/* Makes room for one more in a growing array of items of `item_size`: false when memory ends. */
bool arena_grow(void **items, size_t *capacity, size_t count, size_t item_size);

#endif
