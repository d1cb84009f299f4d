#include <malloc.h>
#include <stddef.h>

// Swift cannot call functions with a variable number of arguments.
extern void *mremap(void *, size_t, size_t, int, ...);

/// Makes a mapping larger, at another place if need be (MREMAP_MAYMOVE).
static inline void *varve_remap(void *base, size_t old_size, size_t new_size) {
    return mremap(base, old_size, new_size, 1);
}
