// Moves a share of the demo's users to greeter-v2, and back. Run it against `make run`.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
	weir "weir.local/weir/clients/go"
)

// count calls with an ordinary connection, and returns the number of users of each backend.
func count(ctx context.Context, connection *grpc.ClientConn) map[string]int {
	answered := map[string]int{}
	for user := 0; user < 200; user++ {
		var trailer metadata.MD
		// Like a generated stub; a StringValue has the format of HelloRequest and HelloReply.
		err := connection.Invoke(
			weir.WithShardKey(ctx, fmt.Sprintf("user-%d", user)), "/helloworld.Greeter/SayHello",
			wrapperspb.String("Ada"), &wrapperspb.StringValue{}, grpc.Trailer(&trailer))
		if err != nil {
			log.Fatal(err)
		}
		answered[weir.AnsweredBy(trailer)]++
	}
	return answered
}

func main() {
	address := "127.0.0.1:8001"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := weir.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for _, share := range []float64{0, 0.1, 0.5, 0} {
		change, err := client.SetTraffic(ctx, "greeter", map[string]float64{"greeter-v1": 1 - share, "greeter-v2": share})
		if err != nil {
			log.Fatal(err)
		}
		answered := count(ctx, client.Data())
		fmt.Printf(
			"%3.0f %% canary, %2.0f %% of users moved: greeter-v1 %d, greeter-v2 %d\n",
			share*100, change.MovedShare*100, answered["greeter-v1"], answered["greeter-v2"])
	}
}
