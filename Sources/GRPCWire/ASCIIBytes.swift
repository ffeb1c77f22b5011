extension UInt8 {
    /// Whether the byte is one of `0` to `9`.
    @inlinable package var isDigit: Bool { (0x30...0x39).contains(self) }

    /// Whether the byte is a hexadecimal digit of either case.
    @inlinable package var isHexDigit: Bool { hexValue != nil }

    /// The value of a hexadecimal digit of either case; nil for other bytes.
    @inlinable package var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }

    /// Whether the byte is a space or a tab, which HTTP allows around values (RFC 9110 section
    /// 5.6.3).
    @inlinable package var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension BidirectionalCollection<UInt8> {
    /// The bytes without leading and trailing spaces and tabs, which are not part of a value (RFC
    /// 9110 section 5.5).
    @inlinable package var trimmed: SubSequence {
        guard let end = lastIndex(where: { !$0.isBlank }) else { return prefix(0) }
        return self[...end].drop(while: \.isBlank)
    }
}
