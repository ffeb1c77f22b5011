internal import CXXHash

/// The hash for every decision by shard key: XXH64 of the xxHash project.
///
/// The function is part of the contract with clients, which may compute a key's backend offline;
/// `protos/vectors/affinity.json` holds the test vectors.
package enum KeyHash {
    /// Hashes raw bytes.
    package static func hash(_ bytes: RawSpan, seed: UInt64) -> UInt64 {
        // Invariant: the pointer is read only within the closure, and `count` is the span's count.
        unsafe bytes.withUnsafeBytes { unsafe XXH_INLINE_XXH64($0.baseAddress, $0.count, seed) }
    }

    /// Hashes the UTF-8 bytes of a name.
    package static func hash(_ name: String, seed: UInt64) -> UInt64 {
        unsafe hash(name.utf8Span.span.bytes, seed: seed)
    }
}

/// The same hash over bytes that arrive in pieces, to compare two bodies.
package struct RunningHash: Sendable {
    private var state: CXXHash64State

    package init() {
        state = CXXHash64State()
        // Invariant: this value owns the state, which is reset before its first use.
        _ = unsafe XXH_INLINE_XXH64_reset(&state, 0)
    }

    package mutating func append(_ bytes: RawSpan) {
        // Invariant: the pointer is read only within the closure, and `count` is the span's count.
        _ = unsafe bytes.withUnsafeBytes {
            unsafe XXH_INLINE_XXH64_update(&state, $0.baseAddress, $0.count)
        }
    }

    /// The hash of all bytes so far.
    package var value: UInt64 {
        var copy = state
        return unsafe XXH_INLINE_XXH64_digest(&copy)
    }
}
