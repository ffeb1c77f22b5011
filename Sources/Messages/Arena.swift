internal import CProtobufC

#if canImport(Glibc)
    internal import Glibc
#endif

/// The memory of one decoding or encoding: a bump allocator that starts on the stack.
///
/// protobuf-c allocates a struct for every message and a copy of every string. In an arena, an
/// allocation is an addition, and all memory is released at once. Messages that exceed the stack
/// chunk use chunks of the system's allocator, which are freed at the end too.
///
/// Invariant: an arena is used only during `withArena`, by the thread that entered it.
@safe public struct Arena {
    private static let chunkBytes = 16 << 10
    private static let alignment = 16

    @unsafe struct State {
        var next: UnsafeMutableRawPointer
        var end: UnsafeMutableRawPointer
        var chunks: [UnsafeMutableRawPointer] = unsafe []
        var allocator = unsafe ProtobufCAllocator()
    }

    let state: UnsafeMutablePointer<State>

    /// Calls the body with a new arena.
    ///
    /// Not generic, because a generic call would look up metadata for each result type.
    static func withArena(_ body: (Arena) -> Void) {
        // 1,024 bytes is the most that Swift puts on the stack.
        unsafe withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 16) { stack in
            guard let base = stack.baseAddress else { return }
            var state = unsafe State(next: base, end: base + stack.count)
            unsafe withUnsafeMutablePointer(to: &state) { pointer in
                unsafe pointer.pointee.allocator = ProtobufCAllocator(
                    alloc: { user, size in
                        guard let user = unsafe user else { return nil }
                        let state = unsafe user.assumingMemoryBound(to: State.self)
                        return unsafe Arena(state: state).allocate(size)
                    },
                    free: { _, _ in },
                    allocator_data: UnsafeMutableRawPointer(pointer))
                body(unsafe Arena(state: pointer))
                for index in unsafe pointer.pointee.chunks.indices {
                    unsafe free(pointer.pointee.chunks[index])
                }
            }
        }
    }

    var allocator: UnsafeMutablePointer<ProtobufCAllocator> {
        // Invariant: the state outlives the arena, see the type's comment.
        guard let allocator = unsafe state.pointer(to: \.allocator) else {
            preconditionFailure("a stored property has an address")
        }
        return unsafe allocator
    }

    /// Memory for `size` bytes, aligned to 16, not initialised.
    func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        // Cannot overflow: a size is that of a struct, of data in memory, or of eight times its
        // elements, far below 2^63.
        let rounded = (size + Self.alignment - 1) & ~(Self.alignment - 1)
        if unsafe state.pointee.end - state.pointee.next < rounded {
            let bytes = max(Self.chunkBytes, rounded)
            guard let chunk = unsafe malloc(bytes) else { return nil }
            unsafe state.pointee.chunks.append(chunk)
            unsafe state.pointee.next = chunk
            unsafe state.pointee.end = unsafe chunk + bytes
        }
        defer { unsafe state.pointee.next += rounded }
        return unsafe state.pointee.next
    }

    // MARK: For generated code

    /// Zeroed memory for `count` values of a C type.
    public func zeroed<Value>(_ type: Value.Type, count: Int = 1) -> UnsafeMutablePointer<Value> {
        guard let memory = unsafe allocate(max(1, count) * MemoryLayout<Value>.stride) else {
            fatalError("out of memory while encoding a message")
        }
        unsafe memset(memory, 0, max(1, count) * MemoryLayout<Value>.stride)
        return unsafe memory.bindMemory(to: Value.self, capacity: max(1, count))
    }

    /// A copy of bytes that lives as long as the arena.
    public func copy(_ bytes: [UInt8]) -> UnsafeMutableBufferPointer<UInt8> {
        let memory = unsafe zeroed(UInt8.self, count: bytes.count)
        let buffer = unsafe UnsafeMutableBufferPointer(start: memory, count: bytes.count)
        _ = unsafe buffer.update(fromContentsOf: bytes)
        return unsafe buffer
    }

    /// A copy of a text's UTF-8 bytes that lives as long as the arena.
    public func copy(_ text: String) -> UnsafeMutableBufferPointer<UInt8> {
        let count = text.utf8.count
        let memory = unsafe zeroed(UInt8.self, count: count)
        let buffer = unsafe UnsafeMutableBufferPointer(start: memory, count: count)
        _ = unsafe buffer.update(fromContentsOf: text.utf8)
        return unsafe buffer
    }

    /// A text of a C message, validated as UTF-8.
    public static func text(
        _ data: UnsafeMutablePointer<UInt8>?, _ count: Int, field: StaticString
    ) throws(MessageError) -> String {
        // Invariant: the C message, which is in the arena, has `count` bytes at `data`.
        let bytes = unsafe UnsafeBufferPointer(start: data, count: count)
        guard let text = try? UTF8Span(validating: unsafe bytes.span) else {
            throw MessageError("invalid UTF-8 in field \(field)")
        }
        return String(copying: text)
    }

    /// Bytes of a C message.
    public static func bytes(_ data: UnsafeMutablePointer<UInt8>?, _ count: Int) -> [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: data, count: count))
    }
}
