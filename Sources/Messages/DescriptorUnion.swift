/// Unites two versions of one `.proto` file: the declarations of the first, and those that only the
/// second has. Where both declare something differently, the first counts, and the difference is a
/// conflict.
///
/// Numbers in the code are the field numbers of `google/protobuf/descriptor.proto`.
struct DescriptorUnion {
    typealias Fields = [(number: Int, value: WireReader.Value)]

    /// What both declare differently, as full names with the reason.
    private(set) var conflicts: [String] = []

    /// - Returns: a `FileDescriptorProto`; nil if the packages differ, so that nothing is shared.
    mutating func files(_ left: [UInt8], _ right: [UInt8]) throws(MessageError) -> [UInt8]? {
        let first = try Self.fields(left[...])
        let second = try Self.fields(right[...])
        let package = Self.text(first, 2)
        guard package == Self.text(second, 2) else { return nil }
        var result = first
        let imports = Set(Self.texts(first, 3))
        for name in Self.texts(second, 3) where !imports.contains(name) {
            result.append((3, .bytes(Array(name.utf8)[...])))
        }
        if Self.text(first, 12) != Self.text(second, 12) {
            conflicts.append("file '\(Self.text(first, 1))' has two syntaxes")
        }
        try unite(&result, second, 4, scope: package, Self.message)
        try unite(&result, second, 5, scope: package, Self.enumeration)
        try unite(&result, second, 6, scope: package, Self.service)
        try numbered(&result, second, 7, scope: package)
        return Self.bytes(result)
    }

    private typealias Unite =
        @Sendable (
            inout DescriptorUnion, Fields, Fields, String
        ) throws(MessageError) -> Fields

    /// Unites the named declarations with a field number.
    private mutating func unite(
        _ result: inout Fields, _ second: Fields, _ number: Int, scope: String, _ unite: Unite
    ) throws(MessageError) {
        var positions: [String: Int] = [:]
        for (index, field) in result.enumerated() where field.number == number {
            positions[Self.text(try Self.fields(field.value.content ?? []), 1)] = index
        }
        for (other, value) in second where other == number {
            let content = value.content ?? []
            let parts = try Self.fields(content)
            let name = Self.text(parts, 1)
            guard let index = positions[name] else {
                result.append((number, value))
                continue
            }
            guard result[index].value != value else { continue }
            let known = try Self.fields(result[index].value.content ?? [])
            let fullName = scope.isEmpty ? name : "\(scope).\(name)"
            result[index].value = .bytes(
                Self.bytes(try unite(&self, known, parts, fullName))[...])
        }
    }

    private static let message: Unite = { (union, first, second, name) throws(MessageError) in
        var result = first
        var second = second
        try union.oneofs(&result, &second)
        try union.numbered(&result, second, 2, scope: name)
        try union.unite(&result, second, 3, scope: name, Self.message)
        try union.unite(&result, second, 4, scope: name, Self.enumeration)
        try union.numbered(&result, second, 6, scope: name)
        // Ranges of extensions may not overlap; those of the first count if there are any.
        if !first.contains(where: { $0.number == 5 }) { result += second.filter { $0.number == 5 } }
        // Reserved numbers and names may be in use in the other version.
        result.removeAll { $0.number == 9 || $0.number == 10 }
        return result
    }

    private static let enumeration: Unite = { (union, first, second, name) throws(MessageError) in
        var result = first
        var known: [String: UInt64?] = [:]
        var numbers: Set<UInt64?> = []
        for field in first where field.number == 2 {
            let value = try fields(field.value.content ?? [])
            known[text(value, 1)] = number(value, 2)
            numbers.insert(number(value, 2))
        }
        for field in second where field.number == 2 {
            let value = try fields(field.value.content ?? [])
            guard let other = known[text(value, 1)] else {
                if numbers.contains(number(value, 2)) {
                    union.conflicts.append("\(name) has two names for \(number(value, 2) ?? 0)")
                } else {
                    result.append(field)
                }
                continue
            }
            if number(value, 2) != other {
                union.conflicts.append("\(name).\(text(value, 1)) has two numbers")
            }
        }
        result.removeAll { $0.number == 4 || $0.number == 5 }
        return result
    }

    private static let service: Unite = { (union, first, second, name) throws(MessageError) in
        var result = first
        try union.unite(&result, second, 2, scope: name) {
            (union, first, second, name) throws(MessageError) in
            for part in [2, 3, 5, 6] where last(first, part) != last(second, part) {
                union.conflicts.append("method \(name) has two signatures")
                break
            }
            return first
        }
        return result
    }

    /// Unites fields, which have a name and a number.
    private mutating func numbered(
        _ result: inout Fields, _ second: Fields, _ part: Int, scope: String
    ) throws(MessageError) {
        var byNumber: [UInt64: Fields] = [:]
        var names: Set<String> = []
        for field in result where field.number == part {
            let content = try Self.fields(field.value.content ?? [])
            byNumber[Self.number(content, 3) ?? 0] = content
            names.insert(Self.text(content, 1))
        }
        for field in second where field.number == part {
            let content = try Self.fields(field.value.content ?? [])
            let name = Self.text(content, 1)
            guard let known = byNumber[Self.number(content, 3) ?? 0] else {
                if names.contains(name) {
                    conflicts.append("field \(scope).\(name) has two numbers")
                } else {
                    result.append(field)
                }
                continue
            }
            // Name, label, type, type name and extendee.
            for aspect in [1, 2, 4, 5, 6]
            where Self.last(known, aspect) != Self.last(content, aspect) {
                conflicts.append(
                    "field \(Self.number(content, 3) ?? 0) of \(scope) is '\(Self.text(known, 1))' "
                        + "and '\(name)' of different types")
                break
            }
        }
    }

    // MARK: Oneofs

    /// Gives both messages one list of oneofs. Those of `optional` fields are last, as protobuf
    /// requires.
    private func oneofs(_ first: inout Fields, _ second: inout Fields) throws(MessageError) {
        let sides = [try Self.oneofNames(first), try Self.oneofNames(second)]
        let all = sides.flatMap { $0 }
        var order: [String] = []
        for isSynthetic in [false, true] {
            for oneof in all where oneof.isSynthetic == isSynthetic && !order.contains(oneof.name) {
                order.append(oneof.name)
            }
        }
        let positions = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        var declarations: [String: WireReader.Value] = [:]
        for field in second + first where field.number == 8 {
            declarations[Self.text(try Self.fields(field.value.content ?? []), 1)] = field.value
        }
        try Self.renumber(&first, sides[0].map { positions[$0.name] ?? 0 })
        try Self.renumber(&second, sides[1].map { positions[$0.name] ?? 0 })
        for name in order {
            if let declaration = declarations[name] { first.append((8, declaration)) }
        }
    }

    private static func oneofNames(
        _ message: Fields
    ) throws(MessageError) -> [(name: String, isSynthetic: Bool)] {
        var synthetic: Set<UInt64> = []
        for field in message where field.number == 2 {
            let content = try fields(field.value.content ?? [])
            if number(content, 17) == 1, let index = number(content, 9) { synthetic.insert(index) }
        }
        var names: [(name: String, isSynthetic: Bool)] = []
        for field in message where field.number == 8 {
            let name = text(try fields(field.value.content ?? []), 1)
            names.append((name, synthetic.contains(UInt64(names.count))))
        }
        return names
    }

    /// Replaces the indices of oneofs, and removes the declarations.
    private static func renumber(_ message: inout Fields, _ indices: [Int]) throws(MessageError) {
        message.removeAll { $0.number == 8 }
        for position in message.indices where message[position].number == 2 {
            var content = try fields(message[position].value.content ?? [])
            for part in content.indices where content[part].number == 9 {
                guard case .number(let index, let type) = content[part].value,
                    index < UInt64(indices.count)
                else { continue }
                content[part].value = .number(UInt64(indices[Int(index)]), type)
            }
            message[position].value = .bytes(bytes(content)[...])
        }
    }

    // MARK: The wire

    private static func fields(_ bytes: ArraySlice<UInt8>) throws(MessageError) -> Fields {
        var reader = WireReader(bytes)
        var result: Fields = []
        while let field = try reader.next() { result.append(field) }
        return result
    }

    private static func bytes(_ fields: Fields) -> [UInt8] {
        var writer = WireWriter()
        for (number, value) in fields { writer.field(number, value) }
        return writer.bytes
    }

    private static func last(_ fields: Fields, _ number: Int) -> WireReader.Value? {
        fields.last { $0.number == number }?.value
    }

    private static func number(_ fields: Fields, _ number: Int) -> UInt64? {
        if case .number(let value, _)? = last(fields, number) { value } else { nil }
    }

    private static func texts(_ fields: Fields, _ number: Int) -> [String] {
        fields.filter { $0.number == number }.map {
            String(decoding: $0.value.content ?? [], as: UTF8.self)
        }
    }

    private static func text(_ fields: Fields, _ number: Int) -> String {
        texts(fields, number).last ?? ""
    }
}
