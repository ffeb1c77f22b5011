/// A fixed order of the folders of a module: a file may use the types of its own folder and of the
/// folders before it.
struct FolderOrder {
    /// The path of the module.
    let module: String
    /// Folder names in order. The files at the top of the module come after all folders.
    let folders: [String]

    /// The uses of types of later folders.
    func findings(in files: [Scanned]) -> [Finding] {
        let positions = declarations(in: files)
        return files.flatMap { file -> [Finding] in
            guard let position = position(of: file) else {
                return [
                    Finding(path: file.path, line: 1, text: "the folder is not in the fixed order")
                ]
            }
            let nested = Set(file.code.compactMap { Self.declaredType($0, isTop: false) })
            return file.code.indices.flatMap { index in
                Self.typeNames(in: file.code[index]).compactMap { name in
                    guard let declared = positions[name], declared > position,
                        !nested.contains(name)
                    else { return nil }
                    return Finding(
                        path: file.path, line: index + 1,
                        text: "\(name) is a type of \(self.name(declared)), which comes after "
                            + self.name(position))
                }
            }
        }
    }

    /// The index of the folder of a file; nil for an unknown folder.
    private func position(of file: Scanned) -> Int? {
        let parts = file.path.dropFirst(module.count + 1).split(separator: "/")
        return parts.count == 1 ? folders.count : folders.firstIndex(of: String(parts[0]))
    }

    private func name(_ position: Int) -> String {
        position < folders.count ? folders[position] : "the top of the module"
    }

    /// The first folder that declares each type at the top level of a file.
    private func declarations(in files: [Scanned]) -> [Substring: Int] {
        var positions: [Substring: Int] = [:]
        for file in files {
            guard let position = position(of: file) else { continue }
            for name in file.code.compactMap({ Self.declaredType($0, isTop: true) }) {
                positions[name] = min(positions[name] ?? .max, position)
            }
        }
        return positions
    }

    private static let keywords: Set<Substring> = [
        "actor", "class", "enum", "protocol", "struct", "typealias",
    ]

    /// The type that a line declares.
    ///
    /// - Parameter isTop: whether at the top level of the file, or inside of another declaration.
    private static func declaredType(_ line: Substring, isTop: Bool) -> Substring? {
        guard line.first.map({ $0 != " " }) == isTop else { return nil }
        let words = words(in: line).map(\.text)
        guard let index = words.firstIndex(where: keywords.contains), index + 1 < words.count,
            words[index + 1].first?.isUppercase == true
        else { return nil }
        return words[index + 1]
    }

    /// The names in a line of code that can be types of the module: not members of other types.
    private static func typeNames(in line: Substring) -> [Substring] {
        words(in: line).filter { $0.text.first?.isUppercase == true && !$0.isMember }.map(\.text)
    }

    private static func words(in line: Substring) -> [(text: Substring, isMember: Bool)] {
        line.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map { word in
            let isMember =
                word.startIndex > line.startIndex
                && line[line.index(before: word.startIndex)] == "."
            return (word, isMember)
        }
    }
}
