internal import CNGHTTP2

/// The fields of headers in the form that nghttp2 takes.
extension HTTP2Session {
    /// Calls the body with the fields in nghttp2's form. nghttp2 copies the fields that it keeps.
    ///
    /// - Returns: the result of the body, or an error if a field is too long.
    func withNameValues(
        _ headers: HeaderParts, _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Int32
    ) -> Int32 {
        unsafe nameValues.removeAll(keepingCapacity: true)
        hasLongField = false
        // Invariant: the three parts are alive while the pointers into them are used.
        return withExtendedLifetime(headers) {
            appendNameValues(headers.first, except: nil)
            appendNameValues(headers.passed, except: headers.excluded)
            appendNameValues(headers.last, except: nil)
            guard !hasLongField else { return NGHTTP2_ERR_FRAME_SIZE_ERROR.rawValue }
            return unsafe nameValues.withUnsafeBufferPointer(body)
        }
    }

    private func appendNameValues(
        _ block: HeaderBlock, except excluded: HeaderBlock.KnownSet?
    ) {
        guard block.count > 0 else { return }
        unsafe block.bytes.withUnsafeBufferPointer { bytes in
            unsafe appendNameValues(block.fields, bytes, except: excluded)
        }
    }

    private func appendNameValues(
        _ fields: Span<HeaderBlock.Field>, _ bytes: UnsafeBufferPointer<UInt8>,
        except excluded: HeaderBlock.KnownSet?
    ) {
        // A short block cannot contain a long field.
        if bytes.count > Self.maxFieldBytes {
            for index in fields.indices {
                let longest = max(fields[index].name.count, fields[index].value.count)
                hasLongField = hasLongField || longest > Self.maxFieldBytes
            }
        }
        for index in fields.indices {
            let field = fields[index]
            if let excluded, excluded.contains(field.known) { continue }
            // Invariant: every field is within the bytes of its block. nghttp2 takes mutable
            // pointers but does not write.
            let name = unsafe UnsafeBufferPointer(rebasing: bytes[field.name])
            let value = unsafe Self.trimmed(UnsafeBufferPointer(rebasing: bytes[field.value]))
            unsafe nameValues.append(
                nghttp2_nv(
                    name: UnsafeMutablePointer(mutating: name.baseAddress),
                    value: UnsafeMutablePointer(mutating: value.baseAddress),
                    namelen: name.count, valuelen: value.count,
                    flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
        }
    }

    /// A value without leading and trailing spaces and tabs, which are not part of it (RFC 9110
    /// section 5.5).
    @inline(__always)
    static func trimmed(_ value: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var (start, end) = (0, value.count)
        // Invariant: both indexes stay within the value.
        guard end > 0, unsafe (isSpace(value[0]) || isSpace(value[end - 1])) else {
            return unsafe value
        }
        while start < end, unsafe isSpace(value[start]) { start += 1 }
        while end > start, unsafe isSpace(value[end - 1]) { end -= 1 }
        return unsafe UnsafeBufferPointer(rebasing: value[start..<end])
    }
}
