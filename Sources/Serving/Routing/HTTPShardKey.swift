internal import GRPCWire
internal import Transport

/// Where a request that is not gRPC has its shard key, if it lacks the header `x-serve-shard-key`:
/// in a cookie, or else in the query.
package struct HTTPShardKey: Sendable, Equatable {
    private static let maxBytes = 256

    /// The name of the cookie; empty for none.
    package let cookie: String
    /// The name of the query parameter; empty for none.
    package let query: String

    /// Nil if both names are empty, if the cookie's is not a token, or if one is too long or is not
    /// printable ASCII.
    package init?(cookie: String, query: String) {
        let isCookie =
            cookie.isEmpty || HTTPFields.isToken(cookie.utf8) && cookie.utf8.count <= Self.maxBytes
        let isQuery =
            query.utf8.count <= Self.maxBytes
            && query.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        guard isCookie, isQuery, !(cookie.isEmpty && query.isEmpty) else { return nil }
        self.cookie = cookie
        self.query = query
    }

    /// The shard key of a request; nil without one. The first value that is not empty counts.
    func key(of head: HTTPRequestHead) -> String? {
        if head.fields.contains(where: { $0.name == KnownHeader.shardKey.name && !$0.value.isEmpty }
        ) {
            return nil
        }
        return cookieValue(head) ?? queryValue(head)
    }

    /// The value of the cookie (RFC 6265 section 5.4), without surrounding quotes.
    private func cookieValue(_ head: HTTPRequestHead) -> String? {
        guard !cookie.isEmpty else { return nil }
        for field in head.fields where field.name == "cookie" {
            for pair in field.value.split(separator: ";") {
                let parts = pair.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, HTTPFields.trimmed(String(parts[0])) == cookie else {
                    continue
                }
                var value = HTTPFields.trimmed(String(parts[1]))
                if value.utf8.count > 1, value.hasPrefix("\""), value.hasSuffix("\"") {
                    value = String(value.dropFirst().dropLast())
                }
                if !value.isEmpty { return value }
            }
        }
        return nil
    }

    private func queryValue(_ head: HTTPRequestHead) -> String? {
        guard !query.isEmpty else { return nil }
        let value = FormQuery.parse(head.target.query)?.first {
            $0.name == query && !$0.value.isEmpty
        }?.value
        return value.map { HTTPFields.text(of: $0) }
    }
}
