package weir;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import helloworld.GreeterGrpc;
import helloworld.Helloworld.HelloRequest;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import weir.admin.v1.Backend;
import weir.admin.v1.BackendOptions;
import weir.admin.v1.BackendWeight;
import weir.admin.v1.ChangeAction;
import weir.admin.v1.ChangeNote;
import weir.admin.v1.Configuration;
import weir.admin.v1.CorsPolicy;
import weir.admin.v1.CreateBackendRequest;
import weir.admin.v1.CreateEndpointRequest;
import weir.admin.v1.Endpoint;
import weir.admin.v1.HttpShardKey;
import weir.admin.v1.Interval;
import weir.admin.v1.ListRevisionsRequest;
import weir.admin.v1.ObjectChange;
import weir.admin.v1.RateLimit;
import weir.admin.v1.Revision;
import weir.admin.v1.RolloutPhase;
import weir.admin.v1.RolloutPlan;
import weir.admin.v1.SetTrafficRequest;
import weir.admin.v1.SetTrafficResponse;
import weir.admin.v1.ShadowComparison;
import weir.admin.v1.ShadowOptions;
import weir.admin.v1.ShadowTrafficRequest;
import weir.admin.v1.UpstreamKind;
import weir.v1.CallRequest;

/**
 * Tests the client against the server at WEIR_ADMIN. The server has backends dynamic and dynamic-2,
 * which return the request of a dynamic call unchanged, and an endpoint greeter on
 * /helloworld.Greeter/ that splits its traffic evenly between typed and typed-2. WEIR_VECTORS is
 * the folder protos/vectors. WEIR_GUARDED requires WEIR_TOKEN, and has an endpoint recorded.
 */
final class SmokeTest {
  private static final Map<String, Double> HALF = Map.of("dynamic", 0.5, "dynamic-2", 0.5);
  private static int passed;

  private SmokeTest() {}

  private static void check(boolean condition, Object seen) {
    if (!condition) {
      throw new AssertionError("check failed: " + seen);
    }
    passed++;
  }

  private static WeirException refused(Status.Code code, String field, Runnable call) {
    try {
      call.run();
    } catch (WeirException error) {
      check(error.code() == code && error.field().orElse("").equals(field), error);
      check(!error.getMessage().isEmpty(), error);
      return error;
    }
    throw new AssertionError("expected an error");
  }

  private static void administration(WeirClient client) {
    check(client.createBackend("java-upstream", List.of("127.0.0.1:1")).getUpstream().getAddressesCount() == 1, "");
    refused(
        Status.Code.ALREADY_EXISTS, "backend.name",
        () -> client.createBackend("java-upstream", List.of("127.0.0.1:1")));
    client.deleteBackend("java-upstream");
    check(client.listBackends().stream().noneMatch(backend -> backend.getName().equals("java-upstream")), "");
    refused(Status.Code.NOT_FOUND, "", () -> client.deleteBackend("java-upstream"));
    refused(Status.Code.INVALID_ARGUMENT, "route", () -> client.createEndpoint("bad", "no route", "dynamic"));
    client.createEndpoint("java", "/java", "dynamic");
    check(client.listEndpoints().stream().anyMatch(endpoint -> endpoint.getRoute().equals("/java")), "");
    WeirException error =
        refused(Status.Code.INVALID_ARGUMENT, "weights", () -> client.setTraffic("java", Map.of("dynamic", 0.9)));
    check(error.getMessage().contains("sum to 1"), error);
    check(client.setTraffic("java", HALF, ChangeOptions.onlyValidate()).getMovedShare() == 0.5, "");
    long before = client.history(1).get(0).getRevision();
    error = refused(Status.Code.ABORTED, "", () -> client.setTraffic("java", HALF, ChangeOptions.expecting(0)));
    check(error.reason().orElse("").equals("REVISION_CONFLICT"), error);
    check(error.metadata().get("current_revision").equals(Long.toString(before)), error.metadata());
    client.setTraffic("java", HALF, ChangeOptions.comment("from Java"));
    check(client.history(1).get(0).getComment().equals("from Java"), "");
    check(client.history(1).get(0).getAuthor().contains("@"), "");
    check(client.shadowTraffic("java", "dynamic-2", 1).getShadows(0).getProportion() == 1, "");
    check(client.shadowReport("java").size() == 1, "");
    check(client.shadowTraffic("java", "dynamic-2", 0).getShadowsCount() == 0, "");
    check(client.rollback(before, "java").getChanges(0).getMovedShare() == 0.5, "");
    client.setTraffic("java", HALF);
  }

  private static void handles(WeirClient client) throws IOException {
    AffinityMap affinity = new AffinityMap(client.getEndpoint("java"));
    Handle handle = client.handle("java").withMethod("other").withQuery("x-a=b").withTimeout(Duration.ofSeconds(10));
    Set<String> seen = new HashSet<>();
    for (int number = 0; number < 40; number++) {
      String key = "user-" + number;
      Handle.Response response = handle.withShardKey(key).call("{\"n\":1}");
      AffinityMap.Owner owner = affinity.explain(key);
      check(response.backend().equals(owner.backend()), response);
      check(client.explain("java", key).getBackend().equals(owner.backend()), owner);
      check(client.explain("java", key).getPoint() == owner.point(), owner);
      CallRequest request = CallRequest.parseFrom(response.body());
      check(request.getPayload().toStringUtf8().equals("{\"n\":1}") && request.getMethodName().equals("other"), request);
      seen.add(owner.backend());
    }
    check(seen.size() == 2, seen);
    long requests =
        client.stats("java").getBackendsList().stream()
            .filter(backend -> !backend.getShadow())
            .mapToLong(backend -> backend.getRequests())
            .sum();
    check(requests == 40, requests);
    check(handle.withQuery("type=text/plain&bytes=3").call("").text().equals("xxx"), "");
    refused(Status.Code.NOT_FOUND, "", () -> client.handle("none").call(""));
    refused(
        Status.Code.DEADLINE_EXCEEDED, "",
        () -> handle.withQuery("wait").withTimeout(Duration.ofMillis(100)).call(""));
  }

  private static void stubs(WeirClient client) {
    AffinityMap affinity = new AffinityMap(client.getEndpoint("greeter"));
    for (int number = 0; number < 20; number++) {
      String key = "user-" + number;
      AtomicReference<Metadata> trailers = new AtomicReference<>();
      String message =
          GreeterGrpc.newBlockingStub(client.data())
              .withInterceptors(
                  ShardKey.of(key), MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers))
              .sayHello(HelloRequest.newBuilder().setName(key).build())
              .getMessage();
      check(message.equals(key), message);
      check(trailers.get().get(ShardKey.BACKEND).equals(affinity.explain(key).backend()), trailers);
    }
  }

  private static void rejected(Runnable call, String key) {
    try {
      call.run();
    } catch (IllegalArgumentException expected) {
      passed++;
      return;
    }
    throw new AssertionError("an invalid value was accepted: " + key);
  }

  private static void shardKeys(WeirClient client, Path path) throws IOException {
    AffinityMap affinity = new AffinityMap(client.getEndpoint("java"));
    Handle handle = client.handle("java");
    JsonObject keys = JsonParser.parseString(Files.readString(path)).getAsJsonObject();
    for (JsonElement element : keys.getAsJsonArray("valid")) {
      String key = element.getAsString();
      Handle.Response response = handle.withShardKey(key).call("{}");
      check(response.backend().equals(affinity.explain(key).backend()), key);
    }
    for (JsonElement element : keys.getAsJsonArray("invalid")) {
      String key = element.getAsString();
      rejected(() -> ShardKey.of(key), key);
      rejected(() -> handle.withShardKey(key), key);
    }
  }

  private static void misuse(WeirClient client) {
    WeirException error = refused(Status.Code.UNIMPLEMENTED, "", () -> WeirClient.connect(client.dataAddress()));
    check(error.getMessage().contains("it may be a data port"), error);
    error = refused(Status.Code.UNAVAILABLE, "", () -> WeirClient.connect("127.0.0.1:1"));
    check(error.getMessage().contains("weir serve"), error);
    rejected(() -> WeirClient.connect("http://127.0.0.1:8001"), "an address");
  }

  private static WeirClient connect(String address, ClientInterceptor... interceptors) {
    return WeirClient.connect(
        address,
        "",
        target -> ManagedChannelBuilder.forTarget(target).usePlaintext().intercept(interceptors).build(),
        target -> ManagedChannelBuilder.forTarget(target).usePlaintext().build());
  }

  private static void tokens(String guarded) {
    refused(Status.Code.UNAUTHENTICATED, "", () -> connect(guarded));
    refused(Status.Code.UNAUTHENTICATED, "", () -> connect(guarded, WeirClient.token("wrong")));
    try (WeirClient client = connect(guarded, WeirClient.token(System.getenv("WEIR_TOKEN")))) {
      check(client.listBackends().size() == 1, "");
      check(client.handle("recorded").withShardKey("token-test").call("{}").backend().equals("recorder"), "");
      GreeterGrpc.newBlockingStub(client.data())
          .withInterceptors(ShardKey.of("token-test"))
          .sayHello(HelloRequest.getDefaultInstance());
    }
  }

  private static void vectors(Path path) throws IOException {
    int checked = 0;
    JsonObject vectors = JsonParser.parseString(Files.readString(path)).getAsJsonObject();
    for (JsonElement element : vectors.getAsJsonArray("cases")) {
      JsonObject set = element.getAsJsonObject();
      Endpoint.Builder endpoint = Endpoint.newBuilder().setName(set.get("endpoint").getAsString());
      for (JsonElement part : set.getAsJsonArray("intervals")) {
        JsonObject interval = part.getAsJsonObject();
        endpoint.addIntervals(
            Interval.newBuilder()
                .setStart(Long.parseUnsignedLong(interval.get("start").getAsString()))
                .setBackend(interval.get("backend").getAsString()));
      }
      AffinityMap affinity = new AffinityMap(endpoint.build());
      for (JsonElement part : set.getAsJsonArray("choices")) {
        JsonObject choice = part.getAsJsonObject();
        String key = choice.get("key").getAsString();
        check(Long.toUnsignedString(affinity.point(key)).equals(choice.get("point").getAsString()), choice);
        if (!key.isEmpty()) {
          check(affinity.explain(key).backend().equals(choice.get("backend").getAsString()), choice);
          checked++;
        }
      }
    }
    check(checked > 20, checked);
  }

  private static void limitsAndComparison(WeirClient client) {
    RateLimit limit = RateLimit.newBuilder().setRequestsPerSecond(100).setBurst(5).build();
    check(client.setRateLimit("java", Optional.of(limit)).getRateLimit().equals(limit), "");
    refused(
        Status.Code.INVALID_ARGUMENT, "rate_limit.requests_per_second",
        () -> client.setRateLimit("java", Optional.of(limit.toBuilder().setRequestsPerSecond(-1).build())));
    check(!client.setRateLimit("java", Optional.empty()).hasRateLimit(), "");
    ShadowComparison comparison = ShadowComparison.newBuilder().addIgnoredFields("time").build();
    check(client.setShadowComparison("java", comparison).getComparison().getIgnoredFields(0).equals("time"), "");
    client.shadowTraffic("java", "dynamic-2", 0.5);
    client.resetShadowReport("java", "dynamic-2");
    refused(Status.Code.NOT_FOUND, "", () -> client.resetShadowReport("java", "dynamic"));
  }

  private static void allFields(WeirClient client) {
    Backend backend =
        Backend.newBuilder()
            .setName("java-all")
            .setUpstream(UpstreamKind.newBuilder().addAddresses("127.0.0.1:1"))
            .setOptions(BackendOptions.newBuilder().setMaxRequestsInFlight(7))
            .build();
    Backend created = client.createBackend(CreateBackendRequest.newBuilder().setBackend(backend).build());
    check(created.getOptions().getMaxRequestsInFlight() == 7, created);
    client.deleteBackend("java-all");
    Endpoint made =
        client.createEndpoint(
            CreateEndpointRequest.newBuilder()
                .setName("java-all")
                .setRoute("/java-all")
                .setBackend("dynamic")
                .addMethods("GET")
                .setCors(CorsPolicy.newBuilder().addOrigins("*"))
                .setHttpShardKey(HttpShardKey.newBuilder().setCookie("user"))
                .setNote(ChangeNote.newBuilder().setComment("all"))
                .build());
    check(made.getMethods(0).equals("GET") && made.getCors().getOrigins(0).equals("*"), made);
    check(made.getHttpShardKey().getCookie().equals("user"), made);
    SetTrafficResponse boxed =
        client.setTraffic(
            SetTrafficRequest.newBuilder()
                .setEndpoint("java-all")
                .addWeights(BackendWeight.newBuilder().setBackend("dynamic-2").setWeight(1))
                .setConfirmWithin(com.google.protobuf.Duration.newBuilder().setSeconds(3600))
                .setNote(ChangeNote.newBuilder().setAuthor("ada"))
                .build());
    check(boxed.getEndpoint().getTimeBox().getConfirmable(), boxed);
    Endpoint shadow =
        client.shadowTraffic(
            ShadowTrafficRequest.newBuilder()
                .setEndpoint("java-all")
                .setBackend("dynamic")
                .setProportion(1)
                .setOptions(ShadowOptions.newBuilder().setIncludeOwn(true))
                .build());
    check(shadow.getShadows(0).getOptions().getIncludeOwn(), shadow);
    List<Revision> changes =
        client.history(
            ListRevisionsRequest.newBuilder()
                .setEndpoint("java-all")
                .setBeforeRevision(boxed.getRevision() + 1)
                .setLimit(2)
                .build());
    check(changes.size() == 2 && changes.get(0).getAuthor().equals("ada"), changes);
    check(changes.get(1).getComment().equals("all") && !changes.get(1).getAuthor().isEmpty(), changes);
    client.deleteEndpoint("java-all");
  }

  private static void wholeState(WeirClient client) {
    Configuration state = client.export(0);
    check(client.apply(state).getChangesCount() == 0, state);
    Configuration.Builder moved = state.toBuilder();
    moved.getEndpointsBuilderList().stream()
        .filter(endpoint -> endpoint.getName().equals("java"))
        .forEach(endpoint -> endpoint.setRoute("/java-moved"));
    List<ObjectChange> changes = client.apply(moved.build(), ChangeOptions.onlyValidate()).getChangesList();
    check(changes.size() == 1 && changes.get(0).getName().equals("java"), changes);
    Configuration.Builder others = state.toBuilder().clearEndpoints();
    state.getEndpointsList().stream()
        .filter(endpoint -> !endpoint.getName().equals("java"))
        .forEach(others::addEndpoints);
    WeirException error =
        refused(Status.Code.FAILED_PRECONDITION, "", () -> client.apply(others.build()));
    check(error.getMessage().contains("name endpoint 'java';"), error);
    check(client.apply(moved.build()).getChangesCount() == 1, "");
    ObjectChange removed = client.apply(others.build(), ChangeOptions.NONE.pruning()).getChanges(0);
    check(removed.getAction() == ChangeAction.CHANGE_ACTION_REMOVE, removed);
    refused(Status.Code.ABORTED, "", () -> client.apply(state, ChangeOptions.expecting(1)));
    check(client.apply(state).getChangesCount() == 1, "");
  }

  private static void rollouts(WeirClient client) {
    client.setTraffic("java", Map.of("dynamic", 1.0));
    RolloutPlan plan =
        RolloutPlan.newBuilder()
            .setCandidate("dynamic-2")
            .addSteps("10%")
            .addSteps("50%")
            .setMinimum(com.google.protobuf.Duration.newBuilder().setSeconds(3600))
            .build();
    check(client.startRollout("java", plan, ChangeOptions.onlyValidate()).getPreviewCount() == 3, plan);
    check(client.startRollout("java", plan).getRollout().getPlan().getStepsCount() == 3, plan);
    refused(Status.Code.FAILED_PRECONDITION, "", () -> client.setTraffic("java", HALF));
    check(client.pauseRollout("java").getPause().equals("operator"), "");
    check(client.resumeRollout("java").getPause().isEmpty(), "");
    check(client.advanceRollout("java").getStep() == 1, "");
    check(client.listRollouts().get(0).getEndpoint().equals("java"), "");
    client.watchRollout("java", rollout -> rollout.getStep() != 1);
    client.abortRollout("java", Abort.IMMEDIATE);
    client.watchRollout(
        "java",
        rollout -> {
          check(rollout.getPhase() == RolloutPhase.ROLLOUT_PHASE_ABORTED, rollout);
          return true;
        });
    check(client.getRollout("java").getPhase() == RolloutPhase.ROLLOUT_PHASE_ABORTED, "");
    client.startRollout("java", plan);
    check(client.promoteRollout("java").getPhase() == RolloutPhase.ROLLOUT_PHASE_SUCCEEDED, "");
    client.setTraffic("java", Map.of("dynamic", 1.0));
    client.startRollout("java", plan);
    client.abortRollout("java", Abort.KEEP_WEIGHTS);
    check(client.getEndpoint("java").getWeightsCount() == 2, "");
    refused(Status.Code.NOT_FOUND, "", () -> client.watchRollout("none", rollout -> true));
  }

  public static void main(String[] arguments) throws IOException {
    try (WeirClient client = WeirClient.connect(System.getenv("WEIR_ADMIN"))) {
      administration(client);
      handles(client);
      shardKeys(client, Path.of(System.getenv("WEIR_VECTORS"), "shard_keys.json"));
      stubs(client);
      limitsAndComparison(client);
      allFields(client);
      misuse(client);
      wholeState(client);
      rollouts(client);
      client.deleteEndpoint("java");
    }
    vectors(Path.of(System.getenv("WEIR_VECTORS"), "affinity.json"));
    if (System.getenv("WEIR_GUARDED") != null) {
      tokens(System.getenv("WEIR_GUARDED"));
    }
    System.out.println(passed + " passed");
  }
}
