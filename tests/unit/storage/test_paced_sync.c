#include "storage/paced_sync.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int paced(int file)
{
    paced_sync_begin();
    errno = 0;
    int result = fdatasync(file);
    paced_sync_end();
    return result;
}

Test(paced_sync, writes_back_a_file_of_several_pieces)
{
    char name[] = "/tmp/samad-paced-XXXXXX";
    int file = mkstemp(name);
    cr_assert_geq(file, 0);
    unlink(name);
    for (off_t at = 0; at < 5 << 20; at += 300000)
        cr_assert_eq(pwrite(file, "page", 4, at), 4);
    cr_expect_eq(paced(file), 0);
    cr_expect_eq(fdatasync(file), 0, "and a file that is clean, not paced");
    close(file);
}

Test(paced_sync, tells_what_the_sync_would_tell)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_expect_eq(paced(ends[1]), -1);
    cr_expect_eq(errno, EINVAL, "a pipe cannot be synced");
    close(ends[0]);
    close(ends[1]);
    cr_expect_eq(paced(ends[1]), -1);
    cr_expect_eq(errno, EBADF);
}
