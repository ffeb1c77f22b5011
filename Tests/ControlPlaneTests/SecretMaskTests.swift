internal import Messages
internal import Serving
internal import Testing
internal import Upstream

@testable internal import ControlPlane

@Suite struct SecretMaskTests {
    private static let secrets = ["TOKEN": "hunter2", "EMPTY": "", "MODE": "fast"]

    private func worker(
        _ environment: [String: String], command: [String] = ["model"]
    ) throws -> ControlState.Backend {
        try .init(
            .init(
                name: "w", kind: .worker(.init(command: command, environment: environment))))
    }

    private func state(_ backends: ControlState.Backend...) throws -> ControlState {
        var state = ControlState()
        for backend in backends { _ = try state.createBackend(backend, registered: []) }
        return state
    }

    private func environment(_ state: ControlState) -> [String: String]? {
        guard case .worker(let spec) = state.backends["w"]?.kind else { return nil }
        return spec.environment
    }

    private func text(_ message: some ProtobufMessage) throws -> String {
        try ControlPlane.adminTranscoder.json(
            from: try message.serializedBytes(), message: type(of: message).messageName ?? ""
        ).text(indent: 0)
    }

    @Test("A masked message has the names of all variables and no value")
    func masks() throws {
        let backend = try worker(Self.secrets)
        let shown = try text(Weir_Admin_V1_Backend(backend, secrets: .masked))
        let exported = try text(Weir_Admin_V1_Configuration(try state(backend), secrets: .masked))
        for text in [shown, exported] {
            for (name, value) in Self.secrets {
                #expect(text.contains("\"\(name)\":\"<masked>\""))
                #expect(value.isEmpty || !text.contains(value))
            }
        }
        #expect(try text(Weir_Admin_V1_Backend(backend, secrets: .revealed)).contains("hunter2"))
    }

    @Test("A comparison shows which variables differ, and no value")
    func masksDifferences() throws {
        let before = try state(try worker(Self.secrets))
        let upstream = try ControlState.Backend(
            .init(name: "w", kind: .upstream(.init(addresses: ["127.0.0.1:1"]))))
        let changed = try worker(["TOKEN": "hunter3", "EMPTY": "", "NEW": "hunter4"])
        for (left, right) in [
            (before, try state(changed)), (try state(changed), before),
            (before, try state(upstream)), (try state(upstream), before), (ControlState(), before),
        ] {
            let changes = try StateComparison(from: left, to: right).changes
            #expect(changes.count == 1)
            for change in changes {
                let text = try text(change)
                #expect(!text.contains("hunter") && !text.contains("fast"), "\(text)")
            }
        }
        let fields = try StateComparison(from: before, to: try state(changed)).changes[0].fields
        let texts = fields.map { "\($0.field): \($0.before) -> \($0.after)" }.sorted()
        #expect(
            texts == [
                #"worker.environment["MODE"]: "<masked>" -> absent"#,
                #"worker.environment["NEW"]: absent -> "<masked>""#,
                #"worker.environment["TOKEN"]: "<masked>" -> "<masked, changed>""#,
            ])
    }

    @Test("A masked value in a change keeps the stored one")
    func keepsValues() throws {
        let draft = try worker(["TOKEN": "<masked>", "MODE": "slow"], command: ["other"])
        var updated = try state(try worker(Self.secrets))
        _ = try updated.updateBackend(draft, registered: [])
        #expect(environment(updated) == ["TOKEN": "hunter2", "MODE": "slow"])
        var applied = try state(try worker(Self.secrets))
        try applied.replaceContent(with: .init(backends: [draft], endpoints: []), registered: [])
        #expect(environment(applied) == ["TOKEN": "hunter2", "MODE": "slow"])
    }

    @Test("A masked export that is applied to its own server changes nothing")
    func appliesMaskedExport() throws {
        var before = try state(try worker(Self.secrets))
        before.revision = 1
        let exported = try Weir_Admin_V1_Configuration(before, secrets: .masked)
        var after = before
        try after.replaceContent(with: try .init(exported), registered: [])
        #expect(before.delta(to: after).isEmpty)
    }

    @Test("A masked value without a stored one is rejected, and names the variable")
    func rejectsUnknownValues() throws {
        let upstream = try ControlState.Backend(
            .init(name: "w", kind: .upstream(.init(addresses: ["127.0.0.1:1"]))))
        let draft = try worker(["OTHER": "<masked>"])
        for known in [nil, try worker(Self.secrets), upstream] {
            var state = try known.map { try self.state($0) } ?? ControlState()
            var messages: [String] = []
            do throws(ControlError) {
                _ =
                    known == nil
                    ? try state.createBackend(draft, registered: [])
                    : try state.updateBackend(draft, registered: [])
                Issue.record("accepted")
            } catch {
                messages.append(error.message)
            }
            do throws(ControlError) {
                try state.replaceContent(
                    with: .init(backends: [draft], endpoints: []), registered: [])
                Issue.record("accepted")
            } catch {
                messages.append(error.message)
            }
            #expect(
                messages.allSatisfy {
                    $0.contains(#"worker.environment["OTHER"]: the value is masked"#)
                })
        }
    }
}
