/// Separates the code of a file from its prose: comments and string literals.
///
/// ```
///                   .-----------------------------------.
///                   v                                   |
///   code --quote--> string --\(--> interpolation --)----'
///    |  ^              |                 |
///    |  '----quote-----'                 '--quote--> string ...
///    '--- //, # or /* --> comment --end--> code
/// ```
struct Scanner {
    /// The text with prose replaced by spaces. Line ends stay, so that line numbers are the same.
    private(set) var code: [UInt8]
    /// The text with code replaced by spaces.
    private(set) var prose: [UInt8]

    private let text: [UInt8]
    private let language: Language
    private var position = 0
    private var contexts: [Context] = []

    /// What encloses the position.
    private enum Context {
        /// An interpolation, with the number of its open parentheses.
        case interpolation(Int)
        /// A string, with the bytes that end it and that begin an escape.
        case string(end: [UInt8], escape: [UInt8])
    }

    init(_ text: [UInt8], _ language: Language) {
        (self.text, self.language) = (text, language)
        code = text.map { $0 == Self.lineEnd ? $0 : Self.space }
        prose = code
        switch language {
        case .markdown: prose = text
        case .other: code = text
        case .swift, .python, .proto, .script:
            while position < text.count {
                if case .string(let end, let escape) = contexts.last {
                    stepInString(end, escape)
                } else {
                    stepInCode()
                }
            }
        }
    }

    private static let lineEnd = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
    private static let (slash, hash, star) = (
        UInt8(ascii: "/"), UInt8(ascii: "#"), UInt8(ascii: "*")
    )
    private static let (double, single) = (UInt8(ascii: "\""), UInt8(ascii: "'"))
    private static let (opening, closing) = (UInt8(ascii: "("), UInt8(ascii: ")"))

    private mutating func stepInCode() {
        switch text[position] {
        case Self.slash where language == .swift || language == .proto:
            if at(position + 1) == Self.slash { return takeComment(until: [Self.lineEnd]) }
            if at(position + 1) == Self.star {
                return takeComment(until: [Self.star, Self.slash])
            }
        case Self.hash where language == .python || language == .script:
            return takeComment(until: [Self.lineEnd])
        case Self.double, Self.single, Self.hash:
            if let count = beginString() { return take(count, asProse: true) }
        case Self.opening, Self.closing:
            if case .interpolation(let depth) = contexts.last {
                let depth = text[position] == Self.opening ? depth + 1 : depth - 1
                contexts.removeLast()
                if depth > 0 { contexts.append(.interpolation(depth)) }
            }
        default: break
        }
        take(1, asProse: false)
    }

    private mutating func takeComment(until end: [UInt8]) {
        var index = position + 2
        while index < text.count, !matches(end, at: index) { index += 1 }
        let isLine = end == [Self.lineEnd]
        take(min(index + (isLine ? 0 : end.count), text.count) - position, asProse: true)
    }

    /// - Returns: the number of bytes with which a string begins; nil if none does.
    private mutating func beginString() -> Int? {
        guard language != .script else { return nil }
        var start = position
        while language == .swift, at(start) == Self.hash { start += 1 }
        guard let quote = at(start), quote == Self.double || quote == Self.single,
            quote == Self.double || language != .swift
        else { return nil }
        let isTriple =
            at(start + 1) == quote && at(start + 2) == quote && language != .proto
        let quotes = Array(repeating: quote, count: isTriple ? 3 : 1)
        let hashes = Array(repeating: Self.hash, count: start - position)
        contexts.append(.string(end: quotes + hashes, escape: [UInt8(ascii: "\\")] + hashes))
        return hashes.count + quotes.count
    }

    private mutating func stepInString(_ end: [UInt8], _ escape: [UInt8]) {
        let byte = text[position]
        if byte == end[0], matches(end, at: position) {
            contexts.removeLast()
            take(end.count, asProse: true)
        } else if byte == escape[0], matches(escape, at: position) {
            let next = position + escape.count
            if language == .swift, at(next) == Self.opening {
                contexts.append(.interpolation(1))
                return take(escape.count + 1, asProse: false)
            }
            take(min(escape.count + 1, text.count - position), asProse: true)
        } else {
            // A string in single quotes cannot contain a line end. Recovers from a misread quote.
            if byte == Self.lineEnd, end.count == 1 || end[1] == Self.hash { contexts.removeLast() }
            take(1, asProse: true)
        }
    }

    private mutating func take(_ count: Int, asProse isProse: Bool) {
        for index in position..<position + count {
            if isProse { prose[index] = text[index] } else { code[index] = text[index] }
        }
        position += count
    }

    private func at(_ index: Int) -> UInt8? { index < text.count ? text[index] : nil }

    private func matches(_ bytes: [UInt8], at start: Int) -> Bool {
        guard start + bytes.count <= text.count else { return false }
        for offset in bytes.indices where text[start + offset] != bytes[offset] { return false }
        return true
    }
}
