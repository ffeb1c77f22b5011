#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// How a system call fails.
enum fault {
    /// It returns an error.
    FAULT_ERROR,
    /// It reads or writes half of the bytes. Other calls work.
    FAULT_SHORT,
    /// All later ones on the directory return the error, too, except locks.
    FAULT_LASTING,
    /// It works; a function is called before it.
    FAULT_NOTICE,
};

/// Counts the system calls of this process on the files of a directory from now on, and has one of
/// them fail.
///
/// Programs that this is linked into call these functions instead of those of libc. Use it from one
/// thread at a time.
///
/// @param directory an absolute path
/// @param number the call, from 1 on; 0 for none
/// @param code the error, a value of errno
/// @param notice what FAULT_NOTICE calls; its own calls are not counted
void faults_arm(const char *directory, long number, enum fault fault, int code, void (*notice)(void));

/// Ends the counting, and the failing.
///
/// @return how many calls were counted
long faults_disarm(void);

/// The name of a counted call and of its file; empty for a number that was not counted.
const char *faults_call(long number);

#ifdef __cplusplus
}
#endif
