/* The receipt of one request as a file that proves itself (node/api/RECEIPT.md has the format).
 *
 * It holds the record's header and facts, and for each hub that holds the record a checkpoint of
 * its log with the hub's cosignature and the path from the header to that checkpoint's root. It
 * holds no *person* part: it may be given to the citizen, a court or a newspaper. */
#ifndef NODE_API_RECEIPT_FILE_H
#define NODE_API_RECEIPT_FILE_H

#include "node/config.h"
#include "proto/record/facts.h"
#include "storage/log.h"

#define RECEIPT_FILE_SIZE_MAX   ((size_t)256 * 1024)
#define RECEIPT_FILE_HUB_MAX    8
#define RECEIPT_FILE_REASON_MAX 256

/* Where the record stands. `log_key` is the key of the node that wrote the log. */
struct receipt_file_source {
    struct log_store *logs;
    struct store_txn *txn;
    uint32_t number;
    uint64_t position;
    const struct sign_public *log_key;
    const struct config_hub *hubs; /* whose receipts are wanted: name and receipt_key */
    size_t hub_count;
};

/* Appends the file. What is built is verified before it is handed out. ERR_NOT_FOUND when there is
 * no such record, or no hub's receipt covers it yet; ERR_INVALID when the record is no request;
 * errors of the store; those of receipt_file_verify() when a key is not the one that signed. */
enum err receipt_file_build(const struct receipt_file_source *source, struct buffer *json);

/* Keys that the reader knows from elsewhere; NULL: the file's own are taken. */
struct receipt_pins {
    const struct sign_public *log_key;
    const char *hub; /* with hub_key: this hub must be among those that hold the record */
    const struct sign_public *hub_key;
};

/* What a verified file proves. */
struct receipt_claim {
    char code[TRACKING_CODE_DIGITS + 1];
    struct log_id log;
    uint64_t position;
    int64_t occurred_at_ms, registered_at_ms;
    struct sign_public log_key;
    size_t hub_count; /* at least 1 */
    struct receipt_claim_hub {
        char name[NODE_NAME_SIZE_MAX + 1];
        uint64_t size;  /* of the checkpoint */
        int64_t time_s; /* when the hub cosigned it */
        struct sign_public key;
    } hubs[RECEIPT_FILE_HUB_MAX];
};

/* Verifies all that a file says; nothing in it is left unchecked. ERR_MALFORMED, ERR_VERSION,
 * ERR_COMMITMENT (facts), ERR_PROOF, ERR_SIGNATURE, ERR_CONFLICT (two parts of the file, or a pin,
 * contradict each other); `reason` is one clause for people. */
enum err receipt_file_verify(struct bytes json, const struct receipt_pins *pins,
                             struct receipt_claim *claim, char reason[RECEIPT_FILE_REASON_MAX]);

#endif
