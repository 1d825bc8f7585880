#include "node/store_problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct buffer *out, const char *format, ...)
{
    char text[4600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_append_string(out, text);
}

/* ---- what the files themselves show ---------------------------------------------------------- */

static const struct part {
    const char *name; /* behind the data folder's */
    bool is_folder;
} PARTS[] = {
    { "", true },
    { "/log", true },
    { "/log/data.mdb", false },
    { "/log/lock.mdb", false },
    { "/views", true },
    { "/views/data.mdb", false },
    { "/views/lock.mdb", false },
};

/* What is not there is no problem: it is made. */
static bool part_is_wrong(const char *data, const struct part *part, bool read_only,
                          struct buffer *what, struct buffer *next)
{
    char path[4300];
    struct stat status;
    int access_needed = R_OK | (part->is_folder ? X_OK : 0) | (read_only ? 0 : W_OK);
    snprintf(path, sizeof path, "%.4000s%s", data, part->name);
    if (stat(path, &status) != 0 && errno == ENOENT)
        return false;
    if (stat(path, &status) == 0 && (S_ISDIR(status.st_mode) != 0) != part->is_folder) {
        say(what, "%s: is %s", path, part->is_folder ? "not a folder" : "not a file");
        say(next, "move it away: samadd makes what is missing");
        return true;
    }
    if (access(path, access_needed) == 0)
        return false;
    say(what, "%s: %s", path, strerror(errno));
    if (errno == EACCES)
        say(next,
            "user %ld must be able to %s it: chown the data folder and what is in it to the user "
            "that runs samadd, or run this as that user",
            (long)geteuid(), read_only ? "read" : "read and write");
    else
        say(next, "put the file system in order (dmesg, mount), then start samadd again");
    return true;
}

/* ---- what the error says --------------------------------------------------------------------- */

#define KEEP_ASIDE                                                                                 \
    "move the data folder aside and keep it; then put back a copy of it, or start with an empty "  \
    "one: either way the hubs hand back what they hold of this node"

struct text {
    enum err err;
    const char *what, *next;
};

static const struct text TEXTS[] = {
    { ERR_CORRUPT, "is damaged: what is stored fails its check", KEEP_ASIDE },
    { ERR_MALFORMED, "is damaged: what is stored cannot be read", KEEP_ASIDE },
    { ERR_COMMITMENT, "is damaged: a record is not what its header commits to", KEEP_ASIDE },
    { ERR_VERSION, "was written in a format that this version does not read",
      "start the version that wrote it, or a later one" },
    { ERR_BUSY, "is in use: another process has it open for writing",
      "end that process (fuser -v on the file names it), or give this node a data folder of its "
      "own" },
    { ERR_CONFLICT, "holds the store of another node than the one that the configuration names",
      "correct `node` or `data` in the configuration" },
    { ERR_SIGNATURE, "was signed with another key than log.key in the keys folder",
      "put this node's own keys back; `keys` in the configuration names the folder" },
    { ERR_AUTH, "was sealed with another key than data.key in the keys folder",
      "put this node's own keys back; `keys` in the configuration names the folder" },
    { ERR_FULL, "cannot be written: the disk is full", "free space on it, then start samadd again" },
    { ERR_NOT_FOUND, "there is no store yet", "`samadd` makes it at its first start" },
    { ERR_IO, "the disk or its file system reports an error",
      "look for its cause (dmesg); if the disk is failing, copy the data folder to another one" },
};

void store_problem(const char *data, enum err err, bool read_only, struct buffer *what,
                   struct buffer *next)
{
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        if (part_is_wrong(data, &PARTS[i], read_only, what, next))
            return;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (TEXTS[i].err == err) {
            say(what, "%s/log: %s", data, TEXTS[i].what);
            say(next, "%s", TEXTS[i].next);
            return;
        }
    say(what, "%s: %s", data, err_text(err));
}
