/// The responses of `weir.v1.Serve`, if they are JSON.
enum JSONPayload {
    private static let message = "weir.v1.CallResponse"
    private static let payload = 1
    private static let contentType = 2

    /// The payloads of two responses, if the field is the payload and both are JSON.
    static func pair(
        _ left: FieldValues, _ right: FieldValues, _ field: Schema.Field,
        of message: Schema.Message
    ) -> (left: JSONValue, right: JSONValue)? {
        guard message.fullName == Self.message, field.number == payload, let first = value(left),
            let second = value(right)
        else { return nil }
        return (first, second)
    }

    private static func value(_ fields: FieldValues) -> JSONValue? {
        guard case .bytes(let payload)? = fields[payload].last else { return nil }
        if case .bytes(let type)? = fields[contentType].last, !isJSON(type) { return nil }
        return try? JSONValue(parsing: Array(payload))
    }

    /// Whether a media type is JSON. An empty one is (`weir.v1.CallResponse`).
    private static func isJSON(_ type: ArraySlice<UInt8>) -> Bool {
        let name = String(decoding: type, as: UTF8.self).lowercased().prefix { $0 != ";" }
        let bare = name.filter { $0 != " " }
        return bare.isEmpty || bare == "application/json" || bare.hasSuffix("+json")
    }
}

extension MessageDiff {
    /// Compares two documents: objects by their keys, in any order, lists by position.
    mutating func json(_ left: JSONValue, _ right: JSONValue, _ location: Location) {
        guard !rules.ignores(location.path) else { return }
        switch (left, right) {
        case (.object(let first), .object(let second)):
            members(first, second, location)
        case (.array(let first), .array(let second)):
            if first.count != second.count {
                note(location, "\(first.count) elements", "\(second.count) elements")
            }
            for (index, pair) in zip(first, second).enumerated() {
                json(pair.0, pair.1, location.element("\(index)"))
            }
        default: values(left, right, location)
        }
    }

    private mutating func members(
        _ left: [(key: String, value: JSONValue)], _ right: [(key: String, value: JSONValue)],
        _ location: Location
    ) {
        func byKey(_ members: [(key: String, value: JSONValue)]) -> [ExactText: JSONValue] {
            Dictionary(members.map { (ExactText($0.key), $0.value) }, uniquingKeysWith: { $1 })
        }
        let first = byKey(left)
        let second = byKey(right)
        for key in Set(first.keys).union(second.keys).sorted(by: { $0.text < $1.text }) {
            let place = location.member(key.text)
            switch (first[key], second[key]) {
            case (let one?, let other?): json(one, other, place)
            case (let one?, nil) where !rules.ignores(place.path):
                note(place, one.text(indent: 0), Self.absent)
            case (nil, let other?) where !rules.ignores(place.path):
                note(place, Self.absent, other.text(indent: 0))
            default: break
            }
        }
    }
}
