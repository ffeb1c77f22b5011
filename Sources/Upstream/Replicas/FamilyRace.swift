internal import NIOCore
internal import NIOPosix

/// Finds the address family through which a name can be reached: connects as RFC 8305 requires
/// (IPv6 first, IPv4 after a short delay) and closes the connection.
enum FamilyRace {
    private static let timeout = TimeAmount.seconds(2)

    /// A resolver for the connector that returns known addresses.
    private struct Known: Resolver, Sendable {
        let name: ResolvedName
        let eventLoop: any EventLoop

        func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeSucceededFuture(name.version4)
        }

        func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeSucceededFuture(name.version6)
        }

        func cancelQueries() {}
    }

    /// - Returns: nil if no address accepts connections.
    static func winner(
        of name: ResolvedName, host: String, port: Int, on eventLoop: any EventLoop
    ) -> EventLoopFuture<ResolvedName.Family?> {
        ClientBootstrap(group: eventLoop)
            .resolver(Known(name: name, eventLoop: eventLoop))
            .connectTimeout(timeout)
            .connect(host: host, port: port)
            .map { channel in
                defer { channel.close(promise: nil) }
                return channel.remoteAddress.flatMap(ResolvedName.Family.init)
            }
            .recover { _ in nil }
    }
}
