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

/// What takes the place of secrets in answers.
package enum SecretMask {
    /// In place of a value that is not what it was, where two states are compared.
    static let changed = "<masked, changed>"

    /// How many values of a configuration are masked.
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

    /// Masks a backend and its later form, so that a changed value shows as changed.
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
    /// The backend with the values that masked ones stand for.
    ///
    /// - Parameter stored: the backend of this name, if there is one.
    func unmasked(by stored: Self?) throws(ControlError) -> Self {
        guard case .worker(var spec) = kind else { return self }
        var known: [String: String] = [:]
        if case .worker(let other) = stored?.kind { known = other.environment }
        for (name, value) in spec.environment.sorted(by: { $0.key < $1.key })
        where value == String.masked {
            guard let secret = known[name] else {
                throw .invalid(
                    "backend.worker.environment[\"\(name)\"]",
                    "the value is masked, and backend '\(self.name)' has no such value; set the "
                        + "value, or export it with --reveal-secrets")
            }
            spec.environment[name] = secret
        }
        var backend = self
        backend.kind = .worker(spec)
        return backend
    }
}
