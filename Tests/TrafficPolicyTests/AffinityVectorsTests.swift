internal import Foundation
internal import Testing
internal import TrafficPolicy

/// `protos/vectors/affinity.json`: the test vectors of clients in other languages.
@Suite struct AffinityVectorsTests {
    private struct Vectors: Codable, Equatable {
        struct Interval: Codable, Equatable {
            let start: String
            let backend: String
        }
        struct Choice: Codable, Equatable {
            let key: String
            let point: String
            let backend: String
        }
        struct Case: Codable, Equatable {
            let endpoint: String
            let weights: [String: Double]
            let intervals: [Interval]
            let choices: [Choice]
        }
        var comment =
            "point = XXH64(key as UTF-8, XXH64(endpoint, 0)); an interval reaches from its start "
            + "to the next one's, the last to 2^64; numbers are decimal text"
        let cases: [Case]
    }

    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../protos/vectors/affinity.json").standardized

    /// A canary release, step by step, and a policy of many backends.
    private static func make() throws -> Vectors {
        let steps: [(String, [[String: Double]])] = [
            (
                "greeter",
                [
                    ["v1": 0.9, "v2": 0.1], ["v1": 0.8, "v2": 0.2], ["v1": 0.5, "v2": 0.5],
                    ["v2": 1],
                ]
            ),
            (
                "modell-ü",
                [
                    ["a": 0.2, "b": 0.2, "c": 0.2, "d": 0.2, "e": 0.2],
                    ["a": 0.1, "b": 0.2, "c": 0.2, "d": 0.2, "e": 0.3],
                ]
            ),
        ]
        let keys =
            ["", "a", "user-7", "ключ", "🦆", String(repeating: "long ", count: 40)]
            + (0..<20).map { "key-\($0)" }
        var cases: [Vectors.Case] = []
        for (endpoint, weights) in steps {
            var map = AffinityMap(owner: weights[0].keys.sorted()[0])
            for step in weights {
                map = map.changed(to: try TrafficWeights(step.map { ($0.key, $0.value) })).map
                let policy = EndpointPolicy(endpoint: endpoint, map: map, shadows: [])
                cases.append(
                    .init(
                        endpoint: endpoint, weights: step,
                        intervals: map.intervals.map {
                            .init(start: "\($0.start)", backend: $0.backend)
                        },
                        choices: keys.map { key in
                            let point = KeyHash.hash(key, seed: policy.seed)
                            return .init(
                                key: key, point: "\(point)",
                                backend: policy.backends[policy.choose(point)])
                        }))
            }
        }
        return Vectors(cases: cases)
    }

    @Test("The published vectors equal the results of this engine")
    func matchesPublished() throws {
        let computed = try Self.make()
        if ProcessInfo.processInfo.environment["WEIR_WRITE_VECTORS"] != nil {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try FileManager.default.createDirectory(
                at: Self.file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try (encoder.encode(computed) + Data("\n".utf8)).write(to: Self.file)
        }
        let published = try JSONDecoder().decode(
            Vectors.self, from: try Data(contentsOf: Self.file))
        #expect(published == computed)
    }
}
