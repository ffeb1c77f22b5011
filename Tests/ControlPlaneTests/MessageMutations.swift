@testable internal import Messages

/// Copies of a message, each with one field changed to a critical value. They are generated from
/// the descriptor of the type, so that new fields are covered.
struct MessageMutations {
    /// Numbers at the bounds of every relevant range, as 64 bits.
    static let numbers: [UInt64] =
        [
            0, 1, 2, 3, 127, 128, 1_000, 1_001, 65_535, 65_536, 1 << 30, (1 << 31) - 1, 1 << 31,
            (1 << 31) + 1, (1 << 32) - 1, 1 << 32, 1 << 53, 1 << 62, (1 << 62) + 1, (1 << 63) - 1,
            1 << 63, (1 << 63) + 1, .max - 1, .max,
        ] + doubles.map(\.bitPattern)

    private static let doubles: [Double] = [
        -0.0, 0.5, 1, -1, 1e-300, 1e300, -1e300, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
        .infinity, -.infinity, .nan,
    ]

    private static let texts: [[UInt8]] = [
        [], [0], [0xff], [0x0a], [0x1b, 0x5b], [UInt8](repeating: 0x61, count: 70_000),
        Array("-1".utf8), Array("nan".utf8), Array("/a.B/".utf8), Array("127.0.0.1:99999".utf8),
    ]

    let schema: Schema

    /// Calls the body with each changed message, and with the path of the changed field.
    func each(
        of bytes: [UInt8], _ name: String, depth: Int = 0,
        _ body: (_ changed: [UInt8], _ path: String) -> Void
    ) {
        guard depth < 6, let type = schema.messages[name] else { return }
        let fields = Self.fields(bytes)
        for field in type.fields {
            let others = fields.filter { $0.number != field.number }
            if others.count < fields.count {
                body(Self.encoded(others), "without \(field.name)")
            }
            guard field.kind == .message else {
                for value in Self.values(field) {
                    body(Self.encoded(others + [(field.number, value)]), field.name)
                    // One more element, so that related lists differ in length.
                    guard field.isRepeated else { continue }
                    body(Self.encoded(fields + [(field.number, value)]), "\(field.name)+")
                }
                continue
            }
            let known = fields.indices.filter { fields[$0].number == field.number }
            for index in Set([known.first, known.last].compactMap(\.self)) {
                guard case .bytes(let inner) = fields[index].value else { continue }
                each(of: Array(inner), field.typeName, depth: depth + 1) { changed, path in
                    var fields = fields
                    fields[index].value = .bytes(changed[...])
                    body(Self.encoded(fields), "\(field.name).\(path)")
                }
            }
            guard known.isEmpty else { continue }
            each(of: [], field.typeName, depth: depth + 1) { changed, path in
                body(
                    Self.encoded(fields + [(field.number, .bytes(changed[...]))]),
                    "\(field.name).\(path)")
            }
        }
    }

    private static func values(_ field: Schema.Field) -> [WireReader.Value] {
        guard let type = field.kind.wireType else { return texts.map { .bytes($0[...]) } }
        return numbers.map { .number($0, type) }
    }

    private static func fields(_ bytes: [UInt8]) -> [(number: Int, value: WireReader.Value)] {
        var reader = WireReader(bytes[...])
        var fields: [(number: Int, value: WireReader.Value)] = []
        while let field = try? reader.next() { fields.append(field) }
        return fields
    }

    private static func encoded(_ fields: [(number: Int, value: WireReader.Value)]) -> [UInt8] {
        var writer = WireWriter()
        for (number, value) in fields { writer.field(number, value) }
        return writer.bytes
    }
}
