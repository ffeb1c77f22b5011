package weir;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Message;
import io.grpc.Channel;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import weir.admin.v1.AbortRolloutRequest;
import weir.admin.v1.AdminGrpc;
import weir.admin.v1.AdvanceRolloutRequest;
import weir.admin.v1.ApplyRequest;
import weir.admin.v1.ApplyResponse;
import weir.admin.v1.Backend;
import weir.admin.v1.BackendWeight;
import weir.admin.v1.ChangeAction;
import weir.admin.v1.ChangeNote;
import weir.admin.v1.Configuration;
import weir.admin.v1.CreateBackendRequest;
import weir.admin.v1.CreateEndpointRequest;
import weir.admin.v1.DeleteBackendRequest;
import weir.admin.v1.DeleteEndpointRequest;
import weir.admin.v1.Endpoint;
import weir.admin.v1.ExplainRouteRequest;
import weir.admin.v1.ExplainRouteResponse;
import weir.admin.v1.GetEndpointRequest;
import weir.admin.v1.GetRevisionRequest;
import weir.admin.v1.GetRolloutRequest;
import weir.admin.v1.GetShadowReportRequest;
import weir.admin.v1.GetStatsRequest;
import weir.admin.v1.Instance;
import weir.admin.v1.ListBackendsRequest;
import weir.admin.v1.ListEndpointsRequest;
import weir.admin.v1.ListInstancesRequest;
import weir.admin.v1.ListRevisionsRequest;
import weir.admin.v1.ListRolloutsRequest;
import weir.admin.v1.PauseRolloutRequest;
import weir.admin.v1.PromoteRolloutRequest;
import weir.admin.v1.RateLimit;
import weir.admin.v1.ResetShadowReportRequest;
import weir.admin.v1.ResumeRolloutRequest;
import weir.admin.v1.Revision;
import weir.admin.v1.RollbackRequest;
import weir.admin.v1.RollbackResponse;
import weir.admin.v1.Rollout;
import weir.admin.v1.RolloutPlan;
import weir.admin.v1.SetRateLimitRequest;
import weir.admin.v1.SetShadowComparisonRequest;
import weir.admin.v1.SetTrafficRequest;
import weir.admin.v1.SetTrafficResponse;
import weir.admin.v1.ShadowComparison;
import weir.admin.v1.ShadowReport;
import weir.admin.v1.ShadowTrafficRequest;
import weir.admin.v1.StartRolloutRequest;
import weir.admin.v1.StartRolloutResponse;
import weir.admin.v1.Stats;
import weir.admin.v1.UpstreamKind;
import weir.admin.v1.WatchRolloutRequest;

/**
 * A client of a running Weir: changes and reads its routing, and calls its endpoints. Thread-safe.
 * Calls return the messages of {@code protos/weir/admin/v1/admin.proto}, and throw {@link
 * WeirException}.
 *
 * <pre>{@code
 * try (WeirClient client = WeirClient.connect("127.0.0.1:8001")) {
 *   client.createBackend("model-v2", List.of("10.0.0.8:50051"));
 *   client.setTraffic("model", Map.of("model-v1", 0.9, "model-v2", 0.1));
 * }
 * }</pre>
 */
public final class WeirClient implements AutoCloseable {
  private static final long ADMIN_TIMEOUT_SECONDS = 10;

  private final ManagedChannel admin;
  private final ManagedChannel data;
  private final String dataAddress;
  private final String author;

  private WeirClient(ManagedChannel admin, String dataAddress, String author, Function<String, ManagedChannel> open) {
    this.admin = admin;
    this.dataAddress = dataAddress;
    this.author = author;
    data = open.apply(dataAddress);
  }

  /** Connects to the admin port at host:port. */
  public static WeirClient connect(String address) {
    return connect(address, thisUser(), target -> ManagedChannelBuilder.forTarget(target).usePlaintext().build());
  }

  /**
   * Connects with channels that the caller creates. Do not send a token with both: use {@link
   * #connect(String, String, Function, Function)}.
   *
   * @param author the author of changes in the history
   * @param open creates a channel to an address
   */
  public static WeirClient connect(String address, String author, Function<String, ManagedChannel> open) {
    return connect(address, author, open, open);
  }

  /**
   * Connects with different channels to the two ports. A token belongs to the admin port only, because
   * Weir forwards the metadata of calls to the data port to backends:
   *
   * <pre>{@code
   * target -> ManagedChannelBuilder.forTarget(target).intercept(WeirClient.token("...")).build()
   * }</pre>
   *
   * @param author the author of changes in the history
   * @param openAdmin creates a channel to the admin port
   * @param openData creates a channel to the data port
   */
  public static WeirClient connect(
      String address,
      String author,
      Function<String, ManagedChannel> openAdmin,
      Function<String, ManagedChannel> openData) {
    if (address.startsWith("http://") || address.startsWith("https://")) {
      throw new IllegalArgumentException(
          "invalid address " + address + ": use host:port, for example 127.0.0.1:8001");
    }
    ManagedChannel admin = openAdmin.apply(address);
    try {
      return new WeirClient(admin, learnDataAddress(admin, address), author, openData);
    } catch (RuntimeException error) {
      admin.shutdownNow();
      throw error;
    }
  }

  /**
   * Sends a token with each call of a channel.
   *
   * @throws IllegalArgumentException if the token is not printable ASCII without spaces
   */
  public static ClientInterceptor token(String token) {
    if (token.isEmpty() || !token.chars().allMatch(character -> character > ' ' && character <= '~')) {
      throw new IllegalArgumentException("invalid token: it must be printable ASCII without spaces");
    }
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }

  private static String thisUser() {
    String host = "unknown";
    try {
      host = InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException nameless) {
      // Some machines have no resolvable name.
    }
    return System.getProperty("user.name") + "@" + host;
  }

  /** The data address of the server, as reachable from here. */
  private static String learnDataAddress(Channel admin, String address) {
    ListInstancesRequest request = ListInstancesRequest.getDefaultInstance();
    String told =
        explaining(address, () -> stub(admin).listInstances(request)).getInstancesList().stream()
            .filter(Instance::getAnswering)
            .map(Instance::getDataAddress)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("the server does not report its data address"));
    int colon = told.lastIndexOf(':');
    String host = told.substring(0, colon);
    // The server listens on all addresses, so the admin port's host also works.
    boolean everywhere = host.equals("0.0.0.0") || host.equals("[::]");
    return (everywhere ? address.substring(0, address.lastIndexOf(':')) : host) + told.substring(colon);
  }

  /** The first call, whose error says what to do. */
  private static <T> T explaining(String address, Supplier<T> call) {
    try {
      return call.get();
    } catch (StatusRuntimeException error) {
      Status status = error.getStatus();
      String text = status.getDescription();
      if (status.getCode() == Status.Code.UNIMPLEMENTED) {
        text =
            address + " is not an admin port; it may be a data port. Connect to the admin port, by default port 8001 ("
                + text + ")";
      } else if (status.getCode() == Status.Code.UNAVAILABLE) {
        text = "no Weir is reachable at the admin address " + address + ": " + text + ". Start one with 'weir serve'";
      }
      throw new WeirException(status.withDescription(text).asRuntimeException(error.getTrailers()));
    }
  }

  private static AdminGrpc.AdminBlockingStub stub(Channel channel) {
    return AdminGrpc.newBlockingStub(channel).withDeadlineAfter(ADMIN_TIMEOUT_SECONDS, TimeUnit.SECONDS);
  }

  private static <T> T translating(Supplier<T> call) {
    try {
      return call.get();
    } catch (StatusRuntimeException error) {
      throw new WeirException(error);
    }
  }

  private <T> T ask(Function<AdminGrpc.AdminBlockingStub, T> call) {
    return translating(() -> call.apply(stub(admin)));
  }

  /** Sets the fields that the requests of all changes have. */
  private void fill(Message.Builder request, ChangeOptions options) {
    Descriptor type = request.getDescriptorForType();
    request.setField(type.findFieldByName("validate_only"), options.validateOnly());
    request.setField(
        type.findFieldByName("note"),
        ChangeNote.newBuilder().setAuthor(author).setComment(options.comment()).build());
    options
        .expectedRevision()
        .ifPresent(revision -> request.setField(type.findFieldByName("expected_revision"), revision));
  }

  /** A note with the author of this client, unless it has one. */
  private ChangeNote signed(ChangeNote note) {
    return note.getAuthor().isEmpty() ? note.toBuilder().setAuthor(author).build() : note;
  }

  /** The connection to the admin port, for RPCs without a method here. */
  public Channel admin() {
    return admin;
  }

  /** The connection to the data port, for existing stubs. */
  public Channel data() {
    return data;
  }

  /** The data address of the server. */
  public String dataAddress() {
    return dataAddress;
  }

  /** Adds an upstream backend: gRPC servers that Weir does not start. */
  public Backend createBackend(String name, List<String> addresses) {
    return createBackend(name, addresses, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Backend createBackend(String name, List<String> addresses, ChangeOptions options) {
    UpstreamKind upstream = UpstreamKind.newBuilder().addAllAddresses(addresses).build();
    CreateBackendRequest.Builder request =
        CreateBackendRequest.newBuilder()
            .setBackend(Backend.newBuilder().setName(name).setUpstream(upstream));
    fill(request, options);
    return ask(admin -> admin.createBackend(request.build()));
  }

  /** The same with all fields of the request: workers, TLS and options. */
  public Backend createBackend(CreateBackendRequest request) {
    ChangeNote note = signed(request.getNote());
    return ask(admin -> admin.createBackend(request.toBuilder().setNote(note).build()));
  }

  /** Deletes a backend. Throws FAILED_PRECONDITION while a traffic policy or shadow uses it. */
  public void deleteBackend(String name) {
    deleteBackend(name, ChangeOptions.NONE);
  }

  /** The same with options. */
  public void deleteBackend(String name, ChangeOptions options) {
    DeleteBackendRequest.Builder request = DeleteBackendRequest.newBuilder().setName(name);
    fill(request, options);
    ask(admin -> admin.deleteBackend(request.build()));
  }

  /** Returns all backends, sorted by name. */
  public List<Backend> listBackends() {
    return ask(admin -> admin.listBackends(ListBackendsRequest.getDefaultInstance())).getBackendsList();
  }

  /** Adds an endpoint that routes all requests to one backend. With an empty route, clients call it only by name. */
  public Endpoint createEndpoint(String name, String route, String backend) {
    return createEndpoint(name, route, backend, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Endpoint createEndpoint(String name, String route, String backend, ChangeOptions options) {
    CreateEndpointRequest.Builder request =
        CreateEndpointRequest.newBuilder()
            .setName(name)
            .setRoute(route)
            .setBackend(backend);
    fill(request, options);
    return ask(admin -> admin.createEndpoint(request.build()));
  }

  /** The same with all fields of the request: methods, CORS and the place of the shard key in HTTP. */
  public Endpoint createEndpoint(CreateEndpointRequest request) {
    ChangeNote note = signed(request.getNote());
    return ask(admin -> admin.createEndpoint(request.toBuilder().setNote(note).build()));
  }

  /** Deletes an endpoint, but not its backends. */
  public void deleteEndpoint(String name) {
    deleteEndpoint(name, ChangeOptions.NONE);
  }

  /** The same with options. */
  public void deleteEndpoint(String name, ChangeOptions options) {
    DeleteEndpointRequest.Builder request = DeleteEndpointRequest.newBuilder().setName(name);
    fill(request, options);
    ask(admin -> admin.deleteEndpoint(request.build()));
  }

  /** Returns one endpoint, with the intervals for {@link AffinityMap}. */
  public Endpoint getEndpoint(String name) {
    return ask(admin -> admin.getEndpoint(GetEndpointRequest.newBuilder().setName(name).build()));
  }

  /** Returns all endpoints, sorted by name. */
  public List<Endpoint> listEndpoints() {
    return ask(admin -> admin.listEndpoints(ListEndpointsRequest.getDefaultInstance())).getEndpointsList();
  }

  /** Replaces the weights of an endpoint atomically. They must sum to 1. */
  public SetTrafficResponse setTraffic(String endpoint, Map<String, Double> traffic) {
    return setTraffic(endpoint, traffic, ChangeOptions.NONE);
  }

  /** The same with options. */
  public SetTrafficResponse setTraffic(String endpoint, Map<String, Double> traffic, ChangeOptions options) {
    SetTrafficRequest.Builder request = SetTrafficRequest.newBuilder().setEndpoint(endpoint);
    new TreeMap<>(traffic)
        .forEach(
            (backend, weight) ->
                request.addWeights(BackendWeight.newBuilder().setBackend(backend).setWeight(weight)));
    fill(request, options);
    return ask(admin -> admin.setTraffic(request.build()));
  }

  /** The same with all fields of the request: weights that revert, and overrides of rollouts and freezes. */
  public SetTrafficResponse setTraffic(SetTrafficRequest request) {
    ChangeNote note = signed(request.getNote());
    return ask(admin -> admin.setTraffic(request.toBuilder().setNote(note).build()));
  }

  /** Copies a share of an endpoint's requests to a backend; 0 removes the shadow. */
  public Endpoint shadowTraffic(String endpoint, String backend, double proportion) {
    return shadowTraffic(endpoint, backend, proportion, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Endpoint shadowTraffic(String endpoint, String backend, double proportion, ChangeOptions options) {
    ShadowTrafficRequest.Builder request =
        ShadowTrafficRequest.newBuilder()
            .setEndpoint(endpoint)
            .setBackend(backend)
            .setProportion(proportion);
    fill(request, options);
    return ask(admin -> admin.shadowTraffic(request.build()));
  }

  /** The same with all fields of the request: options. */
  public Endpoint shadowTraffic(ShadowTrafficRequest request) {
    ChangeNote note = signed(request.getNote());
    return ask(admin -> admin.shadowTraffic(request.toBuilder().setNote(note).build()));
  }

  /** Returns the reports of an endpoint's shadows. */
  public List<ShadowReport> shadowReport(String endpoint) {
    GetShadowReportRequest request = GetShadowReportRequest.newBuilder().setEndpoint(endpoint).build();
    return ask(admin -> admin.getShadowReport(request)).getReportsList();
  }

  /** Resets the reports of an endpoint's shadows, or of one of them if the backend is not empty. */
  public void resetShadowReport(String endpoint, String backend) {
    ResetShadowReportRequest request =
        ResetShadowReportRequest.newBuilder().setEndpoint(endpoint).setBackend(backend).build();
    ask(admin -> admin.resetShadowReport(request));
  }

  /** Replaces the rules that compare the responses of an endpoint's shadows. */
  public Endpoint setShadowComparison(String endpoint, ShadowComparison comparison) {
    return setShadowComparison(endpoint, comparison, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Endpoint setShadowComparison(String endpoint, ShadowComparison comparison, ChangeOptions options) {
    SetShadowComparisonRequest.Builder request =
        SetShadowComparisonRequest.newBuilder()
            .setEndpoint(endpoint)
            .setComparison(comparison);
    fill(request, options);
    return ask(admin -> admin.setShadowComparison(request.build()));
  }

  /** Limits the requests of an endpoint; empty removes the limit. */
  public Endpoint setRateLimit(String endpoint, Optional<RateLimit> limit) {
    return setRateLimit(endpoint, limit, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Endpoint setRateLimit(String endpoint, Optional<RateLimit> limit, ChangeOptions options) {
    SetRateLimitRequest.Builder request = SetRateLimitRequest.newBuilder().setEndpoint(endpoint);
    limit.ifPresent(request::setRateLimit);
    fill(request, options);
    return ask(admin -> admin.setRateLimit(request.build()));
  }

  /** Starts to move the traffic of an endpoint to a backend step by step. */
  public StartRolloutResponse startRollout(String endpoint, RolloutPlan plan) {
    return startRollout(endpoint, plan, ChangeOptions.NONE);
  }

  /** The same with options. */
  public StartRolloutResponse startRollout(String endpoint, RolloutPlan plan, ChangeOptions options) {
    StartRolloutRequest.Builder request =
        StartRolloutRequest.newBuilder()
            .setEndpoint(endpoint)
            .setPlan(plan);
    fill(request, options);
    return ask(admin -> admin.startRollout(request.build()));
  }

  /** Returns the latest rollout of an endpoint. */
  public Rollout getRollout(String endpoint) {
    return ask(admin -> admin.getRollout(GetRolloutRequest.newBuilder().setEndpoint(endpoint).build()));
  }

  /** Returns the latest rollout of each endpoint. */
  public List<Rollout> listRollouts() {
    return ask(admin -> admin.listRollouts(ListRolloutsRequest.getDefaultInstance())).getRolloutsList();
  }

  /** Passes a rollout when it changes, until it ends or the function returns false. */
  public void watchRollout(String endpoint, Predicate<Rollout> receive) {
    WatchRolloutRequest request = WatchRolloutRequest.newBuilder().setEndpoint(endpoint).build();
    try (Context.CancellableContext context = Context.current().withCancellation()) {
      context.run(
          () ->
              translating(
                  () -> {
                    Iterator<Rollout> changes = AdminGrpc.newBlockingStub(admin).watchRollout(request);
                    while (changes.hasNext() && receive.test(changes.next())) {
                      // The function received the rollout.
                    }
                    return null;
                  }));
    }
  }

  /** Stops all automatic changes of a rollout; its weights stay. */
  public Rollout pauseRollout(String endpoint) {
    return pauseRollout(endpoint, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Rollout pauseRollout(String endpoint, ChangeOptions options) {
    PauseRolloutRequest.Builder request = PauseRolloutRequest.newBuilder().setEndpoint(endpoint);
    fill(request, options);
    return ask(admin -> admin.pauseRollout(request.build()));
  }

  /** Continues a paused rollout. */
  public Rollout resumeRollout(String endpoint) {
    return resumeRollout(endpoint, Resume.UNCHANGED, ChangeOptions.NONE);
  }

  /** The same, after another actor's change of the weights. */
  public Rollout resumeRollout(String endpoint, Resume weights, ChangeOptions options) {
    ResumeRolloutRequest.Builder request =
        ResumeRolloutRequest.newBuilder()
            .setEndpoint(endpoint)
            .setAdopt(weights == Resume.ADOPT)
            .setRestore(weights == Resume.RESTORE);
    fill(request, options);
    return ask(admin -> admin.resumeRollout(request.build()));
  }

  /** Approves a complete step, or skips one that is not. Ends the bake. */
  public Rollout advanceRollout(String endpoint) {
    return advanceRollout(endpoint, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Rollout advanceRollout(String endpoint, ChangeOptions options) {
    AdvanceRolloutRequest.Builder request = AdvanceRolloutRequest.newBuilder().setEndpoint(endpoint);
    fill(request, options);
    return ask(admin -> admin.advanceRollout(request.build()));
  }

  /** Routes all requests to the candidate at once. */
  public Rollout promoteRollout(String endpoint) {
    return promoteRollout(endpoint, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Rollout promoteRollout(String endpoint, ChangeOptions options) {
    PromoteRolloutRequest.Builder request = PromoteRolloutRequest.newBuilder().setEndpoint(endpoint);
    fill(request, options);
    return ask(admin -> admin.promoteRollout(request.build()));
  }

  /** Ends a rollout and returns to the weights before it by the ramp of the plan. */
  public Rollout abortRollout(String endpoint) {
    return abortRollout(endpoint, Abort.RAMPED, ChangeOptions.NONE);
  }

  /** Ends a rollout. */
  public Rollout abortRollout(String endpoint, Abort weights) {
    return abortRollout(endpoint, weights, ChangeOptions.NONE);
  }

  /** The same with options. */
  public Rollout abortRollout(String endpoint, Abort weights, ChangeOptions options) {
    AbortRolloutRequest.Builder request =
        AbortRolloutRequest.newBuilder()
            .setEndpoint(endpoint)
            .setImmediate(weights == Abort.IMMEDIATE)
            .setKeepWeights(weights == Abort.KEEP_WEIGHTS);
    fill(request, options);
    return ask(admin -> admin.abortRollout(request.build()));
  }

  /** Returns the backend of a call by name, and the reason. {@link AffinityMap} computes the same locally. */
  public ExplainRouteResponse explain(String endpoint, String shardKey) {
    ExplainRouteRequest request =
        ExplainRouteRequest.newBuilder()
            .setEndpoint(endpoint)
            .setShardKey(com.google.protobuf.ByteString.copyFromUtf8(shardKey))
            .build();
    return ask(admin -> admin.explainRoute(request));
  }

  /** Returns counts and latencies since the server started, of one endpoint, or of all if the name is empty. */
  public Stats stats(String endpoint) {
    return ask(admin -> admin.getStats(GetStatsRequest.newBuilder().setEndpoint(endpoint).build()));
  }

  /** Returns the whole state for {@link #apply}, or that of a revision if it is not 0. */
  public Configuration export(long revision) {
    return ask(admin -> admin.getRevision(GetRevisionRequest.newBuilder().setRevision(revision).build()))
        .getConfiguration();
  }

  /**
   * Replaces the whole state with a configuration, in one change. Throws FAILED_PRECONDITION if it does
   * not contain all backends and endpoints; with {@link ChangeOptions#pruning}, deletes the others.
   * Throws ABORTED if another change is made at the same time.
   */
  public ApplyResponse apply(Configuration configuration) {
    return apply(configuration, ChangeOptions.NONE);
  }

  /** The same with options. */
  public ApplyResponse apply(Configuration configuration, ChangeOptions options) {
    ApplyRequest.Builder request = ApplyRequest.newBuilder().setConfiguration(configuration);
    fill(request, options);
    if (!options.prune() && !options.validateOnly()) {
      ApplyResponse plan = ask(admin -> admin.apply(request.setValidateOnly(true).build()));
      rejectRemovals(plan);
      if (plan.getChangesCount() == 0) {
        return plan;
      }
      request.setValidateOnly(false);
      if (options.expectedRevision().isEmpty() && plan.getRevision() != 0) {
        // The revision of a plan is the one that it would create.
        request.setExpectedRevision(plan.getRevision() - 1);
      }
    }
    return ask(admin -> admin.apply(request.build()));
  }

  private static void rejectRemovals(ApplyResponse plan) {
    String removed =
        plan.getChangesList().stream()
            .filter(change -> change.getAction() == ChangeAction.CHANGE_ACTION_REMOVE)
            .map(change -> change.getKind() + " '" + change.getName() + "'")
            .collect(Collectors.joining(", "));
    if (!removed.isEmpty()) {
      throw new WeirException(
          Status.FAILED_PRECONDITION
              .withDescription(
                  "nothing has changed: the configuration does not name " + removed
                      + "; ChangeOptions.pruning() removes them")
              .asRuntimeException());
    }
  }

  /** Returns the accepted changes, latest first. */
  public List<Revision> history(int limit) {
    return history(ListRevisionsRequest.newBuilder().setLimit(limit).build());
  }

  /** The same with all fields of the request: pages, and the changes of one endpoint. */
  public List<Revision> history(ListRevisionsRequest request) {
    return ask(admin -> admin.listRevisions(request)).getRevisionsList();
  }

  /** Restores an endpoint, or all if the name is empty, to a revision. */
  public RollbackResponse rollback(long revision, String endpoint) {
    return rollback(revision, endpoint, ChangeOptions.NONE);
  }

  /** The same with options. */
  public RollbackResponse rollback(long revision, String endpoint, ChangeOptions options) {
    RollbackRequest.Builder request =
        RollbackRequest.newBuilder()
            .setRevision(revision)
            .setEndpoint(endpoint);
    fill(request, options);
    return ask(admin -> admin.rollback(request.build()));
  }

  /** Returns a handle that calls an endpoint by its name. */
  public Handle handle(String endpoint) {
    return new Handle(data, endpoint);
  }

  @Override
  public void close() {
    admin.shutdownNow();
    data.shutdownNow();
  }
}
