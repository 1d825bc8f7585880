/* Bearer tokens of the API: the file `tokens` in the keys folder, one a line, made and revoked with
 * `samadctl token`. Only a hash of the secret is stored.
 *
 *   <id> <scopes> <created, ISO date> <expires or -> <64 hex: SHA-256 of the token> <label>
 *
 * A token is "smd_" id "_" 43 characters of base64url (256 random bits). Scopes are a comma list of
 * register, read, person, admin: register new requests; read status and codes; see personal data;
 * erase and operate. The daemon reads the file again when it changed (looked at most once a
 * second) and on SIGHUP. */
#ifndef NODE_TOKENS_H
#define NODE_TOKENS_H

#include "proto/base/bytes.h"

#include <time.h>

#define TOKEN_SIZE_MAX 80
#define TOKEN_ID_SIZE 8
#define TOKENS_PROBLEM_SIZE 128

enum token_scope {
    SCOPE_REGISTER = 1,
    SCOPE_READ = 2,
    SCOPE_PERSON = 4,
    SCOPE_ADMIN = 8,
};

struct token_info {
    char id[TOKEN_ID_SIZE + 1];
    unsigned scopes;
    time_t created, expires; /* expires 0: never */
    char label[64];
};

struct tokens;

/* A missing file is an empty list. ERR_MALFORMED with `problem` naming the line. */
enum err tokens_open(struct tokens **out, const char *folder, struct buffer *problem);
void tokens_close(struct tokens *tokens);
/* Constant-time in the secret. ERR_AUTH unknown, ERR_TIMEOUT expired. Any thread. */
enum err tokens_check(struct tokens *tokens, struct bytes token, time_t now,
                      struct token_info *info);
/* Reads the file again when it changed. A file that cannot be read leaves the list in force, is said
 * once in the log, and stays in tokens_problem() until it can. */
enum err tokens_reload(struct tokens *tokens);
/* 0 while the file and the list in force agree; otherwise since when they do not (wall clock, ms),
 * with `text` naming the place. Any thread. */
int64_t tokens_problem(struct tokens *tokens, char text[TOKENS_PROBLEM_SIZE]);

/* For samadctl: appends a new token durably and gives it once. */
enum err tokens_add(const char *folder, unsigned scopes, time_t expires, const char *label,
                    char token[TOKEN_SIZE_MAX + 1], struct buffer *problem);
/* ERR_NOT_FOUND. */
enum err tokens_revoke(const char *folder, const char *id, struct buffer *problem);
/* Calls back for each. */
enum err tokens_list(const char *folder, void (*on_token)(void *, const struct token_info *),
                     void *context, struct buffer *problem);
/* "register,read" <-> bits; ERR_INVALID. */
enum err token_scopes_parse(const char *text, unsigned *scopes);
void token_scopes_format(unsigned scopes, char out[48]);

#endif
