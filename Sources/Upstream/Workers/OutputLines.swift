/// Splits a process's output into lines. A line longer than the bound is emitted in pieces.
struct OutputLines {
    static let maxLineBytes = 4 << 10

    private var line: [UInt8] = []

    mutating func append(_ bytes: [UInt8], _ emit: (String) -> Void) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                flush(emit)
            } else {
                line.append(byte)
                if line.count == Self.maxLineBytes { flush(emit) }
            }
        }
    }

    /// Emits the last line, which has no line end.
    mutating func finish(_ emit: (String) -> Void) {
        if !line.isEmpty { flush(emit) }
    }

    private mutating func flush(_ emit: (String) -> Void) {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        emit(String(decoding: line, as: UTF8.self))
        line.removeAll(keepingCapacity: true)
    }
}
