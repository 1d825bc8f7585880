/* Files and folders of an environment: how it comes into being. */
#include "storage/store_private.h"

#include "proto/base/require.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FOLDER_MODE 0700

static enum err err_of_errno(int code)
{
    if (code == ENOENT || code == ENOTDIR)
        return ERR_NOT_FOUND;
    return code == ENOSPC || code == EDQUOT ? ERR_FULL : ERR_IO;
}

enum err store_folder_make(const char *path)
{
    return mkdir(path, STORE_FOLDER_MODE) == 0 || errno == EEXIST ? OK : err_of_errno(errno);
}

enum err store_folder_sync(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_of_errno(errno);
    int failed = fsync(folder);
    close(folder);
    return failed ? ERR_IO : OK;
}

enum err store_name_in(char out[STORE_NAME_SIZE], const char *folder, const char *name)
{
    int size = snprintf(out, STORE_NAME_SIZE, "%s/%s", folder, name);
    return size > 0 && size < STORE_NAME_SIZE ? OK : ERR_INVALID;
}

static void folder_discard(const char *path)
{
    char name[STORE_NAME_SIZE];
    static const char *const files[] = { "data.mdb", "lock.mdb" };
    for (size_t i = 0; i < 2; i++)
        if (store_name_in(name, path, files[i]) == OK)
            unlink(name);
    rmdir(path);
}

/* Made aside and moved into place whole, so that a creation that was interrupted is begun again
 * instead of leaving a file that cannot be told from a damaged one. */
static enum err store_create(const struct store_options *options, const char *file)
{
    char aside[STORE_NAME_SIZE], made[STORE_NAME_SIZE];
    struct store_options inner = *options;
    struct store *store;
    inner.path = aside;
    inner.reserve_size = 0;
    inner.disposable = false; /* what is left of it is removed in any case */
    enum err err = store_folder_make(options->path);
    if (err == OK)
        err = store_name_in(aside, options->path, "new");
    if (err == OK)
        err = store_name_in(made, aside, "data.mdb");
    if (err != OK)
        return err;
    folder_discard(aside);
    err = store_folder_make(aside);
    if (err == OK)
        err = store_open_existing(&store, &inner);
    if (err == OK) {
        store_close(store);
        if (rename(made, file) != 0)
            err = err_of_errno(errno);
    }
    folder_discard(aside);
    if (err == OK)
        err = store_folder_sync(options->path);
    if (err == OK)
        err = store_name_in(made, options->path, ".."); /* where the folder's own name stands */
    return err == OK ? store_folder_sync(made) : err;
}

/* ---- damage in a disposable store ---- */

void store_mark_damage(const struct store *store)
{
    if (!store->mark)
        return;
    int mark = open(store->mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (mark >= 0)
        close(mark);
}

/* The mark last: what was interrupted is begun again. */
static void store_discard(const struct store_options *options)
{
    static const char *const files[] = { "data.mdb", "lock.mdb", STORE_DAMAGE_MARK };
    char name[STORE_NAME_SIZE];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (store_name_in(name, options->path, files[i]) == OK)
            unlink(name);
}

static bool store_is_marked(const struct store_options *options)
{
    char name[STORE_NAME_SIZE];
    return store_name_in(name, options->path, STORE_DAMAGE_MARK) == OK && access(name, F_OK) == 0;
}

static enum err store_open_or_create(struct store **out, const struct store_options *options)
{
    char file[STORE_NAME_SIZE];
    struct stat status;
    enum err err = store_name_in(file, options->path, "data.mdb");
    bool is_there = err == OK && stat(file, &status) == 0;
    if (is_there && status.st_size == 0)
        return ERR_CORRUPT; /* it came whole; LMDB would begin a new one in it */
    if (err == OK && !is_there) {
        if (options->read_only || options->must_exist)
            return ERR_NOT_FOUND;
        err = store_create(options, file);
    }
    return err == OK ? store_open_existing(out, options) : err;
}

enum err store_open(struct store **out, const struct store_options *options)
{
    require(options->table_count <= STORE_TABLE_MAX);
    *out = NULL;
    bool disposable = options->disposable && !options->read_only;
    if (disposable && store_is_marked(options))
        store_discard(options);
    enum err err = store_open_or_create(out, options);
    if (err != ERR_CORRUPT || !disposable)
        return err;
    store_discard(options);
    return store_open_or_create(out, options);
}
