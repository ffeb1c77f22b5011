internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import ControlPlane

@Suite("A freeze")
struct FreezeTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private static func freeze(_ until: Date? = nil) throws -> ControlState.Freeze {
        try .init(
            .init(frozen: true, reason: "holidays", until: until.map { .init($0) }), author: "ann",
            at: now)
    }

    @Test("lasts until its time, or until it is ended")
    func times() throws {
        var state = ControlState()
        #expect(state.freeze(at: Self.now) == nil)
        state.freeze = try Self.freeze()
        #expect(state.freeze(at: .distantFuture) != nil)
        state.freeze = try Self.freeze(Self.now + 60)
        for (seconds, isFrozen) in [(-1, true), (59, true), (60, false), (1e9, false)]
            as [(Double, Bool)]
        {
            #expect((state.freeze(at: Self.now + seconds) != nil) == isFrozen)
        }
    }

    @Test("is explained by the error that it causes")
    func error() throws {
        let error = ControlError.frozen(try Self.freeze(Self.now + 3_600))
        #expect(error.code == .failedPrecondition)
        for part in [
            "frozen by 'ann'", "until 2027-01-15T09:00:00Z", "holidays", "weir freeze off",
        ] {
            #expect(error.message.contains(part))
        }
        #expect(!ControlError.frozen(try Self.freeze()).message.contains("until"))
    }

    @Test(
        "is checked",
        arguments: [
            ("", nil, "reason"), (String(repeating: "x", count: 501), nil, "reason"),
            ("x\u{1B}[1m", nil, "reason"), ("x", 0, "until"), ("x", -1, "until"),
            ("x", 31_536_001, "until"), ("x", 1e300, "until"), ("x", -1e300, "until"),
        ] as [(String, Double?, String)])
    func invalid(reason: String, until: Double?, field: String) {
        let request = Weir_Admin_V1_SetFreezeRequest(
            frozen: true, reason: reason,
            until: until.map {
                .init(seconds: Int64(exactly: 1_800_000_000 + $0) ?? ($0 < 0 ? .min : .max))
            })
        let error = #expect(throws: ControlError.self) {
            _ = try ControlState.Freeze(request, author: "ann", at: Self.now)
        }
        #expect(error?.field == field)
    }

    @Test("accepts the bounds")
    func bounds() throws {
        _ = try ControlState.Freeze(
            .init(
                frozen: true, reason: String(repeating: "x", count: 500),
                until: .init(seconds: 1_800_000_000 + 31_536_000)), author: "a", at: Self.now)
        let soon = Weir_Admin_V1_SetFreezeRequest(
            frozen: true, reason: "x", until: .init(seconds: 1_800_000_000, nanos: 1_000_000))
        _ = try ControlState.Freeze(soon, author: "a", at: Self.now)
        var invalid = soon
        invalid.until?.nanos = 1_000_000_000
        #expect(throws: ControlError.self) {
            _ = try ControlState.Freeze(invalid, author: "a", at: Self.now)
        }
    }

    @Test(
        "accepts another run of the program that serves a backend",
        arguments: [
            ("p", "2", true), ("p", "1", false), ("q", "2", false), (nil, "2", false),
        ] as [(String?, String, Bool)])
    func restarts(program: String?, session: String, isAccepted: Bool) {
        func backend(_ program: String?, _ session: String) -> ControlState.Backend {
            var backend = ControlState.Backend(name: "b", kind: .upstream([], nil))
            backend.lease = program.map { Lease(program: $0, session: session) }
            return backend
        }
        let next = backend(program, session)
        #expect(next.isServedAgain(after: backend("p", "1")) == isAccepted)
        #expect(!next.isServedAgain(after: backend(nil, "1")))
        #expect(!next.isServedAgain(after: nil))
    }

    @Test("is stored in revisions and checkpoints, undone with them, and described")
    func stores() throws {
        var history = StateHistory()
        for freeze in [try Self.freeze(Self.now + 60), nil] as [ControlState.Freeze?] {
            var next = history.current
            next.freeze = freeze
            let delta = history.current.delta(to: next)
            let summary = delta.summary(of: history.current)
            #expect(
                summary
                    == (freeze?.description ?? "changes are accepted again"))
            var record = RevisionRecord(
                revision: next.nextRevision, time: Self.now, author: "ann", comment: "",
                summary: summary, delta: delta, previousHash: history.nextPreviousHash())
            let bytes = try record.bytes(after: history.current)
            record.hash = 1
            var sets = DescriptorSets()
            let read = try RevisionRecord(
                try Weir_Store_V1_Revision(serializedBytes: bytes), hash: 1, &sets)
            #expect(read.delta.freeze == .init(freeze: freeze))
            history.append(record)
            var others = DescriptorSets()
            let checkpoint = try Weir_Store_V1_Checkpoint(
                serializedBytes: Weir_Store_V1_Checkpoint(history.current, history.chain)
                    .serializedBytes())
            #expect(try ControlState(checkpoint, &others).freeze == freeze)
        }
        #expect(history.state(at: 1)?.freeze != nil)
        #expect(history.state(at: 0)?.freeze == nil && history.current.freeze == nil)
    }
}
