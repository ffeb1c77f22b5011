internal import ArgumentParser
internal import ControlPlane
internal import Foundation

/// Where the state is kept.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the state is kept: sqlite:PATH, etcd:http://HOST:PORT[,...][?prefix=NAME], or memory: "
                + "(default: sqlite:weir.db in the state directory).",
            valueName: "store"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "The state directory (default: $STATE_DIRECTORY, $XDG_STATE_HOME/weir or "
                + "~/.local/state/weir).",
            valueName: "directory"))
    var stateDir: String?

    /// The store that was asked for, or else the usual one.
    var text: String { store ?? "sqlite:\(directory)/weir.db" }

    private var directory: String {
        if let stateDir { return stateDir }
        let environment = ProcessInfo.processInfo.environment
        // systemd names all of a unit's directories.
        if let first = environment["STATE_DIRECTORY"]?.split(separator: ":").first {
            return String(first)
        }
        if let home = environment["XDG_STATE_HOME"], !home.isEmpty { return "\(home)/weir" }
        return FileManager.default.homeDirectoryForCurrentUser.path + "/.local/state/weir"
    }

    func validate() throws {
        guard store == nil || stateDir == nil else {
            throw ValidationError("give one of --store and --state-dir")
        }
        do throws(StoreLocation.Invalid) {
            _ = try StoreLocation(text)
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// Opens the store for work while no server has it.
    ///
    /// - Parameter creates: whether a database that isn't there is made.
    func open(creates: Bool) async throws -> any StateStore {
        let location = try StoreLocation(text)
        if case .sqlite(let path) = location, !creates,
            !FileManager.default.fileExists(atPath: path)
        {
            throw StoreError.refused("there is no state in '\(path)'")
        }
        return try await location.open()
    }
}
