internal import GRPCWire
package import Messages
internal import Serving
internal import Upstream

/// Whether a message shows the values of workers' environments, which are secrets.
enum SecretValues: Sendable {
    case masked
    case revealed

    init(revealed: Bool) { self = revealed ? .revealed : .masked }
}

/// The text that replaces secrets in responses.
package enum SecretMask {
    /// Replaces a value that differs between two states that are compared.
    static let changed = "<masked, changed>"

    /// The number of masked values in a configuration.
    package static func count(in configuration: Weir_Admin_V1_Configuration) -> Int {
        configuration.backends.reduce(0) { count, backend in
            guard case .worker(let worker) = backend.kind else { return count }
            return count + worker.environment.values.count { $0 == .masked }
        }
    }
}

extension Weir_Admin_V1_Backend {
    /// The environment of a worker; empty for other kinds.
    fileprivate var environment: [String: String] {
        get { if case .worker(let worker) = kind { worker.environment } else { [:] } }
        set {
            guard case .worker(var worker) = kind else { return }
            worker.environment = newValue
            kind = .worker(worker)
        }
    }

    mutating func mask() { environment = environment.mapValues { _ in String.masked } }

    /// Masks two versions of a backend; a value that differs is marked as changed.
    static func mask(_ before: inout Self, _ after: inout Self) {
        let old = before.environment
        after.environment = Dictionary(
            uniqueKeysWithValues: after.environment.map { name, value in
                let isChanged = old[name].map { $0 != value } ?? false
                return (name, isChanged ? SecretMask.changed : String.masked)
            })
        before.mask()
    }
}

extension ControlState.Backend {
    /// The backend with each masked value replaced by the stored one.
    ///
    /// - Parameter stored: the backend of this name, if it exists.
    func unmasked(by stored: Self?) throws(ControlError) -> Self {
        guard case .worker(var spec) = kind else { return self }
        var known: [String: String] = [:]
        if case .worker(let other) = stored?.kind { known = other.environment }
        for (name, value) in spec.environment.sorted(by: { $0.key < $1.key })
        where value == String.masked {
            guard let secret = known[name] else {
                throw .invalid(
                    "backend.worker.environment[\"\(name)\"]",
                    "the value is masked, and backend '\(self.name)' has no stored value; set the "
                        + "value, or export it with --reveal-secrets")
            }
            spec.environment[name] = secret
        }
        var backend = self
        backend.kind = .worker(spec)
        return backend
    }
}
