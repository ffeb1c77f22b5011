package import Messages
internal import TrafficPolicy

/// The questions and answers by which a server's reflection gives all files that describe its
/// services, or one of them. Pure.
///
/// ```
///   list services --> the file of each service --> each import that is missing --> done
/// ```
///
/// Source: gRPC's server-reflection document.
package struct ReflectionDialog {
    /// Bounds of what one server can make Weir store.
    package static let maximumBytes = 16 << 20
    static let maximumFiles = 4_096
    static let maximumServices = 1_024

    private var files: [String: [UInt8]] = [:]
    private var asked: Set<String> = []
    private var bytes = 0
    private var openQuestions = 0

    private var service: String?

    /// The names of the service, of which servers have the last, the first or both. The messages
    /// are the same on the wire.
    package static let services = [
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    ]

    package init() {}

    /// The first question.
    ///
    /// - Parameter service: the full name of a service; nil for all services.
    package mutating func begin(
        _ service: String? = nil
    ) -> Grpc_Reflection_V1_ServerReflectionRequest {
        openQuestions = 1
        self.service = service
        return .init(
            messageRequest: service.map { .fileContainingSymbol($0) } ?? .listServices("*"))
    }

    /// Whether all questions are answered.
    package var isDone: Bool { openQuestions == 0 }

    /// Takes the answer of the oldest question.
    ///
    /// - Returns: further questions.
    package mutating func receive(
        _ response: Grpc_Reflection_V1_ServerReflectionResponse
    ) throws(MessageError) -> [Grpc_Reflection_V1_ServerReflectionRequest] {
        guard openQuestions > 0 else { throw MessageError("an answer without a question") }
        openQuestions -= 1
        var questions: [Grpc_Reflection_V1_ServerReflectionRequest] = []
        switch response.messageResponse {
        case .listServicesResponse(let list):
            guard list.service.count <= Self.maximumServices else {
                throw MessageError("more than \(Self.maximumServices) services")
            }
            questions = list.service.filter { !Self.isStandard($0.name) }.map {
                .init(messageRequest: .fileContainingSymbol($0.name))
            }
        case .fileDescriptorResponse(let response):
            for file in response.fileDescriptorProto { try add(file) }
            questions = missingImports().map { .init(messageRequest: .fileByFilename($0)) }
        case .errorResponse(let error) where service != nil && files.isEmpty:
            throw MessageError(error.errorMessage)
        // A server may list services, and import files, that it cannot describe.
        case .errorResponse: break
        default: throw MessageError("an answer of an unexpected kind")
        }
        openQuestions += questions.count
        return questions
    }

    /// Health and reflection, which Weir's callers do not reach through a route.
    private static func isStandard(_ service: String) -> Bool {
        service.hasPrefix("grpc.reflection.") || service.hasPrefix("grpc.health.")
    }

    private mutating func add(_ file: [UInt8]) throws(MessageError) {
        let name = try ParsedFields(file[...]).text(1)
        guard files[name] == nil else { return }
        bytes += file.count
        guard bytes <= Self.maximumBytes else {
            throw MessageError("descriptors of more than \(Self.maximumBytes) bytes")
        }
        guard files.count < Self.maximumFiles else {
            throw MessageError("more than \(Self.maximumFiles) files")
        }
        files[name] = file
        imports += try ParsedFields(file[...]).texts(3)
    }

    private var imports: [String] = []

    private mutating func missingImports() -> [String] {
        defer { imports = [] }
        return imports.filter { name in
            asked.count < Self.maximumFiles && files[name] == nil && asked.insert(name).inserted
        }
    }

    /// The result: a `FileDescriptorSet`, in which the order of the answers does not matter.
    package var descriptorSet: [UInt8] {
        var writer = WireWriter()
        for (_, file) in files.sorted(by: { $0.key < $1.key }) { writer.field(1, bytes: file) }
        return writer.bytes
    }
}

/// The descriptors that a backend's reflection gave.
package struct ReflectedSchema: Sendable, Equatable {
    /// A `FileDescriptorSet`.
    package let descriptorSet: [UInt8]
    /// Equal digests mean equal descriptors.
    package let digest: UInt64

    package init(descriptorSet: [UInt8]) {
        self.descriptorSet = descriptorSet
        digest = KeyHash.hash(descriptorSet.rawSpan, seed: 0)
    }
}
