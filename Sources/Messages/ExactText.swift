/// A string that equals only strings of the same code points. Swift's `==` also equates canonically
/// equivalent strings, such as `K` and U+212A, which are different keys in JSON and protobuf.
package struct ExactText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: ExactText, right: ExactText) -> Bool {
        left.text.hasSameCodePoints(as: right.text)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(UInt8.max)
    }
}

extension String {
    /// Whether two strings have the same code points.
    package func hasSameCodePoints(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
