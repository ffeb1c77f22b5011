internal import GRPCWire
internal import Messages

@testable internal import Transcoding

/// HTTP requests that are converted to calls by `google.api.http`.
enum TranscodingFuzz {
    /// The input is a template, a newline and a path. A template is equal to its text, and every
    /// variable of a match has a text, unless that is not UTF-8.
    static func match(_ bytes: [UInt8]) {
        let parts = bytes.split(separator: 0x0a, maxSplits: 1, omittingEmptySubsequences: false)
        let text = String(decoding: parts[0], as: UTF8.self)
        guard let template = try? PathTemplate(text) else { return }
        precondition((try? PathTemplate(template.description)) == template)
        precondition(template.segments.count <= PathTemplate.maximumSegments)
        for variable in template.variables {
            precondition(template.segments.indices.contains(variable.segments.lowerBound))
            precondition(variable.segments.upperBound <= template.segments.count)
        }
        let route = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : "/"
        _ = RouteOverlap.isConflict(template, route: route)
        guard let path = RequestPath(route) else { return }
        var tree = RouteTree<Void>()
        precondition(tree.insert("GET", template, ()) == nil)
        precondition(tree.insert("GET", template, ()) != nil)
        guard case .found = tree.match("HEAD", path) else { return }
        guard case .found = tree.match("GET", path) else {
            preconditionFailure("HEAD matches, GET does not")
        }
        for variable in template.variables { _ = path.text(of: variable, in: template) }
    }

    /// The first two bytes are the size of the descriptor set. Method, target, content type and
    /// body follow, each on a line. A message that a request becomes is valid.
    static func bind(_ bytes: [UInt8]) {
        let size = bytes.prefix(2).reduce(0) { $0 << 8 | Int($1) }
        let rest = bytes.dropFirst(2)
        guard let schema = try? Schema(descriptorSet: Array(rest.prefix(size))) else { return }
        let table = TranscodingTable(schema)
        var lines = rest.dropFirst(size).split(
            separator: 0x0a, maxSplits: 3, omittingEmptySubsequences: false)[...]
        func next() -> [UInt8] { Array(lines.popFirst() ?? []) }
        let method = String(decoding: next(), as: UTF8.self)
        let target = String(decoding: next(), as: UTF8.self)
        let type = String(decoding: next(), as: UTF8.self)
        let body = next()
        let (path, query) = (
            target.prefix { $0 != "?" }, target.drop { $0 != "?" }.dropFirst()
        )
        guard let path = RequestPath(String(path)) else { return }
        let transcoder = JSONTranscoder(schema: schema, describesInvalid: true)
        for (name, rules) in table.rules {
            let bindings = MethodBindings(of: name, schema)
            guard let rule = bindings.rule(method, path) else { continue }
            precondition(rules.contains { $0.rule == rule.rule })
            let request = RequestBinding.Request(
                path: path, query: String(query), contentType: type, body: body)
            guard let messages = try? RequestBinding(rule, schema).messages(for: request) else {
                continue
            }
            for message in messages {
                precondition(
                    (try? transcoder.json(from: message, message: rule.method.input)) != nil)
                reply(message, rule, schema)
            }
        }
    }

    /// A request as a response, which may have another type. It always ends.
    private static func reply(_ message: [UInt8], _ rule: TranscodedRule, _ schema: Schema) {
        for form in [StreamForm.array, .lines, .events] {
            var reply = TranscodedReply(rule, schema, form)
            var outputs: [TranscodedReply.Output] = []
            var code = StatusCode.ok
            do throws(RPCError) {
                for _ in 0..<2 { outputs.append(try reply.received(message)) }
            } catch {
                code = error.code
            }
            outputs.append(reply.ended(code, ""))
            precondition(outputs.compactMap(\.head).count == 1)
            precondition(outputs.dropLast().allSatisfy { $0.ending == .open })
            precondition(outputs.last?.ending != .open)
        }
    }
}
