internal import Foundation

/// A temporary folder that is deleted with its content when the last reference is released.
package final class TemporaryFolder: Sendable {
    package let path = FileManager.default.temporaryDirectory.path + "/weir-\(UUID())"

    package init() {
        try? FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file that does not exist yet.
    package func newFile(_ suffix: String = "") -> String { path + "/\(UUID())\(suffix)" }
}
