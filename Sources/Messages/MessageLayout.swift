internal import CProtobufC

/// A pointer to protobuf-c's constant descriptor of a message.
@safe public struct MessageLayout: @unchecked Sendable {
    typealias Descriptor = UnsafePointer<ProtobufCMessageDescriptor>

    // Invariant of `@unchecked Sendable`: the descriptor is a constant of the C library.
    let descriptor: Descriptor
    let byteCount: Int
    /// Whether messages of this type can nest without limit.
    private let isRecursive: Bool

    /// - Parameter initialize: the `..._init` function that protobuf-c generated for the message.
    public init<Message>(_ initialize: (UnsafeMutablePointer<Message>?) -> Void) {
        byteCount = MemoryLayout<Message>.stride
        // Invariant: `initialize` writes a whole message, whose first word is its descriptor's
        // address.
        unsafe descriptor = unsafe withUnsafeTemporaryAllocation(of: Message.self, capacity: 1) {
            unsafe initialize($0.baseAddress)
            return unsafe UnsafeRawBufferPointer($0).load(as: Descriptor.self)
        }
        var finite: Set<Descriptor> = unsafe []
        isRecursive = unsafe Self.leadsBack(descriptor, on: [], finite: &finite)
    }

    /// Rejects bytes whose messages nest deeper than protobuf's own parsers allow. protobuf-c
    /// parses recursively without a limit, so a few megabytes would overflow the stack.
    func checkNesting(_ bytes: UnsafeRawBufferPointer) throws(MessageError) {
        guard isRecursive else { return }
        try unsafe Self.checkNesting(Array(bytes)[...], descriptor, depth: 1)
    }

    private static func checkNesting(
        _ bytes: ArraySlice<UInt8>, _ descriptor: Descriptor, depth: Int
    ) throws(MessageError) {
        guard depth <= JSONTranscoder.maximumDepth else {
            throw MessageError("messages nest deeper than \(JSONTranscoder.maximumDepth)")
        }
        var reader = WireReader(bytes)
        while let (number, value) = try reader.next() {
            guard case .bytes(let inner) = value, let number = UInt32(exactly: number),
                let field = unsafe protobuf_c_message_descriptor_get_field(descriptor, number),
                let type = unsafe messageType(field.pointee)
            else { continue }
            try unsafe checkNesting(inner, type, depth: depth + 1)
        }
    }

    /// Whether a type contains itself or an enclosing type. The recursion depth is bounded by the
    /// number of types in the program.
    ///
    /// - Parameter finite: types known to be finite.
    private static func leadsBack(
        _ descriptor: Descriptor, on way: [Descriptor], finite: inout Set<Descriptor>
    ) -> Bool {
        guard unsafe !way.contains(descriptor) else { return true }
        guard unsafe !finite.contains(descriptor) else { return false }
        let fields = unsafe UnsafeBufferPointer(
            start: descriptor.pointee.fields, count: Int(descriptor.pointee.n_fields))
        for index in fields.indices {
            guard let type = unsafe messageType(fields[index]) else { continue }
            if unsafe leadsBack(type, on: way + [descriptor], finite: &finite) { return true }
        }
        unsafe finite.insert(descriptor)
        return false
    }

    private static func messageType(_ field: ProtobufCFieldDescriptor) -> Descriptor? {
        guard unsafe field.type == PROTOBUF_C_TYPE_MESSAGE else { return nil }
        // Invariant: protobuf-c stores the descriptor of a message type in this field.
        return unsafe field.descriptor.map {
            unsafe $0.assumingMemoryBound(to: Descriptor.Pointee.self)
        }
    }
}
