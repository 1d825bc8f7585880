/* Read and write access to one node's derived state, whatever backs it: the memory table over the
 * views store, a writing transaction of the views store, or a plain array in a test. Keys are the
 * fold's own; the node's prefix is added below. */
#ifndef STORAGE_VIEW_H
#define STORAGE_VIEW_H

#include "proto/base/bytes.h"

#define VIEW_KEY_SIZE_MAX 400

struct view_ops {
    /* OK or ERR_NOT_FOUND; *value is valid until the next call on this view. */
    enum err (*get)(void *context, struct bytes key, struct bytes *value);
    enum err (*put)(void *context, struct bytes key, struct bytes value);
    enum err (*del)(void *context, struct bytes key);
    /* Ordered scan: the first key >= from, or with `backward` the last key < from. ERR_END when
     * there is none. */
    enum err (*seek)(void *context, struct bytes from, bool backward, struct bytes *key,
                     struct bytes *value);
};

struct view {
    const struct view_ops *ops;
    void *context;
    enum err err; /* sticky: I/O or corruption; ERR_NOT_FOUND and ERR_END are not kept */
};

enum err view_get(struct view *view, struct bytes key, struct bytes *value);
void view_put(struct view *view, struct bytes key, struct bytes value);
void view_del(struct view *view, struct bytes key);
enum err view_seek(struct view *view, struct bytes from, bool backward, struct bytes *key,
                   struct bytes *value);

#endif
