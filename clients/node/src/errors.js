const NAMES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
  "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

/**
 * The error of a failed call, with Weir's message, which states what was wrong, where, and what
 * would be correct. `code` is the name of the gRPC status, `"NOT_FOUND"`. `field` is the invalid
 * field of the request, `reason` the rule that rejected it (`"REVISION_CONFLICT"`), and `metadata`
 * that of the reason, if known.
 */
export class WeirError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.name = "WeirError";
    this.code = code;
    this.field = details.field;
    this.reason = details.reason;
    this.metadata = details.metadata ?? {};
  }

  /** The error for the trailers of a gRPC response; undefined for status OK. */
  static fromTrailers(trailers) {
    const code = Number(trailers["grpc-status"] ?? 2);
    if (code === 0) return undefined;
    const message = percentDecoded(trailers["grpc-message"] ?? "");
    const packed = trailers["grpc-status-details-bin"];
    const status = packed ? base64(packed) : EMPTY;
    const details = fields(status, 3).map((any) => {
      const [value = EMPTY] = fields(any, 2);
      return { type: text(fields(any, 1)).split("/").at(-1), value };
    });
    return new WeirError(NAMES[code] ?? "UNKNOWN", message, readDetails(details));
  }

  /** The error for the JSON of a Connect error; UNKNOWN with the text for other values. */
  static fromConnect(error, otherwise) {
    const name = error?.code === "canceled" ? "CANCELLED" : error?.code?.toUpperCase?.();
    if (!NAMES.includes(name)) return new WeirError("UNKNOWN", otherwise);
    const details = (error.details ?? []).map(({ type, value }) => ({ type, value: base64(value) }));
    return new WeirError(name, error.message ?? "", readDetails(details));
  }
}

const EMPTY = new Uint8Array(0);

/** The bytes of a text in base64; empty for other texts, which any backend can send. */
function base64(packed) {
  try {
    return Uint8Array.from(atob(packed.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  } catch {
    return EMPTY;
  }
}

/** The text of a `grpc-message`, in which a percent sign without two digits stands for itself. */
const percentDecoded = (message) => message.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) =>
  new TextDecoder().decode(Uint8Array.from(run.slice(1).split("%"), (digits) => parseInt(digits, 16))));

/** Field, reason and metadata of the details of a `google.rpc.Status`. */
function readDetails(details) {
  for (const { type, value } of details) {
    if (type === "google.rpc.BadRequest") {
      const [violation = EMPTY] = fields(value, 1);
      const [field] = fields(violation, 1);
      return { field: field && text([field]) };
    }
    if (type === "google.rpc.ErrorInfo") {
      const metadata = Object.fromEntries(
        fields(value, 3).map((entry) => [text(fields(entry, 1)), text(fields(entry, 2))]));
      return { field: metadata.field, reason: text(fields(value, 1)), metadata };
    }
  }
  return {};
}

const text = ([bytes]) => new TextDecoder().decode(bytes);

/** The values of a length-delimited field of a protobuf message, in order. */
function fields(bytes, wanted) {
  const found = [];
  let offset = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; offset < bytes.length; shift += 7) {
      const byte = bytes[offset++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (offset < bytes.length) {
    const tag = varint();
    switch (tag & 7) {
      case 0: varint(); break;
      case 1: offset += 8; break;
      case 5: offset += 4; break;
      case 2: {
        const length = varint();
        if (tag >> 3 === wanted) found.push(bytes.subarray(offset, offset + length));
        offset += length;
        break;
      }
      // The rest cannot be parsed.
      default: return found;
    }
  }
  return found;
}
