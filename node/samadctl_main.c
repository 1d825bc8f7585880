/* samadctl: the operator's tool. Everything is in node/cli/. */
#include "node/cli/cli.h"

#include <locale.h>

int main(int count, char **arguments)
{
    setlocale(LC_ALL, ""); /* widths of Persian text in tables */
    return (int)cli_main(count, arguments);
}
