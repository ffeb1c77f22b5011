package import HTTP2Session
package import NIOCore

/// What all HTTP/2 connections of one event loop share: memory for nghttp2, the output buffer, and
/// the list of those that have something to say.
///
/// `@unchecked Sendable`: every stored `var` is only touched on `eventLoop`.
package final class ConnectionLoop: @unchecked Sendable {
    package let eventLoop: any EventLoop
    package let allocator = FreeListAllocator()
    /// What a connection is about to write; reused, so that an idle connection holds none.
    package var output = ByteBuffer()
    private var dirty: [HTTP2Connection] = []

    package init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Has what a connection wants to say sent at the end of this turn of the loop, together with
    /// whatever else comes up until then.
    func flushSoon(_ connection: HTTP2Connection) {
        dirty.append(connection)
        guard dirty.count == 1 else { return }
        eventLoop.execute {
            // Flushing may make other connections dirty: those are for the next turn.
            let connections = self.dirty
            self.dirty.removeAll(keepingCapacity: true)
            for connection in connections { connection.flush() }
        }
    }
}
