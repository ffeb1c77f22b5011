#pragma once
#include <stddef.h>
#include <stdint.h>

/// A file of the console. All pointers are constant data of the program.
struct console_file {
    const char *name;
    const uint8_t *bytes;
    size_t count;
};

/// The file with an index; NULL after the last one.
const struct console_file *console_file_at(size_t index);
