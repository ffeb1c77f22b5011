#pragma once
// Inlined: a hash of a short key must not cost a call through the PLT.
#define XXH_INLINE_ALL
#include <xxhash.h>
// Swift doesn't see the macro that this type's name is.
typedef XXH64_state_t CXXHash64State;
