package worker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers/worker"
)

// Generate asks for the thumbnails of a picture. Django sends it as {"type": "generate", "id": …}.
type Generate struct {
	ID int64 `json:"id"`
}

// EventType implements consumers.Event.
func (Generate) EventType() string { return "generate" }

func ExampleNew() {
	layer := memlayer.New(memlayer.Config{}) // or redislayer.New, where Django sends
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	w := worker.New(layer, worker.ChannelNameRouter{
		"thumbnails": worker.Types(
			worker.On(func(_ context.Context, e Generate) error {
				fmt.Println("thumbnails of picture", e.ID)
				stop()
				return nil
			}),
		),
	}, worker.Config{Concurrency: 4, Retries: 3, Timeout: time.Minute})
	_ = layer.Send(ctx, "thumbnails", channellayer.Event{"type": "generate", "id": int64(7)})
	fmt.Println(w.Run(ctx))
	// Output:
	// thumbnails of picture 7
	// <nil>
}
