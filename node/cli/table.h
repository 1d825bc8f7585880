/* A table for people, or the same rows as JSON: {"name": [{...}, ...]}. */
#ifndef NODE_CLI_TABLE_H
#define NODE_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum table_type { TABLE_TEXT, TABLE_NUMBER, TABLE_FLAG };

struct table;

/* `name` is the JSON array's. */
struct table *table_new(const char *name, bool json);
/* `title` in capitals; the JSON key is the same in lower case. */
void table_column(struct table *table, const char *title, enum table_type type);
/* Cells are filled from left to right after table_row(). Everything is copied. */
void table_row(struct table *table);
void table_text(struct table *table, const char *text); /* NULL: empty, null in JSON */
/* A log's origin: whole in JSON; for people without "samad/" and most of the incarnation, which
 * still can be typed where a command wants a LOG. What is no origin is shown as it is. */
void table_log(struct table *table, const char *origin);
/* For a cell without a value: "-", null in JSON. */
void table_none(struct table *table);
void table_number(struct table *table, uint64_t number);
void table_decimal(struct table *table, double number, int digits);
void table_flag(struct table *table, bool flag);
/* Frees without printing. */
void table_drop(struct table *table);
/* Prints to stdout and frees. */
void table_print(struct table *table);

#endif
