internal import NIOCore
internal import Transport

/// Detects the protocol of a connection by its first bytes: HTTP/1 if they can begin an HTTP/1
/// request (a method, or a line break before it) and not HTTP/2's preface (RFC 9113 section 3.4).
/// All other connections are HTTP/2, whose session reports invalid bytes.
final class ProtocolSniffer: ChannelInboundHandler, RemovableChannelHandler, ServedConnection {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let connections: ConnectionSet
    let servedPort: ServedPort
    private let openedAt: UInt64
    private var drainedAt: UInt64?
    private var seen = ByteBuffer()
    private var context: ChannelHandlerContext?

    init(_ connections: ConnectionSet, servedPort: ServedPort) {
        self.connections = connections
        self.servedPort = servedPort
        openedAt = connections.loop.now
    }

    func checkTimeouts(at now: UInt64) {
        if now &- openedAt > connections.loop.limits.firstRequestTimeout.nanoseconds { close() }
        if let drainedAt, now &- drainedAt > HTTP1Machine.drainGraceNanoseconds { close() }
    }

    /// The first bytes of a client that has just connected may not have arrived yet.
    func drain() { drainedAt = connections.loop.now }

    func close() { context?.close(promise: nil) }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connections.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        connections.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if seen.readableBytes == 0 { seen = buffer } else { seen.writeBuffer(&buffer) }
        let known = min(seen.readableBytes, Self.preface.count)
        let isPreface = seen.readableBytesView.prefix(known).elementsEqual(
            Self.preface.prefix(known))
        guard !isPreface || known == Self.preface.count else {
            // Copies these bytes, so that the larger buffer of the read is released.
            seen = ByteBuffer(bytes: seen.readableBytesView)
            return
        }
        let first = seen.readableBytesView.first ?? 0
        let isHTTP1 =
            !isPreface && (HTTPFields.isTokenByte(first) || first == UInt8(ascii: "\r"))
        // The HTTP connection is added before this one is removed: while the server drains, it is
        // not finished in between.
        do {
            let pipeline = context.pipeline.syncOperations
            if isHTTP1 {
                try pipeline.addHandler(
                    HTTP1Connection(connections, servedPort: servedPort, openedAt: openedAt))
            } else {
                let connection = ServerConnection(
                    connections, servedPort: servedPort, openedAt: openedAt)
                try connection.http2.join(pipeline, owner: connection)
            }
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(wrapInboundOut(seen))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
