package weir;

import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import weir.admin.v1.AdminGrpc;
import weir.admin.v1.Backend;
import weir.admin.v1.BackendWeight;
import weir.admin.v1.ChangeNote;
import weir.admin.v1.CreateBackendRequest;
import weir.admin.v1.CreateEndpointRequest;
import weir.admin.v1.DeleteBackendRequest;
import weir.admin.v1.DeleteEndpointRequest;
import weir.admin.v1.Endpoint;
import weir.admin.v1.ExplainRouteRequest;
import weir.admin.v1.ExplainRouteResponse;
import weir.admin.v1.GetEndpointRequest;
import weir.admin.v1.GetShadowReportRequest;
import weir.admin.v1.GetStatsRequest;
import weir.admin.v1.Instance;
import weir.admin.v1.ListBackendsRequest;
import weir.admin.v1.ListEndpointsRequest;
import weir.admin.v1.ListInstancesRequest;
import weir.admin.v1.ListRevisionsRequest;
import weir.admin.v1.Revision;
import weir.admin.v1.RollbackRequest;
import weir.admin.v1.RollbackResponse;
import weir.admin.v1.SetTrafficRequest;
import weir.admin.v1.SetTrafficResponse;
import weir.admin.v1.ShadowReport;
import weir.admin.v1.ShadowTrafficRequest;
import weir.admin.v1.Stats;
import weir.admin.v1.UpstreamKind;

/**
 * Changes and shows how a Weir routes, and calls its endpoints. May be used by many threads. What calls return are the
 * messages of {@code protos/weir/admin/v1/admin.proto}; they throw {@link WeirException}.
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

  /** A client of the Weir whose admin port is at host:port. */
  public static WeirClient connect(String address) {
    return connect(address, thisUser(), target -> ManagedChannelBuilder.forTarget(target).usePlaintext().build());
  }

  /**
   * The same with channels of your own making.
   *
   * @param author told in the history with each change
   * @param open makes a channel to an address
   */
  public static WeirClient connect(String address, String author, Function<String, ManagedChannel> open) {
    ManagedChannel admin = open.apply(address);
    try {
      return new WeirClient(admin, learnDataAddress(admin, address), author, open);
    } catch (RuntimeException error) {
      admin.shutdownNow();
      throw error;
    }
  }

  private static String thisUser() {
    String host = "unknown";
    try {
      host = InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException nameless) {
      // There are machines whose name nobody knows.
    }
    return System.getProperty("user.name") + "@" + host;
  }

  /** Where the server that was asked takes calls, as seen from here. */
  private static String learnDataAddress(Channel admin, String address) {
    ListInstancesRequest request = ListInstancesRequest.getDefaultInstance();
    String told =
        translating(() -> stub(admin).listInstances(request)).getInstancesList().stream()
            .filter(Instance::getAnswering)
            .map(Instance::getDataAddress)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("the server does not say where it takes calls"));
    int colon = told.lastIndexOf(':');
    String host = told.substring(0, colon);
    // It listens everywhere: there where its admin port is, too.
    boolean everywhere = host.equals("0.0.0.0") || host.equals("[::]");
    return (everywhere ? address.substring(0, address.lastIndexOf(':')) : host) + told.substring(colon);
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

  private ChangeNote note(Terms terms) {
    return ChangeNote.newBuilder().setAuthor(author).setComment(terms.comment()).build();
  }

  /** The connection to the admin port, for what has no method here. */
  public Channel admin() {
    return admin;
  }

  /** The connection to the data port, for stubs that you have. */
  public Channel data() {
    return data;
  }

  /** Where the server takes calls. */
  public String dataAddress() {
    return dataAddress;
  }

  /** A backend of gRPC servers that run by themselves. */
  public Backend createBackend(String name, List<String> addresses) {
    return createBackend(name, addresses, Terms.NONE);
  }

  /** The same on terms. */
  public Backend createBackend(String name, List<String> addresses, Terms terms) {
    UpstreamKind upstream = UpstreamKind.newBuilder().addAllAddresses(addresses).build();
    CreateBackendRequest.Builder request =
        CreateBackendRequest.newBuilder()
            .setBackend(Backend.newBuilder().setName(name).setUpstream(upstream))
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    return ask(admin -> admin.createBackend(request.build()));
  }

  /** FAILED_PRECONDITION while an endpoint's traffic or shadows name it. */
  public void deleteBackend(String name) {
    deleteBackend(name, Terms.NONE);
  }

  /** The same on terms. */
  public void deleteBackend(String name, Terms terms) {
    DeleteBackendRequest.Builder request =
        DeleteBackendRequest.newBuilder()
            .setName(name)
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    ask(admin -> admin.deleteBackend(request.build()));
  }

  /** All backends, sorted by name. */
  public List<Backend> listBackends() {
    return ask(admin -> admin.listBackends(ListBackendsRequest.getDefaultInstance())).getBackendsList();
  }

  /** An endpoint whose requests all go to one backend. With an empty route only handles reach it. */
  public Endpoint createEndpoint(String name, String route, String backend) {
    return createEndpoint(name, route, backend, Terms.NONE);
  }

  /** The same on terms. */
  public Endpoint createEndpoint(String name, String route, String backend, Terms terms) {
    CreateEndpointRequest.Builder request =
        CreateEndpointRequest.newBuilder()
            .setName(name)
            .setRoute(route)
            .setBackend(backend)
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    return ask(admin -> admin.createEndpoint(request.build()));
  }

  /** The endpoint's backends stay. */
  public void deleteEndpoint(String name) {
    deleteEndpoint(name, Terms.NONE);
  }

  /** The same on terms. */
  public void deleteEndpoint(String name, Terms terms) {
    DeleteEndpointRequest.Builder request =
        DeleteEndpointRequest.newBuilder()
            .setName(name)
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    ask(admin -> admin.deleteEndpoint(request.build()));
  }

  /** One endpoint, with the intervals that {@link AffinityMap} takes. */
  public Endpoint getEndpoint(String name) {
    return ask(admin -> admin.getEndpoint(GetEndpointRequest.newBuilder().setName(name).build()));
  }

  /** All endpoints, sorted by name. */
  public List<Endpoint> listEndpoints() {
    return ask(admin -> admin.listEndpoints(ListEndpointsRequest.getDefaultInstance())).getEndpointsList();
  }

  /** Replaces the weights of an endpoint, at once. They sum to 1. */
  public SetTrafficResponse setTraffic(String endpoint, Map<String, Double> traffic) {
    return setTraffic(endpoint, traffic, Terms.NONE);
  }

  /** The same on terms. */
  public SetTrafficResponse setTraffic(String endpoint, Map<String, Double> traffic, Terms terms) {
    SetTrafficRequest.Builder request =
        SetTrafficRequest.newBuilder()
            .setEndpoint(endpoint)
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    new TreeMap<>(traffic)
        .forEach(
            (backend, weight) ->
                request.addWeights(BackendWeight.newBuilder().setBackend(backend).setWeight(weight)));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    return ask(admin -> admin.setTraffic(request.build()));
  }

  /** Copies a share of an endpoint's requests to a backend; 0 ends that. */
  public Endpoint shadowTraffic(String endpoint, String backend, double proportion) {
    return shadowTraffic(endpoint, backend, proportion, Terms.NONE);
  }

  /** The same on terms. */
  public Endpoint shadowTraffic(String endpoint, String backend, double proportion, Terms terms) {
    ShadowTrafficRequest.Builder request =
        ShadowTrafficRequest.newBuilder()
            .setEndpoint(endpoint)
            .setBackend(backend)
            .setProportion(proportion)
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    return ask(admin -> admin.shadowTraffic(request.build()));
  }

  /** How an endpoint's shadows did. */
  public List<ShadowReport> shadowReport(String endpoint) {
    GetShadowReportRequest request = GetShadowReportRequest.newBuilder().setEndpoint(endpoint).build();
    return ask(admin -> admin.getShadowReport(request)).getReportsList();
  }

  /** Which backend a request by name gets, and why. {@link AffinityMap} computes the same without asking. */
  public ExplainRouteResponse explain(String endpoint, String shardKey) {
    ExplainRouteRequest request =
        ExplainRouteRequest.newBuilder()
            .setEndpoint(endpoint)
            .setShardKey(com.google.protobuf.ByteString.copyFromUtf8(shardKey))
            .build();
    return ask(admin -> admin.explainRoute(request));
  }

  /** Counts and latencies since the server started, of one endpoint, or all with an empty name. */
  public Stats stats(String endpoint) {
    return ask(admin -> admin.getStats(GetStatsRequest.newBuilder().setEndpoint(endpoint).build()));
  }

  /** The accepted changes, latest first. */
  public List<Revision> history(int limit) {
    return ask(admin -> admin.listRevisions(ListRevisionsRequest.newBuilder().setLimit(limit).build()))
        .getRevisionsList();
  }

  /** Makes an endpoint, or all with an empty name, what they were at a revision. */
  public RollbackResponse rollback(long revision, String endpoint) {
    return rollback(revision, endpoint, Terms.NONE);
  }

  /** The same on terms. */
  public RollbackResponse rollback(long revision, String endpoint, Terms terms) {
    RollbackRequest.Builder request =
        RollbackRequest.newBuilder()
            .setRevision(revision)
            .setEndpoint(endpoint)
            .setValidateOnly(terms.validateOnly())
            .setNote(note(terms));
    terms.expectedRevision().ifPresent(request::setExpectedRevision);
    return ask(admin -> admin.rollback(request.build()));
  }

  /** Calls an endpoint by its name. */
  public Handle handle(String endpoint) {
    return new Handle(data, endpoint);
  }

  @Override
  public void close() {
    admin.shutdownNow();
    data.shutdownNow();
  }
}
