internal import Observability
internal import Serving

/// Metrics of shadows. The counters restart with the report.
extension ControlPlane.View {
    func addShadows(to text: inout MetricsText, _ figures: ServingFigures) {
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
            _ name: String, _ kind: MetricsText.Kind, _ help: String,
            _ values: (ShadowSeries) -> [([(String, String)], UInt64)]
        ) {
            text.family(name, kind, help)
            for shadow in series {
                for (labels, value) in values(shadow) {
                    text.sample(name, shadow.labels + labels, value)
                }
            }
        }
        family(
            "weir_shadow_dropped_total", .counter,
            "Copies not sent or not completed, by reason; callers are not affected."
        ) {
            shadow in
            ShadowDrop.allCases.map {
                ([("reason", $0.name)], shadow.findings.figures.dropped($0))
            }
        }
        family(
            "weir_shadow_compared_total", .counter,
            "Responses of the shadow compared with those that callers received, by result."
        ) {
            [
                ([("result", "equal")], $0.findings.equal),
                ([("result", "differing")], $0.findings.differing),
            ]
        }
        family(
            "weir_shadow_not_compared_total", .counter,
            "Responses of the shadow that were not compared, by reason."
        ) {
            [
                ([("reason", "unpaired")], $0.findings.figures.unpaired),
                ([("reason", "overload")], $0.findings.figures.overload),
            ]
        }
        family(
            "weir_shadow_differing_beyond_noise", .gauge,
            "Differing responses beyond those that two requests to the same backend show."
        ) { [([], $0.findings.differingBeyondNoise)] }
        family(
            "weir_shadow_buffered_bytes", .gauge,
            "Bytes of requests and responses buffered for copies."
        ) {
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
