internal import NIOCore
package import NIOSSL

extension ClientConnection.TLS {
    /// The handler of one connection.
    package func handler() throws -> NIOSSLClientHandler {
        guard let serverName else {
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
        // NIOSSL also accepts the certificate of another name if it has the server's IP address.
        return try NIOSSLClientHandler._makeSSLClientHandler(
            context: context, serverHostname: serverName
        ) { certificate, channel in
            channel.eventLoop.makeCompletedFuture {
                let alternatives = certificate._subjectAlternativeNames()
                let names = alternatives.filter { $0.nameType == .dnsName }
                    .map { String(decoding: $0.contents, as: UTF8.self) }
                // NIOSSL has compared the common name of a certificate without alternatives.
                guard alternatives.isEmpty || isServer(serverName, in: names) else {
                    throw WrongServerName(name: serverName)
                }
            }
        }
    }
}

/// The server's certificate is for another name.
struct WrongServerName: Error, CustomStringConvertible {
    let name: String
    var description: String {
        "the server's certificate is for another name than '\(name)'"
    }
}

/// Whether one of a certificate's DNS names is that of a server. A wildcard is the whole first
/// label of a name (RFC 9525 section 6.3).
func isServer(_ server: String, in names: [String]) -> Bool {
    let server = labels(server)
    return names.contains { name in
        let name = labels(name)
        guard name.first == "*", name.count > 1 else { return name == server }
        return name.dropFirst() == server.dropFirst() && server.first?.isEmpty == false
    }
}

private func labels(_ name: String) -> [Substring] {
    let labels = name.lowercased().split(separator: ".", omittingEmptySubsequences: false)
    return labels.count > 1 && labels.last?.isEmpty == true ? labels.dropLast() : labels
}
