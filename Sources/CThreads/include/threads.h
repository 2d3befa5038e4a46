#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>

// POSIX threads, whose types Swift sees differently on every system.
struct cthread {
  pthread_t id;
};

// Starts a thread that calls run(context), with a megabyte of stack. Returns 0 or an error number.
int cthread_start(struct cthread *thread, void (*run)(void *), void *context);

// Waits until a thread that was started has ended; once for each.
void cthread_join(struct cthread thread);

#endif
