/* Included before everything else into each source of the simulator (CMakeLists.txt): what these
 * allocate outlives the node on whose fiber they run, and their locks never let another fiber go
 * first, so that the driver finds them free. The product's own sources and libraries are compiled
 * without it: what they allocate on a node's fiber goes with the node. */
#ifndef TESTS_SIM_HOST_MEMORY_H
#define TESTS_SIM_HOST_MEMORY_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void *host_malloc(size_t size);
void *host_calloc(size_t count, size_t size);
void *host_realloc(void *memory, size_t size);
char *host_strdup(const char *text);
char *host_strndup(const char *text, size_t size);

int host_mutex_lock(pthread_mutex_t *mutex);
int host_mutex_unlock(pthread_mutex_t *mutex);
int host_cond_signal(pthread_cond_t *cond);
int host_cond_broadcast(pthread_cond_t *cond);

#define pthread_mutex_lock(mutex)    host_mutex_lock(mutex)
#define pthread_mutex_unlock(mutex)  host_mutex_unlock(mutex)
#define pthread_cond_signal(cond)    host_cond_signal(cond)
#define pthread_cond_broadcast(cond) host_cond_broadcast(cond)

#undef strdup
#undef strndup
#define malloc(size)          host_malloc(size)
#define calloc(count, size)   host_calloc(count, size)
#define realloc(memory, size) host_realloc(memory, size)
#define strdup(text)          host_strdup(text)
#define strndup(text, size)   host_strndup(text, size)

#endif
