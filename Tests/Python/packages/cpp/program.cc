// Uses an installed package: lists the endpoints of the server at WEIR_ADMIN.
#include <cstdio>
#include <cstdlib>

#include <weir/client.h>

int main() {
  auto client = weir::Client::Connect(std::getenv("WEIR_ADMIN"));
  for (const auto& endpoint : client.ListEndpoints()) std::printf("%s\n", endpoint.name().c_str());
}
