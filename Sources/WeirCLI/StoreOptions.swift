internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import Serving
internal import StateStores
internal import Transport

/// The options that name the state store.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The state store: sqlite:PATH, etcd:http://HOST:PORT[,...][?prefix=NAME] or "
                + "memory: (default: sqlite:weir.db in the state directory).",
            valueName: "store"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "The state directory (default: $STATE_DIRECTORY, $XDG_STATE_HOME/weir or "
                + "~/.local/state/weir). With etcd, it contains a copy of the state.",
            valueName: "directory"), completion: .directory)
    var stateDir: String?

    /// The store that --store names; nil without the option.
    var named: StoreLocation? {
        get throws(StoreLocation.Invalid) {
            guard let store else { return nil }
            return try StoreLocation(store)
        }
    }

    /// The store that the options name, or the default.
    var text: String {
        get throws(StoreError) {
            if let store { return store }
            return "sqlite:\(try directory)/weir.db"
        }
    }

    /// The directory for the server's copy of a shared state; nil if the state is not shared.
    var copyDirectory: String? {
        get throws(StoreError) {
            guard let store, let location = try? StoreLocation(store), location.isShared else {
                return nil
            }
            return try directory
        }
    }

    var directory: String {
        get throws(StoreError) {
            if let stateDir { return stateDir }
            let environment = ProcessInfo.processInfo.environment
            // systemd lists all state directories of a unit.
            if let first = environment["STATE_DIRECTORY"]?.split(separator: ":").first {
                return String(first)
            }
            // The XDG base directory specification ignores relative paths.
            if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
                return "\(state)/weir"
            }
            guard let home = environment["HOME"], home.hasPrefix("/") else {
                throw .refused(
                    "no default state directory, because HOME and XDG_STATE_HOME are not set: use "
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
                "--store and --state-dir exclude each other; only with etcd, --state-dir names "
                    + "the directory for the copy")
        }
    }

    /// Opens the store while no server uses it.
    ///
    /// - Parameters:
    ///   - creates: whether to create a missing database.
    ///   - acceptsLostRevisions: whether the store may have lost revisions.
    func open(creates: Bool, acceptsLostRevisions: Bool = false) async throws -> any StateStore {
        let location = try StoreLocation(text)
        if case .sqlite(let path) = location, !creates {
            do {
                _ = try FileManager.default.attributesOfItem(atPath: path)
            } catch {
                // The store reports a missing database.
                guard !FileManager.default.fileExists(atPath: path + ".latest") else {
                    return try await location.open()
                }
                throw StoreError.refused("no state in '\(path)': \(systemReason(error))")
            }
        }
        let store = try await location.open(acceptsLostRevisions: acceptsLostRevisions)
        for warning in await store.warnings { printError("warning: \(warning)") }
        return store
    }
}
