/* malloc and its kin for the whole program. What the product and its libraries allocate on a fiber of
 * the program is counted and can be made to fail; what this program allocates for itself is not. Under
 * AddressSanitizer, which has an allocator of its own, nothing is defined and nothing fails. */
#include "tests/faults/faults.h"
#include "tests/sim/sim_private.h"

#include <errno.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>

#undef malloc
#undef calloc
#undef realloc
#undef strdup
#undef strndup

static struct {
    uint64_t at, count;
    bool for_ever, hit;
} plan;

void memory_fail(uint64_t at, bool for_ever)
{
    plan.at = at;
    plan.for_ever = for_ever;
    plan.count = 0;
    plan.hit = false;
}

uint64_t memory_count(void)
{
    return plan.count;
}

bool memory_was_hit(void)
{
    return plan.hit;
}

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

#if OWN_MALLOC
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool fails_now(void)
{
    if (!sim_current_node)
        return false;
    plan.count++;
    if (plan.at == 0 || (plan.for_ever ? plan.count < plan.at : plan.count != plan.at))
        return false;
    if (!plan.hit && getenv("SAMAD_FAULTS_LOUD")) { /* where: for addr2line */
        void *frames[24];
        plan.hit = true;
        backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
    }
    plan.hit = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails_now() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails_now() ? NULL : __libc_realloc(memory, size);
}
#else
#define __libc_malloc  malloc
#define __libc_calloc  calloc
#define __libc_realloc realloc
#endif

void *host_malloc(size_t size)
{
    return __libc_malloc(size);
}

void *host_calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

void *host_realloc(void *memory, size_t size)
{
    return __libc_realloc(memory, size);
}

char *host_strndup(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    char *copy = host_malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *host_strdup(const char *text)
{
    return host_strndup(text, strlen(text));
}
