internal import CNGHTTP2

#if canImport(Glibc)
    internal import Glibc
#endif

/// The last header block of a connection, with the identity of its fields.
///
/// nghttp2 keeps the names and values of HPACK's tables in reference-counted buffers, so a peer
/// that repeats a field usually refers to the same buffer. Such a field is recognised by its
/// address: its bytes are neither copied nor compared. If all fields are equal, the block is a copy
/// of the last one, and the layer above need not read it again.
///
/// ```
///   last block   | f0 f1 f2 f3 |
///   new block    | f0 f1 x  f3 |     f0 and f1 match; from x on, the block is read
/// ```
@safe struct HeaderCache {
    /// A field of the last block. Holds both buffers, so that no other can have their addresses.
    @safe private struct Entry {
        let name: OpaquePointer?
        let value: OpaquePointer?
        /// The size of the header list up to the end of this field.
        let listBytes: Int
    }

    private var entries: [Entry] = []
    private var block = HeaderBlock()
    /// The number of different blocks so far.
    private(set) var number: UInt64 = 0
    /// Whether `entries` and `block` are one whole block.
    private var isComplete = false
    /// The number of fields of the new block that match; nil after the first that does not.
    private var matched: Int?

    /// A new block begins.
    mutating func begin() {
        // The last block had an error.
        if !isComplete { drop(from: 0) }
        matched = 0
    }

    /// Whether the next field equals the one of the last block at its position.
    mutating func matches(_ name: OpaquePointer?, _ value: OpaquePointer?) -> Bool {
        guard let position = matched, position < entries.count,
            unsafe Self.areEqual(entries[position].name, name),
            unsafe Self.areEqual(entries[position].value, value)
        else { return false }
        matched = position + 1
        return true
    }

    /// Fields outside HPACK's tables have new buffers in each block.
    private static func areEqual(_ first: OpaquePointer?, _ second: OpaquePointer?) -> Bool {
        if unsafe first == second { return true }
        let (left, right) = unsafe (nghttp2_rcbuf_get_buf(first), nghttp2_rcbuf_get_buf(second))
        // Invariant: both buffers have `left.len` bytes.
        return unsafe left.len == right.len && memcmp(left.base, right.base, left.len) == 0
    }

    /// The new block, if it equals the last one.
    var repeated: HeaderBlock? { isComplete && matched == entries.count ? block : nil }

    /// Ends the comparison, at a field that differs or at the end of a shorter block: appends the
    /// fields that match to the new block, which is empty.
    ///
    /// - Returns: the size of the list of these fields; nil if the comparison had ended.
    mutating func diverge(to new: inout HeaderBlock) -> Int? {
        guard let count = matched else { return nil }
        matched = nil
        isComplete = false
        let listBytes = count > 0 ? entries[count - 1].listBytes : 0
        drop(from: count)
        if block.isShared {
            new.append(block, first: count)
            block = HeaderBlock()
        } else {
            swap(&block, &new)
            new.removeAll(after: count)
        }
        return listBytes
    }

    /// Adds a field of the new block.
    mutating func add(_ name: OpaquePointer?, _ value: OpaquePointer?, listBytes: Int) {
        unsafe nghttp2_rcbuf_incref(name)
        unsafe nghttp2_rcbuf_incref(value)
        unsafe entries.append(Entry(name: name, value: value, listBytes: listBytes))
    }

    /// The new block is complete.
    mutating func finish(_ new: HeaderBlock) {
        block = new
        number += 1
        isComplete = true
    }

    /// Forgets the last block.
    mutating func removeAll() {
        drop(from: 0)
        block = HeaderBlock()
        isComplete = false
    }

    private mutating func drop(from position: Int) {
        for entry in entries[position...] {
            unsafe nghttp2_rcbuf_decref(entry.name)
            unsafe nghttp2_rcbuf_decref(entry.value)
        }
        entries.removeSubrange(position...)
    }
}
