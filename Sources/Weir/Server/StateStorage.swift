internal import ControlPlane
internal import StateStores

/// The store of a server's state.
public struct StateStorage: Sendable {
    let location: StoreLocation

    /// In memory only: each start begins with an empty state.
    public static let memory = StateStorage(location: .memory)

    /// An SQLite database, for one server. The server creates it if it does not exist.
    public static func sqlite(path: String) -> StateStorage {
        StateStorage(location: .sqlite(path: path))
    }

    /// Reads `memory:`, `sqlite:PATH` or `etcd:http://HOST:PORT[,HOST:PORT...][?NAME=VALUE&...]`;
    /// the page <doc:State> lists the settings of etcd.
    public init(_ text: String) throws(Failure) {
        do throws(StoreLocation.Invalid) {
            location = try StoreLocation(text)
        } catch {
            throw Failure(description: error.description, isDamage: false)
        }
    }

    private init(location: StoreLocation) { self.location = location }

    /// Why a state cannot be opened.
    public struct Failure: Error, CustomStringConvertible {
        /// The error: what is wrong, and what would be correct.
        public let description: String
        /// Whether the state exists but is damaged.
        public let isDamage: Bool

        init(description: String, isDamage: Bool) {
            self.description = description
            self.isDamage = isDamage
        }

        init(_ error: StoreError) {
            description = error.description
            if case .damaged = error { isDamage = true } else { isDamage = false }
        }
    }
}
