internal import ControlPlane
internal import StateStores

/// Where a server keeps its state.
public struct StateStorage: Sendable {
    let location: StoreLocation

    /// Nowhere: each start begins with what the program itself sets up.
    public static let memory = StateStorage(location: .memory)

    /// In an SQLite database, for one server. It is made if it isn't there.
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

    /// Why a state can't be had.
    public struct Failure: Error, CustomStringConvertible {
        /// What is wrong, and what would be right.
        public let description: String
        /// The state is there, but can't be used as it is.
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
