/* libfaults.so: makes the n-th call of a system function fail, for tests (LD_PRELOAD).
 *
 *   SAMAD_FAULT_PATH     only calls on files whose path contains this text (all, if unset)
 *   SAMAD_FAULT_CALL     write pwrite writev pwritev sync_file_range fdatasync fsync msync ftruncate
 *                        posix_fallocate, or any
 *   SAMAD_FAULT_AT       which call, from 1; unset or 0: none
 *   SAMAD_FAULT_FOREVER  1: that one and every later one
 *   SAMAD_FAULT_HOW      EIO ENOSPC EINTR: fails and does nothing
 *                        short: writes half of it (writing calls; others are not touched)
 *                        exit, exit-after: the process ends before, or after, the call
 *                        late: does it, then says EIO
 *                        stall:MS: waits, then does it
 *   SAMAD_FAULT_MARK     file that gets one line for each fault: call, number, path
 *   SAMAD_FAULT_TRACE    file that gets two lines for each matching call:
 *                        <monotonic ns> begin|end <call> <path> <bytes> <result>
 *
 * Built without sanitizers and without anything of the project. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 512
#define LINE_SIZE 1024

enum how { HOW_NONE, HOW_ERROR, HOW_SHORT, HOW_EXIT, HOW_EXIT_AFTER, HOW_LATE, HOW_STALL };

static struct {
    const char *path, *call;
    unsigned long at;
    bool forever;
    enum how how;
    int error;
    long stall_ms;
    int mark, trace;
} plan = { .mark = -1, .trace = -1 };
static atomic_ulong call_count;
static pthread_once_t plan_once = PTHREAD_ONCE_INIT;

static void plan_how(const char *how)
{
    plan.how = HOW_ERROR;
    plan.error = EIO;
    if (!how || strcmp(how, "EIO") == 0)
        return;
    if (strcmp(how, "ENOSPC") == 0)
        plan.error = ENOSPC;
    else if (strcmp(how, "EINTR") == 0)
        plan.error = EINTR;
    else if (strcmp(how, "short") == 0)
        plan.how = HOW_SHORT;
    else if (strcmp(how, "exit") == 0)
        plan.how = HOW_EXIT;
    else if (strcmp(how, "exit-after") == 0)
        plan.how = HOW_EXIT_AFTER;
    else if (strcmp(how, "late") == 0)
        plan.how = HOW_LATE;
    else if (strncmp(how, "stall:", 6) == 0) {
        plan.how = HOW_STALL;
        plan.stall_ms = atol(how + 6);
    } else {
        static const char text[] = "libfaults: SAMAD_FAULT_HOW is not understood\n";
        syscall(SYS_write, 2, text, sizeof text - 1);
        _exit(98);
    }
}

static int file_of(const char *variable)
{
    const char *name = getenv(variable);
    return name ? open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

static void plan_read(void)
{
    const char *at = getenv("SAMAD_FAULT_AT"), *forever = getenv("SAMAD_FAULT_FOREVER");
    plan.path = getenv("SAMAD_FAULT_PATH");
    plan.call = getenv("SAMAD_FAULT_CALL");
    plan.at = at ? strtoul(at, NULL, 10) : 0;
    plan.forever = forever && strcmp(forever, "1") == 0;
    plan_how(getenv("SAMAD_FAULT_HOW"));
    plan.mark = file_of("SAMAD_FAULT_MARK");
    plan.trace = file_of("SAMAD_FAULT_TRACE");
}

/* ---- one call -------------------------------------------------------------------------------- */

struct call {
    const char *name;
    char path[PATH_SIZE];
    bool matches;
    enum how how; /* of the fault that hits it */
};

static void line_write(int file, const char *line, int size)
{
    if (file >= 0 && size > 0)
        syscall(SYS_write, file, line, (size_t)size);
}

static void call_trace(const struct call *call, const char *phase, size_t size, long result)
{
    char line[LINE_SIZE];
    struct timespec now;
    if (!call->matches || plan.trace < 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    line_write(plan.trace, line,
               snprintf(line, sizeof line, "%lld %s %s %s %zu %ld\n",
                        (long long)now.tv_sec * 1000000000 + now.tv_nsec, phase, call->name,
                        call->path, size, result));
}

static bool call_is_meant(const struct call *call)
{
    return call->matches && plan.at > 0 && plan.call &&
           (strcmp(plan.call, "any") == 0 || strcmp(plan.call, call->name) == 0);
}

static struct call call_begin(const char *name, int file, size_t size)
{
    struct call call = { .name = name };
    char link[64];
    pthread_once(&plan_once, plan_read);
    if (file >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, call.path, sizeof call.path - 1);
        call.path[length > 0 ? length : 0] = '\0';
    }
    call.matches = !plan.path || strstr(call.path, plan.path) != NULL;
    call_trace(&call, "begin", size, 0);
    if (call_is_meant(&call)) {
        unsigned long number = atomic_fetch_add(&call_count, 1) + 1;
        if (number == plan.at || (plan.forever && number > plan.at)) {
            char line[LINE_SIZE];
            call.how = plan.how;
            line_write(plan.mark, line,
                       snprintf(line, sizeof line, "%s %lu %s\n", name, number, call.path));
        }
    }
    if (call.how == HOW_EXIT)
        _exit(97);
    if (call.how == HOW_STALL)
        nanosleep(&(struct timespec){ plan.stall_ms / 1000, plan.stall_ms % 1000 * 1000000 }, NULL);
    return call;
}

/* The result of a call that says -1 and errno. */
static long call_end(const struct call *call, size_t size, long result)
{
    int error = errno;
    call_trace(call, "end", size, result);
    if (call->how == HOW_EXIT_AFTER)
        _exit(97);
    errno = call->how == HOW_LATE ? EIO : error;
    return call->how == HOW_LATE ? -1 : result;
}

static long call_fail(const struct call *call, size_t size)
{
    call_trace(call, "end", size, -1);
    errno = plan.error;
    return -1;
}

static size_t call_size(const struct call *call, size_t size)
{
    return call->how == HOW_SHORT ? size / 2 : size;
}

/* ---- the functions --------------------------------------------------------------------------- */

/* The next definition: libc's, or that of a sanitizer in between. */
#define REAL(name, type)                                                                           \
    static type *real;                                                                             \
    if (!real)                                                                                     \
    *(void **)&real = dlsym(RTLD_NEXT, name)

typedef ssize_t write_function(int, const void *, size_t);
typedef ssize_t pwrite_function(int, const void *, size_t, off_t);
typedef ssize_t writev_function(int, const struct iovec *, int);
typedef ssize_t pwritev_function(int, const struct iovec *, int, off_t);
typedef int sync_function(int);
typedef int range_function(int, off_t, off_t, unsigned);
typedef int msync_function(void *, size_t, int);
typedef int ftruncate_function(int, off_t);
typedef int fallocate_function(int, off_t, off_t);

ssize_t write(int file, const void *data, size_t size)
{
    REAL("write", write_function);
    struct call call = call_begin("write", file, size);
    if (call.how == HOW_ERROR)
        return call_fail(&call, size);
    return call_end(&call, size, real(file, data, call_size(&call, size)));
}

static ssize_t faulty_pwrite(int file, const void *data, size_t size, off_t at)
{
    REAL("pwrite", pwrite_function);
    struct call call = call_begin("pwrite", file, size);
    if (call.how == HOW_ERROR)
        return call_fail(&call, size);
    return call_end(&call, size, real(file, data, call_size(&call, size), at));
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at)
{
    return faulty_pwrite(file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t at)
{
    return faulty_pwrite(file, data, size, at);
}

static size_t iov_size(const struct iovec *iov, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

/* Half of the ranges, or half of the only one. */
static int iov_halve(struct iovec *half, const struct iovec *iov, int count)
{
    half[0] = iov[0];
    if (count > 1)
        return count / 2;
    half[0].iov_len /= 2;
    return 1;
}

ssize_t writev(int file, const struct iovec *iov, int count)
{
    REAL("writev", writev_function);
    size_t size = iov_size(iov, count);
    struct call call = call_begin("writev", file, size);
    struct iovec half[1];
    if (call.how == HOW_ERROR)
        return call_fail(&call, size);
    if (call.how == HOW_SHORT) {
        count = iov_halve(half, iov, count);
        iov = count == 1 ? half : iov;
    }
    return call_end(&call, size, real(file, iov, count));
}

static ssize_t faulty_pwritev(int file, const struct iovec *iov, int count, off_t at)
{
    REAL("pwritev", pwritev_function);
    size_t size = iov_size(iov, count);
    struct call call = call_begin("pwritev", file, size);
    struct iovec half[1];
    if (call.how == HOW_ERROR)
        return call_fail(&call, size);
    if (call.how == HOW_SHORT) {
        count = iov_halve(half, iov, count);
        iov = count == 1 ? half : iov;
    }
    return call_end(&call, size, real(file, iov, count, at));
}

ssize_t pwritev(int file, const struct iovec *iov, int count, off_t at)
{
    return faulty_pwritev(file, iov, count, at);
}

ssize_t pwritev64(int file, const struct iovec *iov, int count, off_t at)
{
    return faulty_pwritev(file, iov, count, at);
}

int sync_file_range(int file, off_t at, off_t size, unsigned flags)
{
    REAL("sync_file_range", range_function);
    struct call call = call_begin("sync_file_range", file, 0);
    if (call.how == HOW_ERROR)
        return (int)call_fail(&call, 0);
    return (int)call_end(&call, 0, real(file, at, size, flags));
}

int fdatasync(int file)
{
    REAL("fdatasync", sync_function);
    struct call call = call_begin("fdatasync", file, 0);
    return (int)(call.how == HOW_ERROR ? call_fail(&call, 0) : call_end(&call, 0, real(file)));
}

int fsync(int file)
{
    REAL("fsync", sync_function);
    struct call call = call_begin("fsync", file, 0);
    return (int)(call.how == HOW_ERROR ? call_fail(&call, 0) : call_end(&call, 0, real(file)));
}

int msync(void *address, size_t size, int flags)
{
    REAL("msync", msync_function);
    struct call call = call_begin("msync", -1, size);
    return (int)(call.how == HOW_ERROR ? call_fail(&call, size)
                                       : call_end(&call, size, real(address, size, flags)));
}

static int faulty_ftruncate(int file, off_t size)
{
    REAL("ftruncate", ftruncate_function);
    struct call call = call_begin("ftruncate", file, (size_t)size);
    return (int)(call.how == HOW_ERROR ? call_fail(&call, (size_t)size)
                                       : call_end(&call, (size_t)size, real(file, size)));
}

int ftruncate(int file, off_t size)
{
    return faulty_ftruncate(file, size);
}

int ftruncate64(int file, off_t size)
{
    return faulty_ftruncate(file, size);
}

/* It returns its error. */
static int faulty_fallocate(int file, off_t at, off_t size)
{
    REAL("posix_fallocate", fallocate_function);
    struct call call = call_begin("posix_fallocate", file, (size_t)size);
    if (call.how == HOW_ERROR) {
        call_fail(&call, (size_t)size);
        return plan.error;
    }
    int result = real(file, at, size);
    return call_end(&call, (size_t)size, result) < 0 ? EIO : result;
}

int posix_fallocate(int file, off_t at, off_t size)
{
    return faulty_fallocate(file, at, size);
}

int posix_fallocate64(int file, off_t at, off_t size)
{
    return faulty_fallocate(file, at, size);
}
