package import GRPCWire
package import Messages

/// What tells whether two answers are the same in meaning.
package struct ComparisonRules: Sendable {
    package var diff: DiffRules
    /// What is known of the messages.
    package var schema: Schema
    /// Types of the responses by path of the method, where the schema's services don't tell.
    package var replyTypes: [String: String]
    /// Fields whose values are not to be kept, by path.
    package var redactedFields: Set<String>
    /// Metadata whose values are not to be kept, beside what is always left out.
    package var redactedMetadata: Set<String>

    package init(
        diff: DiffRules = .init(), schema: Schema = .init(), replyTypes: [String: String] = [:],
        redactedFields: [String] = [], redactedMetadata: [String] = []
    ) {
        self.diff = diff
        self.schema = schema
        self.replyTypes = replyTypes
        self.redactedFields = Set(redactedFields.map(DiffRules.normalized))
        self.redactedMetadata = Set(redactedMetadata.map { $0.lowercased() })
    }

    /// The full name of a method's response type, if it is known.
    func replyType(of method: String) -> String? {
        let type =
            replyTypes[method]
            ?? MethodPath(method).flatMap { path in
                schema.services[path.service]?.methods.first { $0.name == path.method }?.output
            }
        return type.flatMap { schema.messages[$0] == nil ? nil : $0 }
    }

    /// Whether a field, or what it lies in, is not to be shown.
    func hides(_ path: String) -> Bool {
        !redactedFields.isEmpty
            && DiffRules.innermost(path) { redactedFields.contains($0) ? true : nil } == true
    }
}

/// Two answers to one request that are not the same byte for byte.
package struct Comparison: Sendable {
    /// Differences kept of one pair.
    private static let maxDifferences = 64

    let account: ShadowAccount
    let epoch: UInt64
    let method: String
    /// Of the request; read only for a pair that is kept as a sample.
    let metadata: @Sendable () -> Metadata
    let primary: RecordedResponse
    let shadow: RecordedResponse
    /// What the account counts as buffered for it.
    let heldBytes: Int

    package init(
        account: ShadowAccount, epoch: UInt64, method: String,
        metadata: @escaping @Sendable () -> Metadata, primary: RecordedResponse,
        shadow: RecordedResponse, heldBytes: Int
    ) {
        self.account = account
        self.epoch = epoch
        self.method = method
        self.metadata = metadata
        self.primary = primary
        self.shadow = shadow
        self.heldBytes = heldBytes
    }

    /// Looks into the answers and enters what differs.
    package func run(maxMessageBytes: Int, at now: UnixTime) {
        let rules = account.ledger.rules
        let differences = differences(rules, maxMessageBytes: maxMessageBytes)
        if epoch == account.epoch {
            account.ledger.enter(differences, of: self, rules, at: now)
        }
        account.release(heldBytes)
    }

    /// What differs. `:status`, `:message`, `:count` and `:bytes` name parts that are not fields.
    func differences(
        _ rules: ComparisonRules, maxMessageBytes: Int
    ) -> [MessageDiff.Difference] {
        guard primary.code == shadow.code else {
            return [Self.whole(":status", Self.status(primary), Self.status(shadow))]
        }
        var found: [MessageDiff.Difference] = []
        if primary.message != shadow.message, !rules.diff.ignores(":message") {
            found.append(Self.whole(":message", primary.message, shadow.message))
        }
        guard !primary.hasSameBody(as: shadow) else { return found }
        guard primary.isWhole, shadow.isWhole,
            let left = try? primary.messages(limit: maxMessageBytes),
            let right = try? shadow.messages(limit: maxMessageBytes)
        else {
            return found + bytes("\(primary.byteCount) bytes", "\(shadow.byteCount) bytes", rules)
        }
        if left.count != right.count, !rules.diff.ignores(":count") {
            found.append(Self.whole(":count", "\(left.count)", "\(right.count)"))
        }
        let type = rules.replyType(of: method)
        for (index, pair) in zip(left, right).enumerated() where pair.0 != pair.1 {
            let inside = fields(pair.0, pair.1, type, rules)
            // Where several messages come, each difference tells in which.
            found += left.count < 2 ? inside : inside.map { $0.inMessage(index) }
            if found.count >= Self.maxDifferences { break }
        }
        return Array(found.prefix(Self.maxDifferences))
    }

    private func fields(
        _ left: [UInt8], _ right: [UInt8], _ type: String?, _ rules: ComparisonRules
    ) -> [MessageDiff.Difference] {
        guard let type else { return bytes(Self.text(left), Self.text(right), rules) }
        var diff = MessageDiff(schema: rules.schema, rules: rules.diff, limit: Self.maxDifferences)
        do throws(MessageError) {
            try diff.compare(left, right, message: type)
            return diff.differences
        } catch {
            // One of them is not what the description says.
            return bytes(Self.text(left), Self.text(right), rules)
        }
    }

    private func bytes(
        _ left: String, _ right: String, _ rules: ComparisonRules
    ) -> [MessageDiff.Difference] {
        rules.diff.ignores(":bytes") ? [] : [Self.whole(":bytes", left, right)]
    }

    private static func whole(
        _ path: String, _ left: String, _ right: String
    ) -> MessageDiff.Difference {
        MessageDiff.Difference(path: path, place: path, left: left, right: right)
    }

    private static func status(_ response: RecordedResponse) -> String {
        let code = response.code ?? .unknown
        return response.message.isEmpty ? "\(code)" : "\(code): \(response.message)"
    }

    /// Bytes of which nothing is known.
    private static func text(_ bytes: [UInt8]) -> String {
        let head = bytes.prefix(32).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count < 2 ? "0" + digits : digits
        }
        return "\(bytes.count) bytes: " + head.joined() + (bytes.count > 32 ? "..." : "")
    }
}

extension MessageDiff.Difference {
    fileprivate func inMessage(_ index: Int) -> MessageDiff.Difference {
        MessageDiff.Difference(
            path: path, place: "[\(index)].\(place)", left: left, right: right)
    }
}
