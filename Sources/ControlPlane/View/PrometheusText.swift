internal import Observability
internal import Serving

/// Writes Prometheus' text exposition format, version 0.0.4.
struct PrometheusText {
    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(
        _ name: String, _ labels: [(String, String)], _ value: some CustomStringConvertible
    ) {
        let list = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
    }

    mutating func histogram(
        _ name: String, _ labels: [(String, String)], _ latency: LatencyHistogram, bounds: [Double]
    ) {
        for bound in bounds {
            let count = latency.count(upTo: UInt64(bound * 1e9))
            sample("\(name)_bucket", labels + [("le", "\(bound)")], count)
        }
        sample("\(name)_bucket", labels + [("le", "+Inf")], latency.count)
        sample("\(name)_sum", labels, Double(latency.sum) / 1e9)
        sample("\(name)_count", labels, latency.count)
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }
}
