internal import CXXHash

/// The hash behind every keyed decision: XXH64, as published by the xxHash project.
///
/// The function is part of the contract with clients, which may compute a key's backend offline;
/// `protos/vectors/affinity.json` holds the test vectors.
package enum KeyHash {
    /// Hashes raw bytes.
    package static func hash(_ bytes: RawSpan, seed: UInt64) -> UInt64 {
        // The pointer is read within the closure only, and `count` is the span's own.
        unsafe bytes.withUnsafeBytes { unsafe XXH_INLINE_XXH64($0.baseAddress, $0.count, seed) }
    }

    /// Hashes the UTF-8 bytes of a name.
    package static func hash(_ name: String, seed: UInt64) -> UInt64 {
        unsafe hash(name.utf8Span.span.bytes, seed: seed)
    }
}

/// The same hash over bytes that come in pieces, for telling whether two bodies are equal.
package struct RunningHash: Sendable {
    private var state: CXXHash64State

    package init() {
        state = CXXHash64State()
        // The state is ours, and reset before its first use.
        _ = unsafe XXH_INLINE_XXH64_reset(&state, 0)
    }

    package mutating func append(_ bytes: RawSpan) {
        // The pointer is read within the closure only, and `count` is the span's own.
        _ = unsafe bytes.withUnsafeBytes {
            unsafe XXH_INLINE_XXH64_update(&state, $0.baseAddress, $0.count)
        }
    }

    /// The hash of everything so far.
    package var value: UInt64 {
        var copy = state
        return unsafe XXH_INLINE_XXH64_digest(&copy)
    }
}
