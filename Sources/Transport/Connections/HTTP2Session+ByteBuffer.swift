package import HTTP2Session
package import NIOCore

extension HTTP2Session {
    /// Appends output to a buffer.
    ///
    /// - Returns: whether the session may have more output.
    package func send(
        into buffer: inout ByteBuffer, room: Int
    ) throws(HTTP2SessionError) -> Bool {
        var failure: HTTP2SessionError?
        var hasMore = false
        // Invariant: the memory is written only within the closure.
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
