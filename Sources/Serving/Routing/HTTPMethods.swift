internal import Transport

/// The methods of plain HTTP requests that an endpoint accepts.
package struct HTTPMethods: Sendable, Equatable {
    /// The most methods of an endpoint.
    package static let maxCount = 16
    private static let maxBytes = 32

    /// In upper case, sorted; empty for all.
    package let names: [String]

    /// All methods.
    package static let all = HTTPMethods(sorted: [])

    private init(sorted names: [String]) { self.names = names }

    /// The methods; nil if a name is not a token or too long, or if there are too many.
    package static func valid(_ names: [String]) -> HTTPMethods? {
        let isValid = names.allSatisfy {
            HTTPFields.isToken($0.utf8) && $0.utf8.count <= maxBytes
        }
        guard isValid, names.count <= maxCount else { return nil }
        return HTTPMethods(sorted: Set(names.map { $0.uppercased() }).sorted())
    }

    /// Whether a request with the method is accepted. GET includes HEAD (RFC 9110 section 9.1).
    func accepts(_ method: String) -> Bool {
        names.isEmpty || names.contains(method) || method == "HEAD" && names.contains("GET")
    }

    /// The names; the usual ones for an endpoint that accepts all.
    var listed: [String] { names.isEmpty ? Self.usual : names }

    private static let usual = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

    /// The names for the field `Allow` (RFC 9110 section 10.2.1).
    var allowed: String {
        let implied = names.contains("GET") && !names.contains("HEAD") ? ["HEAD"] : []
        return (names + implied).sorted().joined(separator: ", ")
    }
}
