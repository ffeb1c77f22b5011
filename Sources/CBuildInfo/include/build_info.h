#pragma once

/// The commit from which this program was built; an empty string if unknown.
const char *weir_build_commit(void);
