/* A library to preload that moves the clock of the day of a program while it runs; the clock that never steps stays.
 *
 *     cc -shared -fPIC -O1 -o clock_shim.so clock_shim.c -ldl
 *     CLOCK_SHIM=FILE LD_PRELOAD=clock_shim.so PROGRAM
 *
 * FILE holds a number of seconds, which is added to the time. It is read again at each look at the clock, so a test moves
 * the clock by writing (renaming) it. A file that is missing means 0. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static double offset(void) {
    const char *path = getenv("CLOCK_SHIM");
    double seconds = 0;
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%lf", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, t);
    if (result == 0 && id == CLOCK_REALTIME) {
        double moved = offset();
        long long whole = (long long)moved;
        t->tv_sec += whole;
        t->tv_nsec += (long)((moved - (double)whole) * 1e9);
        if (t->tv_nsec < 0) { t->tv_nsec += 1000000000L; t->tv_sec -= 1; }
        if (t->tv_nsec >= 1000000000L) { t->tv_nsec -= 1000000000L; t->tv_sec += 1; }
    }
    return result;
}

time_t time(time_t *to) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to) *to = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    to->tv_sec = t.tv_sec;
    to->tv_usec = t.tv_nsec / 1000;
    return 0;
}
