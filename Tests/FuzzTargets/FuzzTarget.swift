internal import GRPCWire
internal import HTTP2Session
internal import MessageYAML
internal import Messages
internal import TrafficPolicy

@testable internal import ControlPlane

/// A function that reads unchecked bytes. A target traps when an invariant is violated, which must
/// not happen for any input.
///
/// libFuzzer generates inputs (`make fuzz`), and the ordinary tests replay its findings.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// The body of a call, in pieces.
    case deframer
    /// Header fields as metadata, `grpc-timeout`, percent-encoded messages, base64.
    case wire
    /// A server's HTTP/2 session that receives bytes.
    case session
    /// A server's HTTP/2 session that receives frames with valid headers.
    case frames
    /// A client's HTTP/2 session that receives header blocks of any size.
    case headers
    /// An HTTP/1 connection, and the heads of its requests.
    case http1
    /// Protobuf messages, generated and as JSON.
    case messages
    /// JSON, as from clients.
    case json
    /// YAML, as for `weir apply`.
    case yaml
    /// Changes of weights.
    case affinity
    /// A whole configuration, as received by the admin service.
    case configuration
    /// A descriptor set, and messages of its types.
    case schema
    /// Timestamps and durations, as numbers and text.
    case times
    /// Records of the store.
    case store
    /// Rows of the database and keys of etcd.
    case rows
    /// An archive, as for `weir state import`.
    case archive
    /// The framing and the texts of gRPC-Web and Connect.
    case web
    /// Requests and responses of gRPC-Web and Connect, converted to gRPC and back.
    case forms
    /// A path template and a path.
    case template
    /// A descriptor set with `google.api.http`, and an HTTP request.
    case transcoding
    /// The access file, names of certificates, and texts of errors.
    case access
    /// What servers of a fleet write about rollouts.
    case rollouts
    /// Lines of the access log, and requests for single calls.
    case calls
    /// The settings of the export of spans, and the answers of a collector.
    case export
    /// The headers of traces.
    case traces

    package func run(_ bytes: [UInt8]) {
        switch self {
        case .deframer: Self.deframe(bytes)
        case .wire: Self.readWire(bytes)
        case .session: SessionFuzz.feed(SessionFuzz.preface + bytes)
        case .frames: SessionFuzz.feed(SessionFuzz.preface + SessionFuzz.frames(from: bytes))
        case .headers: HeadersFuzz.feed(bytes)
        case .http1: HTTP1Fuzz.feed(bytes)
        case .messages: Self.decode(bytes)
        case .json: Self.parse(bytes)
        case .yaml: Self.parseYAML(bytes)
        case .affinity: Self.changeWeights(bytes)
        case .configuration: Self.apply(bytes)
        case .schema: SchemaFuzz.feed(bytes)
        case .times: SchemaFuzz.convertTimes(bytes)
        case .store: StoreFuzz.readRecords(bytes)
        case .rows: StoreFuzz.readRows(bytes)
        case .archive: StoreFuzz.readArchive(bytes)
        case .web: WebFuzz.feed(bytes)
        case .forms: WebFuzz.convert(bytes)
        case .template: TranscodingFuzz.match(bytes)
        case .transcoding: TranscodingFuzz.bind(bytes)
        case .access: AccessFuzz.feed(bytes)
        case .rollouts: RolloutFuzz.feed(bytes)
        case .calls: CallsFuzz.feed(bytes)
        case .export: ExportFuzz.feed(bytes)
        case .traces: TraceFuzz.feed(bytes)
        }
    }

    /// The first byte is the size of the pieces. The messages must be the same in one piece and in
    /// pieces.
    private static func deframe(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let body = Array(bytes.dropFirst())
        func messages(_ size: Int) -> [[UInt8]] {
            var deframer = Deframer(limit: 1 << 16)
            var found: [[UInt8]] = []
            var start = 0
            do {
                while start < body.count {
                    let piece = Array(body[start..<min(body.count, start + size)])
                    try deframer.receive(piece.rawSpan) { isCompressed, payload in
                        var message: [UInt8] = [isCompressed ? 1 : 0]
                        message += RawMessage(serializedBytes: payload).bytes
                        found.append(message)
                    }
                    start += size
                }
                try deframer.finish()
            } catch {
                found.append(Array("\(error)".utf8))
            }
            return found
        }
        precondition(messages(body.count + 1) == messages(Int(first % 16) + 1))
    }

    private static func readWire(_ bytes: [UInt8]) {
        if let nanoseconds = Timeout.parse(bytes.span) {
            precondition(nanoseconds >= 0)
            // A formatted timeout parses to the same value, or to one rounded up.
            let again = Timeout.parse(Array(Timeout.format(nanoseconds: nanoseconds).utf8).span)
            precondition(again != nil)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        precondition(StatusMessage.decode(StatusMessage.encode(text)) == text)
        _ = StatusMessage.decode(text)
        var metadata = Metadata()
        let parts = text.split(separator: "\n", maxSplits: 1).map(String.init)
        metadata.add(parts.first ?? "", parts.last ?? "")
        metadata.add("x-bytes-bin", bytes: bytes)
        // The text may already contain a field of that name.
        precondition(metadata.bytes("x-bytes-bin").last == bytes)
        _ = try? Gzip.decompress(bytes.rawSpan, limit: 1 << 20)
        let packed = Gzip.compress(bytes.rawSpan)
        precondition((try? Gzip.decompress(packed.rawSpan, limit: 1 << 20)) == bytes)
    }

    /// Each message that decodes can be encoded, and decodes to the same message.
    private static func decode(_ bytes: [UInt8]) {
        func check<Message: ProtobufMessage>(_ type: Message.Type) {
            guard let message = try? Message(serializedBytes: bytes) else { return }
            guard let written = try? message.serializedBytes() else { return }
            guard let again = try? Message(serializedBytes: written) else {
                preconditionFailure("\(type) does not decode to the encoded value")
            }
            precondition((try? again.serializedBytes()) == written)
        }
        check(Weir_Admin_V1_Configuration.self)
        check(Weir_Admin_V1_GetShadowReportResponse.self)
        check(Weir_Store_V1_Archive.self)
        check(Weir_V1_CallRequest.self)
        check(Google_Protobuf_Struct.self)
        check(Google_Protobuf_Any.self)
        for name in ["weir.admin.v1.Configuration", "weir.admin.v1.Stats"] {
            _ = try? ControlPlane.adminTranscoder.json(from: bytes, message: name)
        }
        var schema = Schema()
        try? schema.add(descriptorSet: bytes)
        let half = bytes.count / 2
        var diff = MessageDiff(schema: ControlPlane.adminSchema)
        try? diff.compare(
            Array(bytes[..<half]), Array(bytes[half...]), message: "weir.admin.v1.Stats")
    }

    private static func parse(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let value = try? JSONValue(parsing: text) else { return }
        let written = value.text(indent: 0)
        guard let again = try? JSONValue(parsing: written) else {
            preconditionFailure("JSON does not parse to the formatted value")
        }
        precondition(again.text(indent: 0) == written)
        for name in ["weir.admin.v1.Configuration", "weir.admin.v1.CreateBackendRequest"] {
            guard
                let message = try? ControlPlane.adminTranscoder.bytes(from: value, message: name)
            else { continue }
            precondition(
                (try? ControlPlane.adminTranscoder.json(from: message, message: name)) != nil)
        }
    }

    /// A message that parses can be formatted, and parses to the same message.
    private static func parseYAML(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        func check<Message: ProtobufMessage>(_ type: Message.Type) {
            guard let message = try? YAMLDocument(text, name: "input").message(as: type),
                let written = try? YAMLDocument.text(of: message)
            else { return }
            guard let again = try? YAMLDocument(written, name: "input").message(as: type) else {
                preconditionFailure("YAML does not parse to the formatted value")
            }
            precondition((try? again.serializedBytes()) == (try? message.serializedBytes()))
        }
        check(Weir_Admin_V1_Configuration.self)
        // Any value in any position.
        check(Google_Protobuf_Struct.self)
    }

    /// Three bytes for each backend's weight, in rounds of up to eight backends. The map must cover
    /// the space, give each backend its share, and move the minimum.
    private static func changeWeights(_ bytes: [UInt8]) {
        var map: AffinityMap?
        var known: [String: Double] = [:]
        var rest = bytes[...]
        for _ in 0..<64 where !rest.isEmpty {
            let count = Int(rest.removeFirst() % 8) + 1
            var parts: [Double] = []
            for _ in 0..<count {
                let taken = rest.prefix(3)
                rest = rest.dropFirst(3)
                parts.append(taken.reduce(0) { $0 * 256 + Double($1) })
            }
            let sum = parts.reduce(0, +)
            guard sum > 0 else { continue }
            let pairs = parts.enumerated().map { (backend: "b\($0)", weight: $1 / sum) }
            guard let weights = try? TrafficWeights(pairs) else { continue }
            let before = map ?? AffinityMap(owner: weights.weights[0].backend)
            if map == nil { known = [weights.weights[0].backend: 1] }
            let change = before.changed(to: weights)
            map = change.map
            let wanted = Dictionary(
                uniqueKeysWithValues: weights.weights.map { ($0.backend, $0.weight) })
            let least = known.reduce(0) { $0 + max(0, $1.value - (wanted[$1.key] ?? 0)) }
            precondition(change.packed || abs(change.movedShare - least) < 1e-9)
            check(change.map, wanted)
            known = wanted
        }
    }

    private static func check(_ map: AffinityMap, _ weights: [String: Double]) {
        let intervals = map.intervals
        precondition(intervals.first?.start == 0 && intervals.count <= AffinityMap.maximumIntervals)
        var shares: [String: Double] = [:]
        for (index, interval) in intervals.enumerated() {
            let end =
                index + 1 < intervals.count
                ? UInt128(intervals[index + 1].start) : AffinityMap.space
            precondition(end > UInt128(interval.start))
            shares[interval.backend, default: 0] += Double(end - UInt128(interval.start)) / 0x1p64
        }
        for (backend, weight) in weights {
            precondition(abs((shares[backend] ?? 0) - weight) < 1e-9)
        }
        precondition(Set(shares.keys).isSubset(of: weights.keys))
    }

    /// A state after a configuration can be exported, stored and read.
    private static func apply(_ bytes: [UInt8]) {
        guard let message = try? Weir_Admin_V1_Configuration(serializedBytes: bytes),
            let desired = try? ControlState.Configuration(message)
        else { return }
        let own: Set = ["greeter-v1", "greeter-v2", "greeter-v3"]
        var state = ControlState()
        var wanted = state
        guard (try? wanted.replaceContent(with: desired, registered: own)) != nil else { return }
        _ = state.apply(state.delta(to: wanted))
        guard let exported = try? Weir_Admin_V1_Configuration(state, secrets: .revealed),
            let again = try? ControlState.Configuration(exported)
        else { preconditionFailure("an accepted state cannot be exported") }
        var same = state
        guard (try? same.replaceContent(with: again, registered: own)) != nil else {
            preconditionFailure("an exported configuration is rejected")
        }
        precondition(state.delta(to: same).isEmpty)
    }
}
