internal import Synchronization
internal import Testing

@testable internal import Traces

@Suite struct BoundedQueueTests {
    @Test("A full queue drops and counts", arguments: [1, 2, 2_048])
    func bounds(capacity: Int) {
        let queue = BoundedQueue<Int>(capacity: capacity)
        for number in 0..<capacity { #expect(queue.append(number)) }
        #expect(!queue.append(-1) && queue.dropped == 1 && queue.count == capacity)
        #expect(queue.take(upTo: 0) == [] && queue.take(upTo: -1) == [])
        #expect(queue.take(upTo: 1) == [0])
        #expect(queue.append(capacity) && queue.dropped == 1)
        #expect(queue.take(upTo: .max) == Array(1...capacity) && queue.count == 0)
        queue.drop(3)
        queue.drop(-1)
        #expect(queue.dropped == 4)
    }

    @Test("The reader is notified each time the queue has grown to its threshold")
    func notifies() {
        let queue = BoundedQueue<Int>(capacity: 10)
        let calls = Mutex(0)
        queue.notify(at: 3) { calls.withLock { $0 += 1 } }
        for number in 0..<5 { queue.append(number) }
        #expect(calls.withLock(\.self) == 1)
        _ = queue.take(upTo: 10)
        for number in 0..<3 { queue.append(number) }
        #expect(calls.withLock(\.self) == 2)
    }
}
