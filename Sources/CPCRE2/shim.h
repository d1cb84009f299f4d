#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stddef.h>
/* GNU, hidden by the Glibc module. */
void *memmem(const void *, size_t, const void *, size_t);
