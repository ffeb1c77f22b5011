package import GRPCWire
internal import Messages

/// Two responses to one request whose bytes differ.
package struct ResponsePair: Sendable {
    /// The most differences of one pair.
    private static let maxDifferences = 64

    let account: ShadowAccount
    let epoch: UInt64
    let method: String
    /// The metadata of the request; read only for a pair that is stored as a sample.
    let metadata: @Sendable () -> Metadata
    let primary: RecordedResponse
    let shadow: RecordedResponse
    /// The bytes that the account counts as buffered for it.
    let heldBytes: Int
    /// Called on the comparing thread if the responses differ by the rules.
    let differed: (@Sendable () -> Void)?

    package init(
        account: ShadowAccount, epoch: UInt64, method: String,
        metadata: @escaping @Sendable () -> Metadata, primary: RecordedResponse,
        shadow: RecordedResponse, heldBytes: Int, differed: (@Sendable () -> Void)? = nil
    ) {
        self.differed = differed
        self.account = account
        self.epoch = epoch
        self.method = method
        self.metadata = metadata
        self.primary = primary
        self.shadow = shadow
        self.heldBytes = heldBytes
    }

    /// Compares the responses and adds the differences to the ledger.
    package func compare(maxMessageBytes: Int, at now: UnixTime) {
        let rules = account.ledger.rules
        let differences = differences(rules, maxMessageBytes: maxMessageBytes)
        if epoch == account.epoch {
            account.ledger.add(differences, of: self, rules, at: now)
        }
        account.release(heldBytes)
        if !differences.isEmpty { differed?() }
    }

    /// The differences. `:status`, `:message`, `:count` and `:bytes` name parts that are not
    /// fields.
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
            // If there are several messages, each difference contains the index of its message.
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
            // One of them does not match the description.
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

    /// Text for bytes without a description.
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
