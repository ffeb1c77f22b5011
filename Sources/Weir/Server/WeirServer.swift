internal import Console
internal import ControlPlane
public import Logging
internal import Logs
internal import NIOCore
public import OTLP
internal import Observability
public import Serving
internal import StateStores
internal import Synchronization
package import Traces
internal import Upstream

internal import class Foundation.ProcessInfo

/// A Weir server inside your program: it serves your backends on the data port and the admin API on
/// the admin port.
///
/// ```swift
/// let server = WeirServer(backends: [v1, v2])
/// try await server.start()
/// try await server.createEndpoint("greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
/// try await server.setTraffic("greeter", ["greeter-v1": 0.9, "greeter-v2": 0.1])
/// try await server.run()
/// ```
public final class WeirServer: Sendable {
    /// The configuration of a server.
    public struct Configuration: Sendable {
        /// The data address, for clients. Port 0 selects a free port.
        public var data = Address(host: "127.0.0.1", port: 8_000)
        /// The admin address, for operators. Port 0 selects a free port.
        public var admin = Address(host: "127.0.0.1", port: 8_001)
        /// The address for scrapers of metrics and for probes: a port without TLS and
        /// authentication, which serves only `/metrics`, `/healthz` and `/readyz`. Nil for none.
        public var metrics: Address?
        /// The number of event loops, each on its own thread. By default one per core that the
        /// process may use: the cores of its CPU affinity, or fewer if its control group has a CPU
        /// quota.
        public var loops = UsableCores.count
        /// Whether responses name the backend in the trailing metadata `x-serve-backend`.
        public var namesBackends = true
        /// Whether the admin port serves the console, a web page for operators.
        public var servesConsole = true
        /// The store of the state: backends, endpoints, weights and their history.
        public var store = StateStorage.memory
        /// Whether to start with the remaining revisions if the store has lost the latest ones. If
        /// false, the server does not start in that case.
        public var acceptsLostRevisions = false
        /// The directory for a copy of a shared state. A server that starts while the store is not
        /// reachable serves the copy. Nil keeps no copy.
        public var copyDirectory: String?
        /// The number of revisions to keep for rollbacks.
        public var keptRevisions = 1_000
        /// The maximum age of the revisions to keep.
        public var keptRevisionAge = Duration.seconds(90 * 86_400)
        /// The name of the server among those that share a store.
        public var name = ProcessInfo.processInfo.hostName
        /// TLS, and access to the admin port.
        public var security = SecuritySettings()
        /// Inherited sockets to use instead of `data` and `admin`.
        public var inheritedSockets = InheritedSockets()
        /// How long to wait for the server that this one replaces to release its state; both share
        /// the ports meanwhile. Nil if this server does not replace another; then an occupied port
        /// is an error.
        public var takeOverTimeout: Duration?
        /// The limits of the data plane.
        public var limits = Limits()
        /// The export of spans and log records; nil for none.
        public var export: OTLPSettings?
        /// How calls are traced; nil without spans, or as `export` says.
        package var traces: TraceSettings?
        /// The server's log.
        public var log = Logger(label: "weir")
        /// The log of the calls of endpoints; nil for none.
        public var accessLog: AccessLogSettings?
        /// The share of calls that `export` receives without an `accessLog`.
        package var callShare = 1.0
        /// Returns the number of lost log lines, for `weir_log_lines_lost_total` in `/metrics`; nil
        /// omits the metric.
        public var lostLogLines: (@Sendable () -> UInt64)?

        /// The default configuration.
        public init() {}
    }

    /// The addresses on which a server listens.
    public struct Addresses: Sendable {
        /// The data address.
        public let data: Address
        /// The admin address.
        public let admin: Address
        /// The address of the metrics; nil without one.
        public let metrics: Address?
    }

    let configuration: Configuration
    /// The ended spans of this server, for its exporter; nil if it creates none.
    package let spanQueue: SpanQueue?
    private let dataPlane: DataPlane
    let controlPlane: ControlPlane
    private let security: Security
    private let accessLog: AccessLog?
    private let notifier: ServiceNotifier
    private let export: OTLPExport?
    private let following = Mutex<Task<Void, Never>?>(nil)

    /// Creates a server that can route to handlers; each of `backends` becomes a backend under its
    /// own name.
    public init(_ configuration: Configuration = Configuration(), backends: [HandlerBackend]) {
        self.configuration = configuration
        security = Security(configuration.security)
        notifier = ServiceNotifier(log: configuration.log)
        export = configuration.export.map {
            OTLPExport($0, version: Self.version, name: configuration.name, log: configuration.log)
        }
        let limits = configuration.limits.bounded
        let accessLog = configuration.accessLog.map {
            AccessLog(
                $0.output, $0.lineFormat, maxLines: limits.maxAccessLogLines,
                log: configuration.log)
        }
        self.accessLog = accessLog
        var listeners = CallListeners()
        listeners.logs = [accessLog?.queue, export?.calls?.queue].compactMap { $0 }
        listeners.share = configuration.accessLog?.share ?? configuration.callShare
        let traces = configuration.traces ?? Self.traces(configuration.export, export)
        spanQueue = traces?.queue
        dataPlane = DataPlane(
            loops: configuration.loops, limits: configuration.limits,
            namesBackends: configuration.namesBackends, log: configuration.log,
            listeners: listeners,
            tracing: traces)
        var bounds = HistoryBounds()
        bounds.revisions = max(1, configuration.keptRevisions)
        bounds.age = configuration.keptRevisionAge
        var facts = ServerFacts()
        (facts.version, facts.commit) = (Self.version, Self.commit)
        facts.limits = Limits.named.map { ($0.name, $0.text(in: limits)) }
        facts.lostLogLines = configuration.lostLogLines
        if let accessLog {
            facts.accessLogLines = { (written: accessLog.written, lost: accessLog.lost) }
        }
        facts.certificates = { [security] in security.certificates }
        facts.exports = { [export] in export?.figures ?? [] }
        controlPlane = ControlPlane(
            dataPlane: dataPlane, handlers: backends, access: security.access,
            adminHosts: AdminHosts(
                configuration.security.adminHosts + [
                    configuration.admin.host, configuration.name, ProcessInfo.processInfo.hostName,
                ] + (configuration.metrics.map { [$0.host] } ?? [])),
            bounds: bounds, log: configuration.log, facts: facts)
    }

    /// Reads the stored state and starts to listen, on the data port last. Throws
    /// `StateStorage.Failure` if the state cannot be read, and `SecuritySettings.Failure` if the
    /// security settings are invalid.
    @discardableResult
    public func start() async throws -> Addresses {
        let addresses = try await startUnready()
        controlPlane.health.markReady()
        return addresses
    }

    /// Starts without `/readyz`, for a program that then applies its first state. `run` makes the
    /// server ready.
    package func startUnready() async throws -> Addresses {
        try security.start(admin: adminAddress, configuration.log)
        let webhooks = try configuration.security.webhooks()
        try export?.begin()
        accessLog?.open()
        do {
            let store = try await openStore()
            let (copy, lacksCopy) = await openCopy()
            try await controlPlane.start(
                with: store, copy: copy, lacksCopy: lacksCopy,
                acceptsLostRevisions: configuration.acceptsLostRevisions, webhooks: webhooks)
        } catch {
            await endExports()
            throw (error as? StoreError).map(StateStorage.Failure.init) ?? error
        }
        do {
            let addresses = try await listen()
            followFiles()
            await controlPlane.announce(
                ServerInstance(
                    name: configuration.name, version: Self.version,
                    host: ProcessInfo.processInfo.hostName,
                    dataAddress: addresses.data.description,
                    adminAddress: addresses.admin.description))
            return addresses
        } catch {
            await endExports()
            await controlPlane.stop()
            try? await dataPlane.shutDown()
            throw error
        }
    }

    private func endExports() async {
        await export?.stop()
        accessLog?.flush()
    }

    /// The actual admin address; an inherited socket may have any address.
    private var adminAddress: Address {
        guard let inherited = configuration.inheritedSockets.admin else {
            return configuration.admin
        }
        return Address(
            host: ListeningPort.host(of: inherited) ?? "a socket that is not a TCP socket", port: 0)
    }

    private func port(_ address: Address, inherited: Int32?) async throws -> ListeningPort {
        if let inherited { return ListeningPort(inherited: inherited) }
        return try await ListeningPort(
            host: address.host, port: address.port, isShared: configuration.takeOverTimeout != nil)
    }

    private func listen() async throws -> Addresses {
        let controlPlane = controlPlane
        let sockets = configuration.inheritedSockets
        let dataPort = try await port(configuration.data, inherited: sockets.data)
        let adminPort = try await port(configuration.admin, inherited: sockets.admin)
        try adminPort.checkDistinct("admin", from: dataPort, "data")
        let metrics = try await listenForScrapers(
            besides: [("data", dataPort), ("admin", adminPort)])
        let admin = try await dataPlane.listenForOperators(
            adminPort, tls: security.adminTLS, serving: try servedAdminPort())
        let data = try await dataPlane.listen(
            dataPort, tls: security.dataTLS,
            serving: ServedPort(
                services: controlPlane.standardBackend, plainHTTP: .endpoints,
                loadRoutes: { [controlPlane] in await controlPlane.loadSchemas() }))
        func address(_ asked: Address, _ inherited: Int32?, _ bound: SocketAddress) -> Address {
            let host = inherited == nil ? asked.host : bound.ipAddress ?? asked.host
            return Address(host: host, port: bound.port ?? 0)
        }
        return Addresses(
            data: address(configuration.data, sockets.data, data),
            admin: address(configuration.admin, sockets.admin, admin), metrics: metrics)
    }

    private func servedAdminPort() throws -> ServedPort {
        let controlPlane = controlPlane
        let console = configuration.servesConsole ? Console() : nil
        let cors = try configuration.security.adminCORS()
        return ServedPort(
            services: controlPlane.adminBackend,
            plainHTTP: .function { request in
                if let reply = console?.answer(request) {
                    return controlPlane.hostRefusal(request.head.host) ?? reply
                }
                let reply = await controlPlane.answer(request)
                guard reply.status == 404 else { return reply }
                return HTTPReply(
                    status: 404,
                    body: console == nil
                        ? "use /metrics, /healthz or /readyz; the console is switched off\n"
                        : "use / for the console, /metrics, /healthz or /readyz\n")
            },
            cors: cors, callRefusal: { controlPlane.callRefusal($0, cors) })
    }

    private func listenForScrapers(
        besides others: [(name: String, port: ListeningPort)]
    ) async throws -> Address? {
        guard let asked = configuration.metrics else { return nil }
        let port = try await port(asked, inherited: nil)
        for other in others { try port.checkDistinct("metrics", from: other.port, other.name) }
        let controlPlane = controlPlane
        let bound = try await dataPlane.listenForScrapers(
            port,
            serving: ServedPort(
                services: HandlerBackend("metrics", services: []),
                plainHTTP: .function { await controlPlane.answerScraper($0) }, holdsDrain: false))
        return Address(host: asked.host, port: bound.port ?? 0)
    }

    /// Checks every second whether certificates or the access file have changed.
    private func followFiles() {
        let following = Task { [security, export, log = configuration.log] in
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                security.reload(onlyChanged: true, log)
                export?.reload(onlyChanged: true)
            }
        }
        self.following.withLock { $0 = following }
    }

    /// Rereads the certificates, also those of the export, and the access file, and opens the file
    /// of the access log again, as SIGHUP does. If a file is invalid, the server logs the reason
    /// and keeps the previous content. Connections stay open.
    public func reload() {
        notifier.reloading()
        security.reload(onlyChanged: false, configuration.log)
        export?.reload(onlyChanged: false)
        accessLog?.open()
        notifier.ready()
    }

    /// Serves until SIGTERM or SIGINT, then drains: health checks return NOT_SERVING, the server
    /// accepts no connections after `Limits.drainDelay`, and running requests finish within
    /// `Limits.drainTimeout`. A second signal ends the wait for requests, and limits the wait for
    /// worker processes to a second. SIGHUP does what `reload` does. The server notifies a
    /// service manager (`NOTIFY_SOCKET`).
    ///
    /// - Parameter ready: called after the signal handlers are installed.
    /// - Returns: whether all requests finished.
    @discardableResult
    public func run(_ ready: () -> Void = {}) async throws -> Bool {
        let log = configuration.log
        // One sequence for all signals, because the second may arrive before a task waits for it.
        let signals = try Signals([.terminate, .interrupt, .hangUp])
        controlPlane.health.markReady()
        notifier.ready()
        ready()
        let first = await signals.first { signal in
            if signal.number == Signals.Signal.hangUp.number { self.reload() }
            return signal.number != Signals.Signal.hangUp.number
        }
        log.notice("draining", metadata: ["signal": "\(first?.name ?? "none")"])
        let (endings, ended) = AsyncStream.makeStream(of: Result<Bool, any Error>.self)
        let draining = Task { try await self.drain() }
        Task {
            var finished = false
            do {
                finished = try await draining.value
            } catch is CancellationError {
                // A second signal ended the wait.
            } catch {
                log.error("the drain failed", metadata: ["error": "\(error)"])
            }
            do {
                try await self.shutDown()
                ended.yield(.success(finished))
            } catch {
                ended.yield(.failure(error))
            }
        }
        let cutting = Task {
            for await signal in signals where signal.number != Signals.Signal.hangUp.number {
                log.notice("ending at once", metadata: ["signal": "\(signal.name)"])
                draining.cancel()
                await self.dataPlane.closeConnections()
                // Worker processes may take longer to stop.
                try? await Task.sleep(for: Self.shutDownTimeout)
                OwnProcesses.shared.killGroups()
                ended.yield(.success(false))
                return
            }
        }
        defer { cutting.cancel() }
        return try await endings.first { _ in true }?.get() ?? false
    }

    /// The time limit for closing everything after a second signal.
    private static let shutDownTimeout = Duration.seconds(1)

    /// Makes health checks fail, releases the state for a successor, stops accepting connections
    /// after `Limits.drainDelay`, asks clients to disconnect, and waits for running requests.
    ///
    /// - Returns: whether all requests finished within `Limits.drainTimeout`.
    public func drain() async throws -> Bool {
        notifier.stopping()
        await controlPlane.drainHealth()
        await controlPlane.leaveStore()
        try? await Task.sleep(for: configuration.limits.drainDelay)
        await controlPlane.endWatches()
        return try await dataPlane.drain()
    }

    /// Closes all connections at once and ends the threads.
    public func shutDown() async throws {
        following.withLock { $0?.cancel() }
        await controlPlane.endWatches()
        await dataPlane.closeConnections()
        // Includes the records of the calls that have just ended.
        await dataPlane.finishTraces()
        await export?.stop()
        await controlPlane.stop()
        try await dataPlane.shutDown()
        accessLog?.flush()
    }
}
