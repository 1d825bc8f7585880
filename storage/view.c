#include "storage/view.h"

static enum err view_keep(struct view *view, enum err err)
{
    if (err != OK && err != ERR_NOT_FOUND && err != ERR_END && view->err == OK)
        view->err = err;
    return err;
}

enum err view_get(struct view *view, struct bytes key, struct bytes *value)
{
    *value = BYTES_NONE;
    return view->err != OK ? view->err
                           : view_keep(view, view->ops->get(view->context, key, value));
}

void view_put(struct view *view, struct bytes key, struct bytes value)
{
    if (view->err == OK)
        view_keep(view, view->ops->put(view->context, key, value));
}

void view_del(struct view *view, struct bytes key)
{
    if (view->err == OK)
        view_keep(view, view->ops->del(view->context, key));
}

enum err view_seek(struct view *view, struct bytes from, bool backward, struct bytes *key,
                   struct bytes *value)
{
    *key = BYTES_NONE;
    *value = BYTES_NONE;
    return view->err != OK
               ? view->err
               : view_keep(view, view->ops->seek(view->context, from, backward, key, value));
}
