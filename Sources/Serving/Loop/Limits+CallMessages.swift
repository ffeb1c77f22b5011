extension Limits {
    /// The largest sum of the short fields of a `CallRequest` or `CallResponse`. Its headers have a
    /// limit of their own.
    private static let shortFieldBytes = 256

    /// The largest `CallRequest`. Its payload has at most `maxMessageBytes`.
    var maxCallRequestBytes: Int { wrapped(maxHeaderListBytes) }

    /// The largest `CallResponse`.
    var maxCallResponseBytes: Int { wrapped(maxResponseHeaderBytes) }

    private func wrapped(_ headerBytes: Int) -> Int {
        let (wrapper, overflow) = headerBytes.addingReportingOverflow(Self.shortFieldBytes)
        let (sum, sumOverflow) = maxMessageBytes.addingReportingOverflow(overflow ? 0 : wrapper)
        return sumOverflow ? .max : sum
    }
}
