package import NIOCore
internal import NIOSSL

/// The peer of a connection.
package struct Peer: Sendable {
    /// `127.0.0.1:50123`, `[::1]:50123`, or the address of another kind of socket.
    package var text = ""
    /// The IP address; nil for a Unix socket.
    package var ipAddress: String?
    /// The subject alternative names of the client's verified certificate, of the kinds URI, DNS
    /// and email. The common name is not used (RFC 9525 section 2). Empty without TLS or
    /// certificate.
    package var identities: [PeerIdentity] = []

    /// An unknown peer.
    package init() {}

    /// The peer of a connection whose TLS handshake is not complete.
    package init(_ channel: any Channel) { self.init(channel.remoteAddress) }

    private init(_ address: SocketAddress?) {
        ipAddress = address?.ipAddress
        text = Self.text(address)
    }

    /// The peer of a connection after the TLS handshake.
    package init(_ context: ChannelHandlerContext) {
        self.init(context.remoteAddress)
        let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
        identities = certificate.map(Self.identities) ?? []
    }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address else { return "unknown" }
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return "\(Address(host: host, port: port))"
    }

    private static func identities(_ certificate: NIOSSLCertificate) -> [PeerIdentity] {
        certificate._subjectAlternativeNames().compactMap { name in
            let kind: PeerIdentity.Kind? =
                switch name.nameType {
                case .uri: .uri
                case .dnsName: .dns
                case .email: .email
                default: nil
                }
            guard let kind, let text = String(validating: name.contents, as: UTF8.self) else {
                return nil
            }
            return PeerIdentity(kind, text)
        }
    }
}
