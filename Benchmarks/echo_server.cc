// A peer for the benchmark: gRPC C++'s async server with one thread and a typed echo. Usage:
// echo_server PORT
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "helloworld/helloworld.grpc.pb.h"

using helloworld::Greeter;
using helloworld::HelloReply;
using helloworld::HelloRequest;

namespace {

// Handles one call at a time: waits for a request, answers it, and repeats.
class Call {
 public:
  Call(Greeter::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue) {
    Wait();
  }

  void Proceed() {
    if (!answered_) {
      new Call(service_, queue_);
      HelloReply reply;
      reply.set_message(request_.name());
      answered_ = true;
      responder_.Finish(reply, grpc::Status::OK, this);
    } else {
      delete this;
    }
  }

 private:
  void Wait() {
    service_->RequestSayHello(&context_, &request_, &responder_, queue_, queue_, this);
  }

  Greeter::AsyncService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  HelloRequest request_;
  grpc::ServerAsyncResponseWriter<HelloReply> responder_{&context_};
  bool answered_ = false;
};

}  // namespace

int main(int, char** arguments) {
  Greeter::AsyncService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + arguments[1],
                           grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  for (int i = 0; i < 2000; ++i) new Call(&service, queue.get());
  void* tag;
  bool ok;
  while (queue->Next(&tag, &ok)) {
    if (ok) static_cast<Call*>(tag)->Proceed();
  }
}
