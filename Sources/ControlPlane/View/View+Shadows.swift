internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

/// The reports of shadows.
extension ControlPlane.View {
    /// The reports of the shadows that a request names.
    func shadowReports(
        _ name: String, backend: String
    ) throws -> Weir_Admin_V1_GetShadowReportResponse {
        let (endpoint, shadows) = try state.shadows(of: name, backend)
        let figures = try requireFigures()
        return Weir_Admin_V1_GetShadowReportResponse(
            reports: shadows.map { report(endpoint, $0, figures) }, revision: state.revision)
    }

    /// Warnings for the backends that receive more weight, from their shadow reports.
    ///
    /// Called for changes that the store contains already, so it must not throw.
    func shadowWarnings(
        _ endpoint: ControlState.Endpoint, before: TrafficWeights
    ) -> [String] {
        let growing = endpoint.weights.weights.filter { weight in
            weight.weight > before.weights.first { $0.backend == weight.backend }?.weight ?? 0
        }.map(\.backend)
        let shadows = endpoint.shadows.filter { growing.contains($0.backend) }
        guard !shadows.isEmpty else { return [] }
        guard let figures else {
            return ["the shadow reports are unavailable: the server is shutting down"]
        }
        return shadows.compactMap { shadow in
            let findings = findings(endpoint, shadow, figures)
            return findings.verdict.isBad
                ? "the shadow report of '\(shadow.backend)' is bad: \(findings.explanation)" : nil
        }
    }

    /// The warnings for all endpoints whose weights differ between two states.
    func shadowWarnings(from before: ControlState, to after: ControlState) -> [String] {
        after.endpoints.values.sorted { $0.name < $1.name }.flatMap { endpoint in
            guard let earlier = before.endpoints[endpoint.name],
                earlier.weights != endpoint.weights
            else { return [] as [String] }
            return shadowWarnings(endpoint, before: earlier.weights)
        }
    }

    func findings(
        _ endpoint: ControlState.Endpoint, _ shadow: ControlState.Shadow, _ figures: ServingFigures
    ) -> ShadowFindings {
        func report(_ backend: String) -> (ShadowFigures, DifferenceLedger.Content) {
            let key = ShadowAccount.Key(endpoint: endpoint.name, backend: backend)
            return (figures.shadows[key] ?? .init(), shadows[key]?.content ?? .init())
        }
        let (own, noise) = (report(shadow.backend), report(""))
        return ShadowFindings(
            own.0, own.1, noise: noise.0, noise.1, allowedShare: endpoint.comparison.allowedShare)
    }

    private func report(
        _ endpoint: ControlState.Endpoint, _ shadow: ControlState.Shadow, _ all: ServingFigures
    ) -> Weir_Admin_V1_ShadowReport {
        let sample = shadows[.init(endpoint: endpoint.name, backend: shadow.backend)] ?? .init()
        var report = Weir_Admin_V1_ShadowReport(findings(endpoint, shadow, all))
        report.endpoint = endpoint.name
        report.backend = shadow.backend
        report.proportion = shadow.proportion
        report.inFlight = UInt64(clamping: sample.requestsInFlight)
        report.bufferedBytes = UInt64(clamping: sample.bufferedBytes)
        return report
    }
}

extension ControlState {
    /// An endpoint with the shadows that a request names.
    func shadows(
        of name: String, _ backend: String
    ) throws(ControlError) -> (ControlState.Endpoint, [ControlState.Shadow]) {
        let endpoint = try existingEndpoint(name)
        guard !backend.isEmpty else { return (endpoint, endpoint.shadows) }
        guard let shadow = endpoint.shadows.first(where: { $0.backend == backend }) else {
            throw .notFound(.shadow, backend, known: endpoint.shadows.map(\.backend))
        }
        return (endpoint, [shadow])
    }
}

extension Weir_Admin_V1_ShadowReport {
    fileprivate init(_ findings: ShadowFindings) {
        let figures = findings.figures
        self.init(
            since: Google_Protobuf_Timestamp(
                Date(timeIntervalSince1970: findings.content.since)),
            verdict: .init(findings.verdict), explanation: findings.explanation,
            selected: figures.selected, own: figures.own,
            drops: ShadowDrop.allCases.filter { figures.dropped($0) > 0 }.map {
                .init(reason: $0.name, count: figures.dropped($0))
            },
            unpaired: figures.unpaired, overload: figures.overload, pending: findings.pending,
            compared: findings.compared, equal: findings.equal, differing: findings.differing,
            differingBeyondNoise: findings.differingBeyondNoise,
            noiseCompared: findings.noiseCompared)
        fields = findings.fields.sorted { $0.share > $1.share }.map { .init($0, findings.content) }
        statuses = figures.statuses.sorted { $0.value > $1.value }.map {
            .init(
                primary: $0.key.primary.description, shadow: $0.key.shadow.description,
                count: $0.value)
        }
        primaryLatency = .init(figures.primaryLatency)
        shadowLatency = .init(figures.shadowLatency)
        samples = findings.content.samples.map { sample in
            .init(
                time: .init(Date(timeIntervalSince1970: sample.time)), method: sample.method,
                metadata: sample.metadata.map { .init(name: $0.name, value: $0.value) },
                differences: sample.differences.map { .init($0) })
        }
    }
}

extension Weir_Admin_V1_FieldDifference {
    fileprivate init(
        _ finding: ShadowFindings.FieldFinding, _ content: DifferenceLedger.Content
    ) {
        let field = content.fields[finding.index]
        self.init(
            method: field.method, field: field.path, count: content.counts[finding.index],
            share: finding.share, noiseShare: finding.noiseShare, noise: finding.isNoise,
            example: .init(content.examples[finding.index]))
    }
}

extension Weir_Admin_V1_ValuePair {
    fileprivate init(_ difference: MessageDiff.Difference) {
        self.init(
            place: difference.place, primary: difference.left, shadow: difference.right)
    }
}

extension Weir_Admin_V1_ShadowVerdict {
    fileprivate init(_ verdict: ShadowFindings.Verdict) {
        self =
            switch verdict {
            case .tooFew: .tooFew
            case .fit: .fit
            case .differs: .differs
            case .late: .late
            case .unreachable: .unreachable
            }
    }
}
