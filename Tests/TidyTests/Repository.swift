internal import Foundation

/// A text file of the repository.
struct SourceFile: Sendable {
    /// Relative to the repository's root.
    let path: String
    let text: [UInt8]

    var language: Language { Language(path: path) }

}

/// The files of this repository, without build output and generated code.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// Folders and files to read.
    private static let places = [
        ".ci", "Benchmarks", "Makefile", "Package.swift", "README.md", "Sources", "Tests",
        "clients", "deploy", "protos",
    ]
    /// Parts of the paths of files that tools have written, or that other projects own.
    private static let excluded = [
        "/Generated/", ".weir.swift", "_pb2", "_pb.rb", "_services_pb.rb", ".pb.go", "_grpc.pb.go",
        "/build/",
        "/Tests/Fuzz/Corpus/", "/CWeirProtos/", "/CHelloWorldProtos/", "/CEverything/",
        "/protos/etcd/", "/protos/google/", "/protos/grpc/", "/protos/helloworld/",
        "/node_modules/", "/__pycache__/", ".egg-info/",
    ]

    static let files: [SourceFile] = places.flatMap(files(at:)).sorted { $0.path < $1.path }

    private static func files(at place: String) -> [SourceFile] {
        let path = "\(root)/\(place)"
        var isFolder: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            return []
        }
        guard isFolder.boolValue else { return [file(at: place)].compactMap(\.self) }
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return names.compactMap { file(at: "\(place)/\($0)") }
    }

    private static func file(at path: String) -> SourceFile? {
        let isExcluded = excluded.contains { "/\(path)".contains($0) }
        guard Language(path: path) != .other, !isExcluded,
            let data = FileManager.default.contents(atPath: "\(root)/\(path)")
        else { return nil }
        return SourceFile(path: path, text: Array(data))
    }
}
