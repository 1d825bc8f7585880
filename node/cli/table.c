#include "node/cli/table.h"

#include "proto/base/require.h"
#include "proto/record/log_id.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INCARNATION_DIGITS_SHOWN = 8 };

struct table {
    struct libscols_table *table;
    struct libscols_line *line;
    size_t column;
    bool json;
};

struct table *table_new(const char *name, bool json)
{
    struct table *table = calloc(1, sizeof *table);
    require(table);
    scols_init_debug(0);
    table->table = scols_new_table();
    require(table->table);
    table->json = json;
    scols_table_set_name(table->table, name);
    scols_table_enable_json(table->table, json);
    /* Into a pipe, rows are never cut to a terminal's width. */
    return table;
}

void table_column(struct table *table, const char *title, enum table_type type)
{
    struct libscols_column *column =
        scols_table_new_column(table->table, title, 0, type == TABLE_NUMBER ? SCOLS_FL_RIGHT : 0);
    require(column);
    scols_column_set_json_type(column, type == TABLE_NUMBER ? SCOLS_JSON_NUMBER
                                       : type == TABLE_FLAG ? SCOLS_JSON_BOOLEAN
                                                            : SCOLS_JSON_STRING);
}

void table_row(struct table *table)
{
    table->line = scols_table_new_line(table->table, NULL);
    require(table->line);
    table->column = 0;
}

void table_text(struct table *table, const char *text)
{
    scols_line_set_data(table->line, table->column++, text);
}

void table_log(struct table *table, const char *origin)
{
    static const char PREFIX[] = "samad/";
    struct log_id id;
    char text[LOG_ORIGIN_SIZE_MAX + 1];
    if (table->json || !origin || log_id_from_origin(&id, bytes_of_string(origin)) != OK) {
        table_text(table, origin);
        return;
    }
    size_t cut = strlen(PREFIX) + 2 * INCARNATION_SIZE - INCARNATION_DIGITS_SHOWN;
    snprintf(text, sizeof text, "%.*s", (int)(strlen(origin) - cut), origin + strlen(PREFIX));
    table_text(table, text);
}

void table_none(struct table *table)
{
    table_text(table, table->json ? NULL : "-");
}

void table_number(struct table *table, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    table_text(table, text);
}

void table_decimal(struct table *table, double number, int digits)
{
    char text[48];
    snprintf(text, sizeof text, "%.*f", digits, number);
    table_text(table, text);
}

void table_flag(struct table *table, bool flag)
{
    table_text(table, table->json ? (flag ? "1" : "0") : (flag ? "yes" : "no"));
}

void table_drop(struct table *table)
{
    scols_unref_table(table->table);
    free(table);
}

void table_print(struct table *table)
{
    scols_print_table(table->table);
    table_drop(table);
}
