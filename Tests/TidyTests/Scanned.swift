internal import Foundation

/// A file, separated into code and prose by lines.
struct Scanned: Sendable {
    let path: String
    let language: Language
    let lines: [Substring]
    let code: [Substring]
    let prose: [Substring]

    init(_ file: SourceFile) { self.init(file.path, file.text, file.language) }

    init(_ path: String, _ text: [UInt8], _ language: Language) {
        let scanner = Scanner(text, language)
        (self.path, self.language) = (path, language)
        lines = Self.lines(text)
        code = Self.lines(scanner.code)
        prose = Self.lines(scanner.prose)
    }

    private static func lines(_ text: [UInt8]) -> [Substring] {
        String(decoding: text, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
    }

    /// Whether the path is in one of the folders or is one of the files.
    func isIn(_ places: [String]) -> Bool {
        places.contains { path == $0 || path.hasPrefix($0 + "/") }
    }
}

extension Repository {
    static let scanned: [Scanned] = {
        let results = Results(count: files.count)
        DispatchQueue.concurrentPerform(iterations: files.count) { index in
            results.set(Scanned(files[index]), at: index)
        }
        return results.all
    }()

    /// Collects results of several threads.
    private final class Results: @unchecked Sendable {
        // Invariant of `@unchecked Sendable`: the lock protects the values.
        private let lock = NSLock()
        private var values: [Scanned?]

        init(count: Int) { values = Array(repeating: nil, count: count) }

        func set(_ value: Scanned, at index: Int) { lock.withLock { values[index] = value } }

        var all: [Scanned] { lock.withLock { values.compactMap(\.self) } }
    }

    static func swift(in places: [String]) -> [Scanned] {
        scanned.filter { $0.language == .swift && $0.isIn(places) }
    }
}
