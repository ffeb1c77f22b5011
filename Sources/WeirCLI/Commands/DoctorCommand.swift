internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import Messages
internal import StateStores
internal import Transport
internal import Weir

/// `weir doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Finds mistakes in the setup of a server and its machine.",
        discussion: """
            The command checks the ports, the store, the clocks, certificates, the limits of this \
            machine, and backends and endpoints for common mistakes. It changes nothing.

            Exit code 2: a check failed. Warnings do not change the exit code.

            Examples:
              weir doctor
              weir doctor --certificate server.pem --admin 10.0.0.7:8001
              weir doctor --store etcd:http://10.0.0.9:2379
              weir doctor --json | jq '.findings[] | select(.level == "failure")'
            """)

    @Option(
        help: ArgumentHelp(
            "A PEM file whose certificates shall be valid; may be repeated.", valueName: "file"),
        completion: .file())
    var certificate: [String] = []

    @Option(
        help: ArgumentHelp(
            "The data address of the server (default: $WEIR_ADDRESS, or that of the server).",
            valueName: "host:port"))
    var address: String?

    @Flag(help: "Print JSON for programs.")
    var json = false

    @OptionGroup(title: "Data port") var tls: DataTLSOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions
    @OptionGroup(title: "State") var store: StoreOptions

    func run() async throws {
        let admin = try connection.address
        let environment = ProcessInfo.processInfo.environment
        var (findings, served) = try await server(admin)
        findings += MachineChecks.variables(environment)
        findings += MachineChecks.proxies(environment, hosts: [admin.host])
        findings.append(MachineChecks.descriptors(FileLimit.raised()?.descriptors))
        if let backlog = MachineChecks.backlog(Machine.backlog) { findings.append(backlog) }
        if let named = try store.named {
            findings.append(
                MachineChecks.store(
                    named.place, problem: await Machine.problem(of: named), server: served))
        } else if let directory = try? store.directory {
            findings.append(MachineChecks.space(Machine.freeBytes(in: directory), in: directory))
        }
        for file in certificate + connection.certificateFiles {
            findings.append(
                MachineChecks.certificate(
                    file, expiry: CertificateFile.firstExpirySeconds(in: file),
                    now: Date.now.timeIntervalSince1970))
        }
        try json
            ? Output.print(json: Finding.json(findings).text(indent: 2))
            : Output.print(Finding.page(findings, screen: .current))
        let failures = findings.count { $0.level == .failure }
        guard failures == 0 else {
            printError("\(failures) \(failures == 1 ? "check" : "checks") failed")
            throw ExitCode.no
        }
    }

    /// Checks of the server at the admin address.
    ///
    /// - Returns: the findings, and the store of the server; nil if the server does not answer.
    private func server(_ address: Address) async throws -> ([Finding], store: String?) {
        let client: WeirClient
        do {
            client = try connection.client
        } catch let error as LocatedError {
            return ([.failure("connection", error.description)], nil)
        }
        defer { Task { await client.close() } }
        let admin = Weir_Admin_V1_AdminStub(client)
        let options = WeirClient.CallOptions(timeout: .seconds(10))
        let fleet: Weir_Admin_V1_ListInstancesResponse
        do {
            fleet = try await admin.listInstances(.init(), options)
        } catch let error as RPCError {
            return ([ServerChecks.unreachable(error, address)], nil)
        }
        var findings: [Finding] = []
        do {
            let own = fleet.instances.first { $0.answering }
            findings.append(
                .ok("admin port", "\(address) answers: weir \(own?.version ?? "?")"))
            findings.append(await data(own, admin: address))
            let before = Date.now.timeIntervalSince1970
            let stats = try await admin.getStats(.init(), options)
            if let time = stats.time {
                findings.append(
                    ServerChecks.clock(
                        server: Double(time.seconds) + Double(time.nanos) / 1e9,
                        local: before...max(before, Date.now.timeIntervalSince1970)))
            }
            findings += ServerChecks.store(fleet)
            findings += ServerChecks.backends(
                try await admin.listBackends(.init(), options).backends,
                own: [own?.dataAddress, own?.adminAddress].compactMap(\.self))
            findings += ServerChecks.endpoints(
                try await admin.listEndpoints(.init(), options).endpoints)
            findings += ServerChecks.rollouts(
                try await admin.listRollouts(.init(), options).rollouts)
        } catch let error as RPCError {
            findings.append(
                .failure("admin port", "\(address) stopped answering in full: \(error)"))
        }
        return (findings, fleet.store)
    }

    /// Asks the health service of the data port.
    private func data(
        _ instance: Weir_Admin_V1_Instance?, admin: Address
    ) async -> Finding {
        let subject = "data port"
        let given = address ?? Variable.value("WEIR_ADDRESS")
        guard let text = given ?? instance?.dataAddress, let named = try? Address(text) else {
            return .warning(subject, "its address is unknown: use --address")
        }
        // A server that listens on all addresses is asked at the host of its admin port.
        let listensOnAll = ["0.0.0.0", "::"].contains(named.host)
        let address = listensOnAll ? Address(host: admin.host, port: named.port) : named
        do {
            let client = try WeirClient.forCommand(address, tls: tls.settings)
            defer { Task { await client.close() } }
            let reply: Grpc_Health_V1_HealthCheckResponse = try await client.unary(
                "/grpc.health.v1.Health/Check", Grpc_Health_V1_HealthCheckRequest(),
                .init(timeout: .seconds(5)))
            guard reply.status == .serving else {
                return .failure(subject, "\(address) answers, but its health is not SERVING")
            }
            return ServerChecks.dataPort(address, admin: admin, own: instance?.dataAddress)
        } catch let error as RPCError {
            return .failure(
                subject,
                "\(address) does not answer: \(error.message); check --address and the "
                    + "TLS options")
        } catch {
            return .failure(subject, "\(address): \(error)")
        }
    }
}

/// Values of this machine.
private enum Machine {
    /// `net.core.somaxconn`; nil where Linux's /proc is missing.
    static var backlog: Int? {
        guard
            let text = try? String(contentsOfFile: "/proc/sys/net/core/somaxconn", encoding: .utf8)
        else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Nil if the directory does not exist.
    static func freeBytes(in directory: String) -> UInt64? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: directory)
        return (attributes?[.systemFreeSize] as? NSNumber)?.uint64Value
    }

    /// Why a store cannot be used; nil if it can. Does not open a database, which a server may use.
    static func problem(of store: StoreLocation) async -> String? {
        switch store {
        case .memory: return nil
        case .sqlite(let path):
            return FileManager.default.isWritableFile(atPath: path)
                ? nil : "it does not exist, or this user may not write it"
        case .etcd:
            do throws(StoreError) {
                let opened = try await store.open()
                let result: Result<[StoredInstance], StoreError>
                do throws(StoreError) {
                    result = .success(try await opened.instances())
                } catch {
                    result = .failure(error)
                }
                await opened.close()
                _ = try result.get()
                return nil
            } catch {
                return "\(error)"
            }
        }
    }
}
