/// The result of a parser of header values. `#expect` accepts no `Span`.
func parsed<Result>(_ value: String, _ parse: (Span<UInt8>) -> Result) -> Result {
    parse(Array(value.utf8).span)
}
