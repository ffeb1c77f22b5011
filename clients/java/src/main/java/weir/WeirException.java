package weir;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import google.rpc.ErrorDetails;
import google.rpc.StatusOuterClass;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Map;
import java.util.Optional;

/** The error of a failed call, with Weir's message. */
public final class WeirException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private final Status.Code code;
  private String field = "";
  private String reason = "";
  private transient Map<String, String> metadata = Map.of();

  WeirException(StatusRuntimeException error) {
    super(error.getStatus().getDescription(), error);
    code = error.getStatus().getCode();
    byte[] packed = error.getTrailers() == null ? null : error.getTrailers().get(DETAILS);
    if (packed == null) {
      return;
    }
    try {
      for (Any detail : StatusOuterClass.Status.parseFrom(packed).getDetailsList()) {
        read(detail);
      }
    } catch (InvalidProtocolBufferException unreadable) {
      addSuppressed(unreadable);
    }
  }

  private void read(Any detail) throws InvalidProtocolBufferException {
    if (detail.is(ErrorDetails.BadRequest.class)) {
      ErrorDetails.BadRequest bad = detail.unpack(ErrorDetails.BadRequest.class);
      if (bad.getFieldViolationsCount() > 0) {
        field = bad.getFieldViolations(0).getField();
      }
    } else if (detail.is(ErrorDetails.ErrorInfo.class)) {
      ErrorDetails.ErrorInfo info = detail.unpack(ErrorDetails.ErrorInfo.class);
      reason = info.getReason();
      metadata = Map.copyOf(info.getMetadataMap());
      field = metadata.getOrDefault("field", "");
    }
  }

  public Status.Code code() {
    return code;
  }

  /** The invalid field of the request, if known. */
  public Optional<String> field() {
    return field.isEmpty() ? Optional.empty() : Optional.of(field);
  }

  /** The rule that rejected the request ("REVISION_CONFLICT", ...), if known. */
  public Optional<String> reason() {
    return reason.isEmpty() ? Optional.empty() : Optional.of(reason);
  }

  /** The metadata of the reason. */
  public Map<String, String> metadata() {
    return metadata == null ? Map.of() : metadata;
  }
}
