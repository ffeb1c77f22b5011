package weir;

import io.grpc.ClientInterceptor;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;

/** The metadata that Weir reads and writes, for calls with existing stubs. */
public final class ShardKey {
  /** The shard key; Weir routes the same key to the same backend. */
  public static final Metadata.Key<String> HEADER = key("x-serve-shard-key");

  /** In trailers: the backend that answered. */
  public static final Metadata.Key<String> BACKEND = key("x-serve-backend");

  /** Marks a copy of a request. */
  public static final Metadata.Key<String> SHADOW = key("x-serve-shadow");

  static final Metadata.Key<String> ENDPOINT = key("x-serve-endpoint");

  private ShardKey() {}

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  /**
   * Sets the shard key of a stub's calls: {@code stub.withInterceptors(ShardKey.of("user-7"))}.
   *
   * @param key any printable ASCII text
   * @throws IllegalArgumentException for any other key
   */
  public static ClientInterceptor of(String key) {
    Metadata headers = new Metadata();
    headers.put(HEADER, checked(key));
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }

  static String checked(String key) {
    boolean printable = key.chars().allMatch(character -> character >= ' ' && character <= '~');
    if (key.isEmpty() || !printable || !key.equals(key.trim())) {
      throw new IllegalArgumentException(
          "invalid shard key '" + key + "': metadata allows only printable ASCII without spaces at the ends; "
              + "use its hash or base64");
    }
    return key;
  }
}
