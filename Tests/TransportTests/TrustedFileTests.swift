internal import Foundation
internal import Testing

@testable internal import Transport

@Suite(.timeLimit(.minutes(1))) struct TrustedFileTests {
    /// A temporary directory, deleted at the end.
    private final class Folder {
        let path: String

        init() throws {
            path = NSTemporaryDirectory() + "weir-trusted-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o755])
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        @discardableResult
        func write(_ name: String, _ text: String = "content", mode: Int = 0o600) throws -> String {
            let file = "\(path)/\(name)"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            try set(name, mode: mode)
            return file
        }

        func set(_ name: String, mode: Int) throws {
            try FileManager.default.setAttributes(
                [.posixPermissions: mode], ofItemAtPath: name.isEmpty ? path : "\(path)/\(name)")
        }

        func makeDirectory(_ name: String, mode: Int) throws {
            try FileManager.default.createDirectory(
                atPath: "\(path)/\(name)", withIntermediateDirectories: false)
            try set(name, mode: mode)
        }

        func link(_ name: String, to target: String) throws {
            try FileManager.default.createSymbolicLink(
                atPath: "\(path)/\(name)", withDestinationPath: target)
        }
    }

    /// Why a file is rejected; empty if it is read.
    private func rejection(_ path: String) -> String {
        do throws(TrustedFile.Failure) {
            _ = try TrustedFile(path, isSecret: true)
            return ""
        } catch {
            return error.description
        }
    }

    @Test(
        "A file is rejected exactly if its group or others may write it",
        arguments: [
            (0o600, ""), (0o400, ""), (0o640, ""), (0o644, ""), (0o755, ""), (0o4700, ""),
            (0o620, "by its group (mode 0620)"), (0o660, "by its group (mode 0660)"),
            (0o602, "by every user (mode 0602)"), (0o606, "by every user (mode 0606)"),
            (0o666, "by every user (mode 0666)"), (0o777, "by every user (mode 0777)"),
        ])
    func checksModes(mode: Int, expected: String) throws {
        let folder = try Folder()
        let file = try folder.write("file", mode: mode)
        let text = rejection(file)
        #expect(expected.isEmpty ? text.isEmpty : text.contains(expected))
        #expect(expected.isEmpty || text.contains("chmod go-w \(file)"))
    }

    @Test(
        "A secret that other users can read causes a warning, but not for its group",
        arguments: [(0o600, false), (0o640, false), (0o604, true), (0o644, true)])
    func warns(mode: Int, isWarned: Bool) throws {
        let folder = try Folder()
        let file = try folder.write("file", mode: mode)
        let secret = try TrustedFile(file, isSecret: true)
        #expect(secret.bytes == Array("content".utf8))
        #expect(secret.warnings.contains { $0.contains("chmod 600 \(file)") } == isWarned)
        #expect(try TrustedFile(file, isSecret: false).warnings.isEmpty)
    }

    @Test(
        "A directory that other users can write is accepted only with the sticky bit",
        arguments: [(0o777, false), (0o757, false), (0o1777, true), (0o775, true), (0o755, true)])
    func checksDirectories(mode: Int, isRead: Bool) throws {
        let folder = try Folder()
        try folder.makeDirectory("inner", mode: mode)
        try folder.write("inner/file")
        let text = rejection("\(folder.path)/inner/file")
        #expect(text.isEmpty == isRead)
        #expect(isRead || text.contains("chmod o-w \(folder.path)/inner"))
    }

    @Test("Links are followed, and their targets are checked")
    func followsLinks() throws {
        let folder = try Folder()
        // As Kubernetes mounts a secret.
        try folder.makeDirectory("..2026", mode: 0o755)
        try folder.write("..2026/token", mode: 0o440)
        try folder.link("..data", to: "..2026")
        try folder.link("token", to: "..data/token")
        #expect(rejection("\(folder.path)/token").isEmpty)
        try folder.set("..2026/token", mode: 0o666)
        #expect(rejection("\(folder.path)/token").contains("by every user (mode 0666)"))
        try folder.set("..2026/token", mode: 0o600)
        try folder.set("..2026", mode: 0o777)
        #expect(rejection("\(folder.path)/token").contains("chmod o-w"))
        // A link in the middle of a chain is in a directory where other users can replace it.
        try folder.set("..2026", mode: 0o755)
        try folder.makeDirectory("open", mode: 0o777)
        try folder.link("open/middle", to: "../..2026/token")
        try folder.link("first", to: "open/middle")
        #expect(rejection("\(folder.path)/first").contains("/open'; run 'chmod o-w"))
        try folder.link("loop", to: "loop")
        #expect(rejection("\(folder.path)/loop").contains("symbolic links"))
    }

    @Test(
        "Any directory above the file that other users can write is rejected",
        arguments: ["open/a/b/file", "link/file", "open/a/../../open/a/b/file", "far/b/file"])
    func checksAncestors(path: String) throws {
        let folder = try Folder()
        try folder.makeDirectory("open", mode: 0o755)
        try folder.makeDirectory("open/a", mode: 0o755)
        try folder.makeDirectory("open/a/b", mode: 0o755)
        try folder.write("open/a/b/file")
        try folder.link("link", to: "open/a/b")
        try folder.link("far", to: "\(folder.path)/open/./a/")
        #expect(rejection("\(folder.path)/\(path)").isEmpty)
        try folder.set("open", mode: 0o777)
        let reason = rejection("\(folder.path)/\(path)")
        #expect(reason.contains("can write the directory '\(folder.path)/open'"), "\(reason)")
        // The sticky bit lets only the owner of a file replace it.
        try folder.set("open", mode: 0o1777)
        #expect(rejection("\(folder.path)/\(path)").isEmpty)
    }

    @Test("Only a regular file is read, and other files do not block the reader")
    func acceptsRegularFiles() throws {
        let folder = try Folder()
        #expect(unsafe mkfifo("\(folder.path)/fifo", 0o600) == 0)
        for path in ["\(folder.path)/fifo", folder.path, "/dev/zero", "/dev/null", "/"] {
            #expect(rejection(path).contains("it is not a regular file"), "\(path)")
        }
        #expect(rejection("\(folder.path)/none").contains("No such file or directory"))
        #expect(rejection("").contains("No such file or directory"))
        #expect(rejection("a\0b").contains("NUL"))
    }

    @Test("A file has at most 1 MiB")
    func bounds() throws {
        let folder = try Folder()
        let limit = TrustedFile.maxBytes
        let full = try folder.write("full", String(repeating: "a", count: limit))
        #expect(try TrustedFile(full, isSecret: true).bytes.count == limit)
        let over = try folder.write("over", String(repeating: "a", count: limit + 1))
        #expect(rejection(over).contains("more than \(limit) bytes"))
    }

    @Test("A changed file is detected once, when it is the same in two consecutive checks")
    func watches() throws {
        let folder = try Folder()
        let file = try folder.write("file", "1")
        let watched = WatchedFiles([file])
        #expect(!watched.checkForChange() && !watched.checkForChange())
        try folder.write("file", "22")
        #expect(!watched.checkForChange())
        try folder.write("file", "333")
        #expect(!watched.checkForChange())
        #expect(watched.checkForChange())
        #expect(!watched.checkForChange())
        try folder.set("file", mode: 0o666)
        #expect(!watched.checkForChange())
        #expect(watched.checkForChange())
        // With the old size and the old modification time.
        let written = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate]
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try handle.write(contentsOf: Data("321".utf8))
        try handle.close()
        if let written {
            try FileManager.default.setAttributes([.modificationDate: written], ofItemAtPath: file)
        }
        #expect(!watched.checkForChange())
        #expect(watched.checkForChange())
        try folder.write("file", "4444")
        watched.restart()
        #expect(!watched.checkForChange() && !watched.checkForChange())
    }
}
