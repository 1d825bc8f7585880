/* libtwins.so: two processes begin as the same incarnation, for tests (LD_PRELOAD).
 *
 * A true fork, two histories of one log, takes a process that runs twice from one memory image, such
 * as a virtual machine set back to a snapshot or cloned while running. A copied data folder is not
 * enough: every start opens a log with a random id of its own. So here the first three draws of 16
 * bytes (that id, a key of the API's guess counter, the canary of libsodium) give the same bytes in
 * every process. All other randomness is left alone.
 *
 * Built without sanitizers and without anything of the project. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

enum { ID_SIZE = 16, DRAWS = 3 };

void randombytes_buf(void *buffer, size_t size);

void randombytes_buf(void *buffer, size_t size)
{
    static atomic_int drawn;
    void (*real)(void *, size_t);
    void *found = dlsym(RTLD_NEXT, "randombytes_buf");
    memcpy(&real, &found, sizeof real);
    if (size == ID_SIZE && atomic_fetch_add(&drawn, 1) < DRAWS)
        memset(buffer, 0x77, size);
    else
        real(buffer, size);
}
