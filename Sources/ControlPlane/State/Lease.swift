internal import GRPCWire
internal import Messages
internal import Serving

/// The program that serves an upstream, and its run.
package struct Lease: Sendable, Equatable {
    private static let maxProgramBytes = 512

    /// The name of the program, the same at its next start.
    let program: String
    /// The run of the program.
    let session: String

    /// Why the backend of a program that is gone is not usable.
    var problem: String {
        "the program that serves it is gone: '\(program)' (start it again, or delete the backend)"
    }
}

extension Lease {
    init(_ message: Weir_Admin_V1_Lease) throws(ControlError) {
        guard !message.program.isEmpty else {
            throw .invalid("backend.lease.program", "must not be empty")
        }
        try RequestField("backend.lease.program").check(
            message.program, maxBytes: Self.maxProgramBytes)
        try ControlState.check(name: message.session, field: "backend.lease.session")
        self.init(program: message.program, session: message.session)
    }
}

extension Weir_Admin_V1_Lease {
    init(_ lease: Lease) {
        self.init(program: lease.program, session: lease.session)
    }
}
