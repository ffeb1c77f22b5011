public import Weir

/// The demo: three versions of gRPC's `helloworld.Greeter` with different responses. The third one
/// fails some of its calls, for rollouts that must be aborted.
public enum Greeters {
    /// The service's full name.
    public static let service = "helloworld.Greeter"

    /// The backends of `weir serve --demo`.
    public static let all = [
        backend("greeter-v1", "Says Hello") { "Hello \($0)!" },
        backend("greeter-v2", "Says Good day") { "Good day, \($0)." },
        backend("greeter-v3", "Says Hi, and fails 5 % of the calls") { name throws(RPCError) in
            if .random(in: 0..<1) < failureShare {
                throw RPCError(.internalError, "greeter-v3 fails 5 % of the calls")
            }
            return "Hi \(name)!"
        },
    ]

    private static let failureShare = 0.05

    /// A backend with all four kinds of call. It greets with a function of the name.
    public static func backend(
        _ name: String, _ description: String,
        greet: @escaping @Sendable (String) throws(RPCError) -> String
    ) -> HandlerBackend {
        let service = Service(service)
            .unary("SayHello") { (request: Helloworld_HelloRequest, _) in
                Helloworld_HelloReply(message: try greet(request.name))
            }
            .serverStreaming("SayHelloStreamReply") {
                (request: Helloworld_HelloRequest, replies: ReplyWriter<Helloworld_HelloReply>, _)
                in
                for number in 1...3 {
                    let message = "\(try greet(request.name)) (\(number) of 3)"
                    try await replies.send(Helloworld_HelloReply(message: message))
                }
            }
            .clientStreaming("SayHelloToAll") {
                (requests: RequestStream<Helloworld_HelloRequest>, _) in
                var names: [String] = []
                for try await request in requests { names.append(request.name) }
                return Helloworld_HelloReply(message: try greet(names.joined(separator: ", ")))
            }
            .bidirectional("SayHelloBidiStream") {
                (
                    requests: RequestStream<Helloworld_HelloRequest>,
                    replies: ReplyWriter<Helloworld_HelloReply>, _
                ) in
                for try await request in requests {
                    try await replies.send(Helloworld_HelloReply(message: try greet(request.name)))
                }
            }
        return HandlerBackend(name, description: description, services: [service])
    }
}
