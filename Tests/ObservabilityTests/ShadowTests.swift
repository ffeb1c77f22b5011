internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import Observability

/// A recorded response.
private func response(
    _ body: [UInt8] = [], code: StatusCode = .ok, message: String = "", limit: Int = 1 << 20,
    encoding: String = "identity"
) -> RecordedResponse {
    var response = RecordedResponse()
    response.encoding = encoding
    response.append(body.rawSpan, limit: limit)
    response.end(code, message, nanoseconds: 1)
    return response
}

/// Messages in wire format.
private func framed(_ messages: [UInt8]..., compressed: Bool = false) -> [UInt8] {
    messages.reduce(into: []) { bytes, message in
        let payload = compressed ? Gzip.compress(message.rawSpan) : message
        bytes +=
            (MessagePrefix(isCompressed: compressed, length: payload.count)?.bytes ?? []) + payload
    }
}

@Suite struct ShadowAccountTests {
    @Test("Copies and bytes are allowed up to the limits")
    func isBounded() {
        let account = ShadowAccount(.init(endpoint: "e", backend: "b"), at: 0)
        let copies = (0..<4).map { _ in account.begin(limit: 3) }
        #expect(copies == [true, true, true, false])
        account.end()
        #expect(account.begin(limit: 3))
        #expect(account.requestsInFlight == 3)

        #expect(account.hold(60, limit: 100))
        #expect(!account.hold(41, limit: 100))
        #expect(account.hold(40, limit: 100))
        #expect(account.bufferedBytes == 100)
        account.release(100)
        #expect(account.bufferedBytes == 0)
    }

    @Test("A reset of the report resets the tally")
    func resets() {
        let account = ShadowAccount(.init(endpoint: "e", backend: "b"), at: 0)
        let tally = ShadowTally(account)
        tally.figures.drop(.slow)
        tally.figures.select()
        #expect(tally.figures.dropped(.slow) == 1)
        account.reset(at: 0)
        #expect(tally.figures.dropped(.slow) == 0)
        tally.figures.drop(.bytes)
        #expect(tally.figures.dropped(.bytes) == 1 && tally.figures.selected == 0)
    }
}

@Suite struct RecordedResponseTests {
    @Test(
        "Bodies are equal if all bytes are, kept or not, in any pieces",
        arguments: [0, 99, 100, 101], [1, 3, 100])
    func compares(_ limit: Int, _ piece: Int) {
        let body = (0..<100).map { UInt8($0) }
        var pieces = RecordedResponse()
        for start in stride(from: 0, to: body.count, by: piece) {
            let part = Array(body[start..<min(start + piece, body.count)])
            pieces.append(part.rawSpan, limit: limit)
        }
        #expect(pieces.isWhole == (limit >= 100))
        #expect(pieces.body.count == (limit >= 100 ? 100 : 0))
        #expect(pieces.hasSameBody(as: response(body)))
        #expect(response(body).hasSameBody(as: pieces))
        #expect(!pieces.hasSameBody(as: response(body.reversed())))
        #expect(!pieces.hasSameBody(as: response(body, encoding: "gzip")))
        #expect(!pieces.hasSameBody(as: response(Array(body.dropLast()))))
    }

    @Test("Messages are decompressed; invalid ones are rejected")
    func unpacks() throws {
        let body = framed([1, 2], [], [3])
        #expect(try response(body).messages(limit: 10) == [[1, 2], [], [3]])
        let packed = framed([1, 2, 3], compressed: true)
        #expect(try response(packed, encoding: "gzip").messages(limit: 100) == [[1, 2, 3]])
        #expect(throws: (any Error).self) { try response(packed).messages(limit: 10) }
        #expect(throws: (any Error).self) {
            try response(packed, encoding: "gzip").messages(limit: 2)
        }
        #expect(throws: (any Error).self) { try response([0, 0]).messages(limit: 10) }
        #expect(throws: (any Error).self) { try response(framed([1, 2])).messages(limit: 1) }
    }
}

@Suite struct ComparisonTests {
    private func differences(
        _ primary: RecordedResponse, _ shadow: RecordedResponse,
        _ rules: ComparisonRules = ComparisonRules()
    ) -> [String] {
        comparison(primary, shadow).differences(rules, maxMessageBytes: 1 << 20).map {
            "\($0.path) \($0.left) \($0.right)"
        }
    }

    private func comparison(
        _ primary: RecordedResponse, _ shadow: RecordedResponse, method: String = "/p.S/M"
    ) -> ResponsePair {
        let account = ShadowAccount(.init(endpoint: "e", backend: "b"), at: 0)
        return ResponsePair(
            account: account, epoch: account.epoch, method: method,
            metadata: { ["x-user": "Ada", "authorization": "secret"] },
            primary: primary, shadow: shadow, heldBytes: 0)
    }

    @Test("The status is compared first")
    func comparesStatuses() {
        let failed = response(framed([1]), code: .internalError, message: "oh")
        #expect(differences(response(), failed) == [":status OK INTERNAL: oh"])
        let other = response(code: .internalError, message: "ah")
        #expect(
            differences(response(code: .internalError, message: "oh"), other) == [":message oh ah"])
    }

    @Test("Messages are counted, and compared byte by byte when their type is not known")
    func comparesBytes() {
        #expect(
            differences(response(framed([1, 2])), response(framed([1, 3])))
                == [":bytes 2 bytes: 0102 2 bytes: 0103"])
        #expect(
            differences(response(framed([1], [2])), response(framed([1]))) == [":count 2 1"])
        let long = [UInt8](repeating: 7, count: 300)
        #expect(
            differences(response(framed(long), limit: 100), response(framed([1])))
                == [":bytes 305 bytes 6 bytes"])
    }

    @Test("One of the two bodies may be compressed")
    func decompressesBodies() {
        let packed = response(framed([1, 2, 3], compressed: true), encoding: "gzip")
        #expect(differences(response(framed([1, 2, 3])), packed).isEmpty)
        #expect(differences(response(framed([1, 2, 4])), packed).count == 1)
    }

    @Test("Parts that are not fields can be ignored too")
    func ignores() {
        let rules = ComparisonRules(diff: DiffRules(ignored: [":bytes", ":count", ":message"]))
        #expect(differences(response(framed([1])), response(framed([2], [3])), rules).isEmpty)
        #expect(
            differences(
                response(code: .aborted, message: "a"), response(code: .aborted, message: "b"),
                rules
            ).isEmpty)
    }

    @Test("Fields are compared when the method's response type is known")
    func comparesFields() throws {
        var schema = Schema()
        try schema.add(Grpc_Health_V1_HealthProto.file)
        let rules = ComparisonRules(schema: schema)
        #expect(
            rules.replyType(of: "/grpc.health.v1.Health/Check")
                == "grpc.health.v1.HealthCheckResponse")
        #expect(rules.replyType(of: "/grpc.health.v1.Health/Nothing") == nil)
        let pair = comparison(
            response(framed([8, 1], [8, 1])), response(framed([8, 1], [8, 2])),
            method: "/grpc.health.v1.Health/Watch")
        let found = pair.differences(rules, maxMessageBytes: 100)
        #expect(found.map(\.path) == ["status"])
        #expect(found.map(\.place) == ["[1].status"])
        // Named by the handler, because the schema lacks the service.
        let named = ComparisonRules(
            schema: schema, replyTypes: ["/p.S/M": "grpc.health.v1.HealthCheckResponse"])
        #expect(named.replyType(of: "/p.S/M") == "grpc.health.v1.HealthCheckResponse")
    }

    @Test("A ledger counts fields and combinations of differences, within bounds")
    func countsDifferences() {
        let ledger = DifferenceLedger(at: 0)
        let pair = comparison(response(), response())
        func enter(_ paths: String...) {
            ledger.add(
                paths.map { .init(path: $0, place: $0, left: "l", right: "r") }, of: pair,
                ComparisonRules(), at: 0)
        }
        enter()
        enter("a")
        enter("b", "a", "a")
        enter("a", "b")
        let content = ledger.entries
        #expect(content.same == 1 && content.differing == 3)
        #expect(content.fields.map(\.path) == ["a", "b"])
        #expect(content.counts == [3, 2])
        #expect(content.combinations == [[0]: 1, [0, 1]: 2])

        for number in 0..<2_000 { enter("field \(number)") }
        let full = ledger.entries
        #expect(full.fields.count == 257 && full.fields.last?.path == ":other")
        #expect(full.combinations.count <= 512)
        #expect(full.samples.count == 20)
        #expect(full.differing == 2_003)
        ledger.reset(at: 0)
        #expect(ledger.entries.differing == 0 && ledger.entries.samples.isEmpty)
    }

    @Test("Long values are shortened, and secrets are not kept")
    func redacts() {
        let ledger = DifferenceLedger(at: 0)
        let rules = ComparisonRules(redactedFields: ["user"], redactedMetadata: ["X-User"])
        ledger.add(
            [
                .init(path: "user.name", place: "user.name", left: "Ada", right: "Bob"),
                .init(
                    path: "text", place: "text", left: String(repeating: "x", count: 256),
                    right: String(repeating: "y", count: 257)),
            ], of: comparison(response(), response()), rules, at: 0)
        let content = ledger.entries
        #expect(
            content.examples[0].left == "(redacted)" && content.examples[0].right == "(redacted)")
        #expect(content.examples[1].left.count == 256 && content.examples[1].right.count == 259)
        #expect(content.samples[0].differences == content.examples)
        #expect(content.samples[0].metadata.map(\.name) == ["x-user", "authorization"])
        #expect(content.samples[0].metadata.allSatisfy { $0.value == "(redacted)" })
    }

    @Test("Results from before a reset are not added to the report")
    func discardsOldResults() {
        let pair = comparison(response(framed([1])), response(framed([2])))
        pair.account.reset(at: 0)
        pair.compare(maxMessageBytes: 100, at: 0)
        #expect(pair.account.ledger.entries.differing == 0)
    }
}
