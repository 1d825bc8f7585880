/* libhang.so: a name look-up that does not come back, and an end that takes its time, for tests
 * (LD_PRELOAD).
 *
 *   getaddrinfo  of a name that ends in ".hangs" answers after a minute, as a name server that is away
 *   _exit        waits a second first, as on a machine that has other things to do: what the process's
 *                other threads do until then is seen
 *
 * Built without sanitizers and without anything of the project. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOK_UP_S = 60, END_S = 5 };

static int ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof real);
    if (name && ends_with(name, ".hangs"))
        sleep(LOOK_UP_S);
    return real(name, service, hints, found);
}

void _exit(int status)
{
    sleep(END_S);
    for (;;)
        syscall(SYS_exit_group, status);
}
