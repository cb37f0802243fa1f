/* Between a process and its disk and clock: what the page at $FAULTS_CONTROL says happens to every write,
 * sync, truncation and (mode HANG) read of a file below $FAULTS_DIRECTORY, and to the wall clock. The page
 * is shared, so that the suite switches while the process runs. Loaded by LD_PRELOAD; built by disk.py. A process
 * that was forked from one without these variables, and then got them, calls faults_begin. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OK, BLOCK, FULL, BROKEN, READ_ONLY, NO_SYNC, HANG };

struct control {
    int32_t mode;      /* set by the suite */
    int32_t waiting;   /* calls that wait now */
    int64_t clock_ns;  /* added to the wall clock */
    int64_t seen;      /* calls on our files */
    int64_t refused;   /* calls answered with an error */
    int64_t sync_ns;   /* that each sync takes longer */
};

static volatile struct control *control;
static const char *directory;

__attribute__((constructor)) void faults_begin(void) {
    const char *path = getenv("FAULTS_CONTROL"), *below = getenv("FAULTS_DIRECTORY");
    int fd;
    if (!path || !below || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0) return;
    directory = strdup(below);
    void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED) control = page;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int ours(int fd) {
    char link[64], path[4096];
    if (!control || fd < 3) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return path[0] == '/' && strstr(path, directory) != NULL;
}

/* The error that a call on one of our files gets now, 0 for none; waits while the disk is blocked. */
static int meet(int fd, int is_sync, int is_read) {
    if (!control || (is_read && control->mode != HANG)) return 0;
    int saved = errno;
    int is_ours = ours(fd);
    errno = saved;
    if (!is_ours) return 0;
    __atomic_add_fetch(&control->seen, 1, __ATOMIC_RELAXED);
    if (control->mode == BLOCK || control->mode == HANG) {
        struct timespec pause = {0, 2000000};
        __atomic_add_fetch(&control->waiting, 1, __ATOMIC_RELAXED);
        while (control->mode == BLOCK || control->mode == HANG) nanosleep(&pause, NULL);
        __atomic_sub_fetch(&control->waiting, 1, __ATOMIC_RELAXED);
        errno = saved;
    }
    if (is_sync && control->sync_ns) {
        struct timespec longer = {control->sync_ns / 1000000000, control->sync_ns % 1000000000};
        nanosleep(&longer, NULL);
        errno = saved;
    }
    int error = 0;
    switch (control->mode) {
    case FULL: error = is_sync ? 0 : ENOSPC; break;
    case BROKEN: error = EIO; break;
    case READ_ONLY: error = is_sync ? 0 : EROFS; break;
    case NO_SYNC: error = is_sync ? EIO : 0; break;
    }
    if (error && !is_read) {
        __atomic_add_fetch(&control->refused, 1, __ATOMIC_RELAXED);
        errno = error;
        return error;
    }
    return 0;
}

ssize_t write(int fd, const void *data, size_t size) { REAL(write); return meet(fd, 0, 0) ? -1 : real(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { REAL(pwrite); return meet(fd, 0, 0) ? -1 : real(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { REAL(pwrite64); return meet(fd, 0, 0) ? -1 : real(fd, data, size, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { REAL(pwritev); return meet(fd, 0, 0) ? -1 : real(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { REAL(pwritev64); return meet(fd, 0, 0) ? -1 : real(fd, parts, count, at); }
int posix_fallocate(int fd, off_t at, off_t size) { REAL(posix_fallocate); int error = meet(fd, 0, 0); return error ? error : real(fd, at, size); }
int posix_fallocate64(int fd, off64_t at, off64_t size) { REAL(posix_fallocate64); int error = meet(fd, 0, 0); return error ? error : real(fd, at, size); }
ssize_t pread64(int fd, void *data, size_t size, off64_t at) { REAL(pread64); meet(fd, 0, 1); return real(fd, data, size, at); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); return meet(fd, 0, 0) ? -1 : real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); return meet(fd, 0, 0) ? -1 : real(fd, size); }
int fsync(int fd) { REAL(fsync); return meet(fd, 1, 0) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return meet(fd, 1, 0) ? -1 : real(fd); }

/* A disk that is mounted read-only also refuses to open for writing; sqlite opens and reopens its files. */
static int may_open(const char *path, int flags) {
    if (!control || control->mode != READ_ONLY || (flags & O_ACCMODE) == O_RDONLY) return 1;
    if (!strstr(path, directory)) return 1;
    errno = EROFS;
    return 0;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return may_open(path, flags) ? real(path, flags, mode) : -1; \
    }
OPEN(open)
OPEN(open64)

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    if (!result && control && control->clock_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t all = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + control->clock_ns;
        now->tv_sec = all / 1000000000;
        now->tv_nsec = all % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec fine;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &fine)) return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (out) *out = fine.tv_sec;
    return fine.tv_sec;
}
