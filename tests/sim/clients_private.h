/* What clients.c (calls and their outcome) and clients_people.c (what people say, and when) share. */
#ifndef TESTS_SIM_CLIENTS_PRIVATE_H
#define TESTS_SIM_CLIENTS_PRIVATE_H

#include "tests/sim/clients.h"

#include "tests/workload/random.h"

#define CLIENT_PHONE_SIZE 16
#define CLIENT_BODY_SIZE  8192

enum request_life {
    REQUEST_OPEN,     /* not answered yet, or refused for the moment */
    REQUEST_UNKNOWN,  /* it may be recorded */
    REQUEST_RECORDED, /* answered with 2xx at least once */
    REQUEST_GIVEN_UP
};

/* What a citizen wants, kept as long as it is of use. */
struct request {
    uint64_t number;
    uint32_t site;
    enum request_life life;
    bool under_way, in_memory; /* a call about registering it; in the site's memory */
    bool erased;
    unsigned attempts;
    unsigned uses; /* calls and events that point here */
    char key[CLIENT_KEY_SIZE];
    char phone[CLIENT_PHONE_SIZE];
    char code[CLIENT_CODE_SIZE], case_id[CLIENT_CASE_SIZE];
    char body[CLIENT_BODY_SIZE];
    size_t body_size;
    uint8_t body_hash[CLIENT_HASH_SIZE];
    uint8_t facts_hash[CLIENT_HASH_SIZE], person_hash[CLIENT_HASH_SIZE];
};

/* The request of this number at a node: the same for the same seed. Its text has at least `text_size`
 * bytes. `other`: another body under its key. */
void request_say(struct request *request, const char *node, uint64_t seed, size_t text_size,
                 bool other);

/* The next moment after `now_ns` at which somebody calls, by Iran's days and hours. */
uint64_t arrival_next(struct random *random, uint64_t now_ns, int64_t epoch_ms,
                      double requests_a_day);
/* Exponential with this mean. */
uint64_t delay_draw(struct random *random, uint64_t mean_ns);

#endif
