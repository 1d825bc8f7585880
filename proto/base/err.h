/* Error codes of the whole product: one enum, zero is success.
 *
 * A code says what the caller can do about it, not where it happened. Words are added once,
 * where an error is handled; library codes (uv, LMDB, msgpack, sodium) are translated in the
 * file that calls the library and never travel. */
#ifndef PROTO_BASE_ERR_H
#define PROTO_BASE_ERR_H

#define ERR_LIST(X)                                                                        \
    X(OK, "no error")                                                                      \
    X(ERR_NOMEM, "out of memory")                                                          \
    X(ERR_INVALID, "the argument is outside what is allowed")                              \
    X(ERR_NOT_FOUND, "there is no such thing")                                             \
    X(ERR_EXISTS, "it exists already")                                                     \
    X(ERR_TOO_LARGE, "larger than the limit")                                              \
    X(ERR_MALFORMED, "the bytes are not in the expected form")                             \
    X(ERR_VERSION, "a format or protocol version that this program does not read")         \
    X(ERR_AUTH, "authentication failed")                                                   \
    X(ERR_SIGNATURE, "a signature does not verify")                                        \
    X(ERR_PROOF, "a Merkle proof does not verify")                                         \
    X(ERR_COMMITMENT, "a record's part does not match its commitment")                     \
    X(ERR_GAP, "records are missing before this one")                                      \
    X(ERR_FORK, "two different records claim one position of one log")                     \
    X(ERR_STALE, "an older state than the one already held")                               \
    X(ERR_FULL, "no room: the disk or its reserve is used up")                             \
    X(ERR_MAP_FULL, "the store's map is used up and must grow")                            \
    X(ERR_BUSY, "a queue or limit is reached; try again later")                            \
    X(ERR_CLOSED, "already closed")                                                        \
    X(ERR_CORRUPT, "stored data fails its check")                                          \
    X(ERR_IO, "an input or output operation failed")                                       \
    X(ERR_CONFLICT, "it contradicts what is recorded")                                     \
    X(ERR_REFUSED, "refused by a rule")                                                    \
    X(ERR_ERASED, "erased on request")                                                     \
    X(ERR_TIMEOUT, "took longer than allowed")                                             \
    X(ERR_END, "nothing further")

enum err {
#define ERR_ENUM(name, text) name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

/* The constant's own name, for example "ERR_GAP". Static storage. */
const char *err_name(enum err err);

/* A short English clause for logs and messages. Static storage. */
const char *err_text(enum err err);

#endif
