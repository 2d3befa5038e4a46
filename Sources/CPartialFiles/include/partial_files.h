#ifndef REPCONV_PARTIAL_FILES_H
#define REPCONV_PARTIAL_FILES_H

#include <sys/types.h>

/// Opens a file without a name in a folder, to be read and written, or returns -1 with `errno` where the
/// file system or the kernel has none, or the folder is not there.
int partial_open_unnamed(const char *folder, mode_t mode);

/// Gives such a file a name, which must not be taken. Returns 0, or -1 with `errno`.
int partial_link(int descriptor, const char *path);

/// Remembers the name of a file or folder that is not complete, to be removed if a signal ends the process; a
/// folder with all that is in it on Linux, elsewhere if it is empty by then.
/// Returns what to forget it by; -1 if there is no place left.
int partial_remember(const char *path);

/// Forgets what `partial_remember` returned.
void partial_forget(int place);

/// From now on SIGINT, SIGTERM and SIGHUP, unless they are ignored, remove the files that are remembered
/// before they end the process as they would have; and SIGXFSZ ends it no more.
void partial_clean_on_signals(void);

/// Removes a file, or a folder with all that is in it. Returns 0, or -1 with `errno`.
int partial_remove(const char *path);

/// Exchanges the names of two files or folders in one step. Returns 0, or -1 with `errno` where the system or
/// the file system cannot.
int partial_exchange(const char *one, const char *other);

/// Whether no process holds the lock on a file or folder, which is taken for as long as the file is written.
int partial_is_abandoned(const char *path);

/// Takes that lock, as far as the file system has any.
void partial_lock(int descriptor);

#endif
