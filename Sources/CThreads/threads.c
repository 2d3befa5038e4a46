#include "threads.h"

#include <errno.h>
#include <stdlib.h>

struct call {
  void (*run)(void *);
  void *context;
};

static void *begin(void *argument) {
  struct call call = *(struct call *)argument;
  free(argument);
  call.run(call.context);
  return NULL;
}

int cthread_start(struct cthread *thread, void (*run)(void *), void *context) {
  struct call *call = malloc(sizeof *call);
  if (call == NULL) return ENOMEM;
  *call = (struct call){run, context};
  pthread_attr_t attributes;
  int result = pthread_attr_init(&attributes);
  if (result == 0) {
    result = pthread_attr_setstacksize(&attributes, 1 << 20);
    if (result == 0) result = pthread_create(&thread->id, &attributes, begin, call);
    pthread_attr_destroy(&attributes);
  }
  if (result != 0) free(call);
  return result;
}

void cthread_join(struct cthread thread) { pthread_join(thread.id, NULL); }
