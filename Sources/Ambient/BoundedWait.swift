/// Waits until a task in the background has ended, or cancels it after a time.
///
/// Returns when the task has heeded that.
package func finish(
    _ task: Task<Void, Never>,
    waitMillisMax: Int64,
    time: any TimeSource
) async {
    await withTaskGroup(of: Void.self) { group in
        group.addTask {
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
        }
        group.addTask { try? await time.sleep(nanoseconds: waitMillisMax * 1_000_000) }
        await group.next()
        group.cancelAll()
    }
}
