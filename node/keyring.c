#include "node/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const PURPOSES[] = { "log", "receipt", "link", "data", "lookup" };
enum { PURPOSE_COUNT = 5, KEY_LINE_SIZE_MAX = 128 };

static void say(struct buffer *problem, const char *path, const char *what)
{
    buffer_append_string(problem, path);
    buffer_append_string(problem, ": ");
    buffer_append_string(problem, what);
}

static enum err key_create(const char *path, const char *purpose, struct buffer *problem)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == EEXIST)
            return OK;
        say(problem, path, strerror(errno));
        return ERR_IO;
    }
    uint8_t seed[KEY_SIZE];
    char hex[2 * KEY_SIZE + 1], line[KEY_LINE_SIZE_MAX];
    randombytes_buf(seed, sizeof seed);
    hex_encode(hex, BYTES_OF_ARRAY(seed));
    int size = snprintf(line, sizeof line, "samad-key-1 %s %s\n", purpose, hex);
    bool written = write(fd, line, (size_t)size) == size && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(hex, sizeof hex);
    sodium_memzero(line, sizeof line);
    if (!written) {
        say(problem, path, "could not be written");
        unlink(path);
        return ERR_IO;
    }
    return OK;
}

enum err keyring_create(const char *folder, struct buffer *problem)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        say(problem, folder, strerror(errno));
        return ERR_IO;
    }
    for (size_t i = 0; i < PURPOSE_COUNT; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.key", folder, PURPOSES[i]);
        enum err err = key_create(path, PURPOSES[i], problem);
        if (err != OK)
            return err;
    }
    return OK;
}

static enum err key_read(const char *path, const char *purpose, uint8_t seed[KEY_SIZE],
                         struct buffer *problem)
{
    char line[KEY_LINE_SIZE_MAX] = { 0 }, prefix[32];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        int code = errno;
        say(problem, path, code == ENOENT ? "missing; `samadctl keygen` makes it"
                                          : strerror(code));
        if (code == EACCES)
            buffer_append_string(problem, "; it belongs to the user that runs samadd (chown)");
        if (fd >= 0)
            close(fd);
        return code == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    ssize_t size = read(fd, line, sizeof line - 1);
    close(fd);
    int prefix_size = snprintf(prefix, sizeof prefix, "samad-key-1 %s ", purpose);
    enum err err = OK;
    if ((info.st_mode & 077) != 0) {
        say(problem, path, "may be read by others; run chmod 600 on it, and consider it known");
        err = ERR_AUTH;
    } else if (size != prefix_size + 2 * KEY_SIZE + 1 ||
               strncmp(line, prefix, (size_t)prefix_size) != 0 ||
               hex_decode(seed, KEY_SIZE, line + prefix_size, 2 * KEY_SIZE) != OK) {
        say(problem, path, "is not a key file of this purpose (samad-key-1 <purpose> <64 hex>)");
        err = ERR_MALFORMED;
    }
    sodium_memzero(line, sizeof line);
    return err;
}

enum err keyring_load(struct keyring *keyring, const char *folder, struct buffer *problem)
{
    uint8_t seeds[PURPOSE_COUNT][KEY_SIZE];
    enum err err = OK;
    for (size_t i = 0; i < PURPOSE_COUNT && err == OK; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.key", folder, PURPOSES[i]);
        err = key_read(path, PURPOSES[i], seeds[i], problem);
    }
    if (err == OK) {
        /* Locking may be forbidden (RLIMIT_MEMLOCK); the unit raises it, a demo lives without. */
        (void)sodium_mlock(keyring, sizeof *keyring);
        sign_key_from_seed(&keyring->log, seeds[0]);
        sign_key_from_seed(&keyring->receipt, seeds[1]);
        link_key_from_seed(&keyring->link, seeds[2]);
        memcpy(keyring->data.bytes, seeds[3], KEY_SIZE);
        memcpy(keyring->lookup, seeds[4], KEY_SIZE);
    }
    sodium_memzero(seeds, sizeof seeds);
    return err;
}

void keyring_close(struct keyring *keyring)
{
    (void)sodium_munlock(keyring, sizeof *keyring); /* wipes */
}
