#define _GNU_SOURCE
#include "repconv_hdf5.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

// Sanitizers map terabytes of addresses, for what they note of the memory there is.
#if defined(__has_feature)
#define IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define IS_SANITIZED 0
#endif

// Chunks are read whole; weights come in chunks of some megabytes.
static const rlim_t largest_memory = (rlim_t)1 << 30;
// The library decodes some hundred megabytes in a second. This is for those who made a file that takes forever.
static const rlim_t seconds_at_least = 20, bytes_in_a_second = 16 << 20;
// Weights hardly shrink: files that need the library are compressed to a half or a quarter.
static const uint64_t output_at_least = 256 << 20, largest_expansion = 32;

uint64_t largest_output(uint64_t input_size) {
  const uint64_t expanded = input_size > INT64_MAX / largest_expansion ? INT64_MAX : input_size * largest_expansion;
  return expanded < output_at_least ? output_at_least : expanded;
}

static int set_limit(int resource, rlim_t limit) {
  // What the program was given may be less already.
  struct rlimit values;
  if (getrlimit(resource, &values) != 0) return -1;
  if (values.rlim_max != RLIM_INFINITY && values.rlim_max < limit) limit = values.rlim_max;
  values.rlim_cur = values.rlim_max = limit;
  return setrlimit(resource, &values);
}

// Whoever started the program may have signals blocked or ignored, and limits end it by signals.
static int receive_signals(void) {
  const int limits[] = {SIGXCPU, SIGXFSZ, SIGABRT};
  sigset_t none;
  sigemptyset(&none);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    if (signal(limits[i], SIG_DFL) == SIG_ERR) return -1;
  }
  return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_limits(uint64_t input_size) {
  if (receive_signals() != 0) return -1;
  // Metadata beside the datasets.
  const rlim_t file_size = largest_output(input_size) + (largest_output(input_size) >> 2);
  if (set_limit(RLIMIT_CORE, 0) != 0) return -1;
  if (set_limit(RLIMIT_CPU, seconds_at_least + input_size / bytes_in_a_second) != 0) return -1;
  if (set_limit(RLIMIT_FSIZE, file_size) != 0) return -1;
  // No more than the three that are open.
  if (set_limit(RLIMIT_NOFILE, REPORT + 1) != 0) return -1;
#if defined(__linux__) && !IS_SANITIZED
  if (set_limit(RLIMIT_AS, largest_memory) != 0) return -1;
#endif
  return 0;
}

#ifdef __linux__

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "name the architecture, for the filter of system calls"
#endif

// A system call that is allowed, if the low 32 bits of an argument, masked, have a value.
struct call {
  unsigned number;
  unsigned argument, mask, value;
};

// What computing takes, and reading and writing files that are open. Everything else ends the program.
static struct call calls[] = {
    {__NR_read},
    {__NR_pread64},
    {__NR_write},
    {__NR_writev},  // the C library's last words
    {__NR_pwrite64},
    {__NR_lseek},
    {__NR_ftruncate},
    {__NR_close},
    {__NR_brk},
    {__NR_mmap, 2, PROT_EXEC, 0},
    {__NR_mprotect, 2, PROT_EXEC, 0},
    {__NR_munmap},
    {__NR_mremap},
    {__NR_madvise},
    {__NR_futex},
    {__NR_getrandom},
    {__NR_sysinfo},  // how much memory there is, to sort in
    {__NR_sched_yield},
    {__NR_clock_gettime},
    {__NR_clock_nanosleep},  // before metadata with a wrong checksum is read once more
#ifdef __NR_nanosleep
    {__NR_nanosleep},
#endif
    {__NR_gettimeofday},
#ifdef __NR_time
    {__NR_time},
#endif
    {__NR_getpid},
    {__NR_gettid},
    {__NR_rt_sigprocmask},
    {__NR_rt_sigaction},
    {__NR_rt_sigreturn},
    {__NR_tgkill, 0, ~0u, 0},  // to abort: only itself, see below
    {__NR_restart_syscall},
#if IS_SANITIZED
    {__NR_sigaltstack},  // AddressSanitizer asks for it before what does not return
#endif
    {__NR_exit},
    {__NR_exit_group},
};
enum { CALLS = sizeof calls / sizeof *calls };

static const char *filter_calls(void) {
  struct sock_filter program[4 + 6 * CALLS + 1];
  unsigned short length = 0;
#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))
#define ADD(...) program[length++] = (struct sock_filter)__VA_ARGS__
  ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(arch)));
  ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr)));
  for (int i = 0; i < CALLS; i++) {
    const struct call *call = &calls[i];
    if (call->mask == 0) {
      ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 1));
      ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
      continue;
    }
    // The number is not needed any more: whatever the argument is, this is the answer.
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 5));
    // All machines that are named above are little-endian.
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[0]) + 8 * call->argument));
    ADD(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, call->mask));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->value, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  const struct sock_fprog filter = {.len = length, .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return strerror(errno);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return strerror(errno);
  return NULL;
}

const char *enter_sandbox(uint64_t input_size) {
  // Nobody waits for what it makes when the program that started it is gone.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || set_limits(input_size) != 0) return strerror(errno);
  for (int i = 0; i < CALLS; i++) {
    if (calls[i].number == __NR_tgkill) calls[i].value = (unsigned)getpid();
  }
  return filter_calls();
}

#else

const char *enter_sandbox(uint64_t input_size) { return set_limits(input_size) == 0 ? NULL : strerror(errno); }

#endif

int try_to_escape(const char *what) {
  if (strcmp(what, "open") == 0) return open("/", O_RDONLY) >= 0;
  if (strcmp(what, "memory") == 0) return malloc(largest_memory) != NULL;
  if (strcmp(what, "size") == 0) return ftruncate(OUTPUT, INT64_MAX) == 0;
  volatile uint64_t count = 0;
  while (strcmp(what, "time") == 0) count++;
  return 64;
}
