internal import NIOCore
internal import NIOSSL

/// Who is at the other end of a connection.
package struct Peer: Sendable {
    /// `127.0.0.1:50123`, `[::1]:50123`, or what a socket of another kind has.
    package var text = ""
    /// The IP address; nil for a Unix socket.
    package var ipAddress: String?
    /// Whom the client's certificate, which has been verified, is made out to: its subject alternative
    /// names of the kinds URI, DNS and email (RFC 5280 section 4.2.1.6). The common name is not read (RFC 9525
    /// section 2). Empty without TLS or certificate.
    package var identities: [String] = []

    package init() {}

    /// The peer of a connection whose TLS handshake is not complete.
    init(_ channel: any Channel) { self.init(channel.remoteAddress) }

    private init(_ address: SocketAddress?) {
        ipAddress = address?.ipAddress
        text = Self.text(address)
    }

    init(_ context: ChannelHandlerContext) {
        self.init(context.remoteAddress)
        let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
        identities = certificate.map(Self.identities) ?? []
    }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address else { return "unknown" }
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return "\(Address(host: host, port: port))"
    }

    private static func identities(_ certificate: NIOSSLCertificate) -> [String] {
        certificate._subjectAlternativeNames().compactMap { name in
            guard [.uri, .dnsName, .email].contains(name.nameType) else { return nil }
            return String(validating: name.contents, as: UTF8.self)
        }
    }
}
