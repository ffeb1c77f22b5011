import helloworld.GreeterGrpc;
import helloworld.Helloworld.HelloRequest;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import weir.ShardKey;
import weir.WeirClient;

/** Moves a share of the demo's users to greeter-v2, and back. Run it against {@code make run}. */
final class Canary {
  private Canary() {}

  /** Calls with an ordinary stub, and returns the number of users of each backend. */
  private static Map<String, Integer> count(WeirClient client) {
    Map<String, Integer> answered = new TreeMap<>(Map.of("greeter-v1", 0, "greeter-v2", 0));
    for (int user = 0; user < 200; user++) {
      AtomicReference<Metadata> trailers = new AtomicReference<>();
      GreeterGrpc.newBlockingStub(client.data())
          .withInterceptors(
              ShardKey.of("user-" + user),
              MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers))
          .sayHello(HelloRequest.newBuilder().setName("Ada").build());
      answered.merge(trailers.get().get(ShardKey.BACKEND), 1, Integer::sum);
    }
    return answered;
  }

  public static void main(String[] arguments) {
    try (WeirClient client = WeirClient.connect(arguments.length > 0 ? arguments[0] : "127.0.0.1:8001")) {
      for (double share : new double[] {0, 0.1, 0.5, 0}) {
        double moved =
            client.setTraffic("greeter", Map.of("greeter-v1", 1 - share, "greeter-v2", share)).getMovedShare();
        Map<String, Integer> answered = count(client);
        System.out.printf(
            "%3.0f %% canary, %2.0f %% of users moved: greeter-v1 %d, greeter-v2 %d%n",
            share * 100, moved * 100, answered.get("greeter-v1"), answered.get("greeter-v2"));
      }
    }
  }
}
