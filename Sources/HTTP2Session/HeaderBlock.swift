#if canImport(Glibc)
    internal import Glibc
#endif

/// A list of header fields in two flat arrays: no allocation per field.
///
/// Received blocks are reused by later streams. Keeping a copy is safe (the arrays are
/// copy-on-write) but prevents the reuse.
package struct HeaderBlock: Sendable {
    /// The position of a field in `bytes`.
    package struct Field: Sendable {
        package let nameStart: Int
        package let valueStart: Int
        package let valueEnd: Int
        /// The index of the name among the session's known names, or -1.
        package let known: Int

        package var name: Range<Int> { nameStart..<valueStart }
        package var value: Range<Int> { valueStart..<valueEnd }
    }

    /// The overhead of each field in the size of a header list (RFC 9113 section 6.5.2).
    package static let fieldOverheadBytes = 32

    package private(set) var bytes: [UInt8] = []
    package private(set) var fields: [Field] = []

    package init() {}

    package init(_ fields: KeyValuePairs<String, String>) {
        for (name, value) in fields { append(name, value) }
    }

    /// Appends a field; the name must be in lower case.
    ///
    /// - Parameter known: the index of the name among the known names; -1 if no code looks it up by
    ///   index.
    package mutating func append(_ name: String, _ value: String, known: Int = -1) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        let middle = bytes.count
        bytes.append(contentsOf: value.utf8)
        note(start, middle, known: known)
    }

    /// Appends a field whose value is raw bytes.
    package mutating func append(_ name: String, bytes value: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        let middle = bytes.count
        bytes.append(contentsOf: value)
        note(start, middle, known: -1)
    }

    /// Appends the fields of another block.
    package mutating func append(_ other: HeaderBlock) {
        guard !other.fields.isEmpty else { return }
        let offset = bytes.count
        bytes.append(contentsOf: other.bytes)
        for field in other.fields {
            fields.append(
                Field(
                    nameStart: offset + field.nameStart, valueStart: offset + field.valueStart,
                    valueEnd: offset + field.valueEnd, known: field.known))
        }
    }

    /// A set of known names, by number.
    package struct KnownSet: Sendable {
        fileprivate var bits: UInt64 = 0

        package init(_ numbers: some Sequence<Int>) {
            for number in numbers { bits |= 1 << UInt64(number) }
        }

        func contains(_ number: Int) -> Bool {
            number >= 0 && bits & (1 << UInt64(number)) != 0
        }
    }

    /// Appends the fields of another block, except those with certain known names.
    package mutating func append(_ other: HeaderBlock, except excluded: KnownSet) {
        guard !other.fields.isEmpty else { return }
        // Invariant: every field is within the bytes of its block.
        unsafe other.bytes.withUnsafeBufferPointer { source in
            for field in other.fields where !excluded.contains(field.known) {
                let start = bytes.count
                unsafe bytes.append(
                    contentsOf: UnsafeBufferPointer(
                        rebasing: source[field.nameStart..<field.valueEnd]))
                let middle = start + field.valueStart - field.nameStart
                note(start, middle, known: field.known)
            }
        }
    }

    package mutating func removeAll() {
        // `removeAll` costs time even for an empty array.
        guard !fields.isEmpty else { return }
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
    }

    /// The value of a field as text; bytes that are not UTF-8 are replaced.
    package func text(_ field: Field) -> String {
        String(decoding: bytes[field.value], as: UTF8.self)
    }

    package func name(_ field: Field) -> String {
        String(decoding: bytes[field.name], as: UTF8.self)
    }

    /// Whether a field's value equals these bytes.
    package func value(of field: Field, equals other: [UInt8]) -> Bool {
        guard field.value.count == other.count else { return false }
        // Invariant: both have `other.count` bytes.
        return unsafe bytes.withUnsafeBufferPointer { mine in
            unsafe other.withUnsafeBufferPointer { other in
                guard let left = mine.baseAddress, let right = other.baseAddress else {
                    return other.isEmpty
                }
                return unsafe memcmp(left + field.valueStart, right, other.count) == 0
            }
        }
    }

    /// The first field with a known name.
    package func first(known: Int) -> Field? {
        fields.first { $0.known == known }
    }

    /// Whether this is a response's header block with a 1xx status, which the final one follows.
    var isInformational: Bool {
        guard let field = fields.first, bytes[field.name].elementsEqual(":status".utf8) else {
            return false
        }
        return bytes[field.value].first == UInt8(ascii: "1")
    }

    mutating func append(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, known: Int
    ) {
        let start = bytes.count
        unsafe bytes.append(contentsOf: name)
        let middle = bytes.count
        unsafe bytes.append(contentsOf: value)
        note(start, middle, known: known)
    }

    private mutating func note(_ start: Int, _ middle: Int, known: Int) {
        fields.append(
            Field(nameStart: start, valueStart: middle, valueEnd: bytes.count, known: known))
    }
}

/// Headers to send, composed of three blocks in order; some fields of the middle block are omitted.
/// This avoids a copy of forwarded headers.
package struct HeaderParts: Sendable {
    let first: HeaderBlock
    let passed: HeaderBlock
    let excluded: HeaderBlock.KnownSet
    let last: HeaderBlock

    private static let none = HeaderBlock()
    private static let nothing = HeaderBlock.KnownSet([])

    package init(_ block: HeaderBlock) {
        self.init(block, passing: Self.none, except: Self.nothing, Self.none)
    }

    /// These headers after another block.
    package func following(_ block: HeaderBlock) -> HeaderParts {
        var joined = block
        joined.append(first)
        return HeaderParts(joined, passing: passed, except: excluded, last)
    }

    package init(
        _ first: HeaderBlock, passing passed: HeaderBlock, except excluded: HeaderBlock.KnownSet,
        _ last: HeaderBlock
    ) {
        self.first = first
        self.passed = passed
        self.excluded = excluded
        self.last = last
    }
}
