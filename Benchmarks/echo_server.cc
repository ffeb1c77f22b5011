// A peer for the benchmark: gRPC C++'s server. One thread answers the unary echo asynchronously;
// streams run on the threads of the synchronous API. Usage: echo_server PORT
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "helloworld/helloworld.grpc.pb.h"

using helloworld::Greeter;
using helloworld::HelloReply;
using helloworld::HelloRequest;

namespace {

class Service : public Greeter::WithAsyncMethod_SayHello<Greeter::Service> {
 public:
  // As many replies of 64 bytes as the name says.
  grpc::Status SayHelloStreamReply(grpc::ServerContext*, const HelloRequest* request,
                                   grpc::ServerWriter<HelloReply>* writer) override {
    HelloReply reply;
    reply.set_message(std::string(64, 'x'));
    for (int left = std::stoi(request->name()); left > 0; --left) writer->Write(reply);
    return grpc::Status::OK;
  }

  // The number of bytes of all names.
  grpc::Status SayHelloToAll(grpc::ServerContext*, grpc::ServerReader<HelloRequest>* reader,
                             HelloReply* reply) override {
    HelloRequest request;
    size_t bytes = 0;
    while (reader->Read(&request)) bytes += request.name().size();
    reply->set_message(std::to_string(bytes));
    return grpc::Status::OK;
  }
};

// Handles one call at a time: waits for a request, answers it, and repeats.
class Call {
 public:
  Call(Service* service, grpc::ServerCompletionQueue* queue)
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

  Service* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  HelloRequest request_;
  grpc::ServerAsyncResponseWriter<HelloReply> responder_{&context_};
  bool answered_ = false;
};

}  // namespace

int main(int, char** arguments) {
  Service service;
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
