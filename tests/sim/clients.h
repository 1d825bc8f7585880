/* The people in front of the nodes: call-takers who register requests and look them up, retry when
 * they do not know what became of a request, err with an idempotency key now and then, and read and
 * erase. Every call and what came back is told to `on_event`, for the history.
 *
 * A source of events in virtual time: clients_next_at() says when there is something to do,
 * clients_run() does it. Whenever an answer changes that, an event that is no invoke is told first.
 * Calls go through tests/sim/http.h. */
#ifndef TESTS_SIM_CLIENTS_H
#define TESTS_SIM_CLIENTS_H

#include "proto/base/bytes.h"

#define CLIENT_KEY_SIZE  40
#define CLIENT_CODE_SIZE 16
#define CLIENT_CASE_SIZE 33
#define CLIENT_HASH_SIZE 32

enum client_action {
    CLIENT_REGISTER,
    CLIENT_MISUSE, /* an idempotency key again, with another body: must be refused with 422 */
    CLIENT_LOOKUP, /* by code and telephone number */
    CLIENT_GUESS,  /* by code and a wrong number: must be refused */
    CLIENT_LIST,
    CLIENT_SHOW, /* with personal data */
    CLIENT_ERASE,
    CLIENT_RECEIPT,
    CLIENT_STATUS,
    CLIENT_ACTION_COUNT
};

enum client_phase {
    CLIENT_INVOKE,
    CLIENT_SENT,   /* the answer leaves the node; it may come too late */
    CLIENT_OK,     /* 2xx */
    CLIENT_FAIL,   /* refused; by the API's word nothing was recorded */
    CLIENT_UNKNOWN /* no answer, or one that leaves it open */
};

struct client_event {
    uint64_t at_ns;
    uint64_t operation; /* of one call: its invoke, sent and end have the same; counts from 1 */
    uint64_t request;   /* what is registered, from 1: the same for every retry; 0 none */
    enum client_action action;
    enum client_phase phase;
    uint32_t site;   /* index in the options */
    unsigned status; /* HTTP; 0: none came */
    bool duplicate;  /* registered before, said the answer */
    bool erased;     /* a look-up or show that found the personal data gone */
    char state[12];  /* of a look-up: "recorded", "national" */
    char key[CLIENT_KEY_SIZE];           /* idempotency key */
    uint8_t body_hash[CLIENT_HASH_SIZE]; /* SHA-256 of the JSON body */
    /* Of what is registered, by content_digest() (tests/check/content.h); zero otherwise. */
    uint8_t facts_hash[CLIENT_HASH_SIZE], person_hash[CLIENT_HASH_SIZE];
    char code[CLIENT_CODE_SIZE];
    char case_id[CLIENT_CASE_SIZE];
    struct bytes content; /* of an answer: its JSON; of a registration's invoke: the body. Valid
                             during the call */
};

/* A node that people call. Strings must live as long as the clients. */
struct client_site {
    const char *node;    /* "ardabil" */
    const char *address; /* api_listen */
    const char *token;   /* with all scopes */
    bool takes_requests; /* a province; a hub is only read */
};

struct clients_options {
    uint64_t seed;
    const struct client_site *sites;
    uint32_t site_count;
    double requests_a_day; /* for each site that takes requests, at least 100 on average */
    int64_t epoch_ms;      /* wall clock at virtual time 0: the shape of Iran's days follows it */
    uint64_t answer_limit_ns; /* a client waits so long: then the outcome is unknown */
    uint64_t follow_after_ns; /* mean time until they come back to a request */
    unsigned burst;           /* so many of them may register at the same moment; 0 counts as 1 */
    size_t text_size;         /* a request's text has at least so many bytes; at most 6,000 */
    /* How often each is done besides, per registration; CLIENT_REGISTER: the same again, although
     * its outcome is known (a nervous click). */
    double shares[CLIENT_ACTION_COUNT];
    uint64_t (*now_ns)(void *context);
    void (*on_event)(void *context, const struct client_event *event);
    void *context;
};

struct clients;

/* Ordinary shares and limits; the caller fills in the rest. */
void clients_defaults(struct clients_options *options);
/* ERR_NOMEM, ERR_INVALID. */
enum err clients_new(struct clients **out, const struct clients_options *options);
/* Calls still under way are forgotten; the servers must have answered or been cut. */
void clients_free(struct clients *clients);
/* UINT64_MAX: nothing until an answer comes. Changes when an answer comes. */
uint64_t clients_next_at(const struct clients *clients);
void clients_run(struct clients *clients, uint64_t now_ns);
/* The storm is over: no new requests; what is unknown is retried until it is known. */
void clients_settle(struct clients *clients);
/* Nothing under way, nothing unknown. */
bool clients_are_settled(const struct clients *clients);

struct clients_counters {
    uint64_t invoked[CLIENT_ACTION_COUNT];
    uint64_t ok, failed, unknown;
    uint64_t submissions; /* registrations that were answered with 2xx, retries not counted */
    uint64_t full;        /* 507 */
};
const struct clients_counters *clients_counters(const struct clients *clients);

#endif
