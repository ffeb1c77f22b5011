package weir;

import io.grpc.ClientInterceptor;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;

/** The metadata that Weir reads and writes, for calls with stubs that you already have. */
public final class ShardKey {
  /** The same key reaches the same backend. */
  public static final Metadata.Key<String> HEADER = key("x-serve-shard-key");

  /** In trailers: who has answered. */
  public static final Metadata.Key<String> BACKEND = key("x-serve-backend");

  /** Marks a copy of a request. */
  public static final Metadata.Key<String> SHADOW = key("x-serve-shadow");

  static final Metadata.Key<String> ENDPOINT = key("x-serve-endpoint");

  private ShardKey() {}

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  /**
   * Gives the calls of a stub a shard key: {@code stub.withInterceptors(ShardKey.of("user-7"))}.
   *
   * @param key any printable ASCII text
   * @throws IllegalArgumentException for any other
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
          "shard key '" + key + "' can't be sent: metadata takes printable ASCII without spaces at the ends; "
              + "send its hash or base64");
    }
    return key;
  }
}
