#define _GNU_SOURCE
#include "partial_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#ifdef __linux__
#include <stdint.h>
#include <sys/syscall.h>
#endif

int partial_open_unnamed(const char *folder, mode_t mode) {
#ifdef O_TMPFILE
  // Without it, it could get no name later.
  if (access("/dev/fd", X_OK) != 0) return -1;
  return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
#else
  (void)folder, (void)mode;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

int partial_link(int descriptor, const char *path) {
#ifdef O_TMPFILE
  char source[64];
  snprintf(source, sizeof source, "/dev/fd/%d", descriptor);
  return linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
#else
  (void)descriptor, (void)path;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

// A signal handler may read nothing but atomics: the names stay where they are until they are forgotten.
#define PLACES 64
static _Atomic(char *) names[PLACES];

int partial_remember(const char *path) {
  char *name = strdup(path);
  if (!name) return -1;
  for (int place = 0; place < PLACES; place++) {
    char *empty = NULL;
    if (atomic_compare_exchange_strong(&names[place], &empty, name)) return place;
  }
  free(name);
  return -1;
}

void partial_forget(int place) {
  if (place < 0) return;
  free(atomic_exchange(&names[place], NULL));
}

#ifdef __linux__
// What getdents64 returns; the library has no name for it.
struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

// Removes a file, or a folder with all that is in it, with nothing but calls that a signal handler may make:
// opendir and nftw take memory.
static void remove_in(int folder, const char *name) {
  if (unlinkat(folder, name, 0) == 0) return;
  int descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return;
  _Alignas(struct entry) char buffer[2048];
  long size;
  while ((size = syscall(SYS_getdents64, descriptor, buffer, sizeof buffer)) > 0) {
    for (long next = 0; next < size;) {
      struct entry *entry = (struct entry *)(buffer + next);
      if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) {
        remove_in(descriptor, entry->name);
      }
      next += entry->size;
    }
  }
  close(descriptor);
  unlinkat(folder, name, AT_REMOVEDIR);
}
#endif

static void clean(int number) {
  char *taken[PLACES];
  for (int place = 0; place < PLACES; place++) {
    // Not freed: that is no function for a signal handler, and the process ends.
    taken[place] = atomic_exchange(&names[place], NULL);
    if (taken[place]) unlink(taken[place]);
  }
  // Folders were remembered before those in them.
  for (int place = PLACES - 1; place >= 0; place--) {
    if (!taken[place]) continue;
#ifdef __linux__
    // With what others have put into them.
    remove_in(AT_FDCWD, taken[place]);
#else
    rmdir(taken[place]);
#endif
  }
  // The handler is gone already (SA_RESETHAND); the signal ends the process when this one returns.
  raise(number);
}

void partial_clean_on_signals(void) {
  const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct sigaction action;
    if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = clean;
    action.sa_flags = SA_RESETHAND;
    sigaction(numbers[i], &action, NULL);
  }
  // A file that may grow no more is an error of the call that writes it (EFBIG).
  signal(SIGXFSZ, SIG_IGN);
}

void partial_lock(int descriptor) { (void)flock(descriptor, LOCK_EX | LOCK_NB); }

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status, (void)type, (void)place;
  return remove(path);
}

int partial_remove(const char *path) { return nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS); }

int partial_exchange(const char *one, const char *other) {
#if defined(RENAME_EXCHANGE)
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
#elif defined(RENAME_SWAP)
  return renamex_np(one, other, RENAME_SWAP);
#else
  (void)one, (void)other;
  errno = ENOTSUP;
  return -1;
#endif
}

int partial_is_abandoned(const char *path) {
  int descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0 && errno == EISDIR) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
  }
  if (descriptor < 0) return 0;
  int isFree = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  close(descriptor);
  return isFree;
}
