/* Between a reader's firmware and its system, loaded by LD_PRELOAD: the page $CONTROL says by how much its clock is
 * ahead, and whether the look-up of a name hangs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t ahead_ns;
    int64_t resolver_hangs;
};

static volatile struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CONTROL");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) control = page;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && control && clock == CLOCK_MONOTONIC) {
        int64_t sum = now->tv_nsec + control->ahead_ns;
        now->tv_sec += sum / 1000000000;
        now->tv_nsec = sum % 1000000000;
    }
    return result;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real)
        real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT,
                                                                                                       "getaddrinfo");
    const struct timespec pause = {0, 2000000};
    while (control && control->resolver_hangs) nanosleep(&pause, NULL);
    return real(host, service, hints, found);
}
