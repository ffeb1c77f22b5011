#pragma once
// Inlined: a hash of a short key must not cost a call through the PLT.
#define XXH_INLINE_ALL
#include <xxhash.h>
