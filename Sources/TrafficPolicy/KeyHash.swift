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
