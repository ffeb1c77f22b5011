internal import Messages

/// Swift names of the declarations in a `.proto` file.
enum SwiftName {
    private static let keywords: Set<String> = [
        "associatedtype", "class", "deinit", "enum", "extension", "fileprivate", "func", "import",
        "init", "inout", "internal", "let", "open", "operator", "private", "protocol", "public",
        "static", "struct", "subscript", "typealias", "var", "break", "case", "continue", "default",
        "defer", "do", "else", "fallthrough", "for", "guard", "if", "in", "repeat", "return",
        "switch", "where", "while", "as", "catch", "false", "is", "nil", "rethrows", "super",
        "self", "Self", "throw", "throws", "true", "try", "none", "some",
    ]

    /// `weir.admin.v1.Backend` → `Weir_Admin_V1_Backend`; a nested type follows after a dot.
    static func type(_ fullName: String, package: String) -> String {
        let nested = package.isEmpty ? fullName : String(fullName.dropFirst(package.count + 1))
        return prefix(package) + nested
    }

    /// SwiftProtobuf declares the types of `google.protobuf` with the usual names, so Weir's have
    /// others: a program can import both.
    static func prefix(_ package: String) -> String {
        if package == "google.protobuf" { return "WeirProtobuf_" }
        return package.split(separator: ".").map { camel(String($0), upper: true) + "_" }.joined()
    }

    static func field(_ name: String) -> String { quoted(camel(name, upper: false)) }

    static func oneof(_ name: String) -> String { "OneOf_" + camel(name, upper: true) }

    /// `SERVING_STATUS_UNKNOWN` of enum `ServingStatus` → `unknown`.
    static func value(_ name: String, of enumeration: String) -> String {
        let words = name.lowercased().split(separator: "_").map(String.init)
        let simple = enumeration.split(separator: ".").last.map(String.init) ?? enumeration
        let own = CName.lower(simple).split(separator: "_").map(String.init)
        let rest =
            words.starts(with: own) && words.count > own.count
            ? Array(words.dropFirst(own.count)) : words
        let joined = camel(rest.joined(separator: "_"), upper: false)
        return joined.first?.isNumber == true ? "_" + joined : quoted(joined)
    }

    static func camel(_ name: String, upper: Bool) -> String {
        let words = name.split(separator: "_")
        let joined = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return upper ? joined : joined.prefix(1).lowercased() + joined.dropFirst()
    }

    private static func quoted(_ name: String) -> String {
        if taken.contains(name) { return name + "_" }
        return keywords.contains(name) ? "`\(name)`" : name
    }

    /// Names that have another meaning as a member, even in backticks.
    private static let taken: Set<String> = ["self", "Self", "init", "Type", "hashValue"]
}

/// Names in protobuf-c's generated code.
enum CName {
    private static let keywords: Set<String> = [
        "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
        "class", "compl", "const", "const_cast", "continue", "default", "delete", "do", "double",
        "dynamic_cast", "else", "enum", "explicit", "extern", "false", "float", "for", "friend",
        "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "not", "not_eq",
        "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
        "return", "short", "signed", "sizeof", "static", "static_cast", "struct", "switch",
        "template", "this", "throw", "true", "try", "typedef", "typeid", "typename", "union",
        "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
    ]

    /// `weir.admin.v1.HandlerKind` → `Weir__Admin__V1__HandlerKind`.
    static func type(_ fullName: String) -> String {
        fullName.split(separator: ".")
            .map { SwiftName.camel(String($0), upper: true) }.joined(separator: "__")
    }

    /// `weir.admin.v1.HandlerKind` → `weir__admin__v1__handler_kind`.
    static func function(_ fullName: String) -> String {
        fullName.split(separator: ".").map { lower(String($0)) }.joined(separator: "__")
    }

    static func field(_ name: String) -> String {
        let lowered = name.lowercased()
        // As members of a C struct, these would collide with Swift's own.
        if lowered == "self" || lowered == "init" { return "`\(lowered)`" }
        return keywords.contains(lowered) ? lowered + "_" : lowered
    }

    /// The member that counts the elements of a repeated field.
    static func count(_ name: String) -> String {
        "n_" + field(name).replacing("`", with: "")
    }

    /// `HandlerKind` → `handler_kind`: an underscore before a capital that does not follow a
    /// capital.
    static func lower(_ name: String) -> String {
        var result = ""
        var wasUpper = true
        for character in name {
            if character.isUppercase {
                if !wasUpper { result += "_" }
                result += character.lowercased()
            } else {
                result.append(character)
            }
            wasUpper = character.isUppercase
        }
        return result
    }
}
