internal import Testing

@testable internal import ControlPlane

@Suite struct MetricsEncodingTests {
    @Test(
        "A client that prefers OpenMetrics gets it, any other gets Prometheus' format",
        arguments: [
            ("application/openmetrics-text", true),
            ("application/openmetrics-text;version=1.0.0", true),
            ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", true),
            ("application/openmetrics-text; version=\"1.0.0\"", true),
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                    + "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                    + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
                    + "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true
            ),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.5", true),
            ("text/plain, application/openmetrics-text;q=0.999", false),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;q=0.000", false),
            ("application/openmetrics-text;q=-1", false),
            ("application/openmetrics-text;q=1e9", false),
            ("application/openmetrics-text;q=0.0001", false),
            ("application/openmetrics-text;q=", false),
            ("application/openmetrics-textual", false),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false),
            ("*/*", false), ("text/plain", false), ("", false), (",;,;q=,", false),
            (String(repeating: "a,", count: 32) + "application/openmetrics-text", false),
        ])
    func negotiatesFormat(accept: String, isOpenMetrics: Bool) {
        let encoding = MetricsEncoding([("accept", accept)])
        #expect(encoding.format == (isOpenMetrics ? .openMetrics : .prometheus))
        #expect(!encoding.isGzip)
    }

    @Test(
        "gzip is used if the client accepts it",
        arguments: [
            ("gzip", true), ("GZIP", true), ("x-gzip", true), ("deflate, gzip;q=0.1", true),
            ("identity;q=1, gzip;q=0.9", false), ("identity;q=0.5, gzip;q=0.5", true),
            ("identity;q=0, gzip;q=0.001", true), ("identity, *;q=0.5", false),
            ("*", true), ("gzip;q=1.000", true), ("gzip ; q=0.5", true),
            ("gzip;q=0", false), ("gzip;q=0, *", false), ("identity", false), ("", false),
            ("*;q=0", false), ("gzip;q=2", false), ("gzip;q=nan", false), ("gzipped", false),
        ])
    func negotiatesGzip(value: String, isGzip: Bool) {
        #expect(MetricsEncoding([("accept-encoding", value)]).isGzip == isGzip)
    }

    @Test("The lines of a field are one list")
    func joinsLines() {
        let encoding = MetricsEncoding([
            ("accept", "text/plain;q=0.1"), ("accept", "application/openmetrics-text"),
            ("accept-encoding", "br"), ("accept-encoding", "gzip"),
        ])
        #expect(encoding.format == .openMetrics && encoding.isGzip)
    }
}
