/* What storage must know of the rules it serves: how one record changes one node's view. The rules
 * themselves are pure and live above (node/casework). */
#ifndef STORAGE_RULES_H
#define STORAGE_RULES_H

#include "proto/record/record.h"
#include "storage/view.h"

struct rules {
    /* Folds one record into its node's view. `facts` and `person` are without their salts; person
     * is empty when the record has none or when it is absent (erased). Errors are those of the
     * view only: a record that does not apply is parked inside the view, visible and counted. */
    enum err (*fold)(void *context, struct view *view, const struct record_header *header,
                     struct bytes facts, struct bytes person, bool person_absent);
    void *context;
    /* Raised whenever the same records would fold into other content: views of another version are
     * deleted when they are opened, and folded again. */
    uint32_t version;
};

/* A record as it is stored, its parts opened. */
static inline enum err rules_fold(const struct rules *rules, struct view *view,
                                  const struct record_header *header, const struct record *record)
{
    return rules->fold(rules->context, view, header, record_unsalted(record->facts),
                       record_unsalted(record->person), record->person_absent);
}

#endif
