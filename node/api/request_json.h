/* A request as JSON, and the one door through which personal data is read (design D18). */
#ifndef NODE_API_REQUEST_JSON_H
#define NODE_API_REQUEST_JSON_H

#include "node/api/api_private.h"
#include "node/casework/request_entry.h"

/* Without personal data. `national`: covered by as many receipts as the config asks for. */
json_t *request_json(const struct request_entry *entry, const char *national_state);
/* "national" or "recorded", from what replication knows. */
const char *request_state_of(struct api *api, const struct request_entry *entry);

/* Adds name, national_id, phone, text and address from the record. Every read of personal data
 * passes here: it is authorised by the caller's scope and noted in the event log (who, which
 * record; never what it says). ERR_ERASED adds "erased": true instead; ERR_AUTH without the scope. */
enum err request_json_add_person(struct api *api, const struct token_info *reader,
                                 const struct request_entry *entry, json_t *json);

/* Finds the log and reads the record of an entry. */
enum err request_record(struct api *api, struct store_txn *txn, const struct request_entry *entry,
                        uint32_t *number, struct buffer *scratch, struct record *record,
                        struct record_header *header, struct hash *leaf);

#endif
