internal import NIOCore
internal import Transport

/// Looks at the first bytes of a connection. A connection that begins like an HTTP/1 request (a
/// method, or the line break before it) and not like HTTP/2's preface (RFC 9113 section 3.4) is
/// HTTP/1; for all others the HTTP/2 side reports what is wrong.
final class ProtocolSniffer: ChannelInboundHandler, RemovableChannelHandler, ServedConnection {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let connections: ConnectionSet
    let port: ServedPort
    private let openedAt: UInt64
    private var drainedAt: UInt64?
    private var seen = ByteBuffer()
    private var context: ChannelHandlerContext?

    init(_ connections: ConnectionSet, port: ServedPort) {
        self.connections = connections
        self.port = port
        openedAt = connections.loop.eventLoop.now.uptimeNanoseconds
    }

    func checkTimeouts(at now: UInt64) {
        if now &- openedAt > connections.loop.limits.firstRequestTimeout.nanoseconds { close() }
        if let drainedAt, now &- drainedAt > Self.drainGrace { close() }
    }

    /// What a client has sent that has just connected may still be on its way.
    func drain() { drainedAt = connections.loop.eventLoop.now.uptimeNanoseconds }

    static let drainGrace: UInt64 = 500_000_000

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
            // While the rest is waited for, only these bytes are kept, not the buffer that they
            // came in.
            seen = ByteBuffer(bytes: seen.readableBytesView)
            return
        }
        let first = seen.readableBytesView.first ?? 0
        let isHTTP1 =
            !isPreface && (HTTPFields.isTokenByte(first) || first == UInt8(ascii: "\r"))
        // The connection that follows takes the place of this one.
        connections.remove(self)
        do {
            let pipeline = context.pipeline.syncOperations
            if isHTTP1 {
                try pipeline.addHandler(
                    HTTP1Connection(connections, port: port, openedAt: openedAt))
            } else {
                let connection = ServerConnection(connections, port: port, openedAt: openedAt)
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
