internal import Messages
internal import Synchronization
internal import Testing

@testable internal import ControlPlane

@Suite(.timeLimit(.minutes(1))) struct LeaseBoardTests {
    /// A board whose clock the test controls, and the times of the reviews that it requested.
    private final class Bench: Sendable {
        private let offset = Mutex(Duration.zero)
        let reviews = Mutex<[Duration]>([])
        let lease = Lease(program: "/srv/program.py", session: "s1")
        private let start = ContinuousClock.now

        func wait(_ time: Duration) { offset.withLock { $0 += time } }

        func board() -> LeaseBoard {
            LeaseBoard(
                now: { [self] in start + offset.withLock { $0 } },
                onChange: { [self] time in reviews.withLock { $0.append(time) } })
        }
    }

    @Test("A lease is held while a stream is open, lost for the grace time, and then gone")
    func holds() throws {
        let (bench, lease) = (Bench(), Bench().lease)
        let board = bench.board()
        func state() -> Weir_Admin_V1_LeaseState {
            board.verdict(on: lease, isUsable: true).state
        }
        let first = try #require(board.hold("s1", gracePeriod: .seconds(3)))
        let second = try #require(board.hold("s1", gracePeriod: .seconds(3)))
        #expect(state() == .held)
        board.end(first)
        bench.wait(.seconds(10))
        #expect(state() == .held)
        board.end(second)
        board.end(second)
        #expect(state() == .lost)
        #expect(bench.reviews.withLock { $0 } == [.zero, .zero, .seconds(3), .seconds(3)])
        bench.wait(.milliseconds(2_999))
        #expect(state() == .lost)
        bench.wait(.milliseconds(1))
        #expect(board.verdict(on: lease, isUsable: true) == .init(state: .gone, isCertain: true))
        let third = try #require(board.hold("s1", gracePeriod: .seconds(3)))
        #expect(state() == .held)
        board.release("s1")
        #expect(state() == .gone)
        board.end(third)
        #expect(state() == .gone)
    }

    @Test("A session of another server or another start is not certainly gone")
    func waitsForUnknownSessions() {
        let (bench, lease) = (Bench(), Bench().lease)
        let board = bench.board()
        func verdict(_ isUsable: Bool) -> LeaseBoard.Verdict {
            board.verdict(on: lease, isUsable: isUsable)
        }
        #expect(verdict(false) == .init(state: .lost, isCertain: false))
        #expect(bench.reviews.withLock { $0 } == [LeaseBoard.defaultGracePeriod])
        bench.wait(LeaseBoard.defaultGracePeriod)
        #expect(verdict(true) == .init(state: .lost, isCertain: false))
        #expect(verdict(false) == .init(state: .gone, isCertain: false))
    }

    @Test("Without a fleet, a session of another start is gone after the grace time")
    func endsUnknownSessions() throws {
        let (bench, lease) = (Bench(), Bench().lease)
        let board = bench.board()
        board.isOnly()
        _ = board.verdict(on: lease, isUsable: true)
        bench.wait(LeaseBoard.defaultGracePeriod - .milliseconds(1))
        #expect(board.verdict(on: lease, isUsable: true) == .init(state: .lost, isCertain: true))
        bench.wait(.milliseconds(1))
        #expect(board.verdict(on: lease, isUsable: true) == .init(state: .gone, isCertain: true))
        let hold = try #require(board.hold("s1", gracePeriod: .seconds(3)))
        #expect(board.verdict(on: lease, isUsable: false).state == .held)
        board.end(hold)
    }

    @Test("The board forgets sessions that no backend names, after their grace time")
    func forgets() throws {
        let bench = Bench()
        let board = bench.board()
        let hold = try #require(board.hold("s1", gracePeriod: .seconds(3)))
        board.removeAll(except: [])
        #expect(board.verdict(on: bench.lease, isUsable: false).state == .held)
        board.end(hold)
        board.removeAll(except: [])
        bench.wait(.seconds(3))
        #expect(board.verdict(on: bench.lease, isUsable: false).isCertain)
        board.removeAll(except: [])
        #expect(!board.verdict(on: bench.lease, isUsable: false).isCertain)
    }

    @Test("The end of the server ends all streams")
    func endsAll() async throws {
        let board = Bench().board()
        let hold = try #require(board.hold("s1", gracePeriod: .seconds(3)))
        board.endAll()
        for await _ in hold.end {}
    }

    @Test(
        "A lease names a program and a session",
        arguments: [
            ("", "s"), (String(repeating: "a", count: 513), "s"), ("a\nb", "s"), ("p", ""),
            ("p", "a b"), ("p", String(repeating: "a", count: 129)),
        ])
    func rejects(program: String, session: String) {
        #expect(throws: ControlError.self) {
            try Lease(Weir_Admin_V1_Lease(program: program, session: session))
        }
    }
}
