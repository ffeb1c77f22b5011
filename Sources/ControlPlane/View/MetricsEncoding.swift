internal import GRPCWire
internal import Transport

/// The form of a response to `/metrics`, as the client's `Accept` and `Accept-Encoding` ask.
struct MetricsEncoding: Hashable {
    /// More members than any scraper sends.
    private static let maxMembers = 32

    let format: MetricsText.Format
    let isGzip: Bool

    init(_ fields: [HTTPFields.Field]) {
        let accepted = Self.members("accept", in: fields)
        let openMetrics =
            Self.quality(accepted) {
                $0.name == "application/openmetrics-text" && ["", "1.0.0"].contains($0.version)
            } ?? 0
        let text = Self.quality(accepted) { $0.name == "text/plain" } ?? 0
        // A client that does not name OpenMetrics, such as a browser, may not be able to read it.
        format = openMetrics > 0 && openMetrics >= text ? .openMetrics : .prometheus
        let encodings = Self.members("accept-encoding", in: fields)
        let gzip =
            Self.quality(encodings) { $0.name == "gzip" || $0.name == "x-gzip" }
            ?? Self.quality(encodings) { $0.name == "*" } ?? 0
        // Without a weight of its own, `identity` is acceptable, but not preferred.
        isGzip = gzip > 0 && gzip >= Self.quality(encodings) { $0.name == "identity" } ?? 0
    }

    /// A member of a list with weights (RFC 9110 section 12.4.2).
    private struct Member {
        let name: String
        var version = ""
        /// The weight in thousandths.
        var quality = 1_000
    }

    private static func members(_ name: String, in fields: [HTTPFields.Field]) -> [Member] {
        HTTPFields.list(name, in: fields).prefix(maxMembers).map { text in
            let parts = text.split(separator: ";", omittingEmptySubsequences: false).map {
                HTTPFields.trimmed(String($0))
            }
            var member = Member(name: parts.first ?? "")
            for parameter in parts.dropFirst() {
                if parameter.hasPrefix("version=") {
                    member.version = parameter.dropFirst(8).filter { $0 != "\"" }
                } else if parameter.hasPrefix("q=") {
                    member.quality = quality(parameter.dropFirst(2))
                }
            }
            return member
        }
    }

    /// The weight in thousandths: 0 to 1 with at most three decimals. Other texts are 0.
    private static func quality(_ text: Substring) -> Int {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, whole == "0" || whole == "1" else { return 0 }
        let decimals = parts.count == 2 ? parts[1] : ""
        guard decimals.utf8.count <= 3 else { return 0 }
        let digits = whole + decimals + String(repeating: "0", count: 3 - decimals.utf8.count)
        return DecimalNumber.parse(Array(digits.utf8).span).map { min($0, 1_000) } ?? 0
    }

    /// The largest weight of the members that match; nil without one.
    private static func quality(_ members: [Member], _ matches: (Member) -> Bool) -> Int? {
        members.filter(matches).map(\.quality).max()
    }
}
