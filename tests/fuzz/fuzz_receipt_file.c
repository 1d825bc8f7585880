/* Any bytes as a receipt file: refused with a reason, or it proves what it says, and then under its
 * own keys and under no others. */
#include "tests/fuzz/fuzz.h"

#include "node/api/receipt_file.h"

#include <string.h>

static enum err verify(struct bytes json, const struct receipt_pins *pins,
                       struct receipt_claim *claim)
{
    char reason[RECEIPT_FILE_REASON_MAX];
    memset(reason, 'x', sizeof reason);
    enum err err = receipt_file_verify(json, pins, claim, reason);
    require(memchr(reason, '\0', sizeof reason) && (err == OK) == (reason[0] == '\0'));
    return err;
}

FUZZ_TARGET(receipt_file)
{
    struct receipt_claim claim, again;
    if (verify(input, &(struct receipt_pins){ 0 }, &claim) != OK)
        return;
    require(claim.hub_count >= 1 && claim.hub_count <= RECEIPT_FILE_HUB_MAX);
    for (size_t i = 0; i < claim.hub_count; i++) {
        struct receipt_claim_hub *hub = &claim.hubs[i];
        require(claim.position < hub->size);
        struct receipt_pins pins = { &claim.log_key, hub->name, &hub->key };
        require(verify(input, &pins, &again) == OK && again.position == claim.position);
        hub->key.bytes[5] ^= 1;
        require(verify(input, &pins, &again) != OK);
    }
    claim.log_key.bytes[0] ^= 1;
    require(verify(input, &(struct receipt_pins){ .log_key = &claim.log_key }, &again) != OK);
}
