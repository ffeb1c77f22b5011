// Tests the client against the server at WEIR_ADMIN. The server has backends dynamic and dynamic-2,
// which return the request of a dynamic call unchanged, and an endpoint greeter on
// /helloworld.Greeter/ that splits its traffic evenly between typed and typed-2. WEIR_VECTORS is
// the folder protos/vectors. WEIR_GUARDED requires WEIR_TOKEN, and has an endpoint `recorded`.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "helloworld/helloworld.grpc.pb.h"
#include "weir/client.h"

static int passed = 0;

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                               \
    }                                                                             \
    ++passed;                                                                     \
  } while (false)

// Whether a call rejects its arguments.
template <typename Body>
static bool Throws(Body body) {
  try {
    body();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

static weir::Error Refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const weir::Error& error) {
    return error;
  }
  std::fprintf(stderr, "expected an error\n");
  std::exit(1);
}

static void Administration(weir::Client& client) {
  CHECK(client.CreateBackend("cpp-upstream", {"127.0.0.1:1"}).upstream().addresses(0) == "127.0.0.1:1");
  auto error = Refusal([&] { client.CreateBackend("cpp-upstream", {"127.0.0.1:1"}); });
  CHECK(error.code() == grpc::StatusCode::ALREADY_EXISTS && error.field() == "backend.name");
  client.DeleteBackend("cpp-upstream");
  const weir::Handle handle(client.data(), "dynamic");
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"a", "line\nend"}, {"A", "upper"}, {"a b", "space"}, {"", "empty"}, {":path", "/x"}}) {
    weir::CallOptions call;
    call.metadata = {{name, value}};
    CHECK(Throws([&] { handle.Call("{}", call); }));
  }
  weir::ConnectOptions remote;
  remote.token = "secret";
  CHECK(Throws([&] { weir::Client::Connect("192.0.2.1:8001", remote); }));
  remote.token = "a\nb";
  CHECK(Throws([&] { weir::Client::Connect("127.0.0.1:1", remote); }));
  for (const auto& backend : client.ListBackends()) CHECK(backend.name() != "cpp-upstream");
  error = Refusal([&] { client.CreateEndpoint("cpp-bad", "no route", "dynamic"); });
  CHECK(error.code() == grpc::StatusCode::INVALID_ARGUMENT && error.field() == "route");

  client.CreateEndpoint("cpp", "/cpp", "dynamic");
  bool listed = false;
  for (const auto& endpoint : client.ListEndpoints()) listed |= endpoint.route() == "/cpp";
  CHECK(listed);
  error = Refusal([&] { client.SetTraffic("cpp", {{"dynamic", 0.9}}); });
  CHECK(error.code() == grpc::StatusCode::INVALID_ARGUMENT && error.field() == "weights");
  CHECK(std::string(error.what()).find("sum to 1") != std::string::npos);
  const std::map<std::string, double> half{{"dynamic", 0.5}, {"dynamic-2", 0.5}};
  weir::ChangeOptions options;
  options.validate_only = true;
  CHECK(client.SetTraffic("cpp", half, options).moved_share() == 0.5);
  const auto before = client.History(1).at(0).revision();
  options = {};
  options.expected_revision = 0;
  error = Refusal([&] { client.SetTraffic("cpp", half, options); });
  CHECK(error.code() == grpc::StatusCode::ABORTED && error.reason() == "REVISION_CONFLICT");
  options = {};
  options.comment = "from C++";
  client.SetTraffic("cpp", half, options);
  const auto latest = client.History(1).at(0);
  CHECK(latest.comment() == "from C++" && latest.author().find('@') != std::string::npos);
  CHECK(client.ShadowTraffic("cpp", "dynamic-2", 1).shadows(0).proportion() == 1);
  CHECK(client.ShadowReport("cpp").size() == 1);
  CHECK(client.ShadowTraffic("cpp", "dynamic-2", 0).shadows_size() == 0);
  CHECK(client.Rollback(before, "cpp").changes(0).moved_share() == 0.5);
  client.SetTraffic("cpp", half);
}

static void Handles(weir::Client& client) {
  const weir::AffinityMap affinity(client.GetEndpoint("cpp"));
  const auto handle = client.GetHandle("cpp");
  std::set<std::string> seen;
  for (int number = 0; number < 40; ++number) {
    weir::CallOptions options;
    options.shard_key = "user-" + std::to_string(number);
    options.method_name = "other";
    options.query = "x-a=b";
    options.timeout = 10;
    const auto response = handle.Call("{\"n\":1}", options);
    const auto owner = affinity.Explain(options.shard_key);
    const auto told = client.Explain("cpp", options.shard_key);
    CHECK(response.backend == owner.backend && told.backend() == owner.backend);
    CHECK(told.point() == owner.point && owner.first <= owner.point && owner.point <= owner.last);
    weir::v1::CallRequest request;
    CHECK(request.ParseFromString(response.body) && request.payload() == "{\"n\":1}");
    CHECK(request.method_name() == "other" && request.content_type() == "application/json");
    seen.insert(owner.backend);
  }
  CHECK(seen.size() == 2);
  std::uint64_t requests = 0;
  const auto stats = client.Stats("cpp");
  for (const auto& backend : stats.backends()) requests += backend.shadow() ? 0 : backend.requests();
  CHECK(requests == 40);
  CHECK(Refusal([&] { client.GetHandle("none").Call(""); }).code() == grpc::StatusCode::NOT_FOUND);
  weir::CallOptions hurry;
  hurry.timeout = 0.1;
  hurry.query = "wait";
  CHECK(Refusal([&] { handle.Call("", hurry); }).code() == grpc::StatusCode::DEADLINE_EXCEEDED);
}

static void Stubs(weir::Client& client) {
  const auto greeter = helloworld::Greeter::NewStub(client.data());
  const weir::AffinityMap affinity(client.GetEndpoint("greeter"));
  for (int number = 0; number < 20; ++number) {
    const std::string key = "user-" + std::to_string(number);
    grpc::ClientContext context;
    weir::SetShardKey(context, key);
    helloworld::HelloRequest request;
    request.set_name(key);
    helloworld::HelloReply reply;
    CHECK(greeter->SayHello(&context, request, &reply).ok() && reply.message() == key);
    CHECK(weir::AnsweredBy(context) == affinity.Explain(key).backend);
  }
}

static void LimitsAndComparison(weir::Client& client) {
  const auto limited = client.SetRateLimit("cpp", 100, 5).rate_limit();
  CHECK(limited.requests_per_second() == 100 && limited.burst() == 5);
  CHECK(Refusal([&] { client.SetRateLimit("cpp", -1); }).field() == "rate_limit.requests_per_second");
  CHECK(!client.SetRateLimit("cpp", std::nullopt).has_rate_limit());
  weir::admin::v1::ShadowComparison comparison;
  comparison.add_ignored_fields("time");
  CHECK(client.SetShadowComparison("cpp", comparison).comparison().ignored_fields(0) == "time");
  client.ShadowTraffic("cpp", "dynamic-2", 0.5);
  client.ResetShadowReport("cpp", "dynamic-2");
  CHECK(Refusal([&] { client.ResetShadowReport("cpp", "dynamic"); }).code() == grpc::StatusCode::NOT_FOUND);
}

static void AllFields(weir::Client& client) {
  weir::admin::v1::CreateBackendRequest backend;
  backend.mutable_backend()->set_name("cpp-all");
  backend.mutable_backend()->mutable_upstream()->add_addresses("127.0.0.1:1");
  backend.mutable_backend()->mutable_options()->set_max_requests_in_flight(7);
  CHECK(client.CreateBackend(backend).options().max_requests_in_flight() == 7);
  client.DeleteBackend("cpp-all");
  weir::admin::v1::CreateEndpointRequest endpoint;
  endpoint.set_name("cpp-all");
  endpoint.set_route("/cpp-all");
  endpoint.set_backend("dynamic");
  endpoint.add_methods("GET");
  endpoint.mutable_cors()->add_origins("*");
  endpoint.mutable_http_shard_key()->set_cookie("user");
  endpoint.mutable_note()->set_comment("all");
  const auto made = client.CreateEndpoint(endpoint);
  CHECK(made.methods(0) == "GET" && made.cors().origins(0) == "*" && made.http_shard_key().cookie() == "user");
  weir::admin::v1::SetTrafficRequest traffic;
  traffic.set_endpoint("cpp-all");
  traffic.add_weights()->set_backend("dynamic-2");
  traffic.mutable_weights(0)->set_weight(1);
  traffic.mutable_confirm_within()->set_seconds(3600);
  traffic.mutable_note()->set_author("ada");
  const auto boxed = client.SetTraffic(traffic);
  CHECK(boxed.endpoint().time_box().confirmable());
  weir::admin::v1::ShadowTrafficRequest shadow;
  shadow.set_endpoint("cpp-all");
  shadow.set_backend("dynamic");
  shadow.set_proportion(1);
  shadow.mutable_options()->set_include_own(true);
  CHECK(client.ShadowTraffic(shadow).shadows(0).options().include_own());
  weir::admin::v1::ListRevisionsRequest page;
  page.set_endpoint("cpp-all");
  page.set_before_revision(boxed.revision() + 1);
  page.set_limit(2);
  const auto changes = client.History(page);
  CHECK(changes.size() == 2 && changes[0].author() == "ada" && changes[1].comment() == "all");
  CHECK(!changes[1].author().empty());
  client.DeleteEndpoint("cpp-all");
}

static void WholeState(weir::Client& client) {
  auto state = client.Export();
  CHECK(client.Apply(state).changes_size() == 0);
  for (auto& endpoint : *state.mutable_endpoints()) {
    if (endpoint.name() == "cpp") endpoint.set_route("/cpp-moved");
  }
  weir::ChangeOptions options;
  options.validate_only = true;
  const auto changes = client.Apply(state, options).changes();
  CHECK(changes.size() == 1 && changes[0].kind() == "endpoint" && changes[0].name() == "cpp");
  auto others = state;
  others.clear_endpoints();
  for (const auto& endpoint : state.endpoints()) {
    if (endpoint.name() != "cpp") *others.add_endpoints() = endpoint;
  }
  const auto error = Refusal([&] { client.Apply(others); });
  CHECK(error.code() == grpc::StatusCode::FAILED_PRECONDITION);
  CHECK(std::string(error.what()).find("name endpoint 'cpp';") != std::string::npos);
  CHECK(client.Apply(state).changes_size() == 1);
  options = {};
  options.prune = true;
  CHECK(client.Apply(others, options).changes(0).action() == weir::admin::v1::CHANGE_ACTION_REMOVE);
  options = {};
  options.expected_revision = 1;
  CHECK(Refusal([&] { client.Apply(state, options); }).code() == grpc::StatusCode::ABORTED);
  CHECK(client.Apply(state).changes_size() == 1);
}

static void Rollouts(weir::Client& client) {
  client.SetTraffic("cpp", {{"dynamic", 1}});
  weir::admin::v1::RolloutPlan plan;
  plan.set_candidate("dynamic-2");
  plan.add_steps("10%");
  plan.add_steps("50%");
  plan.mutable_minimum()->set_seconds(3600);
  weir::ChangeOptions options;
  options.validate_only = true;
  CHECK(client.StartRollout("cpp", plan, options).preview_size() == 3);
  CHECK(client.StartRollout("cpp", plan).rollout().plan().steps_size() == 3);
  CHECK(client.PauseRollout("cpp").pause() == "operator");
  CHECK(client.ResumeRollout("cpp").pause().empty());
  CHECK(client.AdvanceRollout("cpp").step() == 1);
  CHECK(client.ListRollouts().at(0).endpoint() == "cpp");
  client.WatchRollout("cpp", [](const auto& rollout) { return rollout.step() != 1; });
  client.AbortRollout("cpp", weir::Abort::kImmediate);
  client.WatchRollout("cpp", [&](const auto& rollout) {
    CHECK(rollout.phase() == weir::admin::v1::ROLLOUT_PHASE_ABORTED);
    return true;
  });
  CHECK(client.GetRollout("cpp").phase() == weir::admin::v1::ROLLOUT_PHASE_ABORTED);
  client.StartRollout("cpp", plan);
  CHECK(client.PromoteRollout("cpp").phase() == weir::admin::v1::ROLLOUT_PHASE_SUCCEEDED);
  client.SetTraffic("cpp", {{"dynamic", 1}});
  client.StartRollout("cpp", plan);
  client.AbortRollout("cpp", weir::Abort::kKeepWeights);
  CHECK(client.GetEndpoint("cpp").weights_size() == 2);
  CHECK(Refusal([&] { client.WatchRollout("none", [](const auto&) { return true; }); }).code()
        == grpc::StatusCode::NOT_FOUND);
}

static google::protobuf::Struct Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  google::protobuf::Struct vectors;
  CHECK(google::protobuf::util::JsonStringToMessage(text.str(), &vectors).ok());
  return vectors;
}

static void ShardKeys(weir::Client& client, const std::string& folder) {
  const auto keys = Read(folder + "/shard_keys.json");
  const auto handle = client.GetHandle("cpp");
  const weir::AffinityMap affinity(client.GetEndpoint("cpp"));
  for (const auto& value : keys.fields().at("valid").list_value().values()) {
    weir::CallOptions options;
    options.shard_key = value.string_value();
    CHECK(handle.Call("{}", options).backend == affinity.Explain(options.shard_key).backend);
  }
  for (const auto& value : keys.fields().at("invalid").list_value().values()) {
    grpc::ClientContext context;
    CHECK(Throws([&] { weir::SetShardKey(context, value.string_value()); }));
    weir::CallOptions options;
    options.shard_key = value.string_value();
    // An empty key of the options is no key.
    if (!options.shard_key.empty()) CHECK(Throws([&] { handle.Call("{}", options); }));
  }
}

static void Misuse(weir::Client& client) {
  auto error = Refusal([&] { weir::Client::Connect(client.data_address()); });
  CHECK(error.code() == grpc::StatusCode::UNIMPLEMENTED);
  CHECK(std::string(error.what()).find("it may be a data port") != std::string::npos);
  error = Refusal([&] { weir::Client::Connect("127.0.0.1:1"); });
  CHECK(error.code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(std::string(error.what()).find("weir serve") != std::string::npos);
  CHECK(Throws([&] { weir::Client::Connect("http://127.0.0.1:8001"); }));
}

static void Tokens(const char* guarded) {
  for (const char* token : {"", "wrong"}) {
    weir::ConnectOptions options;
    options.token = token;
    CHECK(Refusal([&] { weir::Client::Connect(guarded, options); }).code() == grpc::StatusCode::UNAUTHENTICATED);
  }
  weir::ConnectOptions options;
  options.token = std::getenv("WEIR_TOKEN");
  auto client = weir::Client::Connect(guarded, options);
  CHECK(client.ListBackends().size() == 1);
  CHECK(Refusal([&] { client.GetRollout("recorded"); }).code() == grpc::StatusCode::NOT_FOUND);
  weir::CallOptions call;
  call.shard_key = "token-test";
  CHECK(client.GetHandle("recorded").Call("{}", call).backend == "recorder");
  grpc::ClientContext context;
  weir::SetShardKey(context, "token-test");
  helloworld::HelloReply reply;
  CHECK(helloworld::Greeter::NewStub(client.data())->SayHello(&context, {}, &reply).ok());
}

static void Vectors(const std::string& folder) {
  const auto vectors = Read(folder + "/affinity.json");
  int checked = 0;
  for (const auto& value : vectors.fields().at("cases").list_value().values()) {
    const auto& fields = value.struct_value().fields();
    weir::admin::v1::Endpoint endpoint;
    endpoint.set_name(fields.at("endpoint").string_value());
    for (const auto& part : fields.at("intervals").list_value().values()) {
      auto* interval = endpoint.add_intervals();
      interval->set_start(std::stoull(part.struct_value().fields().at("start").string_value()));
      interval->set_backend(part.struct_value().fields().at("backend").string_value());
    }
    const weir::AffinityMap affinity(endpoint);
    for (const auto& part : fields.at("choices").list_value().values()) {
      const auto& choice = part.struct_value().fields();
      const std::string& key = choice.at("key").string_value();
      CHECK(std::to_string(affinity.Point(key)) == choice.at("point").string_value());
      if (key.empty()) continue;
      CHECK(affinity.Explain(key).backend == choice.at("backend").string_value());
      ++checked;
    }
  }
  CHECK(checked > 20);
}

int main() {
  const char* address = std::getenv("WEIR_ADMIN");
  const char* vectors = std::getenv("WEIR_VECTORS");
  if (address == nullptr || vectors == nullptr) {
    std::fprintf(stderr, "WEIR_ADMIN and WEIR_VECTORS must be set\n");
    return 1;
  }
  auto client = weir::Client::Connect(address);
  Administration(client);
  Handles(client);
  ShardKeys(client, vectors);
  Stubs(client);
  LimitsAndComparison(client);
  AllFields(client);
  Misuse(client);
  WholeState(client);
  Rollouts(client);
  client.DeleteEndpoint("cpp");
  Vectors(vectors);
  if (const char* guarded = std::getenv("WEIR_GUARDED")) Tokens(guarded);
  std::printf("%d passed\n", passed);
}
