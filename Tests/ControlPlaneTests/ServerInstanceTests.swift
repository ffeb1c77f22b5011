internal import Messages
internal import Testing

@testable internal import ControlPlane

@Suite struct ServerInstanceTests {
    private static let server = ServerInstance(
        name: "a-b.c", version: "1", host: "h", dataAddress: ":1", adminAddress: ":2")

    private static func start(
        _ id: String, _ name: String = "a-b.c", at seconds: Int64 = 0, answering: Bool = false
    ) -> Weir_Admin_V1_Instance {
        .init(
            id: id, name: name, started: .init(seconds: seconds), answering: answering)
    }

    @Test("Of the starts of one server, the latest is listed, or the one that answers")
    func starts() {
        let ids = (0..<3).map { Self.server.id($0) }
        #expect(Set(ids).count == 3)
        let starts = [
            Self.start(ids[0], at: 1), Self.start(ids[1], at: 3), Self.start(ids[2], at: 2),
        ]
        #expect(ServerInstance.latest(of: starts).map(\.id) == [ids[1]])
        let own = Self.start(ids[2], at: 2, answering: true)
        #expect(ServerInstance.latest(of: Array(starts.prefix(2)) + [own]).map(\.id) == [ids[2]])
    }

    @Test("Servers at other places, and of earlier versions, are all listed")
    func places() {
        let (name, version) = (Self.server.name, Self.server.version)
        let places = [("h", ":1", ":2"), ("i", ":1", ":2"), ("h", ":3", ":2"), ("h", ":1", ":4")]
        let ids = places.map {
            ServerInstance(
                name: name, version: version, host: $0.0, dataAddress: $0.1, adminAddress: $0.2
            ).id(7)
        }
        let earlier = ["a-b.c-1x", "a-b.c-1y", "", "plain"]
        let listed = ServerInstance.latest(of: (ids + earlier).map { Self.start($0) })
        #expect(Set(listed.map(\.id)) == Set(ids + earlier))
    }

    @Test("Servers are listed by their names")
    func order() {
        let listed = ServerInstance.latest(of: [
            Self.start("3", "b"), Self.start("2", "a"), Self.start("1", "b"),
        ])
        #expect(listed.map(\.id) == ["2", "1", "3"])
    }
}
