/* What a process holds of the system, so that it can be taken back when it is killed: memory, maps,
 * file descriptors.
 *
 * malloc and its kin are defined here for the whole program. Each block carries who allocated it, in
 * a list for each node. Under AddressSanitizer, which has an allocator of its own, nothing is
 * defined and a killed node's memory is lost. */
#include "tests/sim/sim_private.h"

#include "proto/base/require.h"
#include "tests/sim/disk.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef malloc
#undef calloc
#undef realloc
#undef strdup
#undef strndup

#if defined(__SANITIZE_ADDRESS__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

#define MAP_TABLE_MAX 64

struct block {
    struct block *next, *previous;
    void *raw;
    struct node_process *owner;
    size_t size;
    size_t unused; /* keeps what follows aligned to 16 */
};

struct map {
    void *address;
    size_t size;
};

struct node_process {
    struct block *blocks;
    uint64_t bytes;
    struct map maps[MAP_TABLE_MAX];
};

/* ---- memory ---------------------------------------------------------------------------------- */

#if OWN_MALLOC
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void __libc_free(void *memory);

static void *block_init(struct block *block, void *raw, size_t size, struct sim_node *node)
{
    struct node_process *owner = node ? node->process : NULL;
    block->raw = raw;
    block->size = size;
    block->owner = owner;
    if (owner != NULL) {
        owner->bytes += size;
        block->previous = NULL;
        block->next = owner->blocks;
        if (owner->blocks != NULL)
            owner->blocks->previous = block;
        owner->blocks = block;
    }
    return block + 1;
}

static void *allocate(size_t size, bool zeroed, struct sim_node *node)
{
    if (size > SIZE_MAX - sizeof(struct block)) {
        errno = ENOMEM;
        return NULL;
    }
    size_t whole = size + sizeof(struct block);
    void *raw = zeroed ? __libc_calloc(1, whole) : __libc_malloc(whole);
    return raw ? block_init(raw, raw, size, node) : NULL;
}

static void *allocate_aligned(size_t alignment, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block) - alignment)
        return NULL;
    uint8_t *raw = __libc_malloc(size + sizeof(struct block) + alignment);
    if (raw == NULL)
        return NULL;
    uintptr_t at = ((uintptr_t)raw + sizeof(struct block) + alignment - 1) & ~(alignment - 1);
    return block_init((struct block *)at - 1, raw, size, sim_current_node);
}

void *malloc(size_t size)
{
    return allocate(size, false, sim_current_node);
}

static void *allocate_array(size_t count, size_t size, struct sim_node *node)
{
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate(whole, true, node);
}

void *calloc(size_t count, size_t size)
{
    return allocate_array(count, size, sim_current_node);
}

void free(void *memory)
{
    if (memory == NULL)
        return;
    struct block *block = (struct block *)memory - 1;
    if (block->owner != NULL) {
        block->owner->bytes -= block->size;
        if (block->next != NULL)
            block->next->previous = block->previous;
        if (block->previous != NULL)
            block->previous->next = block->next;
        else
            block->owner->blocks = block->next;
    }
    __libc_free(block->raw);
}

/* The block stays with whom it belonged to. */
static void *reallocate(void *memory, size_t size, struct sim_node *node)
{
    if (memory == NULL)
        return allocate(size, false, node);
    struct block *block = (struct block *)memory - 1;
    if (size <= block->size && size >= block->size / 2)
        return memory;
    struct sim_node owner = { .process = block->owner };
    void *grown = allocate(size, false, &owner);
    if (grown == NULL)
        return NULL;
    memcpy(grown, memory, size < block->size ? size : block->size);
    free(memory);
    return grown;
}

void *realloc(void *memory, size_t size)
{
    return reallocate(memory, size, sim_current_node);
}

void *memalign(size_t alignment, size_t size)
{
    return allocate_aligned(alignment < 16 ? 16 : alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (memory == NULL)
        return ENOMEM;
    *out = memory;
    return 0;
}

size_t malloc_usable_size(void *memory)
{
    return memory ? ((struct block *)memory - 1)->size : 0;
}

/* LMDB takes megabytes of zeros for each environment and uses a few bytes of them: from the system
 * they cost nothing, from a heap that was used before each start would clear them. */
__attribute__((constructor)) static void memory_begin(void)
{
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
}

static void release_memory(struct node_process *process)
{
    for (struct block *block = process->blocks, *next; block != NULL; block = next) {
        next = block->next;
        __libc_free(block->raw);
    }
    process->blocks = NULL;
    process->bytes = 0;
}
#else
static void *allocate(size_t size, bool zeroed, struct sim_node *node)
{
    (void)node;
    return zeroed ? calloc(1, size) : malloc(size);
}

static void *allocate_array(size_t count, size_t size, struct sim_node *node)
{
    (void)node;
    return calloc(count, size);
}

static void *reallocate(void *memory, size_t size, struct sim_node *node)
{
    (void)node;
    return realloc(memory, size);
}

static void release_memory(struct node_process *process)
{
    (void)process;
}
#endif

void *host_malloc(size_t size)
{
    return allocate(size, false, NULL);
}

void *host_calloc(size_t count, size_t size)
{
    return allocate_array(count, size, NULL);
}

void *host_realloc(void *memory, size_t size)
{
    return reallocate(memory, size, NULL);
}

char *host_strndup(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    char *copy = host_malloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *host_strdup(const char *text)
{
    return host_strndup(text, strlen(text));
}

/* OpenSSL keeps tables for the whole process and fills them when it is first asked: they must not go
 * with the node that happened to ask. */
static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return host_malloc(size);
}

static void *openssl_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return host_realloc(memory, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

/* Before main(), because it is possible only before the library has allocated anything. */
__attribute__((constructor)) static void openssl_begin(void)
{
    require(CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void *system_mmap(void *address, size_t size, int protection, int flags, int fd,
                         off_t offset)
{
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

/* Only maps of files belong to a node: LMDB's. */
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *mapped = system_mmap(address, size, protection, flags, fd, offset);
    if (mapped == MAP_FAILED || fd < 0 || sim_current_node == NULL)
        return mapped;
    struct map *map = sim_current_node->process->maps;
    struct map *end = map + MAP_TABLE_MAX;
    while (map < end && map->address != NULL)
        map++;
    require(map < end);
    *map = (struct map){ mapped, size };
    return mapped;
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return mmap(address, size, protection, flags, fd, offset);
}

int munmap(void *address, size_t size)
{
    if (sim_current_node != NULL)
        for (size_t i = 0; i < MAP_TABLE_MAX; i++)
            if (sim_current_node->process->maps[i].address == address)
                sim_current_node->process->maps[i].address = NULL;
    return (int)syscall(SYS_munmap, address, size);
}

static void release_maps(struct node_process *process)
{
    for (size_t i = 0; i < MAP_TABLE_MAX; i++)
        if (process->maps[i].address != NULL)
            syscall(SYS_munmap, process->maps[i].address, process->maps[i].size);
    memset(process->maps, 0, sizeof process->maps);
}

/* ---- processes ------------------------------------------------------------------------------- */

struct node_process *process_new(struct sim_node *node)
{
    (void)node;
    return host_calloc(1, sizeof(struct node_process));
}

uint64_t process_memory(const struct sim_node *node)
{
    return node->process->bytes;
}

void process_release(struct sim_node *node)
{
    release_maps(node->process);
    release_memory(node->process);
    disk_close_all(node->disk);
    if (node->second.disk != NULL)
        disk_close_all(node->second.disk);
}

/* Ids differ from run to run; LMDB writes them into its lock file, the site into its own. */
pid_t getpid(void)
{
    return 4711;
}

_Noreturn void _exit(int code)
{
    if (fiber_current() != NULL && fiber_node(fiber_current()) != NULL)
        sim_exit(code);
    syscall(SYS_exit_group, code);
    abort();
}


/* store_trim() reads the list of its maps once a second: with many nodes in one process that takes
 * longer than everything else, and says nothing here. */
FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*real)(const char *, const char *);
    if (real == NULL)
        real = (FILE * (*)(const char *, const char *))(uintptr_t)dlsym(RTLD_NEXT, "fopen");
    if (sim_current_node != NULL && strcmp(path, "/proc/self/maps") == 0) {
        errno = ENOENT;
        return NULL;
    }
    return real(path, mode);
}
