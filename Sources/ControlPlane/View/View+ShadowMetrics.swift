internal import Observability
internal import Serving

/// Metrics of shadows. The counters restart with the report.
extension ControlPlane.View {
    func addShadows(to text: inout PrometheusText, _ figures: ServingFigures) {
        let series = state.endpoints.values.sorted { $0.name < $1.name }.flatMap { endpoint in
            endpoint.shadows.compactMap { shadow in
                let key = ShadowAccount.Key(endpoint: endpoint.name, backend: shadow.backend)
                return shadows[key].map { sample in
                    ShadowSeries(
                        key: key, sample: sample, findings: findings(endpoint, shadow, figures))
                }
            }
        }
        func family(
            _ name: String, _ type: String, _ help: String,
            _ values: (ShadowSeries) -> [([(String, String)], UInt64)]
        ) {
            text.family(name, type, help)
            for shadow in series {
                for (labels, value) in values(shadow) {
                    text.sample(name, shadow.labels + labels, value)
                }
            }
        }
        family("weir_shadow_dropped_total", "counter", "Copies that were dropped, by reason.") {
            shadow in
            ShadowDrop.allCases.map {
                ([("reason", $0.name)], shadow.findings.figures.dropped($0))
            }
        }
        family("weir_shadow_compared_total", "counter", "Pairs of responses compared, by result.") {
            [
                ([("result", "equal")], $0.findings.equal),
                ([("result", "differing")], $0.findings.differing),
            ]
        }
        family("weir_shadow_not_compared_total", "counter", "Responses not compared, by reason.") {
            [
                ([("reason", "unpaired")], $0.findings.figures.unpaired),
                ([("reason", "overload")], $0.findings.figures.overload),
            ]
        }
        family(
            "weir_shadow_differing_beyond_noise", "gauge", "Pairs that differ beyond noise."
        ) { [([], $0.findings.differingBeyondNoise)] }
        family("weir_shadow_buffered_bytes", "gauge", "Bytes buffered for copies.") {
            [([], UInt64(clamping: $0.sample.bufferedBytes))]
        }
    }

    private struct ShadowSeries {
        let key: ShadowAccount.Key
        let sample: ControlPlane.ShadowSample
        let findings: ShadowFindings

        var labels: [(String, String)] {
            [("endpoint", key.endpoint), ("backend", key.backend)]
        }
    }
}
