/// A method of a handler backend, and how it runs.
struct Handler {
    let method: MethodHandler
    let isBlocking: Bool
    /// The largest request message in bytes.
    let maxMessageBytes: Int
    /// The name of the limit that determines `maxMessageBytes`.
    var limitName: StaticString = "max-message-bytes"
}
