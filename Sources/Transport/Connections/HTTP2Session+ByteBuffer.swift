package import HTTP2Session
package import NIOCore

extension HTTP2Session {
    /// Appends the next bytes for the peer to a buffer.
    ///
    /// - Returns: whether there may be more.
    package func send(
        into buffer: inout ByteBuffer, room: Int
    ) throws(HTTP2SessionError) -> Bool {
        var failure: HTTP2SessionError?
        var hasMore = false
        // The memory is written within the closure only.
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { memory in
            do throws(HTTP2SessionError) {
                let sent = try unsafe send(into: memory)
                hasMore = sent.hasMore
                return sent.count
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return hasMore
    }
}
