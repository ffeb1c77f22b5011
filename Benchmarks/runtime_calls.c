// Counts the heap allocations, and the retains and releases of Swift objects, of the process that
// preloads it, and writes the counts to standard error on SIGUSR1. runtime_calls.py builds and uses
// it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_ulong allocations;
static atomic_ulong references;

void *malloc(size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : 12;
}

void *aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_memalign(alignment, size);
}

// The entry points of libswiftCore with which compiled code usually changes a reference count. The
// process calls them through its symbol table, so these definitions come first.
#define COUNTED(name)                                                     \
  void *name(void *object) {                                              \
    static void *(*original)(void *);                                     \
    if (!original) original = (void *(*)(void *))dlsym(RTLD_NEXT, #name); \
    atomic_fetch_add_explicit(&references, 1, memory_order_relaxed);      \
    return original(object);                                              \
  }

COUNTED(swift_retain)
COUNTED(swift_release)
COUNTED(swift_bridgeObjectRetain)
COUNTED(swift_bridgeObjectRelease)

static void report(int number) {
  (void)number;
  char text[80];
  int length = snprintf(text, sizeof text, "allocations %lu references %lu\n",
                        atomic_load(&allocations), atomic_load(&references));
  (void)!write(2, text, (size_t)length);
}

__attribute__((constructor)) static void start(void) { signal(SIGUSR1, report); }
