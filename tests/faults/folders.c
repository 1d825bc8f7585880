/* Folders of the runner, by a process in which no simulated disk lives. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"
#include "tests/support/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void path_form(char out[FAULTS_PATH_SIZE], const char *form, ...)
{
    va_list list;
    va_start(list, form);
    int size = vsnprintf(out, FAULTS_PATH_SIZE, form, list);
    va_end(list);
    require(size > 0 && size < FAULTS_PATH_SIZE);
}

static void copy_content(const char *from, const char *to, off_t size)
{
    static char piece[1 << 16];
    static const char zeros[1 << 16];
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t more;
    off_t at = 0;
    require(source >= 0 && target >= 0);
    while ((more = pread(source, piece, sizeof piece, at)) > 0) {
        if (memcmp(piece, zeros, (size_t)more) != 0) /* otherwise a hole */
            require(pwrite(target, piece, (size_t)more, at) == more);
        at += more;
    }
    require(more == 0 && ftruncate(target, size) == 0);
    close(source);
    close(target);
}

static void copy_all(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    const struct dirent *entry;
    require(folder != NULL && (mkdir(to, 0700) == 0));
    while ((entry = readdir(folder)) != NULL) {
        char source[FAULTS_PATH_SIZE], target[FAULTS_PATH_SIZE];
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path_form(source, "%s/%s", from, entry->d_name);
        path_form(target, "%s/%s", to, entry->d_name);
        require(lstat(source, &status) == 0);
        if (S_ISDIR(status.st_mode))
            copy_all(source, target);
        else
            copy_content(source, target, status.st_size);
    }
    closedir(folder);
}

void folder_copy(const char *from, const char *to)
{
    struct stat status;
    if (stat(to, &status) == 0)
        folder_remove(to);
    if (from)
        copy_all(from, to);
    else
        require(mkdir(to, 0700) == 0);
}

/* ---- the devices of a node --------------------------------------------------------------------- */

enum setup setup;

static const char *const SETUP_PREFIXES[SETUP_COUNT] = {
    [SETUP_ALONE] = "",
    [SETUP_JOURNAL] = "journal:",
    [SETUP_RECYCLED] = "recycled:",
};

enum setup setup_of(const char *only, const char **rest)
{
    *rest = only;
    for (enum setup i = SETUP_ALONE + 1; i < SETUP_COUNT; i++)
        if (strncmp(only, SETUP_PREFIXES[i], strlen(SETUP_PREFIXES[i])) == 0) {
            *rest = only + strlen(SETUP_PREFIXES[i]);
            return i;
        }
    return SETUP_ALONE;
}

const char *setup_prefix(void)
{
    return SETUP_PREFIXES[setup];
}

uint64_t setup_share(uint64_t wanted, unsigned percent)
{
    return wanted == UINT64_MAX ? wanted : (wanted * percent + 99) / 100;
}

unsigned device_count(void)
{
    return setup == SETUP_ALONE ? 1 : DEVICE_COUNT;
}

void device_path(char out[FAULTS_PATH_SIZE], const char *data, unsigned device)
{
    path_form(out, "%s%s", data, device == DEVICE_JOURNAL ? ".second" : "");
}

void devices_copy(const char *from, const char *to)
{
    char source[FAULTS_PATH_SIZE], target[FAULTS_PATH_SIZE];
    for (unsigned device = 0; device < device_count(); device++) {
        device_path(target, to, device);
        if (from)
            device_path(source, from, device);
        folder_copy(from ? source : NULL, target);
    }
}

void devices_remove(const char *data)
{
    char path[FAULTS_PATH_SIZE];
    for (unsigned device = 0; device < device_count(); device++) {
        device_path(path, data, device);
        folder_remove(path);
    }
}

void folders_make(const char *folder)
{
    char data[FAULTS_PATH_SIZE];
    folder_copy(NULL, folder);
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        path_form(data, "%s/%s", folder, place_node(i));
        devices_copy(NULL, data);
    }
}
