internal import NIOCore
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct ConnectionSetTests {
    private final class Connection: ServedConnection {
        let servedPort: ServedPort
        var checks: [UInt64] = []
        var drains = 0
        var closings = 0

        init(_ servedPort: ServedPort = TestLoop.port) { self.servedPort = servedPort }

        func checkTimeouts(at now: UInt64) { checks.append(now) }
        func drain() { drains += 1 }
        func close() { closings += 1 }
    }

    @Test("Timeouts are checked four times a second while there are connections")
    func checksTimeouts() throws {
        let loop = TestLoop()
        let connection = Connection()
        loop.connections.add(connection)
        let start = loop.embedded.now
        loop.embedded.advance(by: .seconds(1))
        #expect(connection.checks == (1...4).map { start + $0 * 250_000_000 })
        loop.connections.remove(connection)
        loop.embedded.advance(by: .seconds(10))
        #expect(connection.checks.count == 4)
        // The checks begin again with the next connection.
        loop.connections.add(connection)
        loop.embedded.advance(by: .seconds(1))
        #expect(connection.checks.count == 8)
    }

    @Test("A drain asks each connection to disconnect, and ends with the last one")
    func drains() throws {
        let loop = TestLoop()
        let (first, second) = (Connection(), Connection())
        loop.connections.add(first)
        let end = Flag()
        loop.connections.drain().assumeIsolated().whenSuccess { end.isSet = true }
        #expect(first.drains == 1 && first.closings == 0)
        // A connection that arrives during the drain is asked at once.
        loop.connections.add(second)
        #expect(second.drains == 1)
        loop.connections.remove(first)
        loop.embedded.run()
        #expect(!end.isSet)
        loop.connections.remove(second)
        loop.embedded.run()
        #expect(end.isSet)
    }

    private final class Flag { var isSet = false }

    @Test("After the end, further connections are closed at once")
    func closes() throws {
        let loop = TestLoop()
        let (first, second) = (Connection(), Connection())
        loop.connections.add(first)
        loop.connections.closeAll()
        loop.connections.add(second)
        #expect(first.closings == 1 && second.closings == 1)
    }

    @Test("A drain does not wait for a port whose clients have no calls")
    func drainsWithoutScrapers() throws {
        let loop = TestLoop()
        let metrics = ServedPort(
            services: HandlerBackend("m", services: []),
            plainHTTP: .function { _ in .init(emptyWithStatus: 204) }, holdsDrain: false)
        let (scraper, client) = (Connection(metrics), Connection())
        loop.connections.add(scraper)
        loop.connections.add(client)
        let end = Flag()
        loop.connections.drain().assumeIsolated().whenSuccess { end.isSet = true }
        #expect(!end.isSet)
        loop.connections.remove(scraper)
        loop.connections.remove(scraper)
        #expect(!end.isSet)
        loop.connections.add(Connection(metrics))
        loop.connections.remove(client)
        #expect(end.isSet)
    }

    @Test("Only connections to the data port are counted")
    func counts() throws {
        let loop = TestLoop()
        let admin = ServedPort(
            services: HandlerBackend("a", services: []),
            plainHTTP: .function { _ in .init(emptyWithStatus: 204) })
        loop.connections.add(Connection())
        loop.connections.add(Connection(admin))
        #expect(loop.connections.dataConnections == 1)
    }
}
