import Testing

@testable internal import Observability

@Suite("Requests of endpoints that were refused")
struct EndpointFiguresTests {
    @Test("add up over the loops, and their difference is never negative")
    func adds() {
        var sum = ServingFigures()
        var loop = ServingFigures()
        loop.endpoints = [
            "e": EndpointFigures(rateLimited: 3, overloaded: 1),
            "f": EndpointFigures(overloaded: 2),
        ]
        sum.add(loop)
        sum.add(loop)
        #expect(
            sum.endpoints == [
                "e": EndpointFigures(rateLimited: 6, overloaded: 2),
                "f": EndpointFigures(overloaded: 4),
            ])
        // "f" was deleted and created again, "g" was deleted.
        var earlier = loop
        earlier.endpoints["f"] = EndpointFigures(rateLimited: 9, overloaded: 9)
        earlier.endpoints["g"] = EndpointFigures(rateLimited: 1)
        #expect(
            sum.since(earlier).endpoints == [
                "e": EndpointFigures(rateLimited: 3, overloaded: 1), "f": EndpointFigures(),
            ])
    }
}
