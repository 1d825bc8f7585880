#include "tests/scope/arena.h"

#include "proto/base/require.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE  ((size_t)256 << 20)
#define CLASS_COUNT 26 /* blocks of 16 bytes and their doubles */
#define IGNORED_MAX 8

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

struct block {
    size_t class;
    struct block *next_free;
};

/* Stands at the beginning of the arena, and so is saved with it. */
struct arena {
    size_t used;
    struct block *free[CLASS_COUNT];
    struct {
        size_t offset, size;
    } ignored[IGNORED_MAX]; /* ascending */
    size_t ignored_count;
};

static struct arena *arena;
static bool inside;

static void arena_map(void)
{
    arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(arena != MAP_FAILED);
    arena->used = (sizeof *arena + 15) & ~(size_t)15;
}

void arena_enter(void)
{
    if (arena == NULL)
        arena_map();
    require(!inside);
    inside = true;
}

void arena_leave(void)
{
    require(inside);
    inside = false;
}

static bool is_ours(const void *memory)
{
    return arena != NULL && (const uint8_t *)memory >= (const uint8_t *)arena &&
           (const uint8_t *)memory < (const uint8_t *)arena + ARENA_SIZE;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

static size_t class_of(size_t size)
{
    size_t class = 0;
    while (class < CLASS_COUNT && ((size_t)16 << class) < size)
        class ++;
    return class;
}

static void *block_take(size_t size)
{
    size_t class = class_of(size);
    if (class == CLASS_COUNT) {
        errno = ENOMEM;
        return NULL;
    }
    struct block *block = arena->free[class];
    if (block != NULL) {
        arena->free[class] = block->next_free;
    } else {
        block = (struct block *)((uint8_t *)arena + arena->used);
        arena->used += sizeof *block + ((size_t)16 << class);
        require(arena->used <= ARENA_SIZE);
        block->class = class;
    }
    return block + 1;
}

static void unignore(size_t from, size_t to)
{
    size_t kept = 0;
    for (size_t i = 0; i < arena->ignored_count; i++)
        if (arena->ignored[i].offset < from || arena->ignored[i].offset >= to)
            arena->ignored[kept++] = arena->ignored[i];
    arena->ignored_count = kept;
}

static void block_give(void *memory)
{
    struct block *block = (struct block *)memory - 1;
    size_t offset = (size_t)((uint8_t *)memory - (uint8_t *)arena);
    unignore(offset, offset + ((size_t)16 << block->class));
    block->next_free = arena->free[block->class];
    arena->free[block->class] = block;
}

static size_t block_size(const void *memory)
{
    return (size_t)16 << ((const struct block *)memory - 1)->class;
}

/* ---- malloc and its kin ------------------------------------------------------------------------
 */

void *malloc(size_t size)
{
    return inside ? block_take(size) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    size_t whole;
    if (!inside)
        return __libc_calloc(count, size);
    if (__builtin_mul_overflow(count, size, &whole)) {
        errno = ENOMEM;
        return NULL;
    }
    void *memory = block_take(whole);
    return memory != NULL ? memset(memory, 0, whole) : NULL;
}

void free(void *memory)
{
    if (is_ours(memory))
        block_give(memory);
    else
        __libc_free(memory);
}

void *realloc(void *memory, size_t size)
{
    if (memory == NULL)
        return malloc(size);
    if (!is_ours(memory))
        return __libc_realloc(memory, size);
    if (size <= block_size(memory))
        return memory;
    void *larger = block_take(size);
    if (larger != NULL) {
        memcpy(larger, memory, block_size(memory));
        block_give(memory);
    }
    return larger;
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = __libc_memalign(alignment, size); /* nothing of a world asks for it */
    return *memory != NULL ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

/* ---- states ------------------------------------------------------------------------------------
 */

void arena_ignore(const void *memory, size_t size)
{
    size_t offset = (size_t)((const uint8_t *)memory - (const uint8_t *)arena);
    size_t at = arena->ignored_count++;
    require(is_ours(memory) && at < IGNORED_MAX);
    for (; at > 0 && arena->ignored[at - 1].offset > offset; at--)
        arena->ignored[at] = arena->ignored[at - 1];
    arena->ignored[at].offset = offset;
    arena->ignored[at].size = size;
}

/* The pieces between what is ignored, one after the other. */
typedef void piece_copy(uint8_t *packed, uint8_t *place, size_t size);

static size_t each_piece(const struct arena *header, uint8_t *packed, piece_copy *copy)
{
    size_t from = 0, size = 0;
    for (size_t i = 0; i <= header->ignored_count; i++) {
        bool last = i == header->ignored_count;
        size_t to = last ? header->used : header->ignored[i].offset;
        copy(packed + size, (uint8_t *)arena + from, to - from);
        size += to - from;
        from = last ? to : to + header->ignored[i].size;
    }
    return size;
}

static void piece_save(uint8_t *packed, uint8_t *place, size_t size)
{
    memcpy(packed, place, size);
}

static void piece_restore(uint8_t *packed, uint8_t *place, size_t size)
{
    memcpy(place, packed, size);
}

void arena_save(struct arena_state *state)
{
    require(!inside);
    if (state->capacity < arena->used) {
        state->capacity = 2 * arena->used;
        state->bytes = __libc_realloc(state->bytes, state->capacity);
        require(state->bytes != NULL);
    }
    state->size = each_piece(arena, state->bytes, piece_save);
}

void arena_restore(const struct arena_state *state)
{
    struct arena header;
    require(!inside && state->size >= sizeof header);
    memcpy(&header, state->bytes, sizeof header);
    each_piece(&header, state->bytes, piece_restore);
}

void arena_state_close(struct arena_state *state)
{
    __libc_free(state->bytes);
    *state = (struct arena_state){ 0 };
}
