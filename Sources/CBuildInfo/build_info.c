#include "build_info.h"

// Package.swift defines it from the environment of the build.
#ifndef WEIR_COMMIT
#define WEIR_COMMIT ""
#endif

const char *weir_build_commit(void) { return WEIR_COMMIT; }
