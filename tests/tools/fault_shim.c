/* A library to preload that makes the disk fail a program at a chosen moment.
 *
 *     cc -shared -fPIC -O1 -o fault_shim.so fault_shim.c -ldl
 *     FAULT_DIR=/state FAULT_CALLS=write FAULT_HOW=enospc FAULT_AT=7 FAULT_UNTIL=/tmp/room LD_PRELOAD=fault_shim.so PROGRAM
 *
 * Counts the calls that change files below FAULT_DIR: write (write, pwrite, ftruncate to more), sync (fsync, fdatasync), name
 * (rename, unlink); FAULT_CALLS is one of these or all. At call number FAULT_AT:
 *     enospc, eio   the call fails with that; with FAULT_UNTIL all later ones do too until that file is there
 *     before        the program ends as by kill -9, without the call; after: with it
 *     count         nothing; the number of calls is written to the file FAULT_COUNT at the end */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls;
static int active;

static const char *env(const char *name) { const char *v = getenv(name); return v ? v : ""; }

static int below(const char *path) {
    const char *dir = env("FAULT_DIR");
    return *dir && strncmp(path, dir, strlen(dir)) == 0;
}

static int below_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

/* Whether this call is to fail, with errno set; may end the program. *end is set when it has to end behind the call. */
static int fails(const char *what, int *end) {
    *end = 0;
    const char *wanted = env("FAULT_CALLS"), *how = env("FAULT_HOW"), *until = env("FAULT_UNTIL");
    if (strcmp(wanted, "all") != 0 && strcmp(wanted, what) != 0) return 0;
    pthread_mutex_lock(&lock);
    long n = ++calls, at = atol(env("FAULT_AT"));
    if (n == at && *until) active = 1;
    if (active && access(until, F_OK) == 0) active = 0;
    int hit = n == at || active;
    pthread_mutex_unlock(&lock);
    if (!hit) return 0;
    if (strcmp(how, "before") == 0) _exit(137);
    if (strcmp(how, "after") == 0) { *end = 1; return 0; }
    if (strcmp(how, "enospc") == 0) { errno = ENOSPC; return 1; }
    if (strcmp(how, "eio") == 0) { errno = EIO; return 1; }
    return 0;
}

__attribute__((destructor)) static void report(void) {
    const char *path = env("FAULT_COUNT");
    if (!*path) return;
    FILE *f = fopen(path, "w");
    if (f) { fprintf(f, "%ld", calls); fclose(f); }
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define AROUND(what, ours, call) \
    int end; \
    if (!(ours)) return call; \
    if (fails(what, &end)) return -1; \
    __typeof__(call) result = call; \
    if (end) _exit(137); \
    return result

ssize_t write(int fd, const void *from, size_t n) {
    REAL(write);
    AROUND("write", below_fd(fd), real(fd, from, n));
}
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) {
    REAL(pwrite);
    AROUND("write", below_fd(fd), real(fd, from, n, at));
}
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) {
    REAL(pwrite64);
    AROUND("write", below_fd(fd), real(fd, from, n, at));
}
int fsync(int fd) {
    REAL(fsync);
    AROUND("sync", below_fd(fd), real(fd));
}
int fdatasync(int fd) {
    REAL(fdatasync);
    AROUND("sync", below_fd(fd), real(fd));
}
int rename(const char *from, const char *to) {
    REAL(rename);
    AROUND("name", below(to), real(from, to));
}
int unlink(const char *path) {
    REAL(unlink);
    AROUND("name", below(path), real(path));
}
