internal import NIOCore
internal import NIOPosix
internal import Testing

@testable internal import Upstream

/// Names that the system resolves without a DNS server.
@Suite(.timeLimit(.minutes(1))) struct NameResolverTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test(
        "The addresses of a host are found on the threads for quick and for slow names",
        arguments: [
            ("127.0.0.1", ["127.0.0.1"], []), ("::1", [], ["::1"]),
            ("localhost", ["127.0.0.1"], nil),
        ] as [(String, [String], [String]?)], [false, true])
    func resolves(_ name: (host: String, v4: [String], v6: [String]?), isSlow: Bool) async throws {
        let found = try await NameResolver.resolve(
            name.host, port: 80, isSlow: isSlow, on: loop
        ).get()
        #expect(found.version4.compactMap(\.ipAddress) == name.v4)
        if let v6 = name.v6 { #expect(found.version6.compactMap(\.ipAddress) == v6) }
        #expect((found.version4 + found.version6).allSatisfy { $0.port == 80 })
    }

    @Test("A name that cannot be resolved fails with the name and the reason of the system")
    func fails() async throws {
        let error = await #expect(throws: NameResolver.Failure.self) {
            try await NameResolver.resolve("..", port: 80, isSlow: false, on: loop).get()
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("'..' cannot be resolved: ") && !text.hasSuffix(": "))
    }
}

/// Races to servers on loopback addresses.
@Suite(.timeLimit(.minutes(1))) struct FamilyRaceTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private func winner(
        v4: SocketAddress, v6: SocketAddress
    ) async throws -> ResolvedName.Family? {
        try await FamilyRace.winner(
            of: ResolvedName([v4, v6]), host: "test", port: v4.port ?? 0, on: loop
        ).get()
    }

    @Test("The family that accepts connections wins; if none does, the result is nil")
    func finds() async throws {
        let server = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
        let v4 = try #require(server.localAddress)
        // No server listens on the same port of the other family.
        let v6 = try SocketAddress(ipAddress: "::1", port: try #require(v4.port))
        #expect(try await winner(v4: v4, v6: v6) == .version4)
        try await server.close()
        // Tests cannot listen on port 1.
        let none = try await winner(
            v4: SocketAddress(ipAddress: "127.0.0.1", port: 1),
            v6: SocketAddress(ipAddress: "::1", port: 1))
        #expect(none == nil)
    }

    @Test("IPv6 is preferred if both families accept connections")
    func prefersVersion6() async throws {
        guard let six = try? await ServerBootstrap(group: loop).bind(host: "::1", port: 0).get()
        else { return }
        let v6 = try #require(six.localAddress)
        let port = try #require(v6.port)
        guard
            let four = try? await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: port)
                .get()
        else {
            try await six.close()
            return
        }
        #expect(try await winner(v4: try #require(four.localAddress), v6: v6) == .version6)
        try await six.close()
        try await four.close()
    }
}
