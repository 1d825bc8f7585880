/* Damage to a file at rest, and what is told apart by it. */
#include "tests/faults/faults.h"

#include "proto/base/require.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { PAGE_SIZE = 4096 };

uint64_t mixed(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

uint64_t used_size(const char *path)
{
    static uint8_t page[PAGE_SIZE];
    uint64_t used = 0, at = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    require(file >= 0);
    for (ssize_t more; (more = pread(file, page, sizeof page, (off_t)at)) > 0; at += (uint64_t)more)
        for (ssize_t i = 0; i < more; i++)
            if (page[i] != 0) {
                used = at + (uint64_t)more;
                break;
            }
    close(file);
    return used;
}

void file_copy_page(const char *path, uint64_t from, uint64_t to)
{
    uint8_t page[PAGE_SIZE];
    int file = open(path, O_RDWR | O_CLOEXEC);
    require(file >= 0);
    require(pread(file, page, sizeof page, (off_t)(from * PAGE_SIZE)) == PAGE_SIZE);
    require(pwrite(file, page, sizeof page, (off_t)(to * PAGE_SIZE)) == PAGE_SIZE);
    close(file);
}

void file_flip(const char *path, uint64_t bit)
{
    uint8_t byte;
    int file = open(path, O_RDWR | O_CLOEXEC);
    require(file >= 0 && pread(file, &byte, 1, (off_t)(bit / 8)) == 1);
    byte ^= (uint8_t)(1U << (bit % 8));
    require(pwrite(file, &byte, 1, (off_t)(bit / 8)) == 1);
    close(file);
}

bool ended_by_damage(const struct child_end *end)
{
    return end->signal == SIGSEGV || end->signal == SIGBUS || end->signal == SIGABRT ||
           end->signal == SIGFPE;
}
