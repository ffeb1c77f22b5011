internal import Testing

@testable internal import Upstream

@Suite struct WorkerEnvironmentTests {
    @Test(
        "Weir's own variables and those of its service manager are withheld",
        arguments: [
            "WEIR_TOKEN", "WEIR_ETCD_PASSWORD", "WEIR_ADMIN_TLS_KEY", "WEIR_", "NOTIFY_SOCKET",
            "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
        ])
    func removesVariable(name: String) {
        #expect(WorkerEnvironment.withholds(name))
        let changes = WorkerEnvironment.changes(to: [name], socket: "/s", settings: [:])
        #expect(changes == [name: nil, "WEIR_WORKER_SOCKET": "/s"])
    }

    @Test(
        "Other variables are inherited",
        arguments: ["PATH", "HOME", "TMPDIR", "weir_token", "MY_WEIR_TOKEN", "WEIRD", "LISTEN", ""])
    func inheritsVariable(name: String) {
        #expect(!WorkerEnvironment.withholds(name))
        let changes = WorkerEnvironment.changes(to: [name], socket: "/s", settings: [:])
        #expect(changes == ["WEIR_WORKER_SOCKET": "/s"])
    }

    @Test("Variables of the backend take precedence, except over the socket")
    func prefersBackendVariables() {
        let changes = WorkerEnvironment.changes(
            to: ["WEIR_TOKEN", "PATH"], socket: "/s",
            settings: ["WEIR_TOKEN": "mine", "A": "", "WEIR_WORKER_SOCKET": "/other"])
        #expect(changes == ["WEIR_TOKEN": "mine", "A": "", "WEIR_WORKER_SOCKET": "/s"])
    }
}
