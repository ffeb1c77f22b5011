internal import Synchronization

/// Ended spans on their way to the exporter.
package typealias SpanQueue = BoundedQueue<TraceSpan>

/// A queue between the event loops, which append, and one reader. A full queue drops what is
/// appended and counts it; nothing waits for room.
///
/// The lock is held for a constant time except in `take`, which moves the elements out.
package final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var dropped: UInt64 = 0
        var threshold = Int.max
        var wake: (@Sendable () -> Void)?
    }

    package let capacity: Int
    private let state = Mutex(State())

    package init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Appends an element, or drops and counts it if the queue is full.
    ///
    /// - Returns: whether the queue has kept the element.
    @discardableResult
    package func append(_ element: Element) -> Bool {
        let (kept, wake) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
            guard state.elements.count < capacity else {
                state.dropped += 1
                return (false, nil)
            }
            state.elements.append(element)
            return (true, state.elements.count == state.threshold ? state.wake : nil)
        }
        wake?()
        return kept
    }

    /// Removes the oldest elements, at most `limit`.
    package func take(upTo limit: Int) -> [Element] {
        state.withLock { state in
            guard state.elements.count > limit else {
                defer { state.elements = [] }
                return state.elements
            }
            defer { state.elements.removeFirst(max(0, limit)) }
            return Array(state.elements.prefix(max(0, limit)))
        }
    }

    /// The reader drops elements that it has taken, for example after an export failed.
    package func drop(_ count: Int) {
        state.withLock { $0.dropped += UInt64(max(0, count)) }
    }

    /// Calls `wake` on the thread that appends, each time the queue has grown to `count` elements.
    package func notify(at count: Int, _ wake: @escaping @Sendable () -> Void) {
        state.withLock { ($0.threshold, $0.wake) = (max(1, count), wake) }
    }

    package var count: Int { state.withLock { $0.elements.count } }
    /// How many elements the queue or its reader has dropped since the start.
    package var dropped: UInt64 { state.withLock { $0.dropped } }
}
