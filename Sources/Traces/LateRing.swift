/// Calls that were not sampled at their start and whose end makes them interesting. The ring
/// releases a bounded number a second; when it is full, a new call replaces the oldest one.
package struct LateRing<Element> {
    /// Larger arguments count as these.
    package static var maxPerSecond: Int { 1_000_000 }
    private static var maxParts: Int { 1_024 }
    private static var second: UInt64 { 1_000_000_000 }

    private var elements: [Element?]
    private var first = 0
    private var filled = 0
    /// Nanoseconds between two releases; nil if nothing is ever released.
    private let interval: UInt64?
    private var nextAt: UInt64 = 0
    /// Calls that newer ones have replaced, or that were not accepted.
    package private(set) var dropped: UInt64 = 0

    /// - Parameters:
    ///   - perSecond: the most releases a second, of all parts together; at most one second's
    ///     releases come at once.
    ///   - parts: the number of rings that share the rate.
    package init(capacity: Int, perSecond: Int, parts: Int = 1) {
        let capacity = max(1, capacity)
        elements = Array(repeating: nil, count: capacity)
        let perSecond = UInt64(min(max(0, perSecond), Self.maxPerSecond))
        let parts = UInt64(min(max(1, parts), Self.maxParts))
        interval = perSecond == 0 ? nil : (Self.second * parts + perSecond - 1) / perSecond
    }

    package var isEmpty: Bool { filled == 0 }

    /// Adds a call. A full ring drops its oldest one.
    package mutating func offer(_ element: Element) {
        guard interval != nil else { return dropped += 1 }
        if filled == elements.count {
            elements[first] = nil
            first = (first + 1) % elements.count
            filled -= 1
            dropped += 1
        }
        elements[(first + filled) % elements.count] = element
        filled += 1
    }

    /// Removes all calls, whatever the rate.
    package mutating func takeAll() -> [Element] {
        let taken = (0..<filled).compactMap { elements[(first + $0) % elements.count] }
        elements = Array(repeating: nil, count: elements.count)
        (first, filled) = (0, 0)
        return taken
    }

    /// Removes the oldest calls that the rate allows now.
    ///
    /// - Parameter now: nanoseconds of a clock that does not run backwards.
    package mutating func take(at now: UInt64) -> [Element] {
        guard let interval else { return [] }
        nextAt = max(nextAt, now > Self.second ? now - Self.second : 0)
        var taken: [Element] = []
        while filled > 0, nextAt <= now {
            if let element = elements[first] { taken.append(element) }
            elements[first] = nil
            first = (first + 1) % elements.count
            filled -= 1
            nextAt += interval
        }
        return taken
    }
}
