internal import Testing

@testable internal import Serving

@Suite struct HTTPMethodsTests {
    @Test("Methods are sorted, in upper case, and GET includes HEAD")
    func accepts() throws {
        let methods = try #require(HTTPMethods.valid(["post", "GET", "Post"]))
        #expect(methods.names == ["GET", "POST"] && methods.allowed == "GET, HEAD, POST")
        #expect(methods.accepts("GET") && methods.accepts("HEAD") && methods.accepts("POST"))
        #expect(!methods.accepts("PUT") && !methods.accepts("get"))
        #expect(HTTPMethods.all.accepts("ANY"))
        #expect(HTTPMethods.valid([]) == .all)
    }

    @Test(
        "Names of methods are tokens of limited length and number",
        arguments: [
            [""], ["A B"], ["A,B"], [String(repeating: "A", count: 33)],
            (0...HTTPMethods.maxCount).map { "M\($0)" },
        ])
    func rejects(names: [String]) {
        #expect(HTTPMethods.valid(names) == nil)
        #expect(HTTPMethods.valid(["A", String(repeating: "B", count: 32)]) != nil)
        #expect(HTTPMethods.valid((1...HTTPMethods.maxCount).map { "M\($0)" }) != nil)
    }
}
