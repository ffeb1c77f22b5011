internal import ControlPlane
internal import OTLP

extension OTLPExport {
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
