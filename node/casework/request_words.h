/* The words for a request's kind and channel: the API's English words and the Persian names. */
#ifndef NODE_CASEWORK_REQUEST_WORDS_H
#define NODE_CASEWORK_REQUEST_WORDS_H

#include "proto/base/bytes.h"
#include "proto/record/facts.h"

struct request_word {
    uint32_t number;  /* enum request_kind or enum request_channel */
    const char *word; /* "complaint": in the API, in metrics, in exports */
    const char *name_fa;
};

#define REQUEST_KIND_COUNT    9
#define REQUEST_CHANNEL_COUNT 7
extern const struct request_word REQUEST_KINDS[REQUEST_KIND_COUNT];
extern const struct request_word REQUEST_CHANNELS[REQUEST_CHANNEL_COUNT];

/* The number for an English word or a Persian name; 0 when there is none. */
uint32_t request_kind_from_word(struct bytes word);
uint32_t request_channel_from_word(struct bytes word);

/* Static storage; "unknown" for a number that this version does not know. */
const char *request_kind_word(uint32_t kind);
const char *request_kind_name_fa(uint32_t kind);
const char *request_channel_word(uint32_t channel);
const char *request_channel_name_fa(uint32_t channel);

#endif
