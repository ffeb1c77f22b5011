internal import Messages
internal import Rollouts
internal import Serving
internal import TrafficPolicy
internal import Upstream

// A configuration and its message in `admin.proto`, in both directions.

extension ControlState.Configuration {
    init(_ message: Weir_Admin_V1_Configuration) throws(ControlError) {
        var backends: [ControlState.Backend] = []
        for (index, backend) in message.backends.enumerated() {
            do throws(ControlError) {
                backends.append(try .init(request: backend))
            } catch {
                throw error.moved(from: "backend", to: "configuration.backends[\(index)]")
            }
        }
        var endpoints: [Endpoint] = []
        for (index, endpoint) in message.endpoints.enumerated() {
            do throws(ControlError) {
                endpoints.append(try Endpoint(endpoint))
            } catch {
                throw error.moved(from: "", to: "configuration.endpoints[\(index)]")
            }
        }
        self.init(backends: backends, endpoints: endpoints)
    }
}

extension ControlState.Configuration.Endpoint {
    init(_ message: Weir_Admin_V1_EndpointConfiguration) throws(ControlError) {
        var shadows: [ControlState.Shadow] = []
        for (index, shadow) in message.shadows.enumerated() {
            do throws(ControlError) {
                shadows.append(
                    .init(
                        backend: shadow.backend, proportion: shadow.proportion,
                        options: try .init(shadow.options ?? .init())))
            } catch {
                throw error.moved(from: "options", to: "shadows[\(index)].options")
            }
        }
        self.init(
            name: message.name, route: message.route,
            weights: message.weights.map { ($0.key, $0.value) },
            shadows: shadows,
            comparison: try .init(message.comparison ?? .init()),
            rateLimit: try message.rateLimit.map { (limit) throws(ControlError) in
                try .init(limit)
            }, methods: try HTTPMethods(message.methods), cors: try CORSPolicy?(message.cors),
            rollout: try message.rollout.map { (plan) throws(ControlError) in
                do throws(ControlError) {
                    _ = try RolloutPlan(plan)
                } catch {
                    throw error.moved(from: "plan", to: "rollout")
                }
                return plan
            }, httpShardKey: try HTTPShardKey?(message.httpShardKey))
    }
}

extension Weir_Admin_V1_Configuration {
    /// A state without the values that are the defaults.
    init(_ state: ControlState, secrets: SecretValues) throws(MessageError) {
        self.init()
        for backend in state.backends.values.sorted(by: { $0.name < $1.name }) {
            backends.append(try .init(sparse: backend, secrets: secrets))
        }
        for endpoint in state.endpoints.values.sorted(by: { $0.name < $1.name }) {
            var message = Weir_Admin_V1_EndpointConfiguration(endpoint.lasting)
            message.comparison = try message.comparison?.without(.init(ControlState.Comparison()))
            for index in message.shadows.indices {
                message.shadows[index].options = try message.shadows[index].options?.without(
                    .init(ControlState.Shadow.Options()))
            }
            endpoints.append(message)
        }
    }
}

extension Weir_Admin_V1_EndpointConfiguration {
    init(_ endpoint: ControlState.Endpoint) {
        self.init(
            name: endpoint.name, route: endpoint.route.description,
            weights: Dictionary(
                uniqueKeysWithValues: endpoint.weights.weights.map { ($0.backend, $0.weight) }),
            shadows: endpoint.shadows.map { .init($0) }, comparison: .init(endpoint.comparison),
            rateLimit: endpoint.rateLimit.map { .init($0) }, methods: endpoint.methods.names,
            cors: endpoint.cors.map { .init($0) },
            rollout: endpoint.rollout.flatMap { $0.isRunning ? $0.request : nil },
            httpShardKey: endpoint.httpShardKey.map { .init($0) })
    }
}

extension ControlState.Endpoint {
    /// The endpoint with the weights from which a running rollout starts, or to which its weights
    /// revert.
    fileprivate var lasting: Self {
        var endpoint = self
        if let timeBox { endpoint.weights = timeBox.before }
        guard let rollout, rollout.isRunning else { return endpoint }
        endpoint.weights = rollout.baseline
        if rollout.ownsShadow {
            endpoint.shadows.removeAll { $0.backend == rollout.candidate }
        }
        return endpoint
    }
}

extension Weir_Admin_V1_Backend {
    fileprivate init(
        sparse backend: ControlState.Backend, secrets: SecretValues
    ) throws(MessageError) {
        self.init(backend, secrets: secrets)
        revision = 0
        options = try options?.without(.init(BackendOptions()))
        if case .worker(var worker) = kind {
            let defaults = Weir_Admin_V1_WorkerKind(WorkerSpec(command: []))
            if worker.startTimeout == defaults.startTimeout { worker.startTimeout = nil }
            if worker.gracePeriod == defaults.gracePeriod { worker.gracePeriod = nil }
            kind = .worker(worker)
        }
    }
}

extension ProtobufMessage {
    /// The fields whose values are not the defaults, recursively; nil if all are.
    fileprivate func without(_ defaults: Self) throws(MessageError) -> Self? {
        let name = Self.messageName ?? ""
        let transcoder = ControlPlane.adminTranscoder
        let own = try transcoder.json(from: try serializedBytes(), message: name)
        let other = try transcoder.json(from: try defaults.serializedBytes(), message: name)
        guard let rest = own.without(other) else { return nil }
        return try Self(serializedBytes: try transcoder.bytes(from: rest, message: name))
    }
}

extension JSONValue {
    /// The members whose values are not the defaults; nil if all are.
    fileprivate func without(_ defaults: JSONValue) -> JSONValue? {
        guard case .object(let own) = self, case .object(let members) = defaults else {
            return text(indent: 0) == defaults.text(indent: 0) ? nil : self
        }
        let rest = own.compactMap { name, value in
            guard let other = members.first(where: { $0.key == name })?.value else {
                return (name, value)
            }
            return value.without(other).map { (name, $0) }
        }
        return rest.isEmpty ? nil : .object(rest)
    }
}
