internal import GRPCWire
internal import Messages
internal import Weir

/// What a command about the calls of one server reports about the other servers of its fleet, which
/// have calls of their own.
enum FleetNote {
    /// The most servers that the note names.
    private static let maxNames = 8

    /// The note; nil without other servers.
    ///
    /// - Parameters:
    ///   - subject: what the servers may have.
    ///   - command: the command, without the address of another server.
    static func text(
        _ reply: Weir_Admin_V1_ListInstancesResponse, _ subject: StaticString, _ command: String
    ) -> TerminalText? {
        let others = reply.instances.filter { !$0.answering }
        guard !others.isEmpty else { return nil }
        let this = reply.instances.first(where: \.answering).map { " \($0.name.quoted)" } ?? ""
        // An address is external text, too.
        let names = others.prefix(maxNames).map {
            "\($0.name.quoted) (\($0.adminAddress.printable(limit: 100)))"
        }
        let more = others.count > maxNames ? ["\(others.count - maxNames) more"] : []
        let list = (names + more).joined(separator: ", ")
        return """
            only the server\(this) was asked; others of its fleet may have \(subject): \(list); \
            ask each with: \(command) --admin ADDRESS
            """
    }
}

extension AdminOptions {
    /// Writes the note about other servers of the fleet to standard error.
    func noteOtherServers(_ subject: StaticString, _ command: String) async {
        guard let client = try? connection.client else { return }
        defer { Task { await client.close() } }
        // A server that does not list its fleet answers the command itself.
        let reply = try? await Weir_Admin_V1_AdminStub(client)
            .listInstances(.init(), .init(timeout: .seconds(5)))
        if let reply, let note = FleetNote.text(reply, subject, command) { printError(note) }
    }
}
