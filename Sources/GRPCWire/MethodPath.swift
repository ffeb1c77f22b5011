/// A gRPC `:path`, `/pkg.Service/Method`, in its two parts.
package struct MethodPath: Hashable, Sendable, CustomStringConvertible {
    /// The full name of the service.
    package let service: String
    package let method: String

    package init(service: String, method: String) {
        self.service = service
        self.method = method
    }

    /// Nil when the text is not two non-empty parts, each behind a slash.
    package init?(_ path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, !parts[2].isEmpty else {
            return nil
        }
        self.init(service: String(parts[1]), method: String(parts[2]))
    }

    package var description: String { "/\(service)/\(method)" }

    /// The method of calls that name their endpoint, to which plain HTTP requests are converted.
    package static let serveCall = MethodPath(service: "weir.v1.Serve", method: "Call")
}
