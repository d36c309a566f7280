package channellayer_test

import (
	"fmt"
	"time"

	"github.com/belleville/belleville/channellayer"
)

func ExampleParseJSON() {
	v, err := channellayer.ParseJSON([]byte(`{"n": 1, "price": 1000.0, "big": 18446744073709551616}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(channellayer.AppendJSON(nil, v)))
	fmt.Println(string(channellayer.AppendPythonJSON(nil, v)))

	_, err = channellayer.ParseJSON([]byte(`{"n": NaN}`))
	fmt.Println(err)
	// Output:
	// {"big":1.8446744073709552e+19,"n":1,"price":1000.0}
	// {"big": 1.8446744073709552e+19, "n": 1, "price": 1000.0}
	// channellayer: invalid JSON: a value is missing at byte 6
}

func ExampleCheckGroupName() {
	fmt.Println(channellayer.CheckGroupName("chat.lobby"))
	fmt.Println(channellayer.CheckGroupName("chat/lobby\n"))
	// Output:
	// <nil>
	// channellayer: invalid name: group "chat/lobby\n"
}

func ExampleNewCapacities() {
	capacities := channellayer.NewCapacities(100, []channellayer.Capacity{
		{Glob: "http.response!*", Capacity: 10},
		{Glob: "jobs.*", Capacity: 2000},
	})
	fmt.Println(capacities.Of("jobs.thumbnails"), capacities.Of("chat"))
	// Output: 2000 100
}

func ExampleLocal() {
	local := channellayer.NewLocal(func(_ *channellayer.Delivery, delivered, dropped int) {
		fmt.Println("delivered", delivered, "dropped", dropped)
	})
	queue := channellayer.NewQueue()
	name := local.Open("specific.9f31c0!", channellayer.NewCapacities(100, nil), queue)
	first, err := local.Join("chat.lobby", name)
	fmt.Println(first, err) // the first one: a layer tells other processes now

	d := channellayer.NewDelivery(channellayer.Event{"type": "chat.message"}, time.Now().Add(time.Minute))
	fmt.Println(local.DeliverGroup("chat.lobby", d))
	fmt.Println(local.Close(name)) // and takes it back
	// Output:
	// true <nil>
	// delivered 1 dropped 0
	// 1
	// [chat.lobby]
}
