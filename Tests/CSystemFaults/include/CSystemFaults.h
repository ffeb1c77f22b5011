#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// The kind of failure of a system call.
enum fault {
    /// The call returns an error.
    FAULT_ERROR,
    /// The call reads or writes half of the bytes. Other calls succeed.
    FAULT_SHORT,
    /// The call and all later ones on the directory return the error, except locks.
    FAULT_LASTING,
    /// The call succeeds, and calls a function first.
    FAULT_NOTICE,
};

/// Starts to count the system calls of this process on the files of a directory, and makes one of
/// them fail.
///
/// Programs that link this library call its functions instead of those of libc. Use it from one
/// thread at a time.
///
/// @param directory an absolute path
/// @param number the call, from 1 on; 0 for none
/// @param code the error, a value of errno
/// @param notice the function that FAULT_NOTICE calls; its own system calls are not counted
void faults_arm(const char *directory, long number, enum fault fault, int code, void (*notice)(void));

/// Stops counting, and all failures.
///
/// @return the number of counted calls
long faults_disarm(void);

/// The name of a counted call and of its file; empty for a number that was not counted.
const char *faults_call(long number);

#ifdef __cplusplus
}
#endif
