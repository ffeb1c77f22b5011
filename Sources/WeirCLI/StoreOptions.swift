internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import Serving
internal import StateStores
internal import Transport

/// Where the state is kept.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the state is kept: sqlite:PATH, etcd:http://HOST:PORT[,...][?prefix=NAME], or "
                + "memory: (default: sqlite:weir.db in the state directory).",
            valueName: "store"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "The state directory (default: $STATE_DIRECTORY, $XDG_STATE_HOME/weir or "
                + "~/.local/state/weir). With etcd, it contains a copy of the state.",
            valueName: "directory"))
    var stateDir: String?

    /// The store of the options, or the default.
    var text: String {
        get throws(StoreError) {
            if let store { return store }
            return "sqlite:\(try directory)/weir.db"
        }
    }

    /// Where a server keeps a copy of its state; nil if others cannot change the state.
    var copyDirectory: String? {
        get throws(StoreError) {
            guard let store, let location = try? StoreLocation(store), location.isShared else {
                return nil
            }
            return try directory
        }
    }

    private var directory: String {
        get throws(StoreError) {
            if let stateDir { return stateDir }
            let environment = ProcessInfo.processInfo.environment
            // systemd names all of a unit's directories.
            if let first = environment["STATE_DIRECTORY"]?.split(separator: ":").first {
                return String(first)
            }
            // The XDG base directory specification ignores relative paths.
            if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
                return "\(state)/weir"
            }
            guard let home = environment["HOME"], home.hasPrefix("/") else {
                throw .refused(
                    "there is no default state directory without HOME and XDG_STATE_HOME: give "
                        + "--state-dir or --store")
            }
            return "\(home)/.local/state/weir"
        }
    }

    func validate() throws {
        guard let store else { return }
        let location: StoreLocation
        do throws(StoreLocation.Invalid) {
            location = try StoreLocation(store)
        } catch {
            throw ValidationError(error.description)
        }
        guard stateDir == nil || location.isShared else {
            throw ValidationError(
                "give --store or --state-dir, not both; only with a store in etcd, --state-dir names "
                    + "the directory for the copy")
        }
    }

    /// Opens the store for work while no server has it.
    ///
    /// - Parameters:
    ///   - creates: whether a database that isn't there is made.
    ///   - acceptsLostRevisions: whether a store may have lost revisions.
    func open(creates: Bool, acceptsLostRevisions: Bool = false) async throws -> any StateStore {
        let location = try StoreLocation(text)
        if case .sqlite(let path) = location, !creates {
            do {
                _ = try FileManager.default.attributesOfItem(atPath: path)
            } catch {
                // The store reports a database that is missing.
                guard !FileManager.default.fileExists(atPath: path + ".latest") else {
                    return try await location.open()
                }
                throw StoreError.refused("there is no state in '\(path)': \(systemReason(error))")
            }
        }
        let store = try await location.open(acceptsLostRevisions: acceptsLostRevisions)
        for warning in await store.warnings { complain("warning: \(warning)") }
        return store
    }
}
