// Moves a share of the demo's traffic to greeter-v2, and back. Run it against `make run`.
#include <cstdio>
#include <map>
#include <string>

#include "helloworld/helloworld.grpc.pb.h"
#include "weir/client.h"

// Calls with an ordinary stub, and returns the number of users of each backend.
static std::map<std::string, int> Count(helloworld::Greeter::Stub& greeter) {
  std::map<std::string, int> answered;
  for (int user = 0; user < 200; ++user) {
    grpc::ClientContext context;
    weir::SetShardKey(context, "user-" + std::to_string(user));
    helloworld::HelloRequest request;
    request.set_name("Ada");
    helloworld::HelloReply reply;
    if (!greeter.SayHello(&context, request, &reply).ok()) std::abort();
    ++answered[weir::AnsweredBy(context)];
  }
  return answered;
}

int main(int argc, char** argv) {
  try {
    auto client = weir::Client::Connect(argc > 1 ? argv[1] : "127.0.0.1:8001");
    const auto greeter = helloworld::Greeter::NewStub(client.data());
    for (const double share : {0.0, 0.1, 0.5, 0.0}) {
      const auto change = client.SetTraffic("greeter", {{"greeter-v1", 1 - share}, {"greeter-v2", share}});
      auto answered = Count(*greeter);
      std::printf(
          "%3.0f %% canary, %2.0f %% of users moved: greeter-v1 %d, greeter-v2 %d\n", share * 100,
          change.moved_share() * 100, answered["greeter-v1"], answered["greeter-v2"]);
    }
  } catch (const weir::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
