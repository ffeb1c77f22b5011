internal import CLibCrypto
internal import GRPCWire

/// The secret that signs requests, in the form of Standard Webhooks 1.0
/// (github.com/standard-webhooks/standard-webhooks): `whsec_` and the base64 of 24 to 64 bytes.
/// A file with several lines has several secrets, so that one can be replaced.
package struct WebhookSecret: Sendable {
    /// Why a text has no secrets, with the remedy. It does not contain the text.
    package struct Invalid: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    private static let prefix = "whsec_"
    private static let bounds = 24...64
    private static let maxKeys = 4

    private let keys: [[UInt8]]

    /// Parses a file: one secret in each line; lines that begin with `#` are comments.
    package init(_ text: String) throws(Invalid) {
        var keys: [[UInt8]] = []
        for (index, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        )
        .enumerated() {
            let word = line.filter { !$0.isWhitespace }
            guard !word.isEmpty, word.first != "#" else { continue }
            guard word.hasPrefix(Self.prefix),
                let key = Base64.decode(Array(word.dropFirst(Self.prefix.count).utf8)),
                Self.bounds.contains(key.count)
            else {
                throw Invalid(
                    description: "line \(index + 1) is not 'whsec_' with the base64 of 24 to 64 "
                        + "bytes; make one with: echo whsec_$(openssl rand -base64 32)")
            }
            keys.append(key)
        }
        guard (1...Self.maxKeys).contains(keys.count) else {
            throw Invalid(
                description: "the file has \(keys.count) secrets; it must have 1 to \(Self.maxKeys)"
            )
        }
        self.keys = keys
    }

    /// The value of `webhook-signature`: one HMAC-SHA256 for each secret.
    ///
    /// - Parameters:
    ///   - id: the value of `webhook-id`.
    ///   - timestamp: the value of `webhook-timestamp`, in seconds since 1970.
    package func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
        let content = Array("\(id).\(timestamp).".utf8) + body
        return keys.map { "v1,\(Base64.encode(Self.hmac(content, key: $0), padded: true))" }
            .joined(separator: " ")
    }

    /// HMAC-SHA256 (RFC 2104).
    private static func hmac(_ content: [UInt8], key: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        var length: UInt32 = 0
        // Invariant: the digest has the length that the function writes. A request without a
        // signature must not be sent.
        let isSigned =
            unsafe HMAC(
                EVP_sha256(), key, Int32(key.count), content, content.count, &digest, &length)
            != nil
        precondition(isSigned && length == digest.count, "libcrypto cannot compute HMAC")
        return digest
    }
}
