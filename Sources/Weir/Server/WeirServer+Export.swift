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
}
