/* Opening a file whose path ends with $HANG_PATH hangs, as on a file server that does not answer, until there is a file
   $HANG_UNTIL. That somebody hangs is told by a file $HANG_SEEN. For tests of what an agent does meanwhile. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ends_with(const char *path, const char *end) {
    size_t p = strlen(path), e = strlen(end);
    return p >= e && strcmp(path + p - e, end) == 0;
}

static void hang(const char *path) {
    const char *end = getenv("HANG_PATH"), *until = getenv("HANG_UNTIL"), *seen = getenv("HANG_SEEN");
    if (!end || !path || !ends_with(path, end)) return;
    while (!until || access(until, F_OK) != 0) {
        if (seen && access(seen, F_OK) != 0) {
            FILE *file = fopen(seen, "w");
            if (file) fclose(file);
        }
        usleep(5000);
    }
}

#define MODE(flags) \
    va_list args; va_start(args, flags); int mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0; va_end(args);

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        MODE(flags) hang(path); \
        int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        MODE(flags) hang(path); \
        int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        return real(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)
