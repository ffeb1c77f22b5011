package weir;

import java.nio.charset.StandardCharsets;
import net.jpountz.xxhash.XXHash64;
import net.jpountz.xxhash.XXHashFactory;
import weir.admin.v1.Endpoint;

/**
 * Tells the backend of a shard key without asking Weir: intervals of the points [0, 2^64), each with one owner. The
 * point of a key is XXH64(key, XXH64(endpoint, 0)); {@code protos/vectors/affinity.json} has test vectors. Points are
 * unsigned.
 */
public final class AffinityMap {
  private static final XXHash64 HASH = XXHashFactory.fastestJavaInstance().hash64();

  /** Whose a shard key is: the backend, and the interval that holds the key's point. */
  public record Owner(String backend, long point, long first, long last) {}

  private final long seed;
  private final long[] starts;
  private final String[] owners;

  /** Takes what {@link WeirClient#getEndpoint} tells. */
  public AffinityMap(Endpoint endpoint) {
    starts = endpoint.getIntervalsList().stream().mapToLong(interval -> interval.getStart()).toArray();
    owners = endpoint.getIntervalsList().stream().map(interval -> interval.getBackend()).toArray(String[]::new);
    if (starts.length == 0 || starts[0] != 0) {
      throw new IllegalArgumentException("the intervals of an affinity map begin at 0");
    }
    seed = hash(endpoint.getName(), 0);
  }

  private static long hash(String text, long seed) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return HASH.hash(bytes, 0, bytes.length, seed);
  }

  /** Where a key lies. */
  public long point(String shardKey) {
    return hash(shardKey, seed);
  }

  /** The owner of a key. An empty key is no key, and no backend has it. */
  public Owner explain(String shardKey) {
    if (shardKey.isEmpty()) {
      throw new IllegalArgumentException("an empty shard key is no key: the weights decide by chance");
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
