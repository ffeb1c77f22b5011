internal import ArgumentParser
internal import GRPCWire
internal import Messages
internal import Weir

/// `weir fleet`
struct FleetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet", abstract: "Shows the servers that share one state.",
        subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the servers and the revision that each serves.",
            discussion: """
                Example:
                  weir fleet list
                """,
            aliases: ["ls"])

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call { try await $0.listInstances(.init(), $1) }
            try options.show(reply) { FleetCommand.page($0) }
        }
    }

    static func page(_ reply: Weir_Admin_V1_ListInstancesResponse) -> TerminalText {
        var table = Table([
            ("NAME", .left), ("VERSION", .left), ("DATA", .left), ("ADMIN", .left),
            ("REVISION", .right), ("STATE", .left), ("SINCE", .left), ("", .left),
        ])
        let names = Dictionary(grouping: reply.instances, by: \.name).filter { $1.count > 1 }
        for instance in reply.instances {
            // The id is unique, also if names are not.
            let id = names[instance.name] == nil ? "" : "#\(instance.id.prefix(8))"
            let marks = [instance.leader ? "leader" : "", instance.answering ? "this one" : ""]
            table.add([
                instance.name + id, instance.version, instance.dataAddress, instance.adminAddress,
                "\(instance.revision)", state(of: instance), Style.time(instance.started),
                marks.filter { !$0.isEmpty }.joined(separator: ", "),
            ])
        }
        var lines: [TerminalText] = [table.text, "state in \(reply.store)"]
        if !reply.storeFailure.isEmpty {
            lines.append(Style.red("the store cannot be reached: \(reply.storeFailure)"))
        }
        let diverged = reply.instances.filter { $0.state == .diverged }
        for instance in diverged {
            lines.append(
                Style.red("\(instance.name) (\(instance.adminAddress)): \(instance.problem)"))
        }
        if !diverged.isEmpty {
            lines.append(
                "use 'weir state adopt' to keep the store's state, or 'weir state restore' to keep "
                    + "the server's state")
        }
        for name in names.keys.sorted() {
            lines.append(
                Style.yellow(
                    "\(names[name]?.count ?? 0) servers have the name \(name.quoted); 'weir serve "
                        + "--name' sets another one"))
        }
        return lines.joined(separator: "\n")
    }

    private static func state(of instance: Weir_Admin_V1_Instance) -> String {
        switch instance.state {
        case .current: "current"
        case .stale: "stale"
        case .diverged: "diverged"
        // Earlier versions of Weir do not report it.
        default: "-"
        }
    }
}
