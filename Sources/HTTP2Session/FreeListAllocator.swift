internal import CNGHTTP2

#if canImport(Glibc)
    internal import Glibc
#endif

/// Keeps and reuses the blocks that nghttp2 frees, so that the state of a stream needs no call of
/// the system's allocator once a loop is warm.
///
/// ```
///   block:  | class (16 bytes) | what nghttp2 gets ...     |   a kept block's first word
///                              ^ pointer given out             points to the next one
/// ```
///
/// Invariant: an allocator and all sessions that use it belong to one event loop.
@safe package final class FreeListAllocator {
    /// The kept blocks of one size class.
    @unsafe private struct List {
        var first: UnsafeMutableRawPointer?
        var count = 0
    }

    /// The most bytes kept per size class.
    private static let keptBytesPerClass = 256 << 10
    /// Size classes are 64 << index bytes, including the header, up to 1 KiB, which is enough for a
    /// stream. Larger blocks, which live as long as a connection, are allocated by the system,
    /// which does not round them up.
    private static let classCount = 5
    /// The header of each block contains its class, and keeps malloc's alignment of 16.
    private static let headerBytes = 16

    private let lists: UnsafeMutablePointer<List>
    private let fails: Bool

    /// Unsent body bytes of all sessions.
    package internal(set) var bodyBytes = 0

    package convenience init() { self.init(failingAfter: nil) }

    /// - Parameter count: the number of allocations that succeed before all others fail, for tests;
    ///   nil for no limit.
    init(failingAfter count: Int?) {
        fails = count != nil
        unsafe lists = .allocate(capacity: Self.classCount + 1)
        unsafe lists.initialize(repeating: List(), count: Self.classCount + 1)
        // The entry after the lists counts down.
        unsafe lists[Self.classCount].count = count ?? 0
    }

    deinit {
        for index in 0..<Self.classCount {
            while let block = unsafe Self.pop(&lists[index]) { unsafe free(block) }
        }
        unsafe lists.deallocate()
    }

    /// The C view of this allocator, which must outlive it. The functions receive the lists, not
    /// the object, which avoids reference counting.
    var memory: nghttp2_mem {
        guard !fails else { return unsafe failingMemory }
        return unsafe nghttp2_mem(
            mem_user_data: lists,
            malloc: { size, user in
                unsafe FreeListAllocator.allocate(size, FreeListAllocator.from(user))
            },
            free: { block, user in
                unsafe FreeListAllocator.release(block, FreeListAllocator.from(user))
            },
            calloc: { count, size, user in
                let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
                guard !overflow,
                    let block = unsafe FreeListAllocator.allocate(
                        bytes, FreeListAllocator.from(user))
                else { return nil }
                unsafe memset(block, 0, bytes)
                return unsafe block
            },
            realloc: { block, size, user in
                unsafe FreeListAllocator.resize(block, to: size, FreeListAllocator.from(user))
            })
    }

    /// Allocates from the system, until the count of a test is reached.
    private var failingMemory: nghttp2_mem {
        unsafe nghttp2_mem(
            mem_user_data: lists,
            malloc: { size, user in
                unsafe FreeListAllocator.succeeds(user) ? malloc(size) : nil
            },
            free: { block, _ in unsafe free(block) },
            calloc: { count, size, user in
                unsafe FreeListAllocator.succeeds(user) ? calloc(count, size) : nil
            },
            realloc: { block, size, user in
                unsafe FreeListAllocator.succeeds(user) ? realloc(block, size) : nil
            })
    }

    private static func succeeds(_ user: UnsafeMutableRawPointer?) -> Bool {
        let lists = unsafe from(user)
        unsafe lists[classCount].count -= 1
        return unsafe lists[classCount].count >= 0
    }

    private static func from(_ user: UnsafeMutableRawPointer?) -> UnsafeMutablePointer<List> {
        // Invariant: nghttp2 passes the pointer that `memory` contains.
        guard let user = unsafe user else { preconditionFailure("nghttp2 passed no allocator") }
        return unsafe user.assumingMemoryBound(to: List.self)
    }

    private static func pop(_ list: inout List) -> UnsafeMutableRawPointer? {
        guard let block = unsafe list.first else { return nil }
        unsafe list.first = block.load(
            fromByteOffset: headerBytes, as: UnsafeMutableRawPointer?.self)
        unsafe list.count -= 1
        return unsafe block
    }

    private static func allocate(
        _ size: Int, _ lists: UnsafeMutablePointer<List>
    ) -> UnsafeMutableRawPointer? {
        let total = size + headerBytes
        let index = total <= 64 ? 0 : (total - 1).bitWidth - (total - 1).leadingZeroBitCount - 6
        guard index < classCount else {
            return unsafe stamp(malloc(total), index: classCount)
        }
        // A kept block already has its class.
        if let block = unsafe pop(&lists[index]) { return unsafe block + headerBytes }
        return unsafe stamp(malloc(64 << index), index: index)
    }

    private static func release(
        _ pointer: UnsafeMutableRawPointer?, _ lists: UnsafeMutablePointer<List>
    ) {
        guard let pointer = unsafe pointer else { return }
        let block = unsafe pointer - headerBytes
        let index = unsafe block.load(as: Int.self)
        guard index < classCount, unsafe lists[index].count < keptBytesPerClass >> (6 + index)
        else {
            return unsafe free(block)
        }
        unsafe pointer.storeBytes(of: lists[index].first, as: UnsafeMutableRawPointer?.self)
        unsafe lists[index].first = block
        unsafe lists[index].count += 1
    }

    private static func resize(
        _ pointer: UnsafeMutableRawPointer?, to size: Int, _ lists: UnsafeMutablePointer<List>
    ) -> UnsafeMutableRawPointer? {
        guard let pointer = unsafe pointer else { return unsafe allocate(size, lists) }
        let block = unsafe pointer - headerBytes
        let index = unsafe block.load(as: Int.self)
        if index == classCount {
            return unsafe stamp(realloc(block, size + headerBytes), index: index)
        }
        let room = (64 << index) - headerBytes
        guard size > room else { return unsafe pointer }
        guard let larger = unsafe allocate(size, lists) else { return nil }
        unsafe memcpy(larger, pointer, room)
        unsafe release(pointer, lists)
        return unsafe larger
    }

    private static func stamp(
        _ block: UnsafeMutableRawPointer?, index: Int
    ) -> UnsafeMutableRawPointer? {
        guard let block = unsafe block else { return nil }
        unsafe block.storeBytes(of: index, as: Int.self)
        return unsafe block + headerBytes
    }
}
