internal import FoundationEssentials
internal import Messages
internal import Serving
internal import TrafficPolicy

/// The control state in the words of `admin.proto`.
extension ControlPlane {
    func message(_ backend: ControlState.Backend) -> Weir_Admin_V1_Backend {
        var message = Weir_Admin_V1_Backend(backend)
        message.services = services(of: backend)
        message.endpoints = state.endpoints(naming: backend.name)
        return message
    }

    func message(_ entry: ChangeLog.Entry) -> Weir_Admin_V1_WatchResponse {
        let change: Weir_Admin_V1_WatchResponse.OneOf_Change =
            switch entry.change {
            case .snapshot(let state):
                .snapshot(
                    .init(
                        backends: state.backends.values.sorted { $0.name < $1.name }
                            .map { message($0) },
                        endpoints: Weir_Admin_V1_ListEndpointsResponse(state).endpoints))
            case .backend(let backend): .backend(message(backend))
            case .deletedBackend(let name): .deletedBackend(name)
            case .endpoint(let endpoint): .endpoint(.init(endpoint))
            case .deletedEndpoint(let name): .deletedEndpoint(name)
            }
        return Weir_Admin_V1_WatchResponse(
            revision: entry.revision, time: Google_Protobuf_Timestamp(entry.time), change: change)
    }
}

extension Weir_Admin_V1_Endpoint {
    init(_ endpoint: ControlState.Endpoint) {
        self.init(
            name: endpoint.name, route: endpoint.route.description,
            weights: endpoint.weights.weights.map { .init(backend: $0.backend, weight: $0.weight) },
            shadows: endpoint.shadows.map {
                .init(
                    backend: $0.backend, proportion: $0.proportion, options: .init($0.options))
            },
            intervals: endpoint.map.intervals.map { .init(start: $0.start, backend: $0.backend) },
            revision: endpoint.revision, comparison: .init(endpoint.comparison))
    }
}

extension Weir_Admin_V1_ListEndpointsResponse {
    init(_ state: ControlState) {
        self.init(
            endpoints: state.endpoints.values.sorted { $0.name < $1.name }.map { .init($0) },
            revision: state.revision)
    }
}

extension Google_Protobuf_Timestamp {
    init(_ date: Date) {
        let seconds = date.timeIntervalSince1970.rounded(.down)
        let nanos = (date.timeIntervalSince1970 - seconds) * 1e9
        self.init(seconds: Int64(seconds), nanos: Int32(nanos))
    }
}
