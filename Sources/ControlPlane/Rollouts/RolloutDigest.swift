internal import Messages
internal import Rollouts
internal import TrafficPolicy

/// Digests of definitions, by which a rollout notices that they have changed.
enum RolloutDigest {
    /// Identifies a rollout by its plan and by the definition of its candidate: another program
    /// under the name of the candidate makes another rollout.
    static func of(
        _ plan: Weir_Admin_V1_RolloutPlan, _ candidate: ControlState.Backend?
    ) -> UInt64 {
        digest([bytes(plan), bytes(candidate)])
    }

    /// Identifies the definitions of backends.
    static func of(_ backends: [ControlState.Backend?]) -> UInt64 { digest(backends.map(bytes)) }

    /// Without the parts that do not change the program: its description, the schema for
    /// reflection, and the lease of the process that serves it.
    private static func bytes(_ backend: ControlState.Backend?) -> [UInt8] {
        guard var backend else { return [] }
        backend.description = ""
        backend.descriptorSet = []
        backend.lease = nil
        backend.revision = 0
        return bytes(Weir_Admin_V1_Backend(backend, secrets: .revealed))
    }

    /// Fields have one order, so equal messages have equal bytes. Messages that were stored or
    /// received can be encoded.
    private static func bytes(_ message: some ProtobufMessage) -> [UInt8] {
        (try? message.serializedBytes()) ?? []
    }

    /// Never 0, which means unknown.
    private static func digest(_ parts: [[UInt8]]) -> UInt64 {
        max(1, parts.reduce(0) { KeyHash.hash($1.rawSpan, seed: $0) })
    }
}
