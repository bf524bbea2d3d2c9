/*
 * Loaded into a program with LD_PRELOAD: writes down, in order, every call that changes a file or
 * folder below DISK_RECORD_DIR, and everything the program says on its standard output. From that a
 * test makes the folder as a power cut at any moment could have left it (disk_model.ts).
 *
 * It can also kill the program at one such call: DISK_RECORD_KILL="<call> <part of a path> <n> <how>"
 * with how = before, after or torn (the first half of a write is done). "*" is any path.
 *
 * A sync is only written down, not done: the record alone decides what survives. All calls are done
 * one at a time, so that the record has them in the order in which they took effect.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, LINK, UNLINK, MKDIR, RMDIR, SAY, OPEN, KILL, ALLOCATE };
static const char *NAMES[] = {"", "create", "write", "truncate", "sync", "rename", "link", "unlink",
                              "mkdir", "rmdir", "say", "open", "kill", "allocate"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record_fd = -1;
static char dir[PATH_MAX];
static size_t dir_length;
static char kill_call[16], kill_path[PATH_MAX], kill_how[8];
static int kill_left = 0;

/* Files below the folder by inode: only these are of interest. */
#define SLOTS 8192
static struct { uint64_t ino; char path[240]; } known[SLOTS];

static const char *path_of(uint64_t ino) {
  for (uint64_t i = ino % SLOTS, n = 0; n < SLOTS; i = (i + 1) % SLOTS, n++) {
    if (known[i].ino == ino) return known[i].path;
    if (known[i].ino == 0) return NULL;
  }
  return NULL;
}

static void learn(uint64_t ino, const char *path) {
  for (uint64_t i = ino % SLOTS, n = 0; n < SLOTS; i = (i + 1) % SLOTS, n++) {
    if (known[i].ino != ino && known[i].ino != 0) continue;
    known[i].ino = ino;
    snprintf(known[i].path, sizeof known[i].path, "%s", path);
    return;
  }
  abort(); /* more files than slots: make SLOTS larger */
}

static int is_inside(const char *path) {
  if (record_fd < 0 || path == NULL || strncmp(path, dir, dir_length) != 0) return 0;
  if (path[dir_length] != 0 && path[dir_length] != '/') return 0;
  size_t length = strlen(path);
  /* Shared memory of SQLite: made anew after a restart of the machine. */
  return !(length > 4 && strcmp(path + length - 4, "-shm") == 0);
}

static void put_all(const void *bytes, size_t length) {
  for (const char *at = bytes; length > 0;) {
    ssize_t done = syscall(SYS_write, record_fd, at, length);
    if (done <= 0) abort();
    at += done;
    length -= done;
  }
}

struct header {
  uint8_t call, flags;
  uint16_t path_length, other_length, reserved;
  uint32_t data_length, reserved2;
  uint64_t ino, offset, nanoseconds;
} __attribute__((packed));

static void note(int call, uint64_t ino, uint64_t offset, const char *path, const char *other,
                 const struct iovec *parts, int count, size_t length) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const char *one = path ? path : "", *two = other ? other : "";
  struct header header = {
      .call = call, .path_length = strlen(one), .other_length = strlen(two), .data_length = length,
      .ino = ino, .offset = offset, .nanoseconds = now.tv_sec * 1000000000ull + now.tv_nsec};
  put_all(&header, sizeof header);
  put_all(one, header.path_length);
  put_all(two, header.other_length);
  for (int i = 0; i < count && length > 0; i++) {
    size_t part = parts[i].iov_len < length ? parts[i].iov_len : length;
    put_all(parts[i].iov_base, part);
    length -= part;
  }
}

static void die(int call, const char *path) {
  note(KILL, 0, 0, NAMES[call], path, NULL, 0, 0);
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Whether the path has the wanted part, or, where that ends with "$", ends with what stands before it. */
static int fits(const char *path) {
  if (kill_path[0] == '*') return 1;
  if (path == NULL) return 0;
  size_t part = strlen(kill_path), length = strlen(path);
  if (part == 0 || kill_path[part - 1] != '$') return strstr(path, kill_path) != NULL;
  part--;
  return length >= part && strncmp(path + length - part, kill_path, part) == 0;
}

/* Whether this is the call at which the program is to die; then 1 for torn, 2 for after. */
static int meet(int call, const char *path) {
  if (kill_left == 0 || strcmp(kill_call, NAMES[call]) != 0 || !fits(path)) return 0;
  if (--kill_left > 0) return 0;
  if (kill_how[0] == 'b') die(call, path);
  return kill_how[0] == 't' ? 1 : 2;
}

__attribute__((constructor)) static void begin(void) {
  const char *record = getenv("DISK_RECORD_FILE"), *folder = getenv("DISK_RECORD_DIR");
  if (record == NULL || folder == NULL) return;
  int fd = syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) abort();
  snprintf(dir, sizeof dir, "%s", folder);
  dir_length = strlen(dir);
  const char *spec = getenv("DISK_RECORD_KILL");
  if (spec) sscanf(spec, "%15s %4000s %d %7s", kill_call, kill_path, &kill_left, kill_how);
  record_fd = fd;
}

#define REAL(type, name, ...)                                  \
  static type (*real)(__VA_ARGS__);                            \
  if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* ---- names ---- */

static int open_inside(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  struct stat before, now;
  int was = syscall(SYS_newfstatat, AT_FDCWD, path, &before, 0) == 0;
  int creates = (flags & O_CREAT) && !was;
  int dies = creates ? meet(CREATE, path) : 0;
  int fd = real(path, flags, mode);
  int saved = errno;
  if (fd >= 0 && fstat(fd, &now) == 0 && (S_ISREG(now.st_mode) || S_ISDIR(now.st_mode))) {
    learn(now.st_ino, path);
    note(creates ? CREATE : OPEN, now.st_ino, 0, path, NULL, NULL, 0, 0);
    if (was && (flags & O_TRUNC) && before.st_size > 0)
      note(TRUNCATE, now.st_ino, 0, path, NULL, NULL, 0, 0);
  }
  if (dies) die(CREATE, path);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return fd;
}

#define OPENS(name)                                                                  \
  int name(const char *path, int flags, ...) {                                       \
    REAL(int, #name, const char *, int, ...);                                        \
    va_list rest;                                                                    \
    va_start(rest, flags);                                                           \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;        \
    va_end(rest);                                                                    \
    return is_inside(path) ? open_inside(real, path, flags, mode) : real(path, flags, mode); \
  }
OPENS(open)
OPENS(open64)

static int two_names(int call, int (*real)(const char *, const char *), const char *from, const char *to) {
  pthread_mutex_lock(&lock);
  int dies = meet(call, to);
  struct stat now;
  int result = real(from, to);
  int saved = errno;
  if (result == 0) {
    uint64_t ino = syscall(SYS_newfstatat, AT_FDCWD, to, &now, AT_SYMLINK_NOFOLLOW) == 0 ? now.st_ino : 0;
    if (ino) learn(ino, to);
    note(call, ino, 0, from, to, NULL, 0, 0);
  }
  if (dies) die(call, to);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return is_inside(to) ? two_names(RENAME, real, from, to) : real(from, to);
}

static int plain_link(const char *from, const char *to) {
  return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  REAL(int, "linkat", int, const char *, int, const char *, int);
  if (!is_inside(to)) return real(from_dir, from, to_dir, to, flags);
  return two_names(LINK, plain_link, from, to);
}

int link(const char *from, const char *to) {
  REAL(int, "link", const char *, const char *);
  return is_inside(to) ? two_names(LINK, plain_link, from, to) : real(from, to);
}

static int one_name(int call, const char *path, int (*real)(const char *, mode_t), mode_t mode) {
  pthread_mutex_lock(&lock);
  int dies = meet(call, path);
  struct stat now;
  int result = real(path, mode);
  int saved = errno;
  if (result == 0) {
    uint64_t ino = 0;
    if (call == MKDIR && syscall(SYS_newfstatat, AT_FDCWD, path, &now, 0) == 0) learn(ino = now.st_ino, path);
    note(call, ino, 0, path, NULL, NULL, 0, 0);
  }
  if (dies) die(call, path);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}

static int plain_unlink(const char *path, mode_t mode) {
  (void)mode;
  return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
static int plain_rmdir(const char *path, mode_t mode) {
  (void)mode;
  return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}
static int plain_mkdir(const char *path, mode_t mode) {
  return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int unlink(const char *path) {
  return is_inside(path) ? one_name(UNLINK, path, plain_unlink, 0) : plain_unlink(path, 0);
}
int rmdir(const char *path) {
  return is_inside(path) ? one_name(RMDIR, path, plain_rmdir, 0) : plain_rmdir(path, 0);
}
int mkdir(const char *path, mode_t mode) {
  return is_inside(path) ? one_name(MKDIR, path, plain_mkdir, mode) : plain_mkdir(path, mode);
}

/* ---- contents ---- */

/* The path of an open file of ours; NULL for others. */
static const char *file_of(int fd, struct stat *now) {
  if (record_fd < 0 || fd == record_fd) return NULL;
  int saved = errno;
  int found = fstat(fd, now) == 0 && (S_ISREG(now->st_mode) || S_ISDIR(now->st_mode));
  errno = saved;
  return found ? path_of(now->st_ino) : NULL;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off64_t offset) {
  struct stat now;
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  pthread_mutex_lock(&lock);
  const char *path = file_of(fd, &now);
  int says = record_fd >= 0 && fd == 1;
  int call = says ? SAY : WRITE;
  int dies = path || says ? meet(call, path) : 0;
  int plain = offset < 0;
  if (path && plain)
    offset = fcntl(fd, F_GETFL) & O_APPEND ? now.st_size : syscall(SYS_lseek, fd, 0, SEEK_CUR);
  ssize_t result;
  if (!path && !says) {
    pthread_mutex_unlock(&lock);
    return plain ? syscall(SYS_writev, fd, parts, count)
                 : syscall(SYS_pwritev, fd, parts, count, offset, 0);
  }
  if (dies == 1 && path) {
    struct iovec half = {parts[0].iov_base, count > 1 ? parts[0].iov_len : length / 2};
    result = plain ? syscall(SYS_writev, fd, &half, 1) : syscall(SYS_pwritev, fd, &half, 1, offset, 0);
    if (result > 0) note(call, now.st_ino, offset, path, NULL, &half, 1, result);
    die(call, path);
  }
  result = plain ? syscall(SYS_writev, fd, parts, count)
                 : syscall(SYS_pwritev, fd, parts, count, offset, 0);
  int saved = errno;
  if (result > 0) note(call, path ? now.st_ino : 0, path ? offset : 0, path, NULL, parts, count, result);
  if (dies) die(call, path);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (record_fd < 0) return syscall(SYS_write, fd, bytes, length);
  struct stat now;
  if (fd != 1 && !file_of(fd, &now)) return syscall(SYS_write, fd, bytes, length);
  struct iovec part = {(void *)bytes, length};
  return write_parts(fd, &part, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  struct stat now;
  if (record_fd < 0 || (fd != 1 && !file_of(fd, &now))) return syscall(SYS_writev, fd, parts, count);
  return write_parts(fd, parts, count, -1);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  struct stat now;
  if (!file_of(fd, &now)) return syscall(SYS_pwrite64, fd, bytes, length, offset);
  struct iovec part = {(void *)bytes, length};
  return write_parts(fd, &part, 1, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite64(fd, bytes, length, offset);
}

static int change(int call, int fd, off64_t size, long (*real)(int, off64_t)) {
  struct stat now;
  pthread_mutex_lock(&lock);
  const char *path = file_of(fd, &now);
  int dies = path ? meet(call, path) : 0;
  /* The record decides what survives a power cut: for a file of ours nothing has to reach a disk. */
  long result = path && call == SYNC ? 0 : real(fd, size);
  int saved = errno;
  if (path && result == 0) note(call, now.st_ino, size, path, NULL, NULL, 0, 0);
  if (dies) die(call, path);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}

static long do_fsync(int fd, off64_t size) { (void)size; return syscall(SYS_fsync, fd); }
static long do_fdatasync(int fd, off64_t size) { (void)size; return syscall(SYS_fdatasync, fd); }
static long do_truncate(int fd, off64_t size) { return syscall(SYS_ftruncate, fd, size); }

int fsync(int fd) { return change(SYNC, fd, 0, do_fsync); }
int fdatasync(int fd) { return change(SYNC, fd, 1, do_fdatasync); }
int ftruncate64(int fd, off64_t size) { return change(TRUNCATE, fd, size, do_truncate); }
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* Room is taken ahead of writes: zeros as far as anybody can see. */
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  struct stat now;
  pthread_mutex_lock(&lock);
  const char *path = file_of(fd, &now);
  int dies = path ? meet(ALLOCATE, path) : 0;
  long result = syscall(SYS_fallocate, fd, mode, offset, length);
  int saved = errno;
  if (path && result == 0 && mode == 0) note(ALLOCATE, now.st_ino, offset + length, path, NULL, NULL, 0, 0);
  if (dies) die(ALLOCATE, path);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
  return fallocate64(fd, mode, offset, length);
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
  return fallocate64(fd, 0, offset, length) == 0 ? 0 : errno;
}
