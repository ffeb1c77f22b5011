/// The path of a request as segments.
package struct RequestPath: Sendable {
    /// The segments, percent-encoded as received. Empty for `/`.
    let raw: [ArraySlice<UInt8>]
    /// The segments without percent-encoding.
    let decoded: [[UInt8]]
    /// The path with the last segment cut at its last colon; nil without a colon.
    let beforeVerb: (last: [UInt8], verb: String)?

    /// Nil if the path does not begin with a slash, has more than `maximumSegments` segments or an
    /// invalid escape.
    package init?(_ path: String) {
        var rest = Array(path.utf8)[...]
        guard rest.popFirst() == UInt8(ascii: "/") else { return nil }
        let segments =
            rest.isEmpty
            ? [] : rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard segments.count <= Self.maximumSegments else { return nil }
        raw = segments
        var decoded: [[UInt8]] = []
        for segment in segments {
            guard let bytes = PercentEncoding.decode(segment) else { return nil }
            decoded.append(bytes)
        }
        self.decoded = decoded
        if let last = segments.last, let colon = last.lastIndex(of: UInt8(ascii: ":")),
            let before = PercentEncoding.decode(last[..<colon]),
            let verb = PercentEncoding.decode(last[colon...].dropFirst())
        {
            beforeVerb = (before, String(decoding: verb, as: UTF8.self))
        } else {
            beforeVerb = nil
        }
    }

    /// The bound of segments: of a template's, and of those that `**` can match.
    package static let maximumSegments = 1_024

    /// The text of a variable; nil if it is not UTF-8.
    func text(of variable: PathTemplate.Variable, in template: PathTemplate) -> String? {
        let hasRest = template.segments.last == .rest
        let end =
            hasRest && variable.segments.upperBound == template.segments.count
            ? raw.count : variable.segments.upperBound
        let start = min(variable.segments.lowerBound, end)
        guard end <= raw.count else { return nil }
        var joined: [UInt8] = []
        for index in start..<end {
            if index > start { joined.append(UInt8(ascii: "/")) }
            var segment = raw[index]
            if !template.verb.isEmpty, index == raw.count - 1,
                let colon = segment.lastIndex(of: UInt8(ascii: ":"))
            {
                segment = segment[..<colon]
            }
            let bytes =
                variable.isMulti
                ? PercentEncoding.decodeExceptSlash(segment) : PercentEncoding.decode(segment)
            joined += bytes ?? []
        }
        return String(validating: joined, as: UTF8.self)
    }
}
