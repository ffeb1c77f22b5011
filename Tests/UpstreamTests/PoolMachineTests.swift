internal import GRPCWire
internal import Observability
internal import Testing

@testable internal import Upstream

@Suite struct PoolMachineTests {
    typealias Machine = PoolMachine<String>
    typealias State = ReplicaChoice.MemberState

    static let second: UInt64 = 1_000_000_000
    static let ready = State(isReady: true, verdict: .serving)

    private func machine(
        _ members: [State] = [ready], isResolving: Bool = false,
        _ change: (inout BackendOptions) -> Void = { _ in }
    ) -> Machine {
        var options = BackendOptions()
        options.maxWaitingRequests = 2
        options.waitTimeout = .seconds(5)
        change(&options)
        var machine = Machine(options, now: 0)
        machine.update(options, ring: nil, isResolving: isResolving, now: 0)
        machine.membersChanged(members)
        return machine
    }

    @Test(
        "A pool without candidates waits only while a member may become one",
        arguments: [
            ([ready], false, true, nil),
            ([], true, true, .connecting),
            ([], false, true, .unreachable),
            ([State()], false, true, .unreachable),
            ([State(), State(isConnecting: true)], false, true, .connecting),
            // The first health check runs.
            ([State(isReady: true, verdict: .unknown)], false, true, .connecting),
            ([State(isReady: true, verdict: .notServing)], false, true, .unreachable),
            // Without checks, the verdict is not read.
            ([State(isReady: true, verdict: .notServing)], false, false, nil),
        ] as [([State], Bool, Bool, Machine.Obstacle?)])
    func obstacle(
        members: [State], isResolving: Bool, checks: Bool, expected: Machine.Obstacle?
    ) {
        let machine = machine(members, isResolving: isResolving) {
            if !checks { $0.health.interval = .zero }
        }
        #expect(machine.obstacle == expected)
    }

    @Test(
        "The limit of a backend holds at the bound",
        arguments: [(0, 1_000_000, false), (5, 5, false), (5, 6, true)])
    func limit(limit: Int, inFlight: Int, expected: Bool) {
        let machine = machine { $0.maxRequestsInFlight = limit }
        let isOver = machine.exceedsLimit(inFlight: inFlight)
        #expect(isOver == expected)
    }

    @Test("Requests wait in order, up to the length of the line")
    func line() throws {
        var machine = machine()
        #expect(!machine.hasWaiting && machine.timer == nil && machine.firstWaiting == nil)
        let first = machine.notPlaced("a", .full, now: 1)
        guard case .wait = first else { throw Failure("\(first)") }
        guard case .wait(let ticket) = machine.notPlaced("b", .connecting, now: 2) else {
            throw Failure("no place")
        }
        let third = machine.notPlaced("c", .full, now: 3)
        #expect(third == .refuse(.lineIsFull(2)))
        #expect(machine.waitingCount == 2 && machine.timer == 1 + 5 * Self.second)

        let left = machine.leave(ticket)
        #expect(left)
        let leftAgain = machine.leave(ticket)
        #expect(!leftAgain)
        guard case .wait = machine.notPlaced("d", .full, now: 4) else { throw Failure("no place") }

        #expect(machine.firstWaiting == "a")
        machine.placedFirst()
        #expect(machine.firstWaiting == "d" && machine.timer == 4 + 5 * Self.second)
        let stillFull = machine.firstNotPlaced(.full)
        #expect(stillFull == nil)
        let stillConnecting = machine.firstNotPlaced(.connecting)
        #expect(stillConnecting == nil)
        let gone = machine.firstNotPlaced(.unreachable)
        #expect(gone == .unreachable)
        #expect(!machine.hasWaiting && machine.timer == nil)
    }

    @Test("A request expires at its time, with the reason it waited for")
    func expiry() {
        var machine = machine()
        _ = machine.notPlaced("a", .full, now: 0)
        _ = machine.notPlaced("b", .full, now: 1)
        let early = machine.expire(now: 5 * Self.second - 1)
        #expect(early == nil)
        let (request, refusal) = machine.expire(now: 5 * Self.second) ?? ("", .full)
        #expect(request == "a" && refusal == .waitedForSlot(.seconds(5)))
        let secondEarly = machine.expire(now: 5 * Self.second)
        #expect(secondEarly == nil)

        machine.membersChanged([State(isConnecting: true)])
        let last = machine.expire(now: .max)
        #expect(last?.refusal == .waitedForConnection(.seconds(5)))
        let none = machine.expire(now: .max)
        #expect(none == nil)
    }

    @Test("Another wait timeout applies to requests that wait already")
    func newTimeout() {
        var machine = machine()
        _ = machine.notPlaced("a", .full, now: 7)
        var options = machine.options
        options.waitTimeout = .seconds(2)
        machine.update(options, ring: nil, isResolving: false, now: 8)
        let timer = machine.timer
        #expect(timer == 7 + 2 * Self.second)
        let refusal = machine.expire(now: 7 + 2 * Self.second)?.refusal
        #expect(refusal == .waitedForSlot(.seconds(2)))
    }

    @Test("A copy is refused at once, and does not open the circuit")
    func copies() {
        let machine = machine()
        let full = machine.copyNotPlaced(.full)
        #expect(full == .full)
        let unreachable = machine.copyNotPlaced(.unreachable)
        #expect(unreachable == .unreachable)
        let empty = self.machine([State(isConnecting: true)])
        // Other requests wait already, so the obstacle is a full line.
        let whileOthersWait = empty.copyNotPlaced(.full)
        #expect(whileOthersWait == .notConnected)
        #expect(!empty.figures.isCircuitOpen && empty.figures.refused.isEmpty)
    }

    @Test("The circuit opens at the first refusal and closes at the next request that is sent")
    func circuit() {
        var machine = machine([])
        for _ in 0..<3 {
            let refused = machine.notPlaced("a", .unreachable, now: 0)
            #expect(refused == .refuse(.unreachable))
        }
        #expect(machine.figures.isCircuitOpen && machine.figures.circuitOpenings == 1)
        #expect(machine.figures.refused == [.unavailable: 3])
        machine.placed(isShadow: false)
        #expect(!machine.figures.isCircuitOpen)
        _ = machine.notPlaced("a", .unreachable, now: 0)
        #expect(machine.figures.circuitOpenings == 2)
    }

    @Test(
        "A freed slot is used on this loop first",
        arguments: [
            (0, 0, Machine.EndAction.none), (1, 0, .notifyOtherLoops), (1, 1, .placeWaiting),
            (2, 1, .placeWaiting),
        ])
    func slotFreed(waiting: Int, here: Int, expected: Machine.EndAction) {
        var machine = machine()
        for _ in 0..<here { _ = machine.notPlaced("a", .full, now: 0) }
        let action = machine.slotFreed(waiting: waiting)
        #expect(action == expected)
    }

    @Test("Requests earn retries, copies do not")
    func budget() {
        var machine = machine {
            $0.retry.budgetShare = 0.5
            $0.retry.budgetPerSecond = 0
        }
        machine.placed(isShadow: true)
        machine.placed(isShadow: true)
        let beforeRequests = machine.takeRetry(now: 0)
        #expect(!beforeRequests)
        machine.placed(isShadow: false)
        machine.placed(isShadow: false)
        let afterRequests = machine.takeRetry(now: 0)
        #expect(afterRequests)
        let exhausted = machine.takeRetry(now: 0)
        #expect(!exhausted)
        machine.retriedTransparently()
        #expect(machine.figures.retries == 1 && machine.figures.retriesDenied == 2)
        #expect(machine.figures.transparentRetries == 1)
    }

    @Test("Other options keep the budget, another retry policy starts a new one")
    func newOptions() {
        var machine = machine { $0.retry.budgetPerSecond = 1 }
        let first = machine.takeRetry(now: 0)
        #expect(first)
        var options = machine.options
        options.waitTimeout = .seconds(1)
        machine.update(options, ring: nil, isResolving: false, now: 0)
        let sameBudget = machine.takeRetry(now: 0)
        #expect(!sameBudget)
        options.retry.budgetPerSecond = 2
        machine.update(options, ring: nil, isResolving: false, now: 0)
        let newBudget = machine.takeRetry(now: 0)
        #expect(newBudget)
    }

    @Test(
        "Consecutive failures eject a replica at the limit",
        arguments: [(0, 1_000, false), (3, 2, false), (3, 3, true), (3, 4, true)])
    func ejection(limit: Int, failures: Int, expected: Bool) {
        let machine = machine { $0.outliers.consecutiveFailures = limit }
        let isEjected = machine.ejects(consecutiveFailures: failures)
        #expect(isEjected == expected)
    }

    @Test("A retired pool refuses the requests that wait, and new ones")
    func retired() {
        var machine = machine([State(isConnecting: true)])
        _ = machine.notPlaced("a", .connecting, now: 0)
        machine.update(machine.options, ring: nil, isResolving: false, now: 0)
        machine.membersChanged([])
        #expect(machine.obstacle == .unreachable)
        let waiting = machine.firstNotPlaced(.unreachable)
        #expect(waiting == .unreachable)
        let new = machine.notPlaced("b", .unreachable, now: 0)
        #expect(new == .refuse(.unreachable))
    }

    @Test("The counts of a removed member stay")
    func retiredMember() {
        var machine = machine()
        var figures = CallFigures()
        figures.started = 3
        machine.memberRetired(figures)
        machine.memberRetired(figures)
        #expect(machine.figures.retired.started == 6)
    }

    @Test(
        "A refusal names the backend, the reason and the cause",
        arguments: [
            (
                .unreachable, .unavailable,
                "backend 'b' has no usable replica: 127.0.0.1:1: connection refused"
            ),
            (.notConnected, .unavailable, "backend 'b' is not connected yet"),
            (.full, .resourceExhausted, "backend 'b' is full"),
            (.lineIsFull(7), .resourceExhausted, "backend 'b' is full: 7 requests already wait"),
            (
                .waitedForConnection(.seconds(5)), .unavailable,
                "backend 'b' had no connection within 5.0 seconds: 127.0.0.1:1: connection refused"
            ),
            (
                .waitedForSlot(.milliseconds(1)), .resourceExhausted,
                "backend 'b' had no free slot within 0.001 seconds"
            ),
        ] as [(Machine.Refusal, StatusCode, String)])
    func errors(refusal: Machine.Refusal, code: StatusCode, message: String) {
        let error = refusal.error(backend: "b", problem: "127.0.0.1:1: connection refused")
        #expect(error.code == code)
        #expect(error.message == message)
    }

    private struct Failure: Error {
        init(_ text: String) { self.text = text }
        let text: String
    }
}
