// The symbols of a program take precedence over those of its libraries. libsqlite3 and Foundation
// therefore call these functions, which call `decide` and then the functions of libc.

#define _GNU_SOURCE
#include "CSystemFaults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__

enum { MAX_FILES = 1024, MAX_CALLS = 20000, MAX_NAME = 48 };
enum decision { PASS, FAIL, HALF };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
// The path of each open file.
static char paths[MAX_FILES][PATH_MAX];
static char calls[MAX_CALLS][MAX_NAME];
static struct {
    char directory[PATH_MAX];
    long number;
    enum fault fault;
    int code;
    void (*notice)(void);
    bool armed;
} plan;
static long count;
static _Thread_local bool is_noticing;

void faults_arm(const char *directory, long number, enum fault fault, int code, void (*notice)(void)) {
    pthread_mutex_lock(&mutex);
    snprintf(plan.directory, sizeof plan.directory, "%s", directory);
    plan.number = number;
    plan.fault = fault;
    plan.code = code;
    plan.notice = notice;
    plan.armed = true;
    count = 0;
    pthread_mutex_unlock(&mutex);
}

long faults_disarm(void) {
    pthread_mutex_lock(&mutex);
    plan.armed = false;
    long counted = count;
    pthread_mutex_unlock(&mutex);
    return counted;
}

const char *faults_call(long number) {
    return number > 0 && number < MAX_CALLS ? calls[number] : "";
}

static bool concerns(const char *path) {
    size_t length = strlen(plan.directory);
    return path && strncmp(path, plan.directory, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static const char *last(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum decision decide(const char *call, const char *path, bool moves_bytes) {
    if (is_noticing) return PASS;
    enum decision decision = PASS;
    void (*notice)(void) = NULL;
    pthread_mutex_lock(&mutex);
    if (plan.armed && concerns(path)) {
        count++;
        if (count < MAX_CALLS) snprintf(calls[count], MAX_NAME, "%s %s", call, last(path));
        bool is_chosen = count == plan.number;
        switch (plan.fault) {
        case FAULT_ERROR: decision = is_chosen ? FAIL : PASS; break;
        case FAULT_SHORT: decision = is_chosen && moves_bytes ? HALF : PASS; break;
        case FAULT_LASTING:
            // Except locks, because SQLite waits for those of other processes for seconds.
            if (plan.number && count >= plan.number && strncmp(call, "fcntl", 5) != 0) decision = FAIL;
            break;
        case FAULT_NOTICE: notice = is_chosen ? plan.notice : NULL; break;
        }
    }
    int code = plan.code;
    pthread_mutex_unlock(&mutex);
    if (notice) {
        is_noticing = true;
        notice();
        is_noticing = false;
    }
    if (decision == FAIL) errno = code;
    return decision;
}

static const char *path_of(int file) { return file >= 0 && file < MAX_FILES ? paths[file] : NULL; }

static int opened(int file, const char *path) {
    if (file >= 0 && file < MAX_FILES) snprintf(paths[file], PATH_MAX, "%s", path);
    return file;
}

// The function of libc with the same name as the enclosing one.
#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list arguments; \
        va_start(arguments, flags); \
        int mode = va_arg(arguments, int); \
        va_end(arguments); \
        return decide(#name, path, false) == FAIL ? -1 : opened(real(path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)

int close(int file) {
    REAL(close);
    // Like the system: the file is closed, independently of the result.
    bool fails = decide("close", path_of(file), false) == FAIL;
    int code = errno;
    if (file >= 0 && file < MAX_FILES) paths[file][0] = 0;
    int result = real(file);
    if (!fails) return result;
    errno = code;
    return -1;
}

// A function with the path or the file as its first argument.
#define CALL(type, failure, name, path, parameters, arguments) \
    type name parameters { \
        REAL(name); \
        return decide(#name, path, false) == FAIL ? failure : real arguments; \
    }
#define TRANSFER(name, parameters, arguments, half) \
    ssize_t name parameters { \
        REAL(name); \
        switch (decide(#name, path_of(file), count > 1)) { \
        case PASS: return real arguments; \
        case HALF: return real half; \
        case FAIL: return -1; \
        } \
        return -1; \
    }
TRANSFER(read, (int file, void *bytes, size_t count), (file, bytes, count), (file, bytes, count / 2))
TRANSFER(write, (int file, const void *bytes, size_t count), (file, bytes, count), (file, bytes, count / 2))
#define POSITIONED(name, bytes_type, offset_type) \
    TRANSFER(name, (int file, bytes_type bytes, size_t count, offset_type offset), (file, bytes, count, offset), \
             (file, bytes, count / 2, offset))
POSITIONED(pread, void *, off_t)
POSITIONED(pread64, void *, off64_t)
POSITIONED(pwrite, const void *, off_t)
POSITIONED(pwrite64, const void *, off64_t)

CALL(int, -1, fsync, path_of(file), (int file), (file))
CALL(int, -1, fdatasync, path_of(file), (int file), (file))
CALL(int, -1, ftruncate, path_of(file), (int file, off_t size), (file, size))
CALL(int, -1, ftruncate64, path_of(file), (int file, off64_t size), (file, size))
CALL(int, -1, fchmod, path_of(file), (int file, mode_t mode), (file, mode))
CALL(int, -1, flock, path_of(file), (int file, int operation), (file, operation))
CALL(int, -1, fstat, path_of(file), (int file, struct stat *status), (file, status))
CALL(int, -1, fstat64, path_of(file), (int file, struct stat64 *status), (file, status))
CALL(int, -1, stat, path, (const char *path, struct stat *status), (path, status))
CALL(int, -1, stat64, path, (const char *path, struct stat64 *status), (path, status))
CALL(int, -1, lstat, path, (const char *path, struct stat *status), (path, status))
CALL(int, -1, lstat64, path, (const char *path, struct stat64 *status), (path, status))
CALL(int, -1, access, path, (const char *path, int mode), (path, mode))
CALL(int, -1, chmod, path, (const char *path, mode_t mode), (path, mode))
CALL(int, -1, mkdir, path, (const char *path, mode_t mode), (path, mode))
CALL(int, -1, unlink, path, (const char *path), (path))
CALL(int, -1, link, path, (const char *path, const char *other), (path, other))
CALL(int, -1, rename, path, (const char *path, const char *other), (path, other))
CALL(ssize_t, -1, readlink, path, (const char *path, char *target, size_t size), (path, target, size))
CALL(void *, MAP_FAILED, mmap, path_of(file),
     (void *start, size_t size, int access, int flags, int file, off_t offset),
     (start, size, access, flags, file, offset))
CALL(void *, MAP_FAILED, mmap64, path_of(file),
     (void *start, size_t size, int access, int flags, int file, off64_t offset),
     (start, size, access, flags, file, offset))

#define CONTROL(name) \
    int name(int file, int command, ...) { \
        REAL(name); \
        va_list arguments; \
        va_start(arguments, command); \
        void *argument = va_arg(arguments, void *); \
        va_end(arguments); \
        /* Releasing a lock never fails. */ \
        bool releases = command == F_SETLK && ((struct flock *)argument)->l_type == F_UNLCK; \
        if (!releases && decide(#name, path_of(file), false) == FAIL) return -1; \
        return real(file, command, argument); \
    }
CONTROL(fcntl)
CONTROL(fcntl64)

#endif
