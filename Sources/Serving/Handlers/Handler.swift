/// A method of Swift code, and where it runs.
struct Handler {
    let method: MethodHandler
    let isBlocking: Bool
    /// The largest request message.
    let maxMessageBytes: Int
    /// The limit that an operator sets to change `maxMessageBytes`.
    var limitName: StaticString = "max-message-bytes"
}
