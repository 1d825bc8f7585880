/* What the files cmd_*.c give to the table in commands.c. */
#ifndef NODE_CLI_COMMANDS_H
#define NODE_CLI_COMMANDS_H

#include "node/cli/cli.h"

cli_run_command cmd_help, cmd_completion;                           /* commands.c */
cli_run_command cmd_init, cmd_keygen, cmd_config_check;             /* cmd_setup.c */
cli_run_command cmd_token_create, cmd_token_list, cmd_token_revoke; /* cmd_token.c */
cli_run_command cmd_status, cmd_lag;                                /* cmd_status.c */
cli_run_command cmd_log_ls, cmd_log_cat, cmd_log_tail;              /* cmd_log.c */
cli_run_command cmd_log_verify;                                     /* cmd_verify.c */
cli_run_command cmd_log_export;                                     /* cmd_export.c */
cli_run_command cmd_request_add, cmd_request_show, cmd_request_list;     /* cmd_request.c */
cli_run_command cmd_request_subjects, cmd_request_erase;                /* the same */
cli_run_command cmd_request_import;                     /* cmd_import.c */
cli_run_command cmd_receipt_export, cmd_receipt_verify; /* cmd_receipt.c */
cli_run_command cmd_fork_show;                          /* cmd_fork.c */
cli_run_command cmd_view_rebuild;                       /* cmd_view.c */
cli_run_command cmd_audit;                              /* cmd_audit.c */

#endif
