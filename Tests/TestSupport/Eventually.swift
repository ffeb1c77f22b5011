/// Waits until a condition holds.
///
/// This is the only function of the Swift tests that sleeps. A test whose condition depends on a
/// timer controls the clock of an embedded event loop instead.
///
/// - Returns: whether the condition held within the time limit.
package func eventually(
    within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while true {
        // Checked once more after the time limit, because other tests may have delayed this one.
        let isLast = ContinuousClock.now >= end
        if try await condition() { return true }
        if isLast { return false }
        try? await Task.sleep(for: .milliseconds(10))
    }
}

/// Waits until the task is cancelled, for handlers that must not respond.
package func waitForCancellation() async throws -> Never {
    let (stream, continuation) = AsyncStream<Never>.makeStream()
    for await _ in stream {}
    continuation.finish()
    throw CancellationError()
}
