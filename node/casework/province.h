/* The 31 provinces: a fixed table, in the order of their ISO 3166-2 numbers (0 to 30), as they have
 * been since 2020-11. A node's name is the first column. */
#ifndef NODE_CASEWORK_PROVINCE_H
#define NODE_CASEWORK_PROVINCE_H

#include "proto/base/bytes.h"

#define PROVINCE_COUNT 31

struct province {
    const char *node;      /* "ardabil": the node's name, in links, logs and configuration */
    const char *iso;       /* "IR-24" */
    unsigned number;       /* 24: the ISO number, and the first two digits of tracking codes */
    const char *name_fa;   /* "اردبیل" */
    const char *name_en;   /* "Ardabil" */
    const char *area_code; /* "045", as dialled inside the country */
    uint32_t population;   /* census of 1395 */
};

extern const struct province PROVINCES[PROVINCE_COUNT];

/* NULL when there is no such province. Static storage. */
const struct province *province_by_node(struct bytes node);
const struct province *province_by_number(unsigned number);
const struct province *province_by_iso(struct bytes iso);
const struct province *province_by_area_code(struct bytes area_code);

#endif
