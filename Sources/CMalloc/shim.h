#include <malloc.h>
#include <stddef.h>

// Swift cannot call functions with a variable number of arguments.
extern void *mremap(void *, size_t, size_t, int, ...);

/// Moves a mapping to `target`, replacing what is mapped there (MREMAP_MAYMOVE | MREMAP_FIXED), and makes it
/// larger.
static inline void *varve_remap(void *base, size_t old_size, size_t new_size, void *target) {
    return mremap(base, old_size, new_size, 3, target);
}
