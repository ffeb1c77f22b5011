internal import CNGHTTP2
#if canImport(Glibc)
internal import Glibc
#endif

/// Keeps the blocks that nghttp2 frees and hands them out again, so that a stream's bookkeeping
/// costs no call to the system's allocator once a loop is warm.
///
/// Invariant: an allocator and all sessions that use it belong to one event loop.
@safe package final class FreeListAllocator {
    /// The most bytes kept per size class.
    private static let keptBytesPerClass = 256 << 10
    /// Size classes are 64 << index bytes, header included; larger blocks go to the system.
    private static let classCount = 8
    /// In front of each block: its class, keeping malloc's alignment of 16.
    private static let headerBytes = 16

    private var lists: [[UnsafeMutableRawPointer]] =
        unsafe Array(repeating: [], count: FreeListAllocator.classCount)

    package init() {}

    deinit {
        for unsafe list in unsafe lists {
            for unsafe block in unsafe list { unsafe free(block) }
        }
    }

    /// The C view of this allocator; it must not outlive it.
    var memory: nghttp2_mem {
        unsafe nghttp2_mem(
            mem_user_data: Unmanaged.passUnretained(self).toOpaque(),
            malloc: { size, user in unsafe FreeListAllocator.from(user).allocate(size) },
            free: { block, user in unsafe FreeListAllocator.from(user).release(block) },
            calloc: { count, size, user in
                let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
                guard !overflow, let block = unsafe FreeListAllocator.from(user).allocate(bytes)
                else { return nil }
                unsafe memset(block, 0, bytes)
                return unsafe block
            },
            realloc: { block, size, user in
                unsafe FreeListAllocator.from(user).resize(block, to: size)
            })
    }

    private static func from(_ user: UnsafeMutableRawPointer?) -> FreeListAllocator {
        // nghttp2 hands back the pointer that `memory` gave it, and sessions keep the object alive.
        guard let user = unsafe user else { preconditionFailure("nghttp2 lost its allocator") }
        return unsafe Unmanaged<FreeListAllocator>.fromOpaque(user).takeUnretainedValue()
    }

    private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        let total = size + Self.headerBytes
        let index = total <= 64 ? 0 : (total - 1).bitWidth - (total - 1).leadingZeroBitCount - 6
        guard index < Self.classCount else {
            return unsafe Self.stamp(malloc(total), index: Self.classCount)
        }
        if let block = unsafe lists[index].popLast() { return unsafe Self.stamp(block, index: index) }
        return unsafe Self.stamp(malloc(64 << index), index: index)
    }

    private func release(_ pointer: UnsafeMutableRawPointer?) {
        guard let pointer = unsafe pointer else { return }
        let block = unsafe pointer - Self.headerBytes
        let index = unsafe block.load(as: Int.self)
        if index < Self.classCount,
            unsafe lists[index].count < Self.keptBytesPerClass >> (6 + index)
        {
            unsafe lists[index].append(block)
        } else {
            unsafe free(block)
        }
    }

    private func resize(
        _ pointer: UnsafeMutableRawPointer?, to size: Int
    ) -> UnsafeMutableRawPointer? {
        guard let pointer = unsafe pointer else { return unsafe allocate(size) }
        let block = unsafe pointer - Self.headerBytes
        let index = unsafe block.load(as: Int.self)
        if index == Self.classCount {
            return unsafe Self.stamp(realloc(block, size + Self.headerBytes), index: index)
        }
        let room = (64 << index) - Self.headerBytes
        guard size > room else { return unsafe pointer }
        guard let larger = unsafe allocate(size) else { return nil }
        unsafe memcpy(larger, pointer, room)
        unsafe release(pointer)
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
