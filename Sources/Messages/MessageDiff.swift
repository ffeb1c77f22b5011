/// Which differences between two messages count.
///
/// Paths are proto field names joined by dots, `items.price`; `[]` after repeated fields and maps
/// is optional. A rule for a field also applies to the fields below it.
package struct DiffRules: Sendable, Equatable {
    /// The maximum difference of two numbers: an amount, or a share of the larger one.
    package struct Tolerance: Sendable, Equatable {
        package let absolute: Double
        package let relative: Double

        package init(absolute: Double, relative: Double) {
            self.absolute = absolute
            self.relative = relative
        }

        func allows(_ left: Double, _ right: Double) -> Bool {
            let distance = abs(left - right)
            return distance <= absolute || distance <= relative * max(abs(left), abs(right))
        }
    }

    private let ignored: Set<String>
    private let tolerances: [String: Tolerance]

    package init(ignored: [String] = [], tolerances: [String: Tolerance] = [:]) {
        self.ignored = Set(ignored.map(Self.normalized))
        self.tolerances = Dictionary(
            tolerances.map { (Self.normalized($0.key), $0.value) }, uniquingKeysWith: { $1 })
    }

    /// A path without `[]`.
    package static func normalized(_ path: String) -> String {
        path.replacing("[]", with: "")
    }

    /// Whether to ignore differences in a field.
    package func ignores(_ path: String) -> Bool {
        !ignored.isEmpty && ignored.contains(Self.normalized(path))
    }

    /// The rule of a field, or of the nearest enclosing field; nil if there is none.
    package static func innermost<Found>(
        _ path: String, _ find: (String) -> Found?
    ) -> Found? {
        var prefix = normalized(path)[...]
        while true {
            if let found = find(String(prefix)) { return found }
            guard let dot = prefix.lastIndex(of: ".") else { return nil }
            prefix = prefix[..<dot]
        }
    }

    /// The tolerance of a field, or of the nearest enclosing field.
    func tolerance(_ path: String) -> Tolerance? {
        tolerances.isEmpty ? nil : Self.innermost(path) { tolerances[$0] }
    }
}

/// Compares two messages field by field, by the descriptor of their type.
///
/// Differences without a meaning are ignored: the order of fields and map entries, packed encoding,
/// and explicit defaults of fields without presence. Fields without a descriptor are compared by
/// number.
package struct MessageDiff {
    /// One field that differs.
    package struct Difference: Sendable, Equatable {
        /// The field, for example `items[].price`; `#17` is a field without a name.
        package let path: String
        /// The exact element: `items[3].price`, `labels["de"]`.
        package let place: String
        /// The two values as JSON, or `absent`.
        package let left: String
        package let right: String

        package init(path: String, place: String, left: String, right: String) {
            self.path = path
            self.place = place
            self.left = left
            self.right = right
        }
    }

    /// The position of a field in a message.
    struct Location {
        var path: String
        var place: String

        func member(_ name: String) -> Location {
            Location(
                path: path.isEmpty ? name : "\(path).\(name)",
                place: place.isEmpty ? name : "\(place).\(name)")
        }

        func element(_ key: String) -> Location {
            Location(path: path + "[]", place: "\(place)[\(key)]")
        }
    }

    static let absent = "absent"

    private let transcoder: JSONTranscoder
    let rules: DiffRules
    private let limit: Int
    package private(set) var differences: [Difference] = []

    /// - Parameter limit: the maximum number of differences to keep of one pair.
    package init(schema: Schema, rules: DiffRules = DiffRules(), limit: Int = 64) {
        transcoder = JSONTranscoder(schema: schema, describesInvalid: true)
        self.rules = rules
        self.limit = limit
    }

    /// Adds the differences between two messages of one type. Throws if one of them is not of the
    /// type.
    package mutating func compare(
        _ left: [UInt8], _ right: [UInt8], message: String
    ) throws(MessageError) {
        try messages(left[...], right[...], message, Location(path: "", place: ""), depth: 0)
    }

    mutating func note(_ location: Location, _ left: String, _ right: String) {
        guard differences.count < limit else { return }
        let path = location.path.isEmpty ? "." : location.path
        let place = location.place.isEmpty ? "." : location.place
        differences.append(Difference(path: path, place: place, left: left, right: right))
    }

    private mutating func messages(
        _ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>, _ name: String,
        _ location: Location, depth: Int
    ) throws(MessageError) {
        guard left != right else { return }
        guard depth < JSONTranscoder.maximumDepth else {
            throw MessageError("\(name) nests deeper than \(JSONTranscoder.maximumDepth) messages")
        }
        let message = try transcoder.description(of: name)
        if let first = try transcoder.wellKnownJSON(left, message, depth: depth),
            let second = try transcoder.wellKnownJSON(right, message, depth: depth)
        {
            return values(first, second, location)
        }
        let first = try transcoder.schema.values(left, of: message)
        let second = try transcoder.schema.values(right, of: message)
        let extensions = transcoder.schema.extensions[message.fullName] ?? [:]
        for field in message.fields + extensions.values.sorted(by: { $0.number < $1.number }) {
            let place = location.member(field.name)
            guard !rules.ignores(place.path) else { continue }
            if let pair = JSONPayload.pair(first, second, field, of: message) {
                json(pair.left, pair.right, place)
                continue
            }
            try compare(first[field.number], second[field.number], field, place, depth: depth)
        }
        compareUnknown(first.unknown, second.unknown, location)
    }

    private mutating func compare(
        _ left: [WireReader.Value], _ right: [WireReader.Value], _ field: Schema.Field,
        _ location: Location, depth: Int
    ) throws(MessageError) {
        if left.isEmpty, right.isEmpty { return }
        if let entry = transcoder.schema.mapEntry(of: field) {
            return try maps(left, right, entry, location, depth: depth)
        }
        if field.isRepeated { return try lists(left, right, field, location, depth: depth) }
        guard field.hasPresence, left.isEmpty != right.isEmpty else {
            let first = Schema.single(left, field)
            let second = Schema.single(right, field)
            return try elements(first, second, field, location, depth: depth)
        }
        let there = try text(Schema.single(left.isEmpty ? right : left, field), field, depth: depth)
        note(location, left.isEmpty ? Self.absent : there, left.isEmpty ? there : Self.absent)
    }

    private mutating func lists(
        _ left: [WireReader.Value], _ right: [WireReader.Value], _ field: Schema.Field,
        _ location: Location, depth: Int
    ) throws(MessageError) {
        if left.count != right.count {
            note(location, "\(left.count) elements", "\(right.count) elements")
        }
        for (index, pair) in zip(left, right).enumerated() {
            try elements(pair.0, pair.1, field, location.element("\(index)"), depth: depth)
        }
    }

    private mutating func maps(
        _ left: [WireReader.Value], _ right: [WireReader.Value], _ entry: Schema.Message,
        _ location: Location, depth: Int
    ) throws(MessageError) {
        guard let value = entry.field(2) else { return }
        let first = try entries(left, entry, depth: depth)
        let second = try entries(right, entry, depth: depth)
        for key in Set(first.keys).union(second.keys).sorted(by: { $0.text < $1.text }) {
            let place = location.element(key.text)
            switch (first[key], second[key]) {
            case (let left?, let right?):
                try elements(left, right, value, place, depth: depth)
            case (let left?, nil):
                note(place, try text(left, value, depth: depth), Self.absent)
            case (nil, let right?):
                note(place, Self.absent, try text(right, value, depth: depth))
            case (nil, nil): break
            }
        }
    }

    private func entries(
        _ found: [WireReader.Value], _ entry: Schema.Message, depth: Int
    ) throws(MessageError) -> [ExactText: WireReader.Value] {
        guard let keyField = entry.field(1) else { return [:] }
        var entries: [ExactText: WireReader.Value] = [:]
        for (key, value) in try transcoder.schema.entries(found, of: entry) {
            entries[ExactText(try text(key, keyField, depth: depth))] = value
        }
        return entries
    }

    private mutating func elements(
        _ left: WireReader.Value, _ right: WireReader.Value, _ field: Schema.Field,
        _ location: Location, depth: Int
    ) throws(MessageError) {
        guard left != right else { return }
        if field.kind == .message, transcoder.knows(field.typeName), let first = left.content,
            let second = right.content
        {
            return try messages(first, second, field.typeName, location, depth: depth + 1)
        }
        values(
            try transcoder.element(left, field, depth: depth),
            try transcoder.element(right, field, depth: depth), location,
            areNumbers: field.kind != .enumeration && field.kind.wireType != nil)
    }

    /// - Parameter areNumbers: whether strings are numbers, as JSON's mapping of 64-bit integers.
    mutating func values(
        _ left: JSONValue, _ right: JSONValue, _ location: Location, areNumbers: Bool = false
    ) {
        // Compared as text: two 64-bit integers that differ can be equal as doubles.
        let (first, second) = (left.text(indent: 0), right.text(indent: 0))
        guard !first.hasSameCodePoints(as: second) else { return }
        if let left = left.double(inText: areNumbers), let right = right.double(inText: areNumbers)
        {
            // -0 is 0.
            if left == 0, right == 0 { return }
            if rules.tolerance(location.path)?.allows(left, right) == true { return }
        }
        note(location, first, second)
    }

    private func text(
        _ value: WireReader.Value, _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> String {
        try transcoder.element(value, field, depth: depth).text(indent: 0)
    }

    /// Compares the fields without a descriptor.
    private mutating func compareUnknown(
        _ first: [Int: [WireReader.Value]], _ second: [Int: [WireReader.Value]],
        _ location: Location
    ) {
        for number in Set(first.keys).union(second.keys).sorted() {
            let place = location.member("#\(number)")
            guard !rules.ignores(place.path), first[number] != second[number] else { continue }
            note(place, Self.text(first[number]), Self.text(second[number]))
        }
    }

    private static func text(_ values: [WireReader.Value]?) -> String {
        guard let values else { return absent }
        let texts = values.map { value in
            switch value {
            case .number(let bits, _): "\(bits)"
            case .bytes(let bytes), .group(let bytes): "\(bytes.count) bytes"
            }
        }
        return texts.joined(separator: ", ")
    }
}

extension JSONValue {
    fileprivate func double(inText: Bool) -> Double? {
        switch self {
        case .string(let text) where inText: Double(text)
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}
