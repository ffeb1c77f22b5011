package weir;

import com.google.protobuf.ByteString;
import io.grpc.Channel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import weir.v1.CallRequest;
import weir.v1.CallResponse;
import weir.v1.ServeGrpc;

/** Calls one endpoint by its name, without a .proto. The {@code with...} methods return handles with other options. */
public final class Handle {
  /** The response of a backend. */
  public record Response(ByteString body, String contentType, int status, String backend) {
    /** The body as text. */
    public String text() {
      return body.toStringUtf8();
    }
  }

  private record Options(String shardKey, String methodName, String contentType, String query, Duration timeout) {}

  private final ServeGrpc.ServeBlockingStub stub;
  private final String endpoint;
  private final Options options;

  Handle(Channel channel, String endpoint) {
    this(ServeGrpc.newBlockingStub(channel), endpoint, new Options("", "", "application/json", "", null));
  }

  private Handle(ServeGrpc.ServeBlockingStub stub, String endpoint, Options options) {
    this.stub = stub;
    this.endpoint = endpoint;
    this.options = options;
  }

  private Handle with(String key, String method, String contentType, String query, Duration timeout) {
    return new Handle(stub, endpoint, new Options(key, method, contentType, query, timeout));
  }

  /** Sets the shard key; Weir routes the same key to the same backend. */
  public Handle withShardKey(String key) {
    return with(ShardKey.checked(key), options.methodName, options.contentType, options.query, options.timeout);
  }

  /** Sets the method of the backend's object. */
  public Handle withMethod(String name) {
    return with(options.shardKey, name, options.contentType, options.query, options.timeout);
  }

  /** Sets the media type of the body; the default is JSON. */
  public Handle withContentType(String type) {
    return with(options.shardKey, options.methodName, type, options.query, options.timeout);
  }

  /** Sets the URL-encoded query, which the backend receives like that of an HTTP request. */
  public Handle withQuery(String query) {
    return with(options.shardKey, options.methodName, options.contentType, query, options.timeout);
  }

  /** Sets the time until DEADLINE_EXCEEDED. */
  public Handle withTimeout(Duration timeout) {
    return with(options.shardKey, options.methodName, options.contentType, options.query, timeout);
  }

  /** Sends a body, which is JSON unless {@link #withContentType} names another type, and returns the response. */
  public Response call(String body) {
    return call(ByteString.copyFromUtf8(body));
  }

  /** Sends a body and returns the response. */
  public Response call(ByteString body) {
    Metadata headers = new Metadata();
    headers.put(ShardKey.ENDPOINT, endpoint);
    if (!options.shardKey.isEmpty()) {
      headers.put(ShardKey.HEADER, options.shardKey);
    }
    AtomicReference<Metadata> trailers = new AtomicReference<>(new Metadata());
    ServeGrpc.ServeBlockingStub caller =
        stub.withInterceptors(
            MetadataUtils.newAttachHeadersInterceptor(headers),
            MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers));
    if (options.timeout != null) {
      caller = caller.withDeadlineAfter(options.timeout.toNanos(), TimeUnit.NANOSECONDS);
    }
    CallRequest request =
        CallRequest.newBuilder()
            .setPayload(body)
            .setContentType(options.contentType)
            .setMethodName(options.methodName)
            .setQuery(options.query)
            .build();
    try {
      CallResponse reply = caller.call(request);
      String type = reply.getContentType().isEmpty() ? "application/json" : reply.getContentType();
      int status = reply.getHttpStatus() == 0 ? 200 : reply.getHttpStatus();
      return new Response(reply.getPayload(), type, status, trailers.get().get(ShardKey.BACKEND));
    } catch (StatusRuntimeException error) {
      throw new WeirException(error);
    }
  }
}
