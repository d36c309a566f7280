package membership_test

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

func ExampleTable() {
	table := membership.New(channellayer.NewLocal(nil), func(group string) string { return membership.Suffix(30, group) })
	for _, visitor := range []string{"one", "other"} {
		name, err := table.Open("specific.9f31c0!", channellayer.NewCapacities(100, nil), channellayer.NewQueue())
		if err != nil {
			fmt.Println(err)
		}
		err = table.Join(context.Background(), "chat", name, func(_ context.Context, group string) error {
			fmt.Println("the process is a member of", group)
			return nil
		})
		fmt.Println(visitor, "is in:", err == nil)
	}
	// Output:
	// the process is a member of chat
	// one is in: true
	// other is in: true
}
