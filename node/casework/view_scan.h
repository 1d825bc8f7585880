/* A walk over the keys of a view that begin with one prefix, in order. */
#ifndef NODE_CASEWORK_VIEW_SCAN_H
#define NODE_CASEWORK_VIEW_SCAN_H

#include "node/casework/view_keys.h"
#include "storage/view.h"

struct view_scan {
    struct view *view;
    struct view_key prefix;
    struct view_key key; /* the present one, copied: the view may be used between two steps */
    bool begun;
    struct bytes value; /* valid until the view is next used */
};

/* `prefix` is copied. */
void view_scan_begin(struct view_scan *scan, struct view *view, struct bytes prefix);
/* False at the end or after an error, which is the view's. */
bool view_scan_next(struct view_scan *scan);
/* Goes the other way: false before the first key. The first call gives the last key. */
bool view_scan_previous(struct view_scan *scan);
/* Where view_scan_previous() goes on from: only keys below this one. */
void view_scan_before(struct view_scan *scan, struct bytes key);
/* The present key without the prefix. */
struct bytes view_scan_rest(const struct view_scan *scan);

#endif
