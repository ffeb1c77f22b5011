/// A place in a waiting line.
package struct WaitingTicket: Equatable { fileprivate let number: Int }

/// A first-in first-out line whose elements may leave from any position.
///
/// ```
///   tickets:   base      base + head             base + entries.count
///   entries: [ nil nil   a   nil   b   c ]       nil: left or taken
/// ```
struct WaitingLine<Element> {
    private var entries: [Element?] = []
    private var head = 0
    private var base = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) -> WaitingTicket {
        entries.append(element)
        count += 1
        return WaitingTicket(number: base + entries.count - 1)
    }

    /// Removes an element; does nothing if it was taken or has left.
    mutating func remove(_ ticket: WaitingTicket) {
        let index = ticket.number - base
        guard entries.indices.contains(index), entries[index] != nil else { return }
        entries[index] = nil
        count -= 1
        skipGaps()
    }

    var first: Element? { isEmpty ? nil : entries[head] }

    mutating func removeFirst() {
        guard !isEmpty else { return }
        entries[head] = nil
        count -= 1
        skipGaps()
    }

    private mutating func skipGaps() {
        while head < entries.count, entries[head] == nil { head += 1 }
        guard head == entries.count || head > 1_024 else { return }
        entries.removeFirst(head)
        base += head
        head = 0
    }
}
