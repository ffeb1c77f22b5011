/// Deadlines of one loop: a hashed timing wheel, so that setting and clearing one costs a few
/// writes however many there are (Varghese and Lauck, 1987, scheme 6).
///
/// ```
///   slot:   0    1    2   ...  1023       one slot = one tick of about a millisecond
///           |    |    |
///           o    -    o - o               linked entries; an entry of a later turn of the
///                                         wheel stays in its slot
/// ```
///
/// Time is nanoseconds of any monotonic clock.
struct DeadlineWheel<Payload> {
    /// Identifies an entry until it fires or is removed.
    struct Token: Equatable {
        fileprivate let index: Int
        fileprivate let generation: UInt32
    }

    private struct Entry {
        var payload: Payload?
        var due: UInt64 = 0
        var slot = 0
        var previous = -1
        var next = -1
        var generation: UInt32 = 0
    }

    /// A tick is 2^20 ns, 1.05 ms: the largest delay of a deadline.
    static var tickShift: UInt64 { 20 }
    private static var slotCount: Int { 1_024 }

    private var entries: [Entry] = []
    private var free: [Int] = []
    private var heads = [Int](repeating: -1, count: DeadlineWheel.slotCount)
    /// The first tick that was not processed.
    private var tick: UInt64

    private(set) var count = 0

    init(now: UInt64) { tick = now >> Self.tickShift }

    mutating func insert(due: UInt64, _ payload: Payload) -> Token {
        let index = free.popLast() ?? entries.count
        if index == entries.count { entries.append(Entry()) }
        let slot = Int(max(Self.firing(due), tick) & UInt64(Self.slotCount - 1))
        entries[index].payload = payload
        entries[index].due = due
        entries[index].slot = slot
        entries[index].previous = -1
        entries[index].next = heads[slot]
        if heads[slot] >= 0 { entries[heads[slot]].previous = index }
        heads[slot] = index
        count += 1
        return Token(index: index, generation: entries[index].generation)
    }

    /// Removes a deadline. Does nothing if it has fired.
    mutating func remove(_ token: Token) {
        guard entries[token.index].generation == token.generation,
            entries[token.index].payload != nil
        else { return }
        unlink(token.index)
    }

    /// Calls `fire` for every deadline that has passed.
    mutating func advance(to now: UInt64, _ fire: (Payload) -> Void) {
        let current = now >> Self.tickShift
        guard current >= tick else { return }
        // After a long pause, each slot is processed once.
        let last = min(current, tick + UInt64(Self.slotCount) - 1)
        var expired: [Payload] = []
        for step in tick...last {
            var index = heads[Int(step & UInt64(Self.slotCount - 1))]
            while index >= 0 {
                let next = entries[index].next
                if Self.firing(entries[index].due) <= current, let payload = entries[index].payload
                {
                    unlink(index)
                    expired.append(payload)
                }
                index = next
            }
        }
        tick = current + 1
        expired.forEach(fire)
    }

    /// When to call `advance` next: not later than the next deadline; nil without deadlines.
    var nextWake: UInt64? {
        guard count > 0 else { return nil }
        for step in 0..<UInt64(Self.slotCount)
        where heads[Int((tick + step) & UInt64(Self.slotCount - 1))] >= 0 {
            return (tick + step) << Self.tickShift
        }
        return nil
    }

    /// The tick at which a deadline fires: rounded up, so never early.
    private static func firing(_ due: UInt64) -> UInt64 {
        let (padded, overflow) = due.addingReportingOverflow((1 << tickShift) - 1)
        return (overflow ? .max : padded) >> tickShift
    }

    private mutating func unlink(_ index: Int) {
        let (previous, next) = (entries[index].previous, entries[index].next)
        if previous >= 0 {
            entries[previous].next = next
        } else {
            heads[entries[index].slot] = next
        }
        if next >= 0 { entries[next].previous = previous }
        entries[index].payload = nil
        entries[index].generation &+= 1
        free.append(index)
        count -= 1
    }
}
