/// Runs changes one at a time, in order. Confined to the control plane, which alone would
/// interleave them at each `await`.
struct ChangeQueue {
    private var isBusy = false
    private(set) var waiting: [CheckedContinuation<Void, Never>] = []

    /// Resumes a change at its turn.
    mutating func add(_ turn: CheckedContinuation<Void, Never>) {
        guard isBusy else {
            isBusy = true
            return turn.resume()
        }
        waiting.append(turn)
    }

    /// Ends the change that runs, and resumes the next one.
    mutating func next() {
        guard !waiting.isEmpty else {
            isBusy = false
            return
        }
        waiting.removeFirst().resume()
    }
}
