// Client of Weir: changes how a running server routes, and calls its endpoints.
//
//   auto client = weir::Client::Connect("127.0.0.1:8001");
//   client.CreateBackend("model-v2", {"10.0.0.8:50051"});
//   client.SetTraffic("model", {{"model-v1", 0.9}, {"model-v2", 0.1}});
//
// Stubs that you have keep working; SetShardKey gives a call a shard key.
#pragma once

#include <cstdint>
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

// Gives a call a shard key, whatever stub it is made by: the same key reaches the same backend. The key may be any
// printable ASCII text. To be called before the call begins.
void SetShardKey(grpc::ClientContext& context, const std::string& key);

// The backend that has answered; empty when the server does not say. To be called when the call has ended.
std::string AnsweredBy(const grpc::ClientContext& context);

// What a call ended with when it did not end well, in Weir's words.
class Error : public std::runtime_error {
 public:
  explicit Error(const grpc::Status& status);

  grpc::StatusCode code() const { return code_; }
  // The field of the request that is wrong, and the rule that refused it ("REVISION_CONFLICT", ...), where they are
  // known; empty otherwise.
  const std::string& field() const { return field_; }
  const std::string& reason() const { return reason_; }
  // What belongs to the reason.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  grpc::StatusCode code_;
  std::string field_;
  std::string reason_;
  std::map<std::string, std::string> metadata_;
};

// On which terms a change is made.
struct Terms {
  // If set, the revision upon which the change is made; ABORTED when another one came first.
  std::optional<std::uint64_t> expected_revision;
  // Tells what the change would do, and does nothing.
  bool validate_only = false;
  // For the history.
  std::string comment;
};

// Whose a shard key is: the backend, and the interval that holds the key's point.
struct Owner {
  std::string backend;
  std::uint64_t point;
  std::uint64_t first;
  std::uint64_t last;
};

// Tells the backend of a shard key without asking Weir: intervals of the points [0, 2^64), each with one owner. The
// point of a key is XXH64(key, XXH64(endpoint, 0)); protos/vectors/affinity.json has test vectors.
class AffinityMap {
 public:
  // Takes what Client::GetEndpoint tells. Throws std::invalid_argument when the intervals don't begin at 0.
  explicit AffinityMap(const admin::v1::Endpoint& endpoint);

  std::uint64_t Point(std::string_view shard_key) const;
  // Throws std::invalid_argument for an empty key, which is no key, so that no backend has it.
  Owner Explain(std::string_view shard_key) const;

 private:
  std::uint64_t seed_;
  std::vector<std::pair<std::uint64_t, std::string>> intervals_;
};

// What a backend has answered to a call by name.
struct Response {
  std::string body;
  std::string content_type;
  int status;
  // Who has answered.
  std::string backend;
};

// How a handle calls.
struct CallOptions {
  std::string shard_key;
  // Another method of the object behind the backend; empty for the object itself.
  std::string method_name;
  std::string content_type = "application/json";
  // Reaches the backend as the query of an HTTP request does, encoded as in a URL.
  std::string query;
  std::map<std::string, std::string> metadata;
  // Seconds until DEADLINE_EXCEEDED; 0 for never.
  double timeout = 0;
};

// Calls one endpoint by its name, without a .proto.
class Handle {
 public:
  Handle(std::shared_ptr<grpc::Channel> channel, std::string endpoint);

  // Sends a body and waits for the answer. Throws Error.
  Response Call(const std::string& body, const CallOptions& options = {}) const;

 private:
  std::shared_ptr<v1::Serve::Stub> stub_;
  std::string endpoint_;
};

struct ConnectOptions {
  // Told in the history with each change; user@host if empty.
  std::string author;
  // Where the server takes calls, if that is not where it says itself.
  std::string data_address;
  // Plaintext unless set.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
};

// Changes and shows how a Weir routes, and calls its endpoints. May be used by many threads. All calls throw Error.
class Client {
 public:
  // A client of the Weir whose admin port is at host:port.
  static Client Connect(const std::string& address, const ConnectOptions& options = {});

  // The whole admin service, for what has no method here.
  admin::v1::Admin::Stub& admin() { return *admin_; }
  // The connection to the data port, for stubs that you have.
  std::shared_ptr<grpc::Channel> data() const { return data_; }
  const std::string& data_address() const { return data_address_; }

  // A backend of gRPC servers that run by themselves.
  admin::v1::Backend CreateBackend(
      const std::string& name, const std::vector<std::string>& addresses, const Terms& terms = {});
  // FAILED_PRECONDITION while an endpoint's traffic or shadows name it.
  void DeleteBackend(const std::string& name, const Terms& terms = {});
  std::vector<admin::v1::Backend> ListBackends();

  // An endpoint whose requests all go to one backend. With an empty route only handles reach it.
  admin::v1::Endpoint CreateEndpoint(
      const std::string& name, const std::string& route, const std::string& backend, const Terms& terms = {});
  void DeleteEndpoint(const std::string& name, const Terms& terms = {});
  admin::v1::Endpoint GetEndpoint(const std::string& name);
  std::vector<admin::v1::Endpoint> ListEndpoints();

  // Replaces the weights of an endpoint, at once. They sum to 1.
  admin::v1::SetTrafficResponse SetTraffic(
      const std::string& endpoint, const std::map<std::string, double>& traffic, const Terms& terms = {});
  // Copies a share of an endpoint's requests to a backend; 0 ends that.
  admin::v1::Endpoint ShadowTraffic(
      const std::string& endpoint, const std::string& backend, double proportion, const Terms& terms = {});
  std::vector<admin::v1::ShadowReport> ShadowReport(const std::string& endpoint);

  // Which backend a request by name gets, and why; an empty key is none. AffinityMap computes it without asking.
  admin::v1::ExplainRouteResponse Explain(const std::string& endpoint, const std::string& shard_key);
  // Of one endpoint, or all with an empty name.
  admin::v1::Stats Stats(const std::string& endpoint = "");
  // The accepted changes, latest first.
  std::vector<admin::v1::Revision> History(std::uint32_t limit = 100);
  // Makes an endpoint, or all with an empty name, what they were at a revision.
  admin::v1::RollbackResponse Rollback(
      std::uint64_t revision, const std::string& endpoint = "", const Terms& terms = {});

  Handle GetHandle(const std::string& endpoint) const { return Handle(data_, endpoint); }

 private:
  Client() = default;

  template <typename Request>
  void Apply(const Terms& terms, Request& request) const;
  template <typename Request, typename Reply>
  Reply Call(
      grpc::Status (admin::v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
      const Request& request);

  std::string author_;
  std::string data_address_;
  std::shared_ptr<admin::v1::Admin::Stub> admin_;
  std::shared_ptr<grpc::Channel> data_;
};

}  // namespace weir
