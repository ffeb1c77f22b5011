internal import BasicContainers

#if canImport(Glibc)
    internal import Glibc
#endif

/// A list of header fields in two flat arrays: no allocation per field.
///
/// A copy shares the arrays (copy-on-write) and retains one object. Reading a field retains
/// nothing. Received blocks are reused by later streams. Keeping a copy is safe but prevents the
/// reuse.
package struct HeaderBlock: Sendable {
    /// The position of a field in `bytes`.
    package struct Field: Sendable {
        private let start: UInt32
        private let middle: UInt32
        private let end: UInt32
        private let number: Int16

        /// Invariant: a block has less than 4 GiB, because the limits of headers are lower.
        fileprivate init(_ start: Int, _ middle: Int, _ end: Int, known: Int) {
            self.start = UInt32(start)
            self.middle = UInt32(middle)
            self.end = UInt32(end)
            number = Int16(known)
        }

        package var nameStart: Int { Int(start) }
        package var valueStart: Int { Int(middle) }
        package var valueEnd: Int { Int(end) }
        /// The index of the name among the session's known names, or -1.
        package var known: Int { Int(number) }

        package var name: Range<Int> { nameStart..<valueStart }
        package var value: Range<Int> { valueStart..<valueEnd }
    }

    /// Invariant of `@unchecked Sendable`: only a block that has the only reference changes it.
    private final class Storage: @unchecked Sendable {
        var bytes = UniqueArray<UInt8>()
        var fields = UniqueArray<Field>()
    }

    /// The overhead of each field in the size of a header list (RFC 9113 section 6.5.2).
    package static let fieldOverheadBytes = 32

    /// Nil for an empty block that has never had a field.
    private var storage: Storage?

    /// The names and values of all fields.
    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            guard let storage else { return Span() }
            // Invariant: the block keeps the storage, and only the only block of it changes it.
            return unsafe _overrideLifetime(storage.bytes.span, borrowing: self)
        }
    }
    /// The positions of the fields, in order.
    package var fields: Span<Field> {
        @_lifetime(borrow self)
        get {
            guard let storage else { return Span() }
            // Invariant: as in `bytes`.
            return unsafe _overrideLifetime(storage.fields.span, borrowing: self)
        }
    }
    /// The names and values as text, in order; bytes that are not UTF-8 are replaced.
    package var pairs: [(name: String, value: String)] {
        fields.indices.map { (name(fields[$0]), text(fields[$0])) }
    }
    /// The number of fields.
    package var count: Int { storage?.fields.count ?? 0 }

    /// The storage for a change; not shared with another block.
    private mutating func owned() -> Storage {
        if isKnownUniquelyReferenced(&storage), let storage { return storage }
        let copy = Storage()
        copy.bytes.append(copying: bytes)
        copy.fields.append(copying: fields)
        storage = copy
        return copy
    }

    package init() {}

    package init(_ fields: KeyValuePairs<String, String>) {
        for (name, value) in fields { append(name, value) }
    }

    /// Appends a field; the name must be in lower case.
    ///
    /// - Parameter known: the index of the name among the known names; -1 if no code looks it up by
    ///   index.
    package mutating func append(_ name: String, _ value: String, known: Int = -1) {
        append(name, bytes: value.utf8, known: known)
    }

    /// Appends a field whose value is raw bytes.
    package mutating func append(
        _ name: String, bytes value: some Collection<UInt8>, known: Int = -1
    ) {
        let storage = owned()
        let start = storage.bytes.count
        storage.bytes.append(copying: name.utf8)
        let middle = storage.bytes.count
        storage.bytes.append(copying: value)
        storage.fields.append(Field(start, middle, storage.bytes.count, known: known))
    }

    mutating func append(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, known: Int
    ) {
        let storage = owned()
        let start = storage.bytes.count
        unsafe storage.bytes.append(copying: name)
        let middle = storage.bytes.count
        unsafe storage.bytes.append(copying: value)
        storage.fields.append(Field(start, middle, storage.bytes.count, known: known))
    }

    /// Appends the fields of another block.
    package mutating func append(_ other: HeaderBlock) {
        append(other, first: other.count)
    }

    /// Appends the first fields of another block.
    mutating func append(_ other: HeaderBlock, first count: Int) {
        guard let source = other.storage, count > 0 else { return }
        guard self.count > 0 || count < source.fields.count else {
            self = other
            return
        }
        let storage = owned()
        let offset = storage.bytes.count
        storage.bytes.append(copying: other.bytes.extracting(..<source.fields[count - 1].valueEnd))
        for index in 0..<count {
            let field = source.fields[index]
            storage.fields.append(
                Field(
                    offset + field.nameStart, offset + field.valueStart, offset + field.valueEnd,
                    known: field.known))
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
        guard let source = other.storage, !source.fields.isEmpty else { return }
        let storage = owned()
        for index in source.fields.indices {
            let field = source.fields[index]
            if excluded.contains(field.known) { continue }
            let start = storage.bytes.count
            storage.bytes.append(copying: other.bytes.extracting(field.nameStart..<field.valueEnd))
            storage.fields.append(
                Field(
                    start, start + field.name.count, storage.bytes.count, known: field.known))
        }
    }

    /// Removes all fields; keeps the memory unless a copy shares it.
    package mutating func removeAll() {
        guard count > 0 else { return }
        guard isKnownUniquelyReferenced(&storage), let storage else {
            storage = nil
            return
        }
        storage.bytes.removeAll(keepingCapacity: true)
        storage.fields.removeAll(keepingCapacity: true)
    }

    /// Removes all fields after the first ones.
    mutating func removeAll(after count: Int) {
        guard count < self.count else { return }
        let storage = owned()
        let end = count > 0 ? storage.fields[count - 1].valueEnd : 0
        storage.bytes.removeSubrange(end...)
        storage.fields.removeSubrange(count...)
    }

    /// Whether another block shares the memory of this one.
    var isShared: Bool {
        mutating get { storage != nil && !isKnownUniquelyReferenced(&storage) }
    }

    /// The value of a field.
    @_lifetime(borrow self)
    package func value(of field: Field) -> Span<UInt8> { bytes.extracting(field.value) }

    /// The value of a field, without a type.
    @_lifetime(borrow self)
    package func rawValue(of field: Field) -> RawSpan {
        // Invariant: the bytes of a `UInt8` are initialized.
        let raw = unsafe value(of: field).bytes
        return unsafe _overrideLifetime(raw, borrowing: self)
    }

    /// A copy of the value of a field.
    package func array(_ field: Field) -> [UInt8] {
        // Invariant: the pointer is not used after the closure.
        unsafe value(of: field).withUnsafeBufferPointer { unsafe Array($0) }
    }

    /// The value of a field as text; bytes that are not UTF-8 are replaced.
    package func text(_ field: Field) -> String { text(field.value) }

    package func name(_ field: Field) -> String { text(field.name) }

    private func text(_ range: Range<Int>) -> String {
        // Invariant: the pointer is not used after the closure.
        unsafe bytes.extracting(range).withUnsafeBufferPointer {
            unsafe String(decoding: $0, as: UTF8.self)
        }
    }

    /// Whether a field's value equals these bytes.
    package func value(of field: Field, equals other: [UInt8]) -> Bool {
        guard field.value.count == other.count else { return false }
        // Invariant: both have `other.count` bytes.
        return unsafe value(of: field).withUnsafeBufferPointer { mine in
            unsafe other.withUnsafeBufferPointer { other in
                guard let left = mine.baseAddress, let right = other.baseAddress else {
                    return other.isEmpty
                }
                return unsafe memcmp(left, right, other.count) == 0
            }
        }
    }

    /// Whether a field's value is binary metadata: its name ends in `-bin`.
    package func isBinary(_ field: Field) -> Bool {
        let (end, bytes) = (field.valueStart, bytes)
        return field.name.count > 4 && bytes[end - 1] == UInt8(ascii: "n")
            && bytes[end - 2] == UInt8(ascii: "i") && bytes[end - 3] == UInt8(ascii: "b")
            && bytes[end - 4] == UInt8(ascii: "-")
    }

    /// The first field with a known name.
    package func first(known: Int) -> Field? {
        guard let storage else { return nil }
        for index in storage.fields.indices where storage.fields[index].known == known {
            return storage.fields[index]
        }
        return nil
    }

    /// The only field with a known name; nil if there is none or more than one.
    package func only(known: Int) -> Field? {
        guard let storage else { return nil }
        var found: Field?
        for index in storage.fields.indices where storage.fields[index].known == known {
            guard found == nil else { return nil }
            found = storage.fields[index]
        }
        return found
    }

    /// All fields with a known name, in order.
    package func all(known: Int) -> [Field] {
        fields.indices.filter { fields[$0].known == known }.map { fields[$0] }
    }

    /// Whether this is a response's header block with a 1xx status, which the final one follows.
    var isInformational: Bool {
        guard count > 0, !fields[0].value.isEmpty else { return false }
        return value(of: fields[0])[0] == UInt8(ascii: "1") && name(fields[0]) == ":status"
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

    /// The headers as one block.
    package var joined: HeaderBlock {
        var joined = first
        joined.append(passed, except: excluded)
        joined.append(last)
        return joined
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
