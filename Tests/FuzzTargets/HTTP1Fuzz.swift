internal import Serving
internal import Transport

/// The bytes of an HTTP/1 connection.
enum HTTP1Fuzz {
    /// The first byte is the size of the pieces. The requests and the error must be the same in one
    /// piece and in pieces, and stay within the bounds.
    static func feed(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let input = Array(bytes.dropFirst())
        let whole = read(input, pieces: input.count + 1)
        precondition(
            read(input, pieces: Int(first % 16) + 1) == whole, "a request depends on the pieces")
    }

    private static let bounds = HTTP1Parser.Bounds(headBytes: 512, fields: 8, bodyBytes: 256)

    private static func read(_ input: [UInt8], pieces size: Int) -> [String] {
        var parser = HTTP1Parser(bounds)
        var found: [String] = []
        var pending: [UInt8] = []
        var body: [UInt8] = []
        var start = 0
        do throws(HTTPRefusal) {
            while start < input.count {
                pending += input[start..<min(input.count, start + size)]
                start += size
                while true {
                    let (consumed, part) = try parser.next(in: pending)
                    let bytes = pending.prefix(consumed)
                    pending.removeFirst(consumed)
                    guard let part else { break }
                    switch part {
                    case .head(let head): found.append(check(head))
                    case .body(let count): body += bytes.suffix(count)
                    case .end:
                        precondition(body.count <= bounds.bodyBytes, "the body exceeds its bound")
                        found.append("\(body)")
                        body = []
                    }
                }
                precondition(pending.count <= bounds.headBytes + 1, "an incomplete line is kept")
            }
        } catch {
            found.append(error.description)
        }
        return found
    }

    /// Any parsed head can be validated.
    private static func check(_ head: HTTP1Parser.Head) -> String {
        precondition(head.fields.count <= bounds.fields, "the fields exceed their bound")
        let fields = head.fields.map { "\($0.name): \($0.value)" }
        do throws(HTTPRefusal) {
            let checked = try HTTPRequestHead(
                head.method, target: head.target, head.fields, .http1(minor: head.minorVersion))
            return "\(checked.method) \(checked.target) \(checked.host?.name ?? "") \(fields)"
        } catch {
            return "\(error) \(fields)"
        }
    }
}
