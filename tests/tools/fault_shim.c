/* A library to preload that makes the disk fail a program at a chosen moment.
 *
 *     cc -shared -fPIC -O1 -o fault_shim.so fault_shim.c -ldl
 *     FAULT_DIR=/state FAULT_CALLS=write FAULT_HOW=enospc FAULT_AT=7 FAULT_UNTIL=/tmp/room LD_PRELOAD=fault_shim.so PROGRAM
 *
 * Counts the calls that concern files below FAULT_DIR (and, with FAULT_NAME, whose last name matches that pattern: "spool.db*"). FAULT_CALLS is
 * a list of, with commas between:
 *     open   open, openat, creat, opendir            openw  those of open that are to write
 *     read   read, pread, readv, mmap
 *     write  write, pwrite, writev                   truncate  ftruncate, fallocate
 *     sync   fsync, fdatasync                        name   rename, unlink, link, mkdir
 *     lock   fcntl and flock, to get one             look   stat, lstat, fstat, statx, access
 * or all (write, truncate, sync, name: what changes files), or any (all of these). At call number FAULT_AT (1 is the first):
 *     before        the program ends as by kill -9, without the call; after: with it
 *     count         nothing; the number of calls is written to the file FAULT_COUNT at the end
 *     enospc, eio, emfile, enfile, eacces, eperm, ebusy, eagain, estale, erofs, edquot, enomem, enoent, enotdir, eloop
 *                   the call fails with that. With FAULT_TO so do all up to that number; with FAULT_UNTIL all until that file is there
 * FAULT_SEEN is a file that is made when the first call fails. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls;
static int active;

static const struct { const char *name; int number; } errors[] = {
    {"enospc", ENOSPC}, {"eio", EIO}, {"emfile", EMFILE}, {"enfile", ENFILE}, {"eacces", EACCES}, {"eperm", EPERM}, {"ebusy", EBUSY},
    {"eagain", EAGAIN}, {"estale", ESTALE}, {"erofs", EROFS}, {"edquot", EDQUOT}, {"enomem", ENOMEM}, {"enoent", ENOENT},
    {"enotdir", ENOTDIR}, {"eloop", ELOOP},
};

static const char *env(const char *name) { const char *v = getenv(name); return v ? v : ""; }

static int below(const char *path) {
    const char *dir = env("FAULT_DIR"), *pattern = env("FAULT_NAME");
    char full[PATH_MAX * 2];
    if (!path || !*dir) return 0;
    if (*path != '/') { /* by its name from where the program stands */
        if (!getcwd(full, PATH_MAX)) return 0;
        size_t n = strlen(full);
        snprintf(full + n, sizeof full - n, "/%s", path);
        path = full;
    }
    size_t n = strlen(dir);
    if (strncmp(path, dir, n) != 0 || (path[n] && path[n] != '/')) return 0;
    const char *last = strrchr(path, '/');
    return !*pattern || fnmatch(pattern, last ? last + 1 : path, 0) == 0;
}

static int below_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!*env("FAULT_DIR")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return *path == '/' && below(path);
}

/* A path from a folder that is open. */
static int below_at(int fd, const char *path) {
    char link[64], full[PATH_MAX * 2];
    if (!path || !*env("FAULT_DIR")) return 0;
    if (fd == AT_FDCWD || *path == '/') return below(path);
    if (!*path) return below_fd(fd);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, full, PATH_MAX - 1);
    if (n <= 0) return 0;
    snprintf(full + n, sizeof full - n, "/%s", path);
    return below(full);
}

static int wants(const char *what) {
    const char *list = env("FAULT_CALLS");
    if (strcmp(what, "openw") == 0 && wants("open")) return 1;
    if (strcmp(list, "any") == 0) return 1;
    if (strcmp(list, "all") == 0) return strstr("write,truncate,sync,name", what) != NULL;
    for (const char *at = list; (at = strstr(at, what)); at++) {
        char end = at[strlen(what)];
        if ((at == list || at[-1] == ',') && (!end || end == ',')) return 1;
    }
    return 0;
}

static int exists(const char *path) { /* access without what stands below */
    REAL(access);
    return real(path, F_OK) == 0;
}

static void make(const char *path) {
    REAL(open);
    int fd = *path ? real(path, O_CREAT | O_WRONLY, 0600) : -1;
    if (fd >= 0) close(fd);
}

/* Whether this call is to fail, with errno set; may end the program. *end is set when it has to end behind the call. */
static int fails(const char *what, int *end) {
    *end = 0;
    if (!wants(what)) return 0;
    const char *how = env("FAULT_HOW"), *until = env("FAULT_UNTIL");
    pthread_mutex_lock(&lock);
    long n = ++calls, at = atol(env("FAULT_AT")), to = atol(env("FAULT_TO"));
    if (n == at && *until) active = 1;
    if (active && exists(until)) active = 0;
    int hit = (n == at && (!*until || active)) || active || (at > 0 && n > at && n <= to);
    pthread_mutex_unlock(&lock);
    if (!hit) return 0;
    if (strcmp(how, "before") == 0) _exit(137);
    if (strcmp(how, "after") == 0) { *end = 1; return 0; }
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(how, errors[i].name) == 0) {
            make(env("FAULT_SEEN"));
            errno = errors[i].number;
            return 1;
        }
    }
    return 0;
}

__attribute__((constructor)) static void check(void) {
    const char *how = env("FAULT_HOW");
    int known = !*how || !strcmp(how, "before") || !strcmp(how, "after") || !strcmp(how, "count");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) known |= !strcmp(how, errors[i].name);
    if (!known) { fprintf(stderr, "fault_shim: FAULT_HOW=%s is not known\n", how); _exit(99); }
}

__attribute__((destructor)) static void report(void) {
    const char *path = env("FAULT_COUNT");
    if (!*path) return;
    FILE *f = fopen(path, "w");
    if (f) { fprintf(f, "%ld", calls); fclose(f); }
}

#define AROUND_OR(what, ours, call, failed) \
    int end; \
    if (!(ours)) return call; \
    if (fails(what, &end)) return failed; \
    __typeof__(call) result = call; \
    if (end) _exit(137); \
    return result
#define AROUND(what, ours, call) AROUND_OR(what, ours, call, -1)

/* The mode stands behind the flags where a file may be made. */
#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

#define OPEN(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT) ? "openw" : "open")
int open(const char *path, int flags, ...) { MODE(flags); REAL(open); AROUND(OPEN(flags), below(path), real(path, flags, mode)); }
int open64(const char *path, int flags, ...) { MODE(flags); REAL(open64); AROUND(OPEN(flags), below(path), real(path, flags, mode)); }
int openat(int at, const char *path, int flags, ...) { MODE(flags); REAL(openat); AROUND(OPEN(flags), below_at(at, path), real(at, path, flags, mode)); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags); REAL(openat64); AROUND(OPEN(flags), below_at(at, path), real(at, path, flags, mode)); }
int creat(const char *path, mode_t mode) { REAL(creat); AROUND("openw", below(path), real(path, mode)); }
DIR *opendir(const char *path) { REAL(opendir); AROUND_OR("open", below(path), real(path), NULL); }

ssize_t read(int fd, void *to, size_t n) { REAL(read); AROUND("read", below_fd(fd), real(fd, to, n)); }
ssize_t readv(int fd, const struct iovec *to, int n) { REAL(readv); AROUND("read", below_fd(fd), real(fd, to, n)); }
ssize_t pread(int fd, void *to, size_t n, off_t at) { REAL(pread); AROUND("read", below_fd(fd), real(fd, to, n, at)); }
ssize_t pread64(int fd, void *to, size_t n, off64_t at) { REAL(pread64); AROUND("read", below_fd(fd), real(fd, to, n, at)); }
void *mmap(void *to, size_t n, int how, int flags, int fd, off_t at) {
    REAL(mmap);
    AROUND_OR("read", fd >= 0 && below_fd(fd), real(to, n, how, flags, fd, at), MAP_FAILED);
}
void *mmap64(void *to, size_t n, int how, int flags, int fd, off64_t at) {
    REAL(mmap64);
    AROUND_OR("read", fd >= 0 && below_fd(fd), real(to, n, how, flags, fd, at), MAP_FAILED);
}

ssize_t write(int fd, const void *from, size_t n) { REAL(write); AROUND("write", below_fd(fd), real(fd, from, n)); }
ssize_t writev(int fd, const struct iovec *from, int n) { REAL(writev); AROUND("write", below_fd(fd), real(fd, from, n)); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { REAL(pwrite); AROUND("write", below_fd(fd), real(fd, from, n, at)); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) { REAL(pwrite64); AROUND("write", below_fd(fd), real(fd, from, n, at)); }

int ftruncate(int fd, off_t n) { REAL(ftruncate); AROUND("truncate", below_fd(fd), real(fd, n)); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); AROUND("truncate", below_fd(fd), real(fd, n)); }
int fallocate(int fd, int how, off_t at, off_t n) { REAL(fallocate); AROUND("truncate", below_fd(fd), real(fd, how, at, n)); }
int posix_fallocate(int fd, off_t at, off_t n) { REAL(posix_fallocate); AROUND_OR("truncate", below_fd(fd), real(fd, at, n), errno); }

int fsync(int fd) { REAL(fsync); AROUND("sync", below_fd(fd), real(fd)); }
int fdatasync(int fd) { REAL(fdatasync); AROUND("sync", below_fd(fd), real(fd)); }

int rename(const char *from, const char *to) { REAL(rename); AROUND("name", below(to) || below(from), real(from, to)); }
int unlink(const char *path) { REAL(unlink); AROUND("name", below(path), real(path)); }
int unlinkat(int at, const char *path, int flags) { REAL(unlinkat); AROUND("name", below_at(at, path), real(at, path, flags)); }
int link(const char *from, const char *to) { REAL(link); AROUND("name", below(to), real(from, to)); }
int linkat(int f, const char *from, int t, const char *to, int flags) { REAL(linkat); AROUND("name", below_at(t, to), real(f, from, t, to, flags)); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); AROUND("name", below(path), real(path, mode)); }

int flock(int fd, int how) { REAL(flock); AROUND("lock", !(how & LOCK_UN) && below_fd(fd), real(fd, how)); }
/* Whether an fcntl asks for a lock: letting one go never fails. */
static int locks(int fd, int what, void *arg) {
    int one = what == F_SETLK || what == F_SETLKW || what == F_OFD_SETLK || what == F_OFD_SETLKW;
    return one && arg && ((struct flock *)arg)->l_type != F_UNLCK && below_fd(fd);
}
#define ARGUMENT(what) va_list more; va_start(more, what); void *arg = va_arg(more, void *); va_end(more)
int fcntl(int fd, int what, ...) { ARGUMENT(what); REAL(fcntl); AROUND("lock", locks(fd, what, arg), real(fd, what, arg)); }
int fcntl64(int fd, int what, ...) { ARGUMENT(what); REAL(fcntl64); AROUND("lock", locks(fd, what, arg), real(fd, what, arg)); }

int access(const char *path, int how) { REAL(access); AROUND("look", below(path), real(path, how)); }
int stat(const char *path, struct stat *to) { REAL(stat); AROUND("look", below(path), real(path, to)); }
int stat64(const char *path, struct stat64 *to) { REAL(stat64); AROUND("look", below(path), real(path, to)); }
int lstat(const char *path, struct stat *to) { REAL(lstat); AROUND("look", below(path), real(path, to)); }
int lstat64(const char *path, struct stat64 *to) { REAL(lstat64); AROUND("look", below(path), real(path, to)); }
int fstat(int fd, struct stat *to) { REAL(fstat); AROUND("look", below_fd(fd), real(fd, to)); }
int fstat64(int fd, struct stat64 *to) { REAL(fstat64); AROUND("look", below_fd(fd), real(fd, to)); }
int statx(int at, const char *path, int flags, unsigned mask, struct statx *to) {
    REAL(statx);
    AROUND("look", below_at(at, path), real(at, path, flags, mask, to));
}
