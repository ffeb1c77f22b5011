internal import Messages
internal import Serving
internal import TrafficPolicy
internal import Upstream

/// The changes from one state to another, as text for operators.
struct StateComparison {
    private let before: ControlState
    private let after: ControlState
    /// Sorted by kind and name.
    private(set) var changes: [Weir_Admin_V1_ObjectChange] = []

    init(from before: ControlState, to after: ControlState) throws(MessageError) {
        self.before = before
        self.after = after
        for name in Set(before.backends.keys).union(after.backends.keys).sorted() {
            try compareBackends(name)
        }
        for name in Set(before.endpoints.keys).union(after.endpoints.keys).sorted() {
            try compareEndpoints(name)
        }
    }

    private mutating func compareBackends(_ name: String) throws(MessageError) {
        switch (before.backends[name], after.backends[name]) {
        case (nil, let new?): add(.add, "backend", name, new.summary)
        case (let old?, nil): add(.remove, "backend", name, old.summary)
        case (let old?, let new?):
            guard !old.isSame(as: new) else { return }
            var left = Weir_Admin_V1_Backend(old, secrets: .revealed)
            var right = Weir_Admin_V1_Backend(new, secrets: .revealed)
            Weir_Admin_V1_Backend.mask(&left, &right)
            (left.revision, right.revision) = (0, 0)
            let descriptors = (left.descriptorSet.count, right.descriptorSet.count)
            let differs = left.descriptorSet != right.descriptorSet
            (left.descriptorSet, right.descriptorSet) = ([], [])
            var fields = try Self.fields(left, right)
            if differs {
                fields.append(
                    .init(
                        field: "descriptor_set", before: "\(descriptors.0) bytes",
                        after: "\(descriptors.1) bytes"))
            }
            add(.change, "backend", name, new.summary, fields)
        case (nil, nil): return
        }
    }

    private mutating func compareEndpoints(_ name: String) throws(MessageError) {
        switch (before.endpoints[name], after.endpoints[name]) {
        case (nil, let new?): add(.add, "endpoint", name, new.summary)
        case (let old?, nil): add(.remove, "endpoint", name, old.summary)
        case (let old?, let new?):
            guard !old.isSame(as: new) else { return }
            var (left, right) = (
                Weir_Admin_V1_EndpointConfiguration(old), Weir_Admin_V1_EndpointConfiguration(new)
            )
            (left.shadows, right.shadows) = ([], [])
            var fields = try Self.fields(left, right) + Self.shadows(old, new)
            if fields.isEmpty {
                fields.append(
                    .init(
                        field: "affinity map", before: "generation \(old.map.generation)",
                        after: "generation \(new.map.generation)"))
            }
            add(.change, "endpoint", name, new.summary, fields)
            changes[changes.count - 1].movedShare = old.map.movedShare(to: new.map)
        case (nil, nil): return
        }
    }

    /// Shadows are identified by their backends, not by their places in a list.
    private static func shadows(
        _ before: ControlState.Endpoint, _ after: ControlState.Endpoint
    ) throws(MessageError) -> [Weir_Admin_V1_FieldChange] {
        var changes: [Weir_Admin_V1_FieldChange] = []
        for name in Set((before.shadows + after.shadows).map(\.backend)).sorted() {
            let place = "shadows[\"\(name)\"]"
            let old = before.shadows.first { $0.backend == name }
            let new = after.shadows.first { $0.backend == name }
            guard let old, let new else {
                changes.append(
                    .init(
                        field: "\(place).proportion",
                        before: old.map { "\($0.proportion)" } ?? "absent",
                        after: new.map { "\($0.proportion)" } ?? "absent"))
                continue
            }
            changes += try fields(Weir_Admin_V1_Shadow(old), Weir_Admin_V1_Shadow(new)).map {
                .init(field: "\(place).\($0.field)", before: $0.before, after: $0.after)
            }
        }
        return changes
    }

    private mutating func add(
        _ action: Weir_Admin_V1_ChangeAction, _ kind: String, _ name: String,
        _ description: String, _ fields: [Weir_Admin_V1_FieldChange] = []
    ) {
        changes.append(
            .init(
                action: action, kind: kind, name: name, description: description, fields: fields))
    }

    private static func fields<Message: ProtobufMessage>(
        _ before: Message, _ after: Message
    ) throws(MessageError) -> [Weir_Admin_V1_FieldChange] {
        var diff = MessageDiff(schema: ControlPlane.adminSchema)
        try diff.compare(
            try before.serializedBytes(), try after.serializedBytes(),
            message: Message.messageName ?? "")
        return diff.differences.map {
            .init(field: $0.place, before: $0.left, after: $0.right)
        }
    }
}

extension ControlState.Backend {
    fileprivate var summary: String {
        switch kind {
        case .handler(let handler): "handler \(handler)"
        case .upstream(let addresses, _):
            "upstream " + addresses.map(\.description).joined(separator: ", ")
        case .worker(let spec):
            "\(spec.replicas) x " + spec.command.joined(separator: " ")
        }
    }
}

extension ControlState.Endpoint {
    fileprivate var summary: String { "\(route) \(weights.inWords)" }
}

extension ControlPlane {
    static let adminSchema = schema(of: [Weir_Admin_V1_AdminProto.file])
    static let adminTranscoder = JSONTranscoder(schema: adminSchema)
}
