internal import ControlPlane
internal import OTLP
internal import Traces
internal import Transport

extension WeirServer {
    /// How calls are traced; nil if their spans are not exported.
    static func traces(_ settings: OTLPSettings?, _ export: OTLPExport?) -> TraceSettings? {
        guard let settings, let queue = export?.traces?.queue else { return nil }
        return TraceSettings(
            queue, sampler: settings.sampler, lateCallsPerSecond: settings.lateCallsPerSecond)
    }
}

extension OTLPExport {
    /// Begins to export.
    func begin() throws(SecuritySettings.Failure) {
        do throws(TLSFailure) {
            try start()
        } catch {
            throw SecuritySettings.Failure(
                description: "TLS of the export: \(error.description)")
        }
    }

    /// The counts for `/metrics`.
    var counts: [ServerFacts.ExportCounts] {
        figures.map { signal, figures in
            ServerFacts.ExportCounts(
                signal: signal, exported: figures.exported,
                dropped: [
                    ("queue_full", figures.queueFull), ("rejected", figures.rejected),
                    ("failed", figures.failed), ("too_large", figures.tooLarge),
                ], queued: figures.queued, isUp: figures.isUp)
        }
    }
}
