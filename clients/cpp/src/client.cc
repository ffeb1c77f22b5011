#include "weir/client.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>

#include <pwd.h>
#include <unistd.h>

#include <xxhash.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace weir {

namespace pb = admin::v1;

namespace {

// Seconds for each call of the admin service.
constexpr std::chrono::seconds kAdminTimeout{10};

// A year in seconds: later deadlines overflow the clock.
constexpr double kMaxTimeout = 366.0 * 24 * 3600;

std::string ThisUser() {
  const passwd* entry = getpwuid(geteuid());
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return std::string(entry != nullptr ? entry->pw_name : "unknown") + "@" + host;
}

template <typename Repeated>
auto AsVector(const Repeated& repeated) {
  return std::vector<typename Repeated::value_type>(repeated.begin(), repeated.end());
}

// gRPC ends the process for other metadata.
void Check(const char* what, const std::string& value) {
  const bool printable =
      std::all_of(value.begin(), value.end(), [](char character) { return character >= ' ' && character <= '~'; });
  if (!printable || value.empty() || value.front() == ' ' || value.back() == ' ') {
    throw std::invalid_argument(
        std::string("invalid ") + what + ": metadata allows only printable ASCII without spaces at the ends; use "
        "its hash or base64");
  }
}

void CheckName(const std::string& name) {
  const bool valid = std::all_of(name.begin(), name.end(), [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') || character == '-' ||
           character == '_' || character == '.';
  });
  if (!valid || name.empty()) {
    throw std::invalid_argument("invalid name of metadata: use the characters a-z 0-9 - _ .");
  }
}

void AddMetadata(grpc::ClientContext& context, const std::string& name, const std::string& value) {
  CheckName(name);
  const bool binary = name.size() > 4 && name.compare(name.size() - 4, 4, "-bin") == 0;
  if (!binary && !value.empty()) Check("value of metadata", value);
  context.AddMetadata(name, value);
}

bool IsLoopback(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address.rfind("localhost:", 0) == 0 || address.rfind("[::1]:", 0) == 0;
}

// The data address of the server, as reachable from here.
std::string DataAddress(const pb::ListInstancesResponse& reply, const std::string& admin) {
  for (const auto& instance : reply.instances()) {
    if (!instance.answering()) continue;
    const std::string& address = instance.data_address();
    const auto colon = address.rfind(':');
    const std::string host = address.substr(0, colon);
    if (host != "0.0.0.0" && host != "[::]") return address;
    // The server listens on all addresses, so the admin port's host also works.
    return admin.substr(0, admin.rfind(':')) + address.substr(colon);
  }
  throw std::runtime_error("the server does not report its data address");
}

// The error of the first call, with what to do.
Error Explained(const Error& error, const std::string& address) {
  std::string text = error.what();
  if (error.code() == grpc::StatusCode::UNIMPLEMENTED) {
    text = address + " is not an admin port; it may be a data port. Connect to the admin port, by default port 8001 ("
           + text + ")";
  } else if (error.code() == grpc::StatusCode::UNAVAILABLE) {
    text = "no Weir is reachable at the admin address " + address + ": " + text + ". Start one with 'weir serve'";
  }
  return Error(grpc::Status(error.code(), text));
}

void RejectRemovals(const pb::ApplyResponse& plan) {
  std::string removed;
  for (const auto& change : plan.changes()) {
    if (change.action() != pb::CHANGE_ACTION_REMOVE) continue;
    removed += (removed.empty() ? "" : ", ") + change.kind() + " '" + change.name() + "'";
  }
  if (removed.empty()) return;
  throw Error(grpc::Status(
      grpc::StatusCode::FAILED_PRECONDITION,
      "nothing has changed: the configuration does not name " + removed + "; ChangeOptions::prune removes them"));
}

}  // namespace

void SetShardKey(grpc::ClientContext& context, const std::string& key) {
  Check("shard key", key);
  context.AddMetadata(kShardKeyHeader, key);
}

std::string AnsweredBy(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(kBackendHeader);
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

Error::Error(const grpc::Status& status)
    : std::runtime_error(status.error_message()), code_(status.error_code()) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return;
  for (const auto& detail : details.details()) {
    google::rpc::BadRequest bad;
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&bad) && bad.field_violations_size() > 0) {
      field_ = bad.field_violations(0).field();
    } else if (detail.UnpackTo(&info)) {
      reason_ = info.reason();
      metadata_.insert(info.metadata().begin(), info.metadata().end());
      const auto field = metadata_.find("field");
      if (field != metadata_.end()) field_ = field->second;
    }
  }
}

AffinityMap::AffinityMap(const pb::Endpoint& endpoint)
    : seed_(XXH64(endpoint.name().data(), endpoint.name().size(), 0)) {
  for (const auto& interval : endpoint.intervals()) {
    intervals_.emplace_back(interval.start(), interval.backend());
  }
  if (intervals_.empty() || intervals_.front().first != 0) {
    throw std::invalid_argument("the intervals of an affinity map must begin at 0");
  }
}

std::uint64_t AffinityMap::Point(std::string_view shard_key) const {
  return XXH64(shard_key.data(), shard_key.size(), seed_);
}

Owner AffinityMap::Explain(std::string_view shard_key) const {
  if (shard_key.empty()) {
    throw std::invalid_argument("the shard key is empty; without a key, Weir selects the backend at random");
  }
  const std::uint64_t point = Point(shard_key);
  const auto next = std::upper_bound(
      intervals_.begin(), intervals_.end(), point,
      [](std::uint64_t value, const auto& interval) { return value < interval.first; });
  const auto owner = std::prev(next);
  const std::uint64_t last =
      next == intervals_.end() ? std::numeric_limits<std::uint64_t>::max() : next->first - 1;
  return Owner{owner->second, point, owner->first, last};
}

Handle::Handle(std::shared_ptr<grpc::Channel> channel, std::string endpoint)
    : stub_(v1::Serve::NewStub(std::move(channel))), endpoint_(std::move(endpoint)) {}

Response Handle::Call(const std::string& body, const CallOptions& options) const {
  grpc::ClientContext context;
  AddMetadata(context, kEndpointHeader, endpoint_);
  if (!options.shard_key.empty()) SetShardKey(context, options.shard_key);
  for (const auto& [name, value] : options.metadata) AddMetadata(context, name, value);
  if (options.timeout > 0) {
    context.set_deadline(
        std::chrono::system_clock::now()
        + std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::duration<double>(std::min(options.timeout, kMaxTimeout))));
  }
  v1::CallRequest request;
  request.set_payload(body);
  request.set_content_type(options.content_type);
  request.set_method_name(options.method_name);
  request.set_query(options.query);
  v1::CallResponse reply;
  const grpc::Status status = stub_->Call(&context, request, &reply);
  if (!status.ok()) throw Error(status);
  return Response{
      reply.payload(), reply.content_type().empty() ? "application/json" : reply.content_type(),
      reply.http_status() == 0 ? 200 : static_cast<int>(reply.http_status()), AnsweredBy(context)};
}

Client Client::Connect(const std::string& address, const ConnectOptions& options) {
  if (address.rfind("http://", 0) == 0 || address.rfind("https://", 0) == 0) {
    throw std::invalid_argument("invalid address " + address + ": use host:port, for example 127.0.0.1:8001");
  }
  const auto credentials =
      options.credentials != nullptr ? options.credentials : grpc::InsecureChannelCredentials();
  if (!options.token.empty()) {
    Check("token", options.token);
    if (options.credentials == nullptr && !IsLoopback(address)) {
      throw std::invalid_argument("sending a token to " + address + " requires credentials");
    }
  }
  Client client;
  client.token_ = options.token;
  client.author_ = options.author.empty() ? ThisUser() : options.author;
  client.admin_ = pb::Admin::NewStub(grpc::CreateChannel(address, credentials));
  client.data_address_ = options.data_address;
  if (client.data_address_.empty()) {
    try {
      client.data_address_ =
          DataAddress(client.Call(&pb::Admin::Stub::ListInstances, pb::ListInstancesRequest()), address);
    } catch (const Error& error) {
      throw Explained(error, address);
    }
  }
  client.data_ = grpc::CreateChannel(
      client.data_address_, options.data_credentials != nullptr ? options.data_credentials : credentials);
  return client;
}

void Client::SendToken(grpc::ClientContext& context) const {
  if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
}

template <typename Request>
void Client::Fill(const ChangeOptions& options, Request& request) const {
  if (options.expected_revision) request.set_expected_revision(*options.expected_revision);
  request.set_validate_only(options.validate_only);
  request.mutable_note()->set_author(author_);
  request.mutable_note()->set_comment(options.comment);
}

template <typename Request, typename Reply>
Reply Client::Call(
    grpc::Status (pb::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
    const Request& request) {
  grpc::ClientContext context;
  SendToken(context);
  context.set_deadline(std::chrono::system_clock::now() + kAdminTimeout);
  Reply reply;
  const grpc::Status status = ((*admin_).*method)(&context, request, &reply);
  if (!status.ok()) throw Error(status);
  return reply;
}

template <typename Request, typename Reply>
Reply Client::Change(
    grpc::Status (pb::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
    const std::string& endpoint, const ChangeOptions& options) {
  Request request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  return Call(method, request);
}

template <typename Request, typename Reply>
Reply Client::CallSigned(
    grpc::Status (pb::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*), Request request) {
  if (request.note().author().empty()) request.mutable_note()->set_author(author_);
  return Call(method, request);
}

pb::Backend Client::CreateBackend(
    const std::string& name, const std::vector<std::string>& addresses, const ChangeOptions& options) {
  pb::CreateBackendRequest request;
  Fill(options, request);
  request.mutable_backend()->set_name(name);
  for (const auto& address : addresses) request.mutable_backend()->mutable_upstream()->add_addresses(address);
  return Call(&pb::Admin::Stub::CreateBackend, request);
}

pb::Backend Client::CreateBackend(const pb::CreateBackendRequest& request) {
  return CallSigned(&pb::Admin::Stub::CreateBackend, request);
}

void Client::DeleteBackend(const std::string& name, const ChangeOptions& options) {
  pb::DeleteBackendRequest request;
  Fill(options, request);
  request.set_name(name);
  Call(&pb::Admin::Stub::DeleteBackend, request);
}

std::vector<pb::Backend> Client::ListBackends() {
  return AsVector(Call(&pb::Admin::Stub::ListBackends, pb::ListBackendsRequest()).backends());
}

pb::Endpoint Client::CreateEndpoint(
    const std::string& name, const std::string& route, const std::string& backend, const ChangeOptions& options) {
  pb::CreateEndpointRequest request;
  Fill(options, request);
  request.set_name(name);
  request.set_route(route);
  request.set_backend(backend);
  return Call(&pb::Admin::Stub::CreateEndpoint, request);
}

pb::Endpoint Client::CreateEndpoint(const pb::CreateEndpointRequest& request) {
  return CallSigned(&pb::Admin::Stub::CreateEndpoint, request);
}

void Client::DeleteEndpoint(const std::string& name, const ChangeOptions& options) {
  pb::DeleteEndpointRequest request;
  Fill(options, request);
  request.set_name(name);
  Call(&pb::Admin::Stub::DeleteEndpoint, request);
}

pb::Endpoint Client::GetEndpoint(const std::string& name) {
  pb::GetEndpointRequest request;
  request.set_name(name);
  return Call(&pb::Admin::Stub::GetEndpoint, request);
}

std::vector<pb::Endpoint> Client::ListEndpoints() {
  return AsVector(Call(&pb::Admin::Stub::ListEndpoints, pb::ListEndpointsRequest()).endpoints());
}

pb::SetTrafficResponse Client::SetTraffic(
    const std::string& endpoint, const std::map<std::string, double>& traffic, const ChangeOptions& options) {
  pb::SetTrafficRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  for (const auto& [backend, weight] : traffic) {
    auto* added = request.add_weights();
    added->set_backend(backend);
    added->set_weight(weight);
  }
  return Call(&pb::Admin::Stub::SetTraffic, request);
}

pb::SetTrafficResponse Client::SetTraffic(const pb::SetTrafficRequest& request) {
  return CallSigned(&pb::Admin::Stub::SetTraffic, request);
}

pb::Endpoint Client::ShadowTraffic(
    const std::string& endpoint, const std::string& backend, double proportion, const ChangeOptions& options) {
  pb::ShadowTrafficRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  request.set_backend(backend);
  request.set_proportion(proportion);
  return Call(&pb::Admin::Stub::ShadowTraffic, request);
}

pb::Endpoint Client::ShadowTraffic(const pb::ShadowTrafficRequest& request) {
  return CallSigned(&pb::Admin::Stub::ShadowTraffic, request);
}

std::vector<pb::ShadowReport> Client::ShadowReport(const std::string& endpoint) {
  pb::GetShadowReportRequest request;
  request.set_endpoint(endpoint);
  return AsVector(Call(&pb::Admin::Stub::GetShadowReport, request).reports());
}

void Client::ResetShadowReport(const std::string& endpoint, const std::string& backend) {
  pb::ResetShadowReportRequest request;
  request.set_endpoint(endpoint);
  request.set_backend(backend);
  Call(&pb::Admin::Stub::ResetShadowReport, request);
}

pb::Endpoint Client::SetShadowComparison(
    const std::string& endpoint, const pb::ShadowComparison& comparison, const ChangeOptions& options) {
  pb::SetShadowComparisonRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  *request.mutable_comparison() = comparison;
  return Call(&pb::Admin::Stub::SetShadowComparison, request);
}

pb::Endpoint Client::SetRateLimit(
    const std::string& endpoint, std::optional<double> requests_per_second, std::uint32_t burst,
    const ChangeOptions& options) {
  pb::SetRateLimitRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  if (requests_per_second) {
    request.mutable_rate_limit()->set_requests_per_second(*requests_per_second);
    request.mutable_rate_limit()->set_burst(burst);
  }
  return Call(&pb::Admin::Stub::SetRateLimit, request);
}

pb::StartRolloutResponse Client::StartRollout(
    const std::string& endpoint, const pb::RolloutPlan& plan, const ChangeOptions& options) {
  pb::StartRolloutRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  *request.mutable_plan() = plan;
  return Call(&pb::Admin::Stub::StartRollout, request);
}

pb::Rollout Client::GetRollout(const std::string& endpoint) {
  pb::GetRolloutRequest request;
  request.set_endpoint(endpoint);
  return Call(&pb::Admin::Stub::GetRollout, request);
}

std::vector<pb::Rollout> Client::ListRollouts() {
  return AsVector(Call(&pb::Admin::Stub::ListRollouts, pb::ListRolloutsRequest()).rollouts());
}

void Client::WatchRollout(
    const std::string& endpoint, const std::function<bool(const pb::Rollout&)>& receive) {
  grpc::ClientContext context;
  SendToken(context);
  pb::WatchRolloutRequest request;
  request.set_endpoint(endpoint);
  const auto stream = admin_->WatchRollout(&context, request);
  pb::Rollout rollout;
  bool stopped = false;
  while (!stopped && stream->Read(&rollout)) stopped = !receive(rollout);
  if (stopped) context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (!stopped && !status.ok()) throw Error(status);
}

pb::Rollout Client::PauseRollout(const std::string& endpoint, const ChangeOptions& options) {
  return Change(&pb::Admin::Stub::PauseRollout, endpoint, options);
}

pb::Rollout Client::ResumeRollout(const std::string& endpoint, Resume weights, const ChangeOptions& options) {
  pb::ResumeRolloutRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  request.set_adopt(weights == Resume::kAdopt);
  request.set_restore(weights == Resume::kRestore);
  return Call(&pb::Admin::Stub::ResumeRollout, request);
}

pb::Rollout Client::AdvanceRollout(const std::string& endpoint, const ChangeOptions& options) {
  return Change(&pb::Admin::Stub::AdvanceRollout, endpoint, options);
}

pb::Rollout Client::PromoteRollout(const std::string& endpoint, const ChangeOptions& options) {
  return Change(&pb::Admin::Stub::PromoteRollout, endpoint, options);
}

pb::Rollout Client::AbortRollout(const std::string& endpoint, Abort weights, const ChangeOptions& options) {
  pb::AbortRolloutRequest request;
  Fill(options, request);
  request.set_endpoint(endpoint);
  request.set_immediate(weights == Abort::kImmediate);
  request.set_keep_weights(weights == Abort::kKeepWeights);
  return Call(&pb::Admin::Stub::AbortRollout, request);
}

pb::ExplainRouteResponse Client::Explain(const std::string& endpoint, const std::string& shard_key) {
  pb::ExplainRouteRequest request;
  request.set_endpoint(endpoint);
  request.set_shard_key(shard_key);
  return Call(&pb::Admin::Stub::ExplainRoute, request);
}

pb::Stats Client::Stats(const std::string& endpoint) {
  pb::GetStatsRequest request;
  request.set_endpoint(endpoint);
  return Call(&pb::Admin::Stub::GetStats, request);
}

pb::Configuration Client::Export(std::uint64_t revision) {
  pb::GetRevisionRequest request;
  request.set_revision(revision);
  return Call(&pb::Admin::Stub::GetRevision, request).configuration();
}

pb::ApplyResponse Client::Apply(const pb::Configuration& configuration, const ChangeOptions& options) {
  pb::ApplyRequest request;
  Fill(options, request);
  *request.mutable_configuration() = configuration;
  if (!options.prune && !options.validate_only) {
    request.set_validate_only(true);
    const auto plan = Call(&pb::Admin::Stub::Apply, request);
    RejectRemovals(plan);
    if (plan.changes().empty()) return plan;
    request.set_validate_only(false);
    // The revision of a plan is the one that it would create.
    if (!options.expected_revision && plan.revision() > 0) request.set_expected_revision(plan.revision() - 1);
  }
  return Call(&pb::Admin::Stub::Apply, request);
}

std::vector<pb::Revision> Client::History(std::uint32_t limit) {
  pb::ListRevisionsRequest request;
  request.set_limit(limit);
  return History(request);
}

std::vector<pb::Revision> Client::History(const pb::ListRevisionsRequest& request) {
  return AsVector(Call(&pb::Admin::Stub::ListRevisions, request).revisions());
}

pb::RollbackResponse Client::Rollback(
    std::uint64_t revision, const std::string& endpoint, const ChangeOptions& options) {
  pb::RollbackRequest request;
  Fill(options, request);
  request.set_revision(revision);
  request.set_endpoint(endpoint);
  return Call(&pb::Admin::Stub::Rollback, request);
}

}  // namespace weir
