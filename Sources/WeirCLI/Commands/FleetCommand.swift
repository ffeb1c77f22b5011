internal import ArgumentParser
internal import GRPCWire
internal import Messages
internal import Weir

/// `weir fleet`
struct FleetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet", abstract: "Shows the servers that share one state.",
        discussion: """
            Examples:
              weir fleet ls
            """,
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
            try options.show(reply) { FleetCommand.page($0, screen: .current) }
        }
    }

    /// - Parameter screen: the table fits its columns.
    static func page(
        _ reply: Weir_Admin_V1_ListInstancesResponse, screen: Screen = .unlimited
    ) -> TerminalText {
        var table = Table([
            .init(title: "NAME", isName: true), .init(title: "VERSION", drop: 2),
            .init(title: "DATA", isName: true, drop: 3), .init(title: "ADMIN", isName: true),
            .init(title: "REVISION", alignment: .right, drop: 5), .init(title: "STATE"),
            .init(title: "SINCE", drop: 1), .init(title: "", drop: 4),
        ])
        let names = Dictionary(grouping: reply.instances, by: \.name).filter { $1.count > 1 }
        for instance in reply.instances {
            // The end of an id is unique, also if names are not.
            let id = names[instance.name] == nil ? "" : "#\(instance.id.suffix(6))"
            let marks = [instance.leader ? "leader" : "", instance.answering ? "this one" : ""]
            table.add([
                instance.name + id, instance.version, instance.dataAddress, instance.adminAddress,
                "\(instance.revision)", state(of: instance), Style.time(instance.started),
                marks.filter { !$0.isEmpty }.joined(separator: ", "),
            ])
        }
        var lines: [TerminalText] = [
            table.text(columns: screen.columns), "state in \(reply.store)",
        ]
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
