#include "tests/check/arena.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void arena_close(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena->strings);
    *arena = (struct arena){ 0 };
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t size)
{
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    struct arena_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk) {
        arena->failed = true;
        return NULL;
    }
    chunk->used = 0;
    chunk->size = room;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *arena_take(struct arena *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded)
        chunk = chunk_new(arena, rounded);
    if (!chunk)
        return NULL;
    void *taken = chunk->data + chunk->used;
    chunk->used += rounded;
    return memset(taken, 0, rounded);
}

/* Eight bytes at a time: nearly all that is read of a store passes here. */
static uint64_t text_hash(const char *text, size_t size)
{
    const uint64_t prime = UINT64_C(1099511628211);
    uint64_t hash = UINT64_C(14695981039346656037) ^ size, word = 0;
    size_t i = 0;
    for (; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        hash = (hash ^ word) * prime;
        hash ^= hash >> 32;
    }
    for (; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * prime;
    return hash ^ hash >> 29;
}

/* Where the text stands, or where it belongs. */
static const char **string_slot(const char **strings, size_t capacity, const char *text, size_t size)
{
    size_t i = (size_t)text_hash(text, size) & (capacity - 1);
    while (strings[i] && (strlen(strings[i]) != size || memcmp(strings[i], text, size) != 0))
        i = (i + 1) & (capacity - 1);
    return &strings[i];
}

static bool strings_grow(struct arena *arena)
{
    size_t capacity = arena->string_capacity ? 2 * arena->string_capacity : 256;
    const char **strings = calloc(capacity, sizeof *strings);
    if (!strings)
        return false;
    for (size_t i = 0; i < arena->string_capacity; i++)
        if (arena->strings[i])
            *string_slot(strings, capacity, arena->strings[i], strlen(arena->strings[i])) =
                arena->strings[i];
    free(arena->strings);
    arena->strings = strings;
    arena->string_capacity = capacity;
    return true;
}

const char *arena_string(struct arena *arena, const char *text, size_t size)
{
    if (!text || size == 0)
        return "";
    const char *end = memchr(text, 0, size);
    if (end)
        size = (size_t)(end - text);
    if (4 * (arena->string_count + 1) > 3 * arena->string_capacity && !strings_grow(arena)) {
        arena->failed = true;
        return "";
    }
    const char **slot = string_slot(arena->strings, arena->string_capacity, text, size);
    if (*slot)
        return *slot;
    char *copy = arena_take(arena, size + 1);
    if (!copy)
        return "";
    memcpy(copy, text, size);
    arena->string_count++;
    return *slot = copy;
}

const char *arena_text(struct arena *arena, const char *text)
{
    return arena_string(arena, text, text ? strlen(text) : 0);
}

bool arena_grow(void **items, size_t *capacity, size_t count, size_t item_size)
{
    if (count < *capacity)
        return true;
    size_t larger = *capacity ? 2 * *capacity : 16;
    void *grown = realloc(*items, larger * item_size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = larger;
    return true;
}
