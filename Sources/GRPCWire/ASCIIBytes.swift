extension UInt8 {
    /// Whether it is one of `0` to `9`.
    @inlinable package var isDigit: Bool { (0x30...0x39).contains(self) }

    /// Whether it is a hexadecimal digit of either case.
    @inlinable package var isHexDigit: Bool { hexValue != nil }

    /// What a hexadecimal digit of either case stands for; nil for other bytes.
    @inlinable package var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }

    /// Whether it is a space or a tab, which HTTP allows around values (RFC 9110 section 5.6.3).
    @inlinable package var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension BidirectionalCollection<UInt8> {
    /// Without the spaces and tabs around it, which are not part of a value (RFC 9110 section 5.5).
    @inlinable package var trimmed: SubSequence {
        guard let end = lastIndex(where: { !$0.isBlank }) else { return prefix(0) }
        return self[...end].drop(while: \.isBlank)
    }
}
