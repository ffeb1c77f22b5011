internal import ArgumentParser
internal import Foundation
internal import Messages

/// `weir-generate`: generates protobuf-c's C code and the Swift types that wrap it from `.proto`
/// files.
///
/// ```
/// protoc  --descriptor_set_out-->  descriptors --> SwiftFile --> NAME.weir.swift (messages, stubs)
///                                      | strings as bytes (ByteStrings)
///                                      v
/// protoc  --c_out  ----------------------------------------> NAME.pb-c.c, include/NAME.pb-c.h
/// ```
@main
struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir-generate",
        abstract: "Generates messages and client stubs for Weir from .proto files.",
        discussion: """
            Requires protoc and protoc-gen-c (Debian: protobuf-compiler, protobuf-c-compiler). \
            Weir contains the types of google/protobuf/, so they need not be generated.
            """)

    @Option(
        name: [.customLong("proto-path"), .customShort("I")],
        help: "A folder to search for imports; may be repeated.")
    var protoPaths: [String] = ["."]

    @Option(
        help: "The folder of the C target; the command writes headers to its include/.")
    var cOut: String?

    @Option(help: "The output folder of the Swift files.")
    var swiftOut: String

    @Option(help: "The name of the C target (default: the last part of --c-out).")
    var cModule: String?

    @Option(help: "The access level of the Swift types: public, package or internal.")
    var visibility: Visibility = .public

    @Option(
        help: "The modules with Weir's message runtime, with commas between; \"\" for none.")
    var runtime: String = "Weir"

    @Flag(help: "Generate only the client stubs of services, without messages and C code.")
    var onlyStubs = false

    @Argument(help: "The .proto files, relative to a --proto-path.")
    var files: [String]

    func validate() throws {
        guard onlyStubs == (cOut == nil) else {
            throw ValidationError("give either --c-out or --only-stubs")
        }
    }

    func run() throws {
        let scratch = FileManager.default.temporaryDirectory
            .appending(path: "weir-generate-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }

        let descriptors = scratch.appending(path: "descriptors").path
        try protoc(
            protoPaths.map { "-I\($0)" } + [
                "--include_imports", "--descriptor_set_out=\(descriptors)",
            ])
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: descriptors)))
        try generateSwift(try Schema(descriptorSet: bytes))
        guard let cOut else { return }
        try generateC(try ByteStrings.rewrite(descriptorSet: bytes), to: cOut, scratch: scratch)
    }

    private func generateSwift(_ schema: Schema) throws {
        let module = cOut.map { cModule ?? URL(filePath: $0).lastPathComponent }
        for name in files {
            guard let file = schema.files[name] else {
                throw ValidationError(
                    "protoc did not find file '\(name)': use a path relative to a --proto-path")
            }
            let text = try SwiftFile(
                file: file, schema: schema, visibility: visibility, cModule: module,
                runtime: runtime.split(separator: ",").map(String.init)
            ).render()
            let path = name.dropLast(".proto".count).replacing("/", with: "_") + ".weir.swift"
            try write(Data(text.utf8), to: "\(swiftOut)/\(path)")
        }
    }

    private func generateC(
        _ descriptors: [UInt8], to cOut: String, scratch: URL
    ) throws {
        let set = scratch.appending(path: "bytes").path
        let output = scratch.appending(path: "c").path
        try write(Data(descriptors), to: set)
        try FileManager.default.createDirectory(
            atPath: output, withIntermediateDirectories: true)
        try protoc(["--descriptor_set_in=\(set)", "--c_out=\(output)"])
        for name in files {
            let stem = name.dropLast(".proto".count) + ".pb-c"
            for (path, target) in [
                ("\(stem).c", "\(cOut)/\(stem).c"), ("\(stem).h", "\(cOut)/include/\(stem).h"),
            ] {
                try write(try Data(contentsOf: URL(filePath: "\(output)/\(path)")), to: target)
            }
        }
    }

    private func write(_ data: Data, to path: String) throws {
        let url = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: url)
    }

    private func protoc(_ options: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["protoc"] + options + files
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ExitCode(process.terminationStatus)
        }
    }
}

/// The access level of the generated types.
enum Visibility: String, ExpressibleByArgument, CaseIterable {
    case `public`, package, `internal`
}
