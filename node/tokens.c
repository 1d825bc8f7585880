#include "node/tokens.h"

#include "node/runtime/log.h"
#include "proto/secure/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
    struct token_info info;
    struct hash secret;
};

struct table {
    struct entry *entries;
    size_t count;
};

struct tokens {
    char path[4096];
    pthread_mutex_t lock;
    struct table table;
    struct timespec modified;
    off_t size;
    time_t looked;
    int64_t problem_since_ms; /* 0: the list is the file's */
    char problem[TOKENS_PROBLEM_SIZE];
};

static const struct {
    const char *name;
    unsigned bit;
} SCOPES[] = { { "register", SCOPE_REGISTER },
               { "read", SCOPE_READ },
               { "person", SCOPE_PERSON },
               { "admin", SCOPE_ADMIN } };
enum { SCOPE_COUNT = 4 };

enum err token_scopes_parse(const char *text, unsigned *scopes)
{
    *scopes = 0;
    while (*text) {
        size_t size = strcspn(text, ",");
        unsigned found = 0;
        for (size_t i = 0; i < SCOPE_COUNT; i++)
            if (strlen(SCOPES[i].name) == size && strncmp(SCOPES[i].name, text, size) == 0)
                found = SCOPES[i].bit;
        if (!found)
            return ERR_INVALID;
        *scopes |= found;
        text += size + (text[size] == ',');
    }
    return *scopes ? OK : ERR_INVALID;
}

void token_scopes_format(unsigned scopes, char out[48])
{
    out[0] = '\0';
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (scopes & SCOPES[i].bit) {
            if (out[0])
                strcat(out, ",");
            strcat(out, SCOPES[i].name);
        }
}

/* ---- the file ---------------------------------------------------------------------------- */

static bool parse_date(const char *text, time_t *out)
{
    struct tm tm = { 0 };
    *out = 0;
    if (strcmp(text, "-") == 0)
        return true;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    *out = end ? timegm(&tm) : 0;
    return end && *end == '\0';
}

static void format_date(time_t time, char out[24])
{
    struct tm tm;
    if (time == 0)
        strcpy(out, "-");
    else
        strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
}

static bool parse_line(const char *line, struct entry *entry)
{
    char id[16], scopes[48], created[32], expires[32], secret[80];
    int label_at = 0;
    memset(entry, 0, sizeof *entry);
    if (sscanf(line, "%15s %47s %31s %31s %79s %n", id, scopes, created, expires, secret,
               &label_at) < 5 ||
        strlen(id) != TOKEN_ID_SIZE || label_at == 0)
        return false;
    memcpy(entry->info.id, id, TOKEN_ID_SIZE);
    snprintf(entry->info.label, sizeof entry->info.label, "%.*s",
             (int)strcspn(line + label_at, "\n"), line + label_at);
    return token_scopes_parse(scopes, &entry->info.scopes) == OK &&
           parse_date(created, &entry->info.created) && parse_date(expires, &entry->info.expires) &&
           hex_decode(entry->secret.bytes, HASH_SIZE, secret, strlen(secret)) == OK;
}

/* Its own line of words, for whoever asks (`problem` may be NULL). */
static enum err say_unreadable(struct buffer *problem, const char *path, int code)
{
    if (!problem)
        return ERR_IO;
    buffer_append_string(problem, path);
    buffer_append_string(problem, ": ");
    buffer_append_string(problem, strerror(code));
    buffer_append_string(problem, code == EISDIR
                                      ? "; remove it, `samadctl token create` makes the file"
                                      : "; the user that runs samadd must be able to read it");
    return ERR_IO;
}

static enum err read_table(const char *path, struct table *table, struct buffer *problem)
{
    char line[512];
    unsigned number = 0;
    enum err err = OK;
    *table = (struct table){ 0 };
    FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT)
        return OK;
    if (!file)
        return say_unreadable(problem, path, errno);
    while (err == OK && fgets(line, sizeof line, file)) {
        number++;
        if (line[0] == '\n' || line[0] == '#')
            continue;
        struct entry *entries =
            realloc(table->entries, (table->count + 1) * sizeof *table->entries);
        if (!entries) {
            err = ERR_NOMEM;
            break;
        }
        table->entries = entries;
        if (parse_line(line, &entries[table->count])) {
            table->count++;
        } else {
            char text[80];
            snprintf(text, sizeof text, ":%u: is not a token; correct or remove this line", number);
            if (problem) {
                buffer_append_string(problem, path);
                buffer_append_string(problem, text);
            }
            err = ERR_MALFORMED;
        }
    }
    if (ferror(file))
        err = say_unreadable(problem, path, errno);
    fclose(file);
    if (err != OK) {
        free(table->entries);
        *table = (struct table){ 0 };
    }
    return err;
}

/* Replaces the file whole and durably, so that a crash leaves the old or the new list. */
static enum err write_table(const char *path, const struct table *table, struct buffer *problem)
{
    char temporary[4200];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        buffer_append_string(problem, temporary);
        buffer_append_string(problem, ": ");
        buffer_append_string(problem, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *entry = &table->entries[i];
        char scopes[48], created[24], expires[24], secret[2 * HASH_SIZE + 1];
        token_scopes_format(entry->info.scopes, scopes);
        format_date(entry->info.created, created);
        format_date(entry->info.expires, expires);
        hex_encode(secret, BYTES_OF_ARRAY(entry->secret.bytes));
        fprintf(file, "%s %s %s %s %s %s\n", entry->info.id, scopes, created, expires, secret,
                entry->info.label);
    }
    bool good = fflush(file) == 0 && fsync(fd) == 0;
    good = fclose(file) == 0 && good && rename(temporary, path) == 0;
    if (!good) {
        buffer_append_string(problem, path);
        buffer_append_string(problem, ": could not be written");
        unlink(temporary);
        return ERR_IO;
    }
    return OK;
}

static void table_path(char out[4096], const char *folder)
{
    snprintf(out, 4096, "%s/tokens", folder);
}

/* Two samadctl at once must not lose each other's line. */
static int lock_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        flock(fd, LOCK_EX);
    return fd;
}

/* ---- the daemon's side ------------------------------------------------------------------- */

enum err tokens_open(struct tokens **out, const char *folder, struct buffer *problem)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return ERR_NOMEM;
    table_path(tokens->path, folder);
    pthread_mutex_init(&tokens->lock, NULL);
    enum err err = read_table(tokens->path, &tokens->table, problem);
    struct stat info;
    if (err == OK && stat(tokens->path, &info) == 0) {
        tokens->modified = info.st_mtim;
        tokens->size = info.st_size;
    }
    if (err == OK)
        *out = tokens;
    else
        tokens_close(tokens);
    return err;
}

void tokens_close(struct tokens *tokens)
{
    if (!tokens)
        return;
    pthread_mutex_destroy(&tokens->lock);
    free(tokens->table.entries);
    free(tokens);
}

/* A token that was revoked by hand in a damaged file is still in force: nobody must overlook that. */
static void note_problem(struct tokens *tokens, enum err err, const struct buffer *problem)
{
    bool known = tokens->problem_since_ms != 0;
    if (err == OK && known)
        log_event(LOG_EVENT_INFO, "tokens.readable", "path", tokens->path, NULL);
    if (err == OK) {
        tokens->problem_since_ms = 0;
        tokens->problem[0] = '\0';
        return;
    }
    size_t size = problem->err == OK ? problem->size : 0;
    /* The end of a long path says more than its beginning. */
    size_t cut = size >= TOKENS_PROBLEM_SIZE ? size - TOKENS_PROBLEM_SIZE + 1 : 0;
    snprintf(tokens->problem, sizeof tokens->problem, "%.*s", (int)(size - cut),
             size > 0 ? (const char *)problem->data + cut : "");
    if (size == 0)
        snprintf(tokens->problem, sizeof tokens->problem, "tokens: %s", err_text(err));
    if (!known)
        tokens->problem_since_ms = (int64_t)time(NULL) * 1000;
    if (!known)
        log_event(LOG_EVENT_ERROR, "tokens.unreadable", "error", err_name(err), "what",
                  tokens->problem, "action", "the tokens read before stay in force", "next",
                  "correct the file", NULL);
}

static enum err reload_locked(struct tokens *tokens)
{
    struct stat info;
    struct table table = { 0 };
    if (stat(tokens->path, &info) != 0)
        info = (struct stat){ 0 };
    if (info.st_mtim.tv_sec == tokens->modified.tv_sec &&
        info.st_mtim.tv_nsec == tokens->modified.tv_nsec && info.st_size == tokens->size)
        return tokens->problem_since_ms == 0 ? OK : ERR_MALFORMED;
    struct buffer problem = { 0 };
    enum err err = read_table(tokens->path, &table, &problem);
    note_problem(tokens, err, &problem);
    buffer_close(&problem);
    if (err != OK && err != ERR_MALFORMED)
        return err; /* the list in force stays in force; the file is tried again */
    tokens->modified = info.st_mtim;
    tokens->size = info.st_size;
    if (err != OK)
        return err; /* the same, until the file is changed */
    free(tokens->table.entries);
    tokens->table = table;
    return OK;
}

int64_t tokens_problem(struct tokens *tokens, char text[TOKENS_PROBLEM_SIZE])
{
    pthread_mutex_lock(&tokens->lock);
    int64_t since_ms = tokens->problem_since_ms;
    memcpy(text, tokens->problem, TOKENS_PROBLEM_SIZE);
    pthread_mutex_unlock(&tokens->lock);
    return since_ms;
}

enum err tokens_reload(struct tokens *tokens)
{
    pthread_mutex_lock(&tokens->lock);
    enum err err = reload_locked(tokens);
    pthread_mutex_unlock(&tokens->lock);
    return err;
}

static enum err find_locked(const struct tokens *tokens, const struct hash *secret, time_t now,
                            struct token_info *info)
{
    enum err err = ERR_AUTH;
    for (size_t i = 0; i < tokens->table.count; i++)
        if (sodium_memcmp(tokens->table.entries[i].secret.bytes, secret->bytes, HASH_SIZE) == 0) {
            *info = tokens->table.entries[i].info;
            err = info->expires != 0 && info->expires <= now ? ERR_TIMEOUT : OK;
        }
    return err;
}

enum err tokens_check(struct tokens *tokens, struct bytes token, time_t now,
                      struct token_info *info)
{
    struct hash secret;
    hash_sha256(&secret, &token, 1);
    pthread_mutex_lock(&tokens->lock);
    if (tokens->looked != now) { /* revoked ones end within a second */
        tokens->looked = now;
        (void)reload_locked(tokens);
    }
    enum err err = find_locked(tokens, &secret, now, info);
    if (err == ERR_AUTH && reload_locked(tokens) == OK) /* new ones are known at once */
        err = find_locked(tokens, &secret, now, info);
    pthread_mutex_unlock(&tokens->lock);
    return err;
}

/* ---- samadctl's side --------------------------------------------------------------------- */

enum err tokens_add(const char *folder, unsigned scopes, time_t expires, const char *label,
                    char token[TOKEN_SIZE_MAX + 1], struct buffer *problem)
{
    char path[4096], text[64];
    uint8_t random[32], id[TOKEN_ID_SIZE / 2];
    struct table table = { 0 };
    table_path(path, folder);
    for (const char *p = label; *p; p++)
        if ((unsigned char)*p < ' ' || strlen(label) >= sizeof table.entries->info.label) {
            buffer_append_string(problem, "the label must be one line of at most 63 bytes");
            return ERR_INVALID;
        }
    int lock = lock_folder(folder);
    enum err err = read_table(path, &table, problem);
    struct entry *entries = err == OK
                                ? realloc(table.entries, (table.count + 1) * sizeof *entries)
                                : NULL;
    if (!entries) {
        err = err == OK ? ERR_NOMEM : err;
        goto out;
    }
    table.entries = entries;
    struct entry *entry = &entries[table.count++];
    memset(entry, 0, sizeof *entry);
    randombytes_buf(random, sizeof random);
    randombytes_buf(id, sizeof id);
    hex_encode(entry->info.id, BYTES_OF_ARRAY(id));
    sodium_bin2base64(text, sizeof text, random, sizeof random,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(token, TOKEN_SIZE_MAX + 1, "smd_%s_%s", entry->info.id, text);
    struct bytes whole = bytes_of_string(token);
    hash_sha256(&entry->secret, &whole, 1);
    entry->info.scopes = scopes;
    entry->info.created = time(NULL);
    entry->info.expires = expires;
    snprintf(entry->info.label, sizeof entry->info.label, "%s", *label ? label : "-");
    err = write_table(path, &table, problem);
out:
    sodium_memzero(random, sizeof random);
    sodium_memzero(text, sizeof text);
    free(table.entries);
    if (lock >= 0)
        close(lock);
    return err;
}

enum err tokens_revoke(const char *folder, const char *id, struct buffer *problem)
{
    char path[4096];
    struct table table = { 0 };
    size_t kept = 0;
    table_path(path, folder);
    int lock = lock_folder(folder);
    enum err err = read_table(path, &table, problem);
    for (size_t i = 0; i < table.count; i++)
        if (strcmp(table.entries[i].info.id, id) != 0)
            table.entries[kept++] = table.entries[i];
    if (err == OK && kept == table.count) {
        buffer_append_string(problem, "no token has this id; `samadctl token list` shows them");
        err = ERR_NOT_FOUND;
    }
    table.count = kept;
    if (err == OK)
        err = write_table(path, &table, problem);
    free(table.entries);
    if (lock >= 0)
        close(lock);
    return err;
}

enum err tokens_list(const char *folder, void (*on_token)(void *, const struct token_info *),
                     void *context, struct buffer *problem)
{
    char path[4096];
    struct table table;
    table_path(path, folder);
    enum err err = read_table(path, &table, problem);
    for (size_t i = 0; i < table.count && err == OK; i++)
        on_token(context, &table.entries[i].info);
    free(table.entries);
    return err;
}
