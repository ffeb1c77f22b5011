/// The syntax of a file's comments and strings.
enum Language: Sendable {
    case swift, python, proto, markdown
    /// Makefiles, shell scripts and unit files: only comments are read.
    case script
    case other

    init(path: String) {
        let name = path.split(separator: "/").last ?? ""
        switch name.split(separator: ".").last {
        case "swift": self = .swift
        case "py": self = .python
        case "proto": self = .proto
        case "md": self = .markdown
        case "sh", "yaml", "service", "socket": self = .script
        default:
            let isScript = ["Makefile", "Containerfile"].contains(name) || path.hasPrefix(".ci/")
            self = isScript ? .script : .other
        }
    }
}
