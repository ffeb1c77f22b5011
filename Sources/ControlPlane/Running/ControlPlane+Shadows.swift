internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

/// The reports of shadows.
extension ControlPlane {
    /// The rules for the responses of a shadow's backend, whose descriptors take precedence over
    /// those of the other backends. With an empty name, the rules for the second copies that
    /// measure noise.
    func comparisonRules(_ endpoint: ControlState.Endpoint, _ backend: String) -> ComparisonRules {
        let own = endpoint.weights.weights.map(\.backend)
        let backends = (backend.isEmpty ? own : [backend] + own).compactMap { state.backends[$0] }
        var schema = Self.dynamicSchema
        var replyTypes: [String: String] = [:]
        for backend in backends {
            // An unreadable set was logged when the schema was made.
            try? addDescriptors(of: backend, to: &schema)
            if case .handler(let name) = backend.kind, let handler = registered[name] {
                replyTypes.merge(handler.replyTypes) { first, _ in first }
            }
        }
        return endpoint.comparison.rules(schema, replyTypes: replyTypes)
    }

    /// The messages of dynamic calls, which any backend may answer.
    private static let dynamicSchema = schema(of: [Weir_V1_ServeProto.file])

    /// An endpoint with the shadows that a request names.
    private func requested(
        _ name: String, _ backend: String
    ) throws(ControlError) -> (ControlState.Endpoint, [ControlState.Shadow]) {
        let endpoint = try state.existingEndpoint(name)
        guard !backend.isEmpty else { return (endpoint, endpoint.shadows) }
        guard let shadow = endpoint.shadows.first(where: { $0.backend == backend }) else {
            throw .notFound(.shadow, backend, known: endpoint.shadows.map(\.backend))
        }
        return (endpoint, [shadow])
    }

    func shadowReports(
        _ name: String, backend: String
    ) async throws -> Weir_Admin_V1_GetShadowReportResponse {
        let (endpoint, shadows) = try requested(name, backend)
        let figures = try await dataPlane.figures()
        return Weir_Admin_V1_GetShadowReportResponse(
            reports: shadows.map { report(endpoint, $0, figures) }, revision: state.revision)
    }

    func resetShadowReport(_ name: String, backend: String) throws(ControlError) {
        let (endpoint, shadows) = try requested(name, backend)
        let now = Date().timeIntervalSince1970
        for shadow in shadows {
            self.shadows.account(endpoint: name, backend: shadow.backend)?.reset(at: now)
        }
        if backend.isEmpty { self.shadows.noise(endpoint: endpoint.name)?.reset(at: now) }
    }

    /// Warnings for the backends that receive more weight, from their shadow reports.
    func shadowWarnings(
        _ endpoint: ControlState.Endpoint, before: TrafficWeights
    ) async throws -> [String] {
        let growing = endpoint.weights.weights.filter { weight in
            weight.weight > before.weights.first { $0.backend == weight.backend }?.weight ?? 0
        }.map(\.backend)
        let shadows = endpoint.shadows.filter { growing.contains($0.backend) }
        guard !shadows.isEmpty else { return [] }
        let figures = try await dataPlane.figures()
        return shadows.compactMap { shadow in
            let findings = findings(endpoint, shadow, figures)
            return findings.verdict.isBad
                ? "the shadow report of '\(shadow.backend)' is bad: \(findings.explanation)" : nil
        }
    }

    func findings(
        _ endpoint: ControlState.Endpoint, _ shadow: ControlState.Shadow, _ figures: ServingFigures
    ) -> ShadowFindings {
        func known(_ backend: String) -> (ShadowFigures, DifferenceLedger.Content) {
            (
                figures.shadows[.init(endpoint: endpoint.name, backend: backend)] ?? .init(),
                shadows.account(endpoint: endpoint.name, backend: backend)?.ledger.entries
                    ?? .init()
            )
        }
        let (own, noise) = (known(shadow.backend), known(""))
        return ShadowFindings(
            own.0, own.1, noise: noise.0, noise.1, allowedShare: endpoint.comparison.allowedShare)
    }

    private func report(
        _ endpoint: ControlState.Endpoint, _ shadow: ControlState.Shadow, _ all: ServingFigures
    ) -> Weir_Admin_V1_ShadowReport {
        let findings = findings(endpoint, shadow, all)
        let account = shadows.account(endpoint: endpoint.name, backend: shadow.backend)
        var report = Weir_Admin_V1_ShadowReport(findings)
        report.endpoint = endpoint.name
        report.backend = shadow.backend
        report.proportion = shadow.proportion
        report.inFlight = UInt64(clamping: account?.requestsInFlight ?? 0)
        report.bufferedBytes = UInt64(clamping: account?.bufferedBytes ?? 0)
        return report
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
