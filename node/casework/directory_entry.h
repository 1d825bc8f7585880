/* A province's directory entry in the view of the hub that announced it. */
#ifndef NODE_CASEWORK_DIRECTORY_ENTRY_H
#define NODE_CASEWORK_DIRECTORY_ENTRY_H

#include "proto/record/facts.h"
#include "storage/view.h"

#define DIRECTORY_NAME_SIZE_MAX 200

struct directory_entry {
    int64_t occurred_at_ms;
    uint32_t status; /* 1 active, 2 retired */
    char node[NODE_NAME_SIZE_MAX + 1];
    char iso[16 + 1];
    char area_code[8 + 1];
    char name_fa[DIRECTORY_NAME_SIZE_MAX + 1];
    char name_en[DIRECTORY_NAME_SIZE_MAX + 1];
};

/* ERR_NOT_FOUND, or the view's error. */
enum err directory_entry_get(struct view *view, struct bytes node, struct directory_entry *entry);
/* `facts` has been decoded or is within its limits. */
void directory_entry_put(struct view *view, const struct directory_facts *facts);

/* In the order of node names; the callback does not use the view. */
typedef void directory_on_entry(void *context, const struct directory_entry *entry);
enum err directory_list(struct view *view, directory_on_entry *on_entry, void *context);

#endif
