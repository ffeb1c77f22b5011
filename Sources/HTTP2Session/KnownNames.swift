#if canImport(Glibc)
    internal import Glibc
#endif

/// Header names that the layer above looks up by number, without comparing bytes.
///
/// The names are stored in one block of memory, indexed by their length.
@safe package final class KnownNames: @unchecked Sendable {
    // Invariant of `@unchecked Sendable`: nothing changes after init.
    private let bytes: UnsafeMutablePointer<UInt8>
    /// For each length, modulo 32: the candidates, as ranges of `entries`.
    private let candidates: UnsafeMutablePointer<Range<Int>>
    private let entries: UnsafeMutablePointer<Entry>

    private struct Entry {
        let index: Int
        let start: Int
        let length: Int
    }

    package init(_ names: [String]) {
        let total = names.reduce(0) { $0 + $1.utf8.count }
        unsafe bytes = .allocate(capacity: max(1, total))
        unsafe entries = .allocate(capacity: max(1, names.count))
        unsafe candidates = .allocate(capacity: 32)
        var (start, filled) = (0, 0)
        for bucket in 0..<32 {
            let first = filled
            for (index, name) in names.enumerated() where name.utf8.count & 31 == bucket {
                for (offset, byte) in name.utf8.enumerated() { unsafe bytes[start + offset] = byte }
                let entry = Entry(index: index, start: start, length: name.utf8.count)
                unsafe entries[filled] = entry
                start += name.utf8.count
                filled += 1
            }
            unsafe candidates[bucket] = first..<filled
        }
    }

    deinit {
        unsafe bytes.deallocate()
        unsafe entries.deallocate()
        unsafe candidates.deallocate()
    }

    func index(of name: UnsafeBufferPointer<UInt8>) -> Int {
        guard let base = name.baseAddress else { return -1 }
        for candidate in unsafe candidates[name.count & 31] {
            let entry = unsafe entries[candidate]
            // Invariant: both regions have `name.count` bytes.
            if entry.length == name.count, unsafe memcmp(bytes + entry.start, base, name.count) == 0
            {
                return entry.index
            }
        }
        return -1
    }
}
