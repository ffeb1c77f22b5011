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
    // Other tests can occupy all threads for longer than the time limit. A minimum of checks lets
    // the tasks that waited meanwhile run before the last check.
    var checks = 0
    while true {
        checks += 1
        let isLast = ContinuousClock.now >= end && checks >= 50
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
