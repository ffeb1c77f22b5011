internal import ArgumentParser
internal import Messages

/// The options of an endpoint for scripts of web pages.
struct CORSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Let scripts of pages of this origin, for example https://app.example, send requests "
                + "(CORS); '*' for all. May be repeated.",
            valueName: "origin"))
    var corsOrigin: [String] = []

    @Option(
        help: ArgumentHelp(
            "A further request header that such scripts may set. May be repeated.",
            valueName: "name"))
    var corsHeader: [String] = []

    @Option(
        help: ArgumentHelp(
            "A further response header that such scripts may read. May be repeated.",
            valueName: "name"))
    var corsExposedHeader: [String] = []

    @Flag(help: "Let browsers send cookies and certificates with such requests.")
    var corsCredentials = false

    func validate() throws {
        guard corsOrigin.isEmpty else { return }
        guard corsHeader.isEmpty, corsExposedHeader.isEmpty, !corsCredentials else {
            throw ValidationError("the other --cors options require --cors-origin")
        }
    }

    /// Nil without an origin.
    var policy: Weir_Admin_V1_CorsPolicy? {
        guard !corsOrigin.isEmpty else { return nil }
        return Weir_Admin_V1_CorsPolicy(
            origins: corsOrigin, headers: corsHeader, exposedHeaders: corsExposedHeader,
            credentials: corsCredentials)
    }
}
