// A client of a running Weir: changes and reads its routing, and calls its endpoints.
//
//   auto client = weir::Client::Connect("127.0.0.1:8001");
//   client.CreateBackend("model-v2", {"10.0.0.8:50051"});
//   client.SetTraffic("model", {{"model-v1", 0.9}, {"model-v2", 0.1}});
//
// Existing stubs work unchanged; SetShardKey sets the shard key of a call.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "weir/admin/v1/admin.grpc.pb.h"
#include "weir/v1/serve.grpc.pb.h"

namespace weir {

// Metadata that Weir reads and writes.
inline constexpr char kShardKeyHeader[] = "x-serve-shard-key";
inline constexpr char kEndpointHeader[] = "x-serve-endpoint";
inline constexpr char kBackendHeader[] = "x-serve-backend";
inline constexpr char kShadowHeader[] = "x-serve-shadow";

// Sets the shard key of a call of any stub; Weir routes the same key to the same backend. The key
// may be any printable ASCII text without spaces at its ends; throws std::invalid_argument for
// others, because gRPC would end the process. Call it before the call starts.
void SetShardKey(grpc::ClientContext& context, const std::string& key);

// The backend that answered; empty if the server does not report it. Call it after the call has
// ended.
std::string AnsweredBy(const grpc::ClientContext& context);

// The error of a failed call, with Weir's message.
class Error : public std::runtime_error {
 public:
  explicit Error(const grpc::Status& status);

  grpc::StatusCode code() const { return code_; }
  // The invalid field of the request, and the rule that rejected it ("REVISION_CONFLICT", ...);
  // empty if unknown.
  const std::string& field() const { return field_; }
  const std::string& reason() const { return reason_; }
  // The metadata of the reason.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  grpc::StatusCode code_;
  std::string field_;
  std::string reason_;
  std::map<std::string, std::string> metadata_;
};

// The options of a change.
struct ChangeOptions {
  // The revision that the change is based on. If it is not the current one, the server rejects the
  // change with ABORTED.
  std::optional<std::uint64_t> expected_revision;
  // Whether to return the effect of the change without making it.
  bool validate_only = false;
  // The reason for the change, for the history.
  std::string comment;
  // Lets Apply delete what the configuration does not contain; only for Apply.
  bool prune = false;
};

// The owner of a shard key: the backend, and the interval that contains the key's point.
struct Owner {
  std::string backend;
  std::uint64_t point;
  std::uint64_t first;
  std::uint64_t last;
};

// Computes the backend of a shard key locally, from intervals of the points [0, 2^64), each with
// one owner. The point of a key is XXH64(key, XXH64(endpoint, 0)); protos/vectors/affinity.json has
// test vectors.
class AffinityMap {
 public:
  // Takes the result of Client::GetEndpoint. Throws std::invalid_argument if the intervals do not
  // begin at 0.
  explicit AffinityMap(const admin::v1::Endpoint& endpoint);

  std::uint64_t Point(std::string_view shard_key) const;
  // Throws std::invalid_argument for an empty key, which counts as no key.
  Owner Explain(std::string_view shard_key) const;

 private:
  std::uint64_t seed_;
  std::vector<std::pair<std::uint64_t, std::string>> intervals_;
};

// The response to a call by name.
struct Response {
  std::string body;
  std::string content_type;
  int status;
  // The backend that answered.
  std::string backend;
};

// The options of a call by name.
struct CallOptions {
  std::string shard_key;
  // The method of the backend's object; empty for the object itself.
  std::string method_name;
  std::string content_type = "application/json";
  // The URL-encoded query, which the backend receives like that of an HTTP request.
  std::string query;
  std::map<std::string, std::string> metadata;
  // Seconds until DEADLINE_EXCEEDED; 0 for never, and at most a year.
  double timeout = 0;
};

// Calls one endpoint by its name, without a .proto.
class Handle {
 public:
  Handle(std::shared_ptr<grpc::Channel> channel, std::string endpoint);

  // Sends a body, which is JSON unless the options name another type, and returns the response. Throws Error, and std::invalid_argument for metadata that
  // is not printable ASCII, or for a name that gRPC does not allow.
  Response Call(const std::string& body, const CallOptions& options = {}) const;

 private:
  std::shared_ptr<v1::Serve::Stub> stub_;
  std::string endpoint_;
};

// How a rollout continues after another actor's change of the weights: from the present weights, or
// with those of its step.
enum class Resume { kUnchanged, kAdopt, kRestore };

// How an aborted rollout leaves the weights: back to those before the rollout, by the ramp of the
// plan or at once, or as they are.
enum class Abort { kRamped, kImmediate, kKeepWeights };

struct ConnectOptions {
  // The author of changes in the history; user@host if empty.
  std::string author;
  // The data address, if it differs from the one that the server reports.
  std::string data_address;
  // For both ports; plaintext unless set.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  // For the data port, if they differ.
  std::shared_ptr<grpc::ChannelCredentials> data_credentials;
  // Sent with each call of this client to the admin port, and never to the data port, whose backends
  // would see it. Requires credentials, except at a loopback address.
  std::string token;
};

// A client of a running Weir. Thread-safe. All calls throw Error.
class Client {
 public:
  // Connects to the admin port at host:port.
  static Client Connect(const std::string& address, const ConnectOptions& options = {});

  // The stub of the whole admin service, for RPCs without a method here. They do not send the token:
  // context.AddMetadata("authorization", "Bearer " + token).
  admin::v1::Admin::Stub& admin() { return *admin_; }
  // The connection to the data port, for existing stubs.
  std::shared_ptr<grpc::Channel> data() const { return data_; }
  const std::string& data_address() const { return data_address_; }

  // Adds an upstream backend: gRPC servers that Weir does not start.
  admin::v1::Backend CreateBackend(
      const std::string& name, const std::vector<std::string>& addresses, const ChangeOptions& options = {});
  // The overloads with a request take all of its fields. The author is that of this client, unless the
  // request has one.
  admin::v1::Backend CreateBackend(const admin::v1::CreateBackendRequest& request);
  // Throws FAILED_PRECONDITION while a traffic policy or shadow uses it.
  void DeleteBackend(const std::string& name, const ChangeOptions& options = {});
  std::vector<admin::v1::Backend> ListBackends();

  // Adds an endpoint that routes all requests to one backend. With an empty route, clients call it
  // only by name.
  admin::v1::Endpoint CreateEndpoint(
      const std::string& name, const std::string& route, const std::string& backend, const ChangeOptions& options = {});
  admin::v1::Endpoint CreateEndpoint(const admin::v1::CreateEndpointRequest& request);
  void DeleteEndpoint(const std::string& name, const ChangeOptions& options = {});
  admin::v1::Endpoint GetEndpoint(const std::string& name);
  std::vector<admin::v1::Endpoint> ListEndpoints();

  // Replaces the weights of an endpoint atomically. They must sum to 1.
  admin::v1::SetTrafficResponse SetTraffic(
      const std::string& endpoint, const std::map<std::string, double>& traffic, const ChangeOptions& options = {});
  admin::v1::SetTrafficResponse SetTraffic(const admin::v1::SetTrafficRequest& request);
  // Copies a share of an endpoint's requests to a backend; 0 removes the shadow.
  admin::v1::Endpoint ShadowTraffic(
      const std::string& endpoint, const std::string& backend, double proportion, const ChangeOptions& options = {});
  admin::v1::Endpoint ShadowTraffic(const admin::v1::ShadowTrafficRequest& request);
  // Replaces the rules that compare the responses of an endpoint's shadows.
  admin::v1::Endpoint SetShadowComparison(
      const std::string& endpoint, const admin::v1::ShadowComparison& comparison, const ChangeOptions& options = {});
  std::vector<admin::v1::ShadowReport> ShadowReport(const std::string& endpoint);
  // Resets the reports of an endpoint's shadows, or of one of them.
  void ResetShadowReport(const std::string& endpoint, const std::string& backend = "");
  // Limits the requests per second of an endpoint; nullopt removes the limit. The burst is the number
  // of requests at once; 0 for those of one second.
  admin::v1::Endpoint SetRateLimit(
      const std::string& endpoint, std::optional<double> requests_per_second, std::uint32_t burst = 0,
      const ChangeOptions& options = {});

  // Starts to move the traffic of an endpoint to a backend step by step.
  admin::v1::StartRolloutResponse StartRollout(
      const std::string& endpoint, const admin::v1::RolloutPlan& plan, const ChangeOptions& options = {});
  // The latest rollout of an endpoint, and of each endpoint.
  admin::v1::Rollout GetRollout(const std::string& endpoint);
  std::vector<admin::v1::Rollout> ListRollouts();
  // Passes a rollout when it changes, until it ends or the function returns false.
  void WatchRollout(const std::string& endpoint, const std::function<bool(const admin::v1::Rollout&)>& receive);
  // Stops all automatic changes of a rollout; its weights stay.
  admin::v1::Rollout PauseRollout(const std::string& endpoint, const ChangeOptions& options = {});
  admin::v1::Rollout ResumeRollout(
      const std::string& endpoint, Resume weights = Resume::kUnchanged, const ChangeOptions& options = {});
  // Approves a complete step, or skips one that is not. Ends the bake.
  admin::v1::Rollout AdvanceRollout(const std::string& endpoint, const ChangeOptions& options = {});
  // Routes all requests to the candidate at once.
  admin::v1::Rollout PromoteRollout(const std::string& endpoint, const ChangeOptions& options = {});
  admin::v1::Rollout AbortRollout(
      const std::string& endpoint, Abort weights = Abort::kRamped, const ChangeOptions& options = {});

  // The backend of a call by name, and the reason; an empty key counts as no key. AffinityMap
  // computes it locally.
  admin::v1::ExplainRouteResponse Explain(const std::string& endpoint, const std::string& shard_key);
  // The figures of one endpoint, or of all if the name is empty.
  admin::v1::Stats Stats(const std::string& endpoint = "");
  // The whole state, or that of a revision, for Apply.
  admin::v1::Configuration Export(std::uint64_t revision = 0);
  // Replaces the whole state with a configuration, in one change. Throws FAILED_PRECONDITION if it does
  // not contain all backends and endpoints; with `prune`, deletes the others. Throws ABORTED if another
  // change is made at the same time.
  admin::v1::ApplyResponse Apply(const admin::v1::Configuration& configuration, const ChangeOptions& options = {});
  // The accepted changes, latest first.
  std::vector<admin::v1::Revision> History(std::uint32_t limit = 100);
  std::vector<admin::v1::Revision> History(const admin::v1::ListRevisionsRequest& request);
  // Restores an endpoint, or all if the name is empty, to a revision.
  admin::v1::RollbackResponse Rollback(
      std::uint64_t revision, const std::string& endpoint = "", const ChangeOptions& options = {});

  Handle GetHandle(const std::string& endpoint) const { return Handle(data_, endpoint); }

 private:
  Client() = default;

  void SendToken(grpc::ClientContext& context) const;
  template <typename Request>
  void Fill(const ChangeOptions& options, Request& request) const;
  template <typename Request, typename Reply>
  Reply Call(
      grpc::Status (admin::v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
      const Request& request);
  // The author is that of this client, unless the request has one.
  template <typename Request, typename Reply>
  Reply CallSigned(
      grpc::Status (admin::v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*), Request request);
  // A change that takes only an endpoint.
  template <typename Request, typename Reply>
  Reply Change(
      grpc::Status (admin::v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
      const std::string& endpoint, const ChangeOptions& options);

  std::string author_;
  std::string token_;
  std::string data_address_;
  std::shared_ptr<admin::v1::Admin::Stub> admin_;
  std::shared_ptr<grpc::Channel> data_;
};

}  // namespace weir
