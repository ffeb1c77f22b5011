package weir;

import java.nio.charset.StandardCharsets;
import net.jpountz.xxhash.XXHash64;
import net.jpountz.xxhash.XXHashFactory;
import weir.admin.v1.Endpoint;

/**
 * Computes the backend of a shard key locally, from intervals of the points [0, 2^64), each with
 * one owner. The point of a key is XXH64(key, XXH64(endpoint, 0)); {@code
 * protos/vectors/affinity.json} has test vectors. Points are unsigned.
 */
public final class AffinityMap {
  private static final XXHash64 HASH = XXHashFactory.fastestJavaInstance().hash64();

  /** The owner of a shard key: the backend, and the interval that contains the key's point. */
  public record Owner(String backend, long point, long first, long last) {}

  private final long seed;
  private final long[] starts;
  private final String[] owners;

  /** Creates a map from the result of {@link WeirClient#getEndpoint}. */
  public AffinityMap(Endpoint endpoint) {
    starts = endpoint.getIntervalsList().stream().mapToLong(interval -> interval.getStart()).toArray();
    owners = endpoint.getIntervalsList().stream().map(interval -> interval.getBackend()).toArray(String[]::new);
    if (starts.length == 0 || starts[0] != 0) {
      throw new IllegalArgumentException("the intervals of an affinity map must begin at 0");
    }
    seed = hash(endpoint.getName(), 0);
  }

  private static long hash(String text, long seed) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return HASH.hash(bytes, 0, bytes.length, seed);
  }

  /** The point of a key. */
  public long point(String shardKey) {
    return hash(shardKey, seed);
  }

  /** The owner of a key. An empty key counts as no key, and is an error. */
  public Owner explain(String shardKey) {
    if (shardKey.isEmpty()) {
      throw new IllegalArgumentException("the shard key is empty; without a key, Weir selects the backend at random");
    }
    long point = point(shardKey);
    int low = 0;
    int high = starts.length;
    while (high - low > 1) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(starts[middle], point) <= 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return new Owner(owners[low], point, starts[low], high < starts.length ? starts[high] - 1 : -1L);
  }
}
