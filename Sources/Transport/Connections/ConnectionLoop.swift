package import HTTP2Session
package import NIOCore

/// The state that all HTTP/2 connections of one event loop share: the memory of nghttp2, the output
/// buffer, and the connections with output.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on `eventLoop`.
package final class ConnectionLoop: @unchecked Sendable {
    /// The loop of all connections.
    package let eventLoop: any EventLoop
    /// The memory of nghttp2.
    package let allocator = FreeListAllocator()
    /// The output of a connection before its write. Reused, so that idle connections have no
    /// buffer.
    package var output = ByteBuffer()
    private var dirty: [HTTP2Connection] = []

    /// The state for a loop.
    package init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Nanoseconds of the loop's clock.
    package var now: UInt64 { eventLoop.now.uptimeNanoseconds }

    /// Sends a connection's output at the end of this turn of the loop, in one write.
    func flushSoon(_ connection: HTTP2Connection) {
        dirty.append(connection)
        guard dirty.count == 1 else { return }
        eventLoop.execute {
            // Flushing can produce output on other connections, which is sent in the next turn.
            let connections = self.dirty
            self.dirty.removeAll(keepingCapacity: true)
            for connection in connections { connection.flush() }
        }
    }
}
