internal import ArgumentParser
internal import Messages
internal import Weir

/// Completions of names that the shell asks for.
enum Completion {
    static let endpoints = CompletionKind.custom { words, _, _ in
        await names(words) { admin, options in
            try await admin.listEndpoints(.init(), options).endpoints.map(\.name)
        }
    }

    static let backends = CompletionKind.custom { words, _, _ in await backendNames(words) }

    /// `BACKEND=` of a weight or a proportion.
    static let assignments = CompletionKind.custom { words, _, _ in
        await backendNames(words).map { "\($0)=" }
    }

    /// How long a completion waits for the server.
    private static let timeout = Duration.seconds(2)

    private static func backendNames(_ words: [String]) async -> [String] {
        await names(words) { admin, options in
            try await admin.listBackends(.init(), options).backends.map(\.name)
        }
    }

    /// Names that the server returns; none if it does not answer.
    private static func names(
        _ words: [String],
        _ call: AdminOptions.Call<[String]>
    ) async -> [String] {
        guard let connection = try? ConnectionOptions.parse(connectionWords(words)),
            let client = try? connection.client
        else { return [] }
        let found = try? await call(.init(client), .init(timeout: timeout))
        await client.close()
        return found ?? []
    }

    private static let valued: Set = [
        "--admin", "--admin-tls-ca", "--admin-tls-cert", "--admin-tls-key",
        "--admin-tls-server-name", "--token-file",
    ]

    /// The options of an incomplete command line that describe the connection.
    static func connectionWords(_ words: [String]) -> [String] {
        var output: [String] = []
        for (index, word) in words.enumerated() {
            if word == "--admin-tls" {
                output.append(word)
            } else if valued.contains(word), words.indices.contains(index + 1) {
                output += [word, words[index + 1]]
            } else if valued.contains(where: { word.hasPrefix("\($0)=") }) {
                output.append(word)
            }
        }
        return output
    }
}
