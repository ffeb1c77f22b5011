/// Records that wait for their export, up to a bound. A record that arrives when the queue is full
/// is dropped and counted, so that a collector that does not answer costs no memory.
struct PendingRecords<Record> {
    private let capacity: Int
    private var records: [Record] = []
    /// The records dropped because the queue was full.
    private(set) var dropped: UInt64 = 0

    /// - Parameter capacity: at least 1.
    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { records.count }

    mutating func add(_ record: Record) {
        guard records.count < capacity else {
            dropped &+= 1
            return
        }
        records.append(record)
    }

    /// Removes the oldest records.
    mutating func take(_ limit: Int) -> [Record] {
        guard limit < records.count else {
            defer { records.removeAll(keepingCapacity: true) }
            return records
        }
        let taken = Array(records.prefix(max(0, limit)))
        records.removeFirst(taken.count)
        return taken
    }
}
