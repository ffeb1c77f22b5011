internal import CNGHTTP2

/// Headers in the form that nghttp2 takes, made once and sent many times.
///
/// Invariant of `@unchecked Sendable`: nothing changes after init.
@safe package final class PreparedHeaders: @unchecked Sendable {
    /// The same headers as a block.
    package let block: HeaderBlock
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    /// Invariant: the pointers refer to `bytes`.
    let nameValues: UnsafeMutableBufferPointer<nghttp2_nv>

    /// Invariant: no field is longer than `HTTP2Session.maxFieldBytes`.
    package init(_ block: HeaderBlock) {
        self.block = block
        let fields = block.fields
        unsafe bytes = .allocate(capacity: block.bytes.count)
        for index in block.bytes.indices {
            unsafe bytes.initializeElement(at: index, to: block.bytes[index])
        }
        unsafe nameValues = .allocate(capacity: fields.count)
        for index in fields.indices {
            let field = fields[index]
            precondition(
                max(field.name.count, field.value.count) <= HTTP2Session.maxFieldBytes,
                "a prepared header is too long")
            let start = unsafe bytes.baseAddress
            unsafe nameValues.initializeElement(
                at: index,
                to: nghttp2_nv(
                    name: start.map { unsafe $0 + field.nameStart },
                    value: start.map { unsafe $0 + field.valueStart },
                    namelen: field.name.count, valuelen: field.value.count,
                    flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
        }
    }

    deinit {
        unsafe nameValues.deallocate()
        unsafe bytes.deallocate()
    }
}
