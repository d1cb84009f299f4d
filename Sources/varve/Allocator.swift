import CMalloc

/// Sets malloc up for what queries do: take large buffers, fill them once, and give them back.
///
/// By default glibc maps and unmaps each of them, so that every page is zeroed by the kernel again, and
/// threads that read files never get back what threads that decode them free. Measured over TPC-H Q1 and
/// Q6: a tenth of the CPU time.
func prepareAllocator(processorCount: Int) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20)
    mallopt(M_TRIM_THRESHOLD, 256 << 20)
    mallopt(M_ARENA_MAX, Int32(clamping: max(2, processorCount)))
}

/// Gives malloc more places to allocate from, where many threads do small things at once.
///
/// Event loops, queries, and writers to the store would wait for each other: measured on two cores with 64
/// connections that commit, an eighth of the CPU time.
func prepareAllocatorForServing(processorCount: Int) {
    mallopt(M_ARENA_MAX, Int32(clamping: max(4, 2 * processorCount)))
}

/// Makes malloc give back more of what is freed, where queries may use little memory: what it keeps for later
/// would count against them.
func boundAllocator(memoryLimitBytes: Int) {
    guard memoryLimitBytes < 4 << 30 else { return }
    mallopt(M_MMAP_THRESHOLD, Int32(clamping: max(1 << 20, memoryLimitBytes / 256)))
    mallopt(M_TRIM_THRESHOLD, Int32(clamping: max(4 << 20, memoryLimitBytes / 32)))
}
